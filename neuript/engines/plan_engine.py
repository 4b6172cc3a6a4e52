"""A serialized TensorRT engine on the GPU that PyTorch sees, by the Python bindings of TensorRT or TensorRT-RTX.

Nothing in this module has run yet: it was written on a computer without a GPU, against the bindings' signatures.
`neuript certify --device cuda` is the command that shows whether it works; what fails leads to the next.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from neuript.engines.contract import EnginePrecision
from neuript.errors import EngineRefusedError


class PlanEngine:
    """One window at a time through an engine with one input and one output.

    Parameters
    ----------
    trt : module
        The bindings.
    data : bytes
        The engine; it holds code, so only one that was built here.
    name : str
        Name that a person may ask for.
    precision : {'float32', 'float16', 'bfloat16'}
        What it was built with.

    Raises
    ------
    EngineRefusedError
        If there is no GPU, or it is not one that the engine can be loaded on.
    """

    device = "cuda"

    def __init__(self, trt: Any, data: bytes, name: str, precision: EnginePrecision = "float32") -> None:
        need_gpu()
        self.name = name
        self.precision: EnginePrecision = precision
        self._trt = trt
        self._runtime = trt.Runtime(trt.Logger(trt.Logger.ERROR))
        self._engine = self._runtime.deserialize_cuda_engine(data)
        if self._engine is None:
            raise EngineRefusedError("this GPU, driver or TensorRT cannot load the engine; build it anew")
        self._context = self._new_context()
        if self._context is None:
            raise EngineRefusedError("TensorRT has no room on this GPU for the engine")
        self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        self._signal, self._host = self._buffers(trt.TensorIOMode.INPUT)
        self._logits, self._answer = self._buffers(trt.TensorIOMode.OUTPUT)

    def __call__(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map windows (batch, n_chans, n_times) in volts to its answers (batch, ...)."""
        return np.concatenate([self._one(window) for window in windows])

    def router_logits(self, windows: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """Return None: the engine has no such output."""
        return None

    def close(self) -> None:
        """Give the GPU's memory back."""
        self._stream.synchronize()
        del self._context, self._engine, self._runtime, self._signal, self._logits

    def _new_context(self) -> Any:
        return self._engine.create_execution_context()

    def _one(self, window: NDArray[np.float32]) -> NDArray[np.float32]:
        if window.shape != tuple(self._host.shape[1:]):
            raise ValueError(f"window.shape={window.shape}, but the engine takes {tuple(self._host.shape[1:])}")
        self._host[0].copy_(torch.from_numpy(window))
        with torch.cuda.stream(self._stream):
            self._signal.copy_(self._host, non_blocking=True)
            if not self._context.execute_async_v3(self._stream.cuda_stream):
                raise EngineRefusedError("TensorRT did not run the engine")
            self._answer.copy_(self._logits, non_blocking=True)
        self._stream.synchronize()
        return np.array(self._answer.float().numpy())

    def _buffers(self, mode: Any) -> tuple[torch.Tensor, torch.Tensor]:
        """Memory of the input or output on the GPU, and pinned memory beside it."""
        engine = self._engine
        names = [engine.get_tensor_name(i) for i in range(engine.num_io_tensors)]
        (name,) = [name for name in names if engine.get_tensor_mode(name) == mode]
        shape = tuple(engine.get_tensor_shape(name))
        device = torch.zeros(shape, device="cuda")
        self._context.set_tensor_address(name, device.data_ptr())
        return device, torch.zeros(shape, pin_memory=True)


def need_gpu() -> None:
    """Refuse in one sentence where PyTorch sees no GPU."""
    if not torch.cuda.is_available():
        raise EngineRefusedError("a TensorRT engine needs an NVIDIA GPU, and PyTorch sees none")
