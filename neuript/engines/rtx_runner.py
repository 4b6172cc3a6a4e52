"""TensorRT-RTX engines run on an NVIDIA GPU, with CUDA graphs.

Nothing in this module has run yet: it was written on a computer without a GPU, against the signatures of the bindings
1.7. What it does is the contract of every engine, so that `LadderEngine` leaves it for the CPU whatever goes wrong, and
`compare_engines` measures its answers before it is used.
"""

from __future__ import annotations

import hashlib
import logging
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from neuript.engines.agreement import EngineRefusedError
from neuript.engines.contract import EnginePrecision
from neuript.engines.onnx_export import LOGITS, SIGNAL
from neuript.engines.rtx_build import load_bindings
from neuript.files import write_atomically
from neuript.user_folders import cache_dir

log = logging.getLogger(__name__)


class RtxEngine:
    """An engine of `build_plan` on the GPU that PyTorch sees, one window at a time.

    Load only engines that were built on this computer or by somebody whom you trust: they hold code.

    Parameters
    ----------
    data : bytes
        The engine.
    precision : {'float32', 'float16', 'bfloat16'}
        What it was built with.

    Raises
    ------
    EngineRefusedError
        If there is no GPU, or it is not one that the engine can be loaded on.
    """

    name = "tensorrt"

    def __init__(self, data: bytes, precision: EnginePrecision = "float32") -> None:
        if not torch.cuda.is_available():
            raise EngineRefusedError("a TensorRT engine needs an NVIDIA GPU, and PyTorch sees none")
        trt = load_bindings()
        self.precision: EnginePrecision = precision
        self._runtime = trt.Runtime(trt.Logger(trt.Logger.ERROR))
        self._engine = self._runtime.deserialize_cuda_engine(data)
        if self._engine is None:
            raise EngineRefusedError("this GPU, driver or TensorRT-RTX cannot load the engine; build it anew")
        self._cache_path = _cache_path(data, str(trt.__version__))
        self._config = self._engine.create_runtime_config()
        self._config.cuda_graph_strategy = trt.CudaGraphStrategy.WHOLE_GRAPH_CAPTURE
        self._cache = self._config.create_runtime_cache()
        self._read_cache()
        self._config.set_runtime_cache(self._cache)
        self._context = self._engine.create_execution_context(self._config)
        self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        self._signal, self._host = self._buffers(SIGNAL)
        self._logits, self._answer = self._buffers(LOGITS)
        self._write_cache()

    def __call__(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map windows (batch, n_chans, n_times) in volts to logits (batch, n_outputs)."""
        return np.concatenate([self._one(window) for window in windows])

    def router_logits(self, windows: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """Return None: the engine has no such output."""
        return None

    def close(self) -> None:
        """Give the GPU's memory back."""
        self._stream.synchronize()
        del self._context, self._config, self._cache, self._engine, self._runtime, self._signal, self._logits

    def _one(self, window: NDArray[np.float32]) -> NDArray[np.float32]:
        if window.shape != tuple(self._host.shape[1:]):
            raise ValueError(f"window.shape={window.shape}, but the engine takes {tuple(self._host.shape[1:])}")
        self._host[0].copy_(torch.from_numpy(window))
        with torch.cuda.stream(self._stream):
            self._signal.copy_(self._host, non_blocking=True)
            if not self._context.execute_async_v3(self._stream.cuda_stream):
                raise EngineRefusedError("TensorRT-RTX did not run the engine")
            self._answer.copy_(self._logits, non_blocking=True)
        self._stream.synchronize()
        return np.array(self._answer.float().numpy())

    def _buffers(self, name: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Memory of an input or output on the GPU, and pinned memory beside it."""
        shape = tuple(self._engine.get_tensor_shape(name))
        device = torch.zeros(shape, device="cuda")
        self._context.set_tensor_address(name, device.data_ptr())
        return device, torch.zeros(shape, pin_memory=True)

    def _read_cache(self) -> None:
        try:
            self._cache.deserialize(self._cache_path.read_bytes())
        except FileNotFoundError:
            return
        except Exception as error:  # noqa: BLE001  kernels are made again
            log.warning("the kernels kept for this GPU are not used: %s", error)

    def _write_cache(self) -> None:
        try:
            self._cache_path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            write_atomically(self._cache_path, bytes(self._cache.serialize()), mode=0o600)
        except Exception as error:  # noqa: BLE001  the next start makes the kernels again, nothing else
            log.warning("the kernels for this GPU are not kept: %s", error)


def _cache_path(data: bytes, version: str) -> Path:
    """Return where this user keeps the kernels of an engine for this GPU."""
    about = f"{version} {torch.cuda.get_device_name()}".encode()
    return cache_dir() / "engines" / f"{hashlib.sha256(data + about).hexdigest()[:32]}.kernels"
