"""TensorRT-RTX engines run on an NVIDIA GPU, with CUDA graphs and kernels kept for the next start.

Nothing in this module has run yet, as in `neuript.engines.plan_engine`.
"""

from __future__ import annotations

import hashlib
import logging
from typing import Any

import torch

from neuript.engines.contract import EnginePrecision
from neuript.engines.plan_engine import PlanEngine, need_gpu
from neuript.engines.plan_store import keep_plan, kept_plan, plan_key
from neuript.engines.rtx_build import load_bindings

log = logging.getLogger(__name__)


class RtxEngine(PlanEngine):
    """An engine of `build_plan`.

    Parameters
    ----------
    data : bytes
        The engine; it holds code, so only one that was built here.
    precision : {'float32', 'float16', 'bfloat16'}
        What it was built with.

    Raises
    ------
    EngineRefusedError
        If there is no GPU, or it is not one that the engine can be loaded on.
    """

    def __init__(self, data: bytes, precision: EnginePrecision = "float32") -> None:
        need_gpu()
        trt = load_bindings()
        self._kernels = _kernels_key(data, str(trt.__version__))
        super().__init__(trt, data, "tensorrt", precision)
        self._write_kernels()

    def _new_context(self) -> Any:
        self._config = self._engine.create_runtime_config()
        self._config.cuda_graph_strategy = self._trt.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
        self._cache = self._config.create_runtime_cache()
        self._read_kernels()
        self._config.set_runtime_cache(self._cache)
        return self._engine.create_execution_context(self._config)

    def close(self) -> None:
        """Give the GPU's memory back."""
        super().close()
        del self._config, self._cache

    def _read_kernels(self) -> None:
        try:
            if (kept := kept_plan(self._kernels)) is not None:
                self._cache.deserialize(kept)
        except Exception as error:  # noqa: BLE001  kernels are made again
            log.warning("the kernels kept for this GPU are not used: %s", error)

    def _write_kernels(self) -> None:
        try:
            keep_plan(self._kernels, bytes(self._cache.serialize()))
        except Exception as error:  # noqa: BLE001  the next start makes the kernels again, nothing else
            log.warning("the kernels for this GPU are not kept: %s", error)


def _kernels_key(data: bytes, version: str) -> str:
    """Return what the kernels of an engine for this GPU are called by."""
    plan = hashlib.sha256(data).hexdigest()
    return plan_key(kernels=plan, version=version, gpu=torch.cuda.get_device_name())
