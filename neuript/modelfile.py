"""Model files: write a deployable, and open one only after everything about it has been checked."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuript import trust as trust_store
from neuript.container import Container, parse, read_file, seal
from neuript.errors import ModelRefusedError, NeuriptError
from neuript.files import check_writable, write_atomically
from neuript.manifest import Manifest

if TYPE_CHECKING:
    import torch
    from torch import nn

    from neuript.engines import Engine

log = logging.getLogger(__name__)


def save_model(
    path: str | Path,
    module: nn.Module,
    manifest: Manifest,
    golden_inputs: NDArray[np.float32] | None = None,
) -> Manifest:
    """Write a deployable; nothing is put in place before it has been opened again and agrees.

    Parameters
    ----------
    path
        `.ts` (TorchScript) or `.pt2` (torch.export).
    module
        Maps volts (batch, n_chans, n_times) to logits (batch, n_outputs); put into `eval` mode.
    manifest
        Of the model; the hash of the weights is filled in.
    golden_inputs : ndarray, shape (n, n_chans, n_times), optional
        Windows in volts whose outputs are stored and compared at every load. None means made-up
        EEG; a few real windows are better.

    Returns
    -------
    Manifest
        As written.

    Raises
    ------
    NeuriptError
        If the file cannot be written (an old one is kept), or the module and its manifest
        disagree.
    """
    import torch

    from neuript import engines
    from neuript.checkpoint import weights_sha256

    path = check_writable(path)
    if path.suffix not in _EXPORTERS:
        raise NeuriptError(f"{path.name} must end in {' or '.join(_EXPORTERS)}")
    module = module.eval()
    if golden_inputs is None:
        golden_inputs = engines.golden_inputs(manifest)
    inputs = np.ascontiguousarray(golden_inputs, dtype=np.float32)
    if inputs.shape[1:] != (manifest.n_chans, manifest.n_times) or not len(inputs):
        raise ValueError(
            f"golden_inputs.shape={inputs.shape}; expected (n, {manifest.n_chans}, "
            f"{manifest.n_times})"
        )
    with torch.inference_mode():
        logits = torch.cat([module(torch.from_numpy(x)[None]) for x in inputs]).float().numpy()
    if logits.shape != (len(inputs), manifest.n_outputs) or not np.isfinite(logits).all():
        raise NeuriptError(
            f"the model gives outputs of shape {logits.shape[1:]} for {manifest.n_outputs} classes"
            if np.isfinite(logits).all()
            else "the model gives NaN or infinity on its golden inputs; it is not written"
        )
    state = module.state_dict()
    manifest = manifest.with_weights(weights_sha256(state))
    archive = _EXPORTERS[path.suffix](module, torch.from_numpy(inputs[:1]))
    data = seal(archive, _extra(manifest, inputs, logits, list(state)))
    _engine(parse(data, path.name), path.name, "auto", "cpu", None)
    write_atomically(path, data)
    import hashlib

    trust_store.remember(hashlib.sha256(data).hexdigest(), how="written", name=path.name)
    return manifest


def open_model(
    path: str | Path,
    *,
    device: str = "cpu",
    engine: str = "auto",
    trust: bool = False,
    threads: int | None = None,
    expect_classes: Sequence[str] | None = None,
) -> Engine:
    """Open a deployable, or refuse it with the reason.

    The file is read once; its size, seal, structure and manifest are checked before PyTorch sees
    it, then whether it may run, then its weights and golden outputs.

    Parameters
    ----------
    path
        A `.ts` or `.pt2` that `save_model` wrote.
    device
        `cpu`, `cuda` or `auto`.
    engine
        `auto`, or one of `neuript.engines.ENGINES`.
    trust
        Run the file although it is not known on this computer, and remember it.
    threads
        CPU threads; None chooses by the model's size.
    expect_classes
        Refuse a model for other classes (in any order).

    Raises
    ------
    ModelRefusedError
        With the reason.
    """
    path = Path(path)
    container = parse(read_file(path), path.name)
    _check_classes(container.manifest, expect_classes, path.name)
    _check_trust(container, trust, path.name)
    return _engine(container, path.name, engine, device, threads)


def read_manifest(path: str | Path) -> Manifest:
    """Return the manifest of a deployable or a checkpoint without running anything in it.

    Raises
    ------
    ModelRefusedError
        If the file is not an intact model.
    """
    path = Path(path)
    if path.suffix == ".safetensors":
        from neuript.checkpoint import load_checkpoint

        return load_checkpoint(path)[0]
    return parse(read_file(path), path.name).manifest


def _engine(
    container: Container, name: str, engine: str, device: str, threads: int | None
) -> Engine:
    """Load the program and build the engine; check weights and golden vectors."""
    import torch

    from neuript import engines

    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device != "cpu" and not torch.cuda.is_available():
        raise NeuriptError(f"device {device!r} was asked for, but PyTorch sees no GPU; use cpu")
    script = _LOADERS[container.kind](container, name)
    _check_weights(script, container, name)
    built = engines.torchscript_engine(script, container.manifest, device=device, threads=threads)
    engines.check_golden(built, container.golden_inputs, container.golden_logits, name)
    return built


def _load_torchscript(container: Container, name: str) -> torch.jit.ScriptModule:
    import torch

    from neuript.engines import quiet_jit

    try:
        with quiet_jit():
            loaded: torch.jit.ScriptModule = torch.jit.load(
                io.BytesIO(container.data), map_location="cpu"
            )
    except (RuntimeError, ValueError, OSError) as error:
        raise ModelRefusedError(
            f"{name} cannot be loaded by PyTorch {torch.__version__}: "
            f"{str(error).strip().splitlines()[0][:200]}"
        ) from error
    return loaded


def _export_torchscript(module: nn.Module, example: torch.Tensor) -> bytes:
    import torch

    from neuript.engines import quiet_jit

    out = io.BytesIO()
    with quiet_jit(), torch.no_grad():
        traced = torch.jit.trace(module, example.expand(2, -1, -1), check_trace=False)
        torch.jit.save(traced, out)
    return out.getvalue()


_EXPORTERS = {".ts": _export_torchscript}
_LOADERS = {"ts": _load_torchscript}


def _check_weights(script: Any, container: Container, name: str) -> None:
    from neuript.checkpoint import weights_sha256

    state = script.state_dict()
    if missing := [n for n in container.weight_names if n not in state]:
        raise ModelRefusedError(f"{name} lacks the weights {missing[0]!r}")
    weights = {n: state[n] for n in container.weight_names}
    if weights_sha256(weights) != container.manifest.weights_sha256:
        raise ModelRefusedError(f"{name}: the weights are not those that its manifest names")


def _check_classes(manifest: Manifest, expected: Sequence[str] | None, name: str) -> None:
    if expected is not None and sorted(expected) != sorted(manifest.classes):
        raise ModelRefusedError(
            f"{name} tells apart {', '.join(manifest.classes)}, but {', '.join(expected)} were "
            "asked for; use a model that was calibrated for these"
        )


def _check_trust(container: Container, accept: bool, name: str) -> None:
    if trust_store.is_trusted(container.sha256):
        return
    if not accept:
        raise ModelRefusedError(
            f"{name} (SHA-256 {container.sha256[:16]}...) was not written on this computer. A "
            "model is a program: if you know who made it, pass --trust once, it is remembered"
        )
    trust_store.remember(container.sha256, how="--trust", name=name)


def _extra(
    manifest: Manifest,
    inputs: NDArray[np.float32],
    logits: NDArray[np.float32],
    weight_names: list[str],
) -> dict[str, bytes]:
    from safetensors.numpy import save

    return {
        "manifest.json": manifest.to_json(indent=1).encode(),
        "golden.safetensors": save({"inputs": inputs, "logits": logits}),
        "weights.json": json.dumps(weight_names).encode(),
    }
