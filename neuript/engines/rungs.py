"""The engines that can be tried for a network on this computer, each as one rung of the ladder, not yet built."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache, partial
from importlib.util import find_spec
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from neuript.engines import remembered
from neuript.engines.contract import EagerEngine, EnginePrecision, NetworkEngine
from neuript.engines.cpu_engine import CpuEngine
from neuript.engines.onnx_export import export_onnx
from neuript.engines.plan_store import has_plan, is_own, keep_plan, kept_plan, plan_key
from neuript.engines.rtx_build import BINDINGS, build_plan, load_bindings
from neuript.engines.selftest import ONNX_ENGINES, EngineTrial
from neuript.engines.split import Tail, engine_part, finished, tail_of
from neuript.engines.torch_engines import CompiledEngine, CudaEngine
from neuript.network.network import NeurIPTNetwork

log = logging.getLogger(__name__)

TENSORRT, TORCH_TENSORRT = "tensorrt", "torch-tensorrt"
GPU_ENGINES = (TENSORRT, TORCH_TENSORRT, CudaEngine.name)
"""Engines that need an NVIDIA GPU."""
CPU_ENGINES = (CpuEngine.name, *ONNX_ENGINES, CompiledEngine.name, EagerEngine.name)
SINGLE_THREAD_PARAMETERS = 4_000_000
"""Up to this size a second thread costs more in waiting than it saves."""


@dataclass(frozen=True)
class Rung:
    """One engine of the ladder, not yet built."""

    name: str
    threads: int
    build: Callable[[], NetworkEngine]
    trial: Callable[[], EngineTrial] | None = None
    """Starts a first run in another process; None where the engine is ours."""
    tail: Tail | None = None
    """Makes logits of what the other process answers."""

    @property
    def label(self) -> str:
        """Name that it is remembered by."""
        return f"{self.name}/{self.threads}"


@dataclass(frozen=True, kw_only=True)
class EngineParts:
    """What the engines of one network are made of."""

    network: NeurIPTNetwork
    windows: NDArray[np.float32] = field(repr=False)
    """Golden windows in volts, shape (n, n_chans, n_times)."""
    onnx: bytes | None = field(default=None, repr=False)
    """The network's ONNX graph in float32, if there is one."""
    plan: bytes | None = field(default=None, repr=False)
    """An engine of TensorRT-RTX that came with the model; loaded only if it was built on this computer."""
    precision: EnginePrecision = "float32"
    """What an engine of TensorRT-RTX is built with."""
    weights_sha256: str = ""
    """What identifies the network; empty keeps nothing."""
    threads: int = 1

    @property
    def shape(self) -> tuple[int, int]:
        """Channels and samples of a window."""
        return int(self.windows.shape[1]), int(self.windows.shape[2])

    def graph(self) -> bytes:
        """Return the ONNX graph, made now if there is none."""
        if self.onnx is not None:
            return self.onnx
        log.info("making the network's ONNX graph, which takes about half a minute ...")
        return export_onnx(self.network)


def default_threads(module: nn.Module) -> int:
    """Return how many CPU threads suit a model: one for small ones, else up to four.

    The choice depends only on the model's size where there are four cores or more, because sums
    over more threads can round differently.
    """
    n_parameters = sum(p.numel() for p in module.parameters())
    if n_parameters <= SINGLE_THREAD_PARAMETERS:
        return 1
    return min(4, torch.get_num_threads())


def automatic_rungs(parts: EngineParts, device: str) -> list[Rung]:
    """Return what may be chosen without being asked for: what is installed and takes no long building."""
    rungs = [rung_of(CpuEngine.name, parts)]
    if parts.onnx is not None:
        rungs += [rung_of(name, parts) for name in ONNX_ENGINES if remembered.computer()[name] != "none"]
    if device != "cpu":
        there = {TENSORRT: _rtx_is_there, TORCH_TENSORRT: _torch_tensorrt_is_there}
        rungs += [rung_of(name, parts) for name, is_there in there.items() if is_there(parts)]
        rungs.append(rung_of(CudaEngine.name, parts))
    return rungs


def rung_of(name: str, parts: EngineParts) -> Rung:
    """Return the rung of an engine by its name."""
    threads, tail = parts.threads, tail_of(parts.network)
    if name in ONNX_ENGINES:
        graph = cache(parts.graph)
        return Rung(
            name,
            threads,
            lambda: finished(ONNX_ENGINES[name](graph(), threads=threads), tail),
            lambda: EngineTrial(name, graph(), parts.windows, threads=threads),
            tail,
        )
    if name == TENSORRT:
        data = cache(partial(_rtx_data, parts))
        return Rung(
            name, 1, lambda: finished(_rtx_engine(data(), parts), tail), lambda: _rtx_trial(data(), parts), tail
        )
    if name == CpuEngine.name:
        return Rung(name, threads, cache(partial(CpuEngine, parts.network, threads=threads)))
    module = engine_part(parts.network)
    builds: dict[str, Callable[[], NetworkEngine]] = {
        CompiledEngine.name: lambda: CompiledEngine(module, threads=threads),
        CudaEngine.name: lambda: CudaEngine(module, parts.shape),
        TORCH_TENSORRT: lambda: _torch_tensorrt(module, parts),
    }
    return Rung(name, threads if name in CPU_ENGINES else 1, cache(lambda: finished(builds[name](), tail)))


def rtx_key(graph: bytes, precision: EnginePrecision) -> str:
    """Return what the TensorRT-RTX engine of a graph is called by, for the version that is installed."""
    digest = hashlib.sha256(graph).hexdigest()
    return plan_key(engine=TENSORRT, graph=digest, precision=precision, version=str(load_bindings().__version__))


def _rtx_data(parts: EngineParts) -> bytes:
    """Return the engine that was built here, or build it: one from elsewhere holds code that nobody has looked at."""
    from neuript.engines.plan_engine import need_gpu

    need_gpu()
    if parts.plan is not None and is_own(parts.plan):
        return parts.plan
    if parts.plan is not None:
        log.warning("the TensorRT engine in the model was not built on this computer: it is built anew from the graph")
    graph = parts.graph()
    key = rtx_key(graph, parts.precision)
    if (kept := kept_plan(key)) is not None:
        return kept
    log.info("building the TensorRT engine, which takes about a minute ...")
    data = build_plan(in_precision(graph, parts.precision), parts.precision).data
    keep_plan(key, data)
    return data


def in_precision(graph: bytes, precision: EnginePrecision) -> bytes:
    """Return a float32 graph with its matrix products in another precision."""
    if precision == "float32":
        return graph
    from neuript.engines.half_products import halve_products
    from neuript.extras import of_extra

    onnx: Any = of_extra("onnx", "onnx", "half precision")
    model = onnx.load_from_string(graph)
    halve_products(model, precision)
    return bytes(model.SerializeToString())


def _rtx_engine(data: bytes, parts: EngineParts) -> NetworkEngine:
    from neuript.engines.rtx_runner import RtxEngine

    return RtxEngine(data, parts.precision)


def _rtx_trial(data: bytes, parts: EngineParts) -> EngineTrial:
    return EngineTrial(TENSORRT, data, parts.windows, precision=parts.precision)


def _rtx_is_there(parts: EngineParts) -> bool:
    if find_spec(BINDINGS) is None:
        return False
    if parts.plan is not None and is_own(parts.plan):
        return True
    try:
        return parts.onnx is not None and has_plan(rtx_key(parts.onnx, parts.precision))
    except Exception as error:  # noqa: BLE001  a library of the driver is missing, say: the next rung
        log.warning("TensorRT-RTX is installed and cannot be loaded: %s", error)
        return False


def _torch_tensorrt(module: nn.Module, parts: EngineParts) -> NetworkEngine:
    from neuript.engines.torch_tensorrt_engine import TorchTensorRtEngine

    return TorchTensorRtEngine(module, parts.shape, parts.weights_sha256)


def _torch_tensorrt_is_there(parts: EngineParts) -> bool:
    from neuript.engines.torch_tensorrt_engine import is_built

    return find_spec("torch_tensorrt") is not None and is_built(parts.weights_sha256, parts.shape)
