"""TensorRT-RTX engines run on an NVIDIA GPU, with CUDA graphs and kernels kept for the next start.

Nothing in this module has run yet, as in `neuript.engines.plan_engine`.
"""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path
from typing import Any

import torch

from neuript.engines.contract import EnginePrecision
from neuript.engines.plan_engine import PlanEngine, need_gpu
from neuript.engines.rtx_build import load_bindings
from neuript.files import write_atomically
from neuript.user_folders import cache_dir, private_dir

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
        self._kernels = _kernels_path(data, str(trt.__version__))
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
            self._cache.deserialize(self._kernels.read_bytes())
        except FileNotFoundError:
            return
        except Exception as error:  # noqa: BLE001  kernels are made again
            log.warning("the kernels kept for this GPU are not used: %s", error)

    def _write_kernels(self) -> None:
        try:
            private_dir(self._kernels.parent)
            write_atomically(self._kernels, bytes(self._cache.serialize()), mode=0o600)
        except Exception as error:  # noqa: BLE001  the next start makes the kernels again, nothing else
            log.warning("the kernels for this GPU are not kept: %s", error)


def _kernels_path(data: bytes, version: str) -> Path:
    """Return where this user keeps the kernels of an engine for this GPU."""
    about = f"{version} {torch.cuda.get_device_name()}".encode()
    return cache_dir() / "engines" / f"{hashlib.sha256(data + about).hexdigest()[:32]}.kernels"
