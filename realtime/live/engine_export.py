"""A model file that carries what an engine needs, and how far the engines that run here agree with float32."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from neuript.engines.agreement import Agreement, compare_engines
from neuript.engines.contract import EagerEngine, EnginePrecision
from neuript.engines.cpu_engine import CpuEngine
from neuript.engines.ladder import in_words, open_engine
from neuript.engines.onnx_engines import OnnxRuntimeEngine
from neuript.engines.onnx_export import export_onnx
from neuript.engines.plan_store import note_own
from neuript.engines.remembered import computer
from neuript.engines.rtx_build import RtxPlan, build_plan, load_bindings
from neuript.engines.rungs import GPU_ENGINES, TENSORRT, EngineParts, default_threads, in_precision, rung_of
from neuript.engines.selftest import ONNX_ENGINES
from neuript.engines.split import finished, tail_of
from neuript.errors import EngineRefusedError, NeuriptError
from neuript.extras import of_extra
from neuript.files import check_writable
from neuript.modelfile.container import Part
from neuript.modelfile.deployable import load_model, write_with_parts
from neuript.modelfile.engines import eager_engine, engine_parts, golden_inputs
from neuript.network.gpu import sees_gpu

if TYPE_CHECKING:
    from neuript.modelfile.checked_model import Deployable

log = logging.getLogger(__name__)

N_MADE_UP = 60
"""Windows of made-up EEG beside the golden ones."""


@dataclass(frozen=True, kw_only=True)
class EngineExport:
    """What was written."""

    path: Path
    engine: str
    agreements: tuple[Agreement, ...]
    """Of every engine that runs here, over golden, made-up and recorded windows."""
    refused: tuple[str, ...]
    """A sentence for each engine that does not."""
    n_recorded: int
    plan: RtxPlan | None = None

    def lines(self) -> list[str]:
        """Return it in words."""
        rows = []
        if self.plan is not None:
            p = self.plan
            rows.append(
                f"{p.n_engines} engine in {p.precision}, {len(p.data) / 1e6:.1f} MB, built in {p.seconds:.0f} s with "
                f"TensorRT-RTX {p.version}"
            )
        recorded = f", {self.n_recorded} of them recorded" if self.n_recorded else ""
        rows.append(f"compared with float32 in PyTorch{recorded}:")
        rows += [f"  {agreement}" for agreement in self.agreements]
        rows += [f"  {sentence}" for sentence in self.refused]
        return [*rows, f"wrote {self.path}"]


def export_with_engine(
    source: str | Path,
    path: str | Path,
    *,
    engine: str,
    precision: EnginePrecision = "float32",
    recording: str | None = None,
    montage: str | None = None,
    eeg: str | None = None,
    channels: str | None = None,
    trust: bool = False,
) -> EngineExport:
    """Write a model file with the network's ONNX graph and, for TensorRT, an engine that is built now, without a GPU.

    Nothing is written if the engine that was asked for runs here and does not give the network's answers. Once the file
    is there, the engines that are installed are measured and the fastest is remembered, for this computer.

    Parameters
    ----------
    source : str or Path
        What `load_model` reads.
    path : str or Path
        File to write, NAME.ts.
    engine : {'tensorrt', 'onnxruntime', 'openvino'}
        The engine.
    precision : {'float32', 'float16'}
        Of the matrix products of a TensorRT engine.
    recording, montage, eeg, channels : str, optional
        A recording over whose windows engines are compared, too; see `recorded_windows`.
    trust : bool
        As for `load_model`.

    Raises
    ------
    NeuriptError
        If the source is refused, a package is missing, or the file cannot be written.
    EngineRefusedError
        If the engine cannot be built, or runs here and answers differently.
    """
    path = check_writable(path, keep=(source, recording))
    for package in ("onnx", "onnxscript", *((engine,) if engine in ONNX_ENGINES else ())):
        of_extra({"openvino": "fast", "onnxruntime": "onnxruntime"}.get(package, "onnx"), package, f"--engine {engine}")
    if engine == TENSORRT:
        load_bindings()
        if precision != "float32" and not sees_gpu():
            of_extra("onnxruntime", "onnxruntime", "comparing half precision without a GPU")
    deployable = load_model(source, trust=trust)
    parts = engine_parts(deployable)
    windows, n_recorded = _windows(deployable, recording, montage, eeg, channels)
    log.info("making the network's ONNX graph, which takes about half a minute ...")
    told = export_onnx(parts.network, routers=True)
    graph = _without_routers(told)
    made = {"network.onnx": Part(graph, {"opset": _opset(graph), **_versions("torch", "onnx")})}
    plan = None
    if engine == TENSORRT:
        log.info("building the TensorRT engine, which takes about a minute ...")
        plan = build_plan(in_precision(graph, precision), precision)
        if plan.input_shape != (1, *parts.shape):
            raise EngineRefusedError(f"the engine takes {plan.input_shape}, but the network {(1, *parts.shape)}")
        note_own(plan.data)
        about = {"precision": precision, "version": plan.version, "n_engines": plan.n_engines}
        made["network.rtx"] = Part(plan.data, about)
    asked = EngineParts(
        network=parts.network, windows=windows, onnx=told, plan=None if plan is None else plan.data, precision=precision
    )
    agreements, refused = _compared(asked, engine)
    if plan is not None and precision != "float32" and not sees_gpu():
        agreements = (*agreements, _rounded(graph, asked))
    write_with_parts(deployable, path, made)
    open_engine(engine_parts(load_model(path), default_threads(deployable.module)), patient=True).close()
    return EngineExport(
        path=path, engine=engine, agreements=agreements, refused=refused, n_recorded=n_recorded, plan=plan
    )


def _windows(
    deployable: Deployable, recording: str | None, montage: str | None, eeg: str | None, channels: str | None
) -> tuple[np.ndarray, int]:
    golden = [deployable.golden.signal, golden_inputs(deployable.manifest, N_MADE_UP)]
    if recording is None:
        return np.concatenate(golden), 0
    from neuript.realtime.live.recorded_windows import recorded_windows

    model = eager_engine(deployable.module, deployable.manifest)
    model.reference = deployable.reference
    found = recorded_windows(model, recording, montage=montage, eeg=eeg, channels=channels)
    return np.concatenate([*golden, found.signal]), len(found)


def _compared(parts: EngineParts, engine: str) -> tuple[tuple[Agreement, ...], tuple[str, ...]]:
    """Compare every engine that is installed with the network; the one that was asked for has to agree."""
    names = [CpuEngine.name, *(n for n in ONNX_ENGINES if computer()[n] != "none")]
    names += GPU_ENGINES if sees_gpu() else ()
    if engine not in names:
        names.append(engine)
    reference, agreements, refused = EagerEngine(parts.network), [], []
    for name in names:
        rung = rung_of(name, parts)
        try:
            if rung.trial is not None:
                rung.trial().result()
            built = rung.build()
            agreement = compare_engines(reference, built, parts.windows, parts.network)
            built.close()
            agreement.check()
            agreements.append(agreement)
        except Exception as error:
            if name == engine and (name != TENSORRT or sees_gpu()):
                raise error if isinstance(error, NeuriptError) else EngineRefusedError(in_words(error)) from error
            refused.append(f"{name}: {in_words(error)}")
    return tuple(agreements), tuple(refused)


def _rounded(graph: bytes, parts: EngineParts) -> Agreement:
    """Compare the answers of a graph in half precision by ONNX Runtime, which rounds the products where no GPU is.

    Raises
    ------
    EngineRefusedError
        If rounding changes too many answers.
    """
    of_extra("onnxruntime", "onnxruntime", "half precision without a GPU")
    engine = OnnxRuntimeEngine(in_precision(graph, parts.precision))
    engine.name, engine.precision = "products as tensorrt rounds them", parts.precision
    agreement = compare_engines(EagerEngine(parts.network), finished(engine, tail_of(parts.network)), parts.windows)
    engine.close()
    agreement.check()
    return agreement


def _without_routers(graph: bytes) -> bytes:
    """Return the graph with its logits alone."""
    onnx = of_extra("onnx", "onnx", "an ONNX graph")
    model = onnx.load_from_string(graph)
    del model.graph.output[1:]
    return bytes(model.SerializeToString())


def _opset(graph: bytes) -> int:
    onnx = of_extra("onnx", "onnx", "an ONNX graph")
    return max(int(one.version) for one in onnx.load_from_string(graph).opset_import if not one.domain)


def _versions(*packages: str) -> dict[str, str]:
    from importlib.metadata import version

    return {package: version(package) for package in packages}
