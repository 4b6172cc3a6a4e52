"""`neuript-train export --engine tensorrt`: the network of a model as an engine for NVIDIA GPUs."""

from __future__ import annotations

from pathlib import Path

from neuript.errors import NeuriptError

SUFFIX = ".rtx"
PRECISIONS = {"fp32": "float32", "fp16": "float16"}
"""What a person types to the names of the engines."""


def export_engine(source: Path, out: Path, precision: str, *, trust: bool = False) -> None:
    """Build the engine of a model's network, write it and say what it is."""
    if out.suffix != SUFFIX:
        raise NeuriptError(f"--out {out.name} must end in {SUFFIX}, since --engine tensorrt writes an engine")

    from neuript.engines.rtx_build import build_network_plan, load_bindings
    from neuript.files import check_writable, write_atomically
    from neuript.modelfile.deployable import load_model

    check_writable(out, keep=(source,))
    load_bindings()
    network = load_model(source, trust=trust).network
    if network is None:
        raise NeuriptError(f"{source.name} decodes without a network, so that there is nothing to build an engine of")
    plan = build_network_plan(network, PRECISIONS[precision])  # type: ignore[arg-type]
    write_atomically(out, plan.data)
    print(
        f"{plan.n_engines} engine in {precision}, {len(plan.data) / 1e6:.1f} MB, built in {plan.seconds:.0f} s with "
        f"TensorRT-RTX {plan.version}"
    )
