"""The network by PyTorch itself: compiled, or on a GPU as one CUDA graph.

`CudaEngine` has not run on a GPU yet; `neuript certify --device cuda` is the command that shows whether it works.
"""

from __future__ import annotations

import copy
import logging
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from neuript.engines.contract import EnginePrecision
from neuript.errors import EngineRefusedError

if TYPE_CHECKING:
    from collections.abc import Iterator

log = logging.getLogger(__name__)

WARM_UP_CALLS = 3
"""Memory is taken and kernels are chosen before a graph is captured."""


class CompiledEngine:
    """The network through `torch.compile` on the CPU, which needs a C++ compiler.

    Parameters
    ----------
    network : Module
        Maps windows to logits, or to what `tail_of` finishes.
    threads : int, optional
        PyTorch threads to use; None leaves PyTorch's setting alone.

    Raises
    ------
    EngineRefusedError
        If it cannot be compiled here.
    """

    name = "compiled"
    device = "cpu"
    precision: EnginePrecision = "float32"

    def __init__(self, network: nn.Module, *, threads: int | None = None) -> None:
        self.threads = threads
        self._compiled = torch.compile(copy.deepcopy(network).eval(), dynamic=False)

    def __call__(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map windows (batch, n_chans, n_times) in volts to its answers (batch, ...)."""
        if self.threads is not None and torch.get_num_threads() != self.threads:
            torch.set_num_threads(self.threads)
        return np.concatenate([self._one(window[None]) for window in windows])

    def router_logits(self, windows: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """Return None: the compiled network has no such output."""
        return None

    def close(self) -> None:
        """Let the compiled network go."""
        del self._compiled

    def _one(self, window: NDArray[np.float32]) -> NDArray[np.float32]:
        try:
            with torch.inference_mode(), warnings.catch_warnings():
                warnings.simplefilter("ignore")
                logits: Tensor = self._compiled(torch.from_numpy(np.ascontiguousarray(window)))
        except Exception as error:  # Inductor raises many kinds, none of them public
            raise EngineRefusedError(
                f"the network cannot be compiled here ({type(error).__name__}); install a C++ compiler"
            ) from error
        return np.array(logits.float().numpy())


class CudaEngine:
    """The network on a GPU, in float32 without TF32: one window is one CUDA graph, where it can be captured.

    Parameters
    ----------
    network : Module
        Maps windows to logits, or to what `tail_of` finishes; it is copied.
    shape : tuple of int
        Channels and samples of a window.
    device : str
        PyTorch's name of the device.

    Attributes
    ----------
    graph : CUDAGraph or None
        The captured graph; None where the network is run kernel by kernel.
    """

    name = "cuda"
    precision: EnginePrecision = "float32"

    def __init__(self, network: nn.Module, shape: tuple[int, int], *, device: str = "cuda") -> None:
        self.device = device
        self._network = copy.deepcopy(network).eval().to(device)
        self._signal = torch.zeros(1, *shape, device=device)
        self._host = torch.zeros(1, *shape, pin_memory=device.startswith("cuda"))
        self.graph: Any = None
        self._logits = self._forward()
        if device.startswith("cuda"):
            self._capture()

    def __call__(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map windows (batch, n_chans, n_times) in volts to its answers (batch, ...)."""
        return np.concatenate([self._one(window) for window in windows])

    def router_logits(self, windows: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """Return None: they stay on the GPU."""
        return None

    def close(self) -> None:
        """Give the GPU's memory back."""
        self.graph = None
        del self._network, self._signal, self._logits

    def _one(self, window: NDArray[np.float32]) -> NDArray[np.float32]:
        if window.shape != tuple(self._host.shape[1:]):
            raise ValueError(f"window.shape={window.shape}, but the engine takes {tuple(self._host.shape[1:])}")
        self._host[0].copy_(torch.from_numpy(window))
        self._signal.copy_(self._host, non_blocking=True)
        if self.graph is None:
            self._logits = self._forward()
        else:
            self.graph.replay()
        return np.array(self._logits.to("cpu", torch.float32).numpy())  # waits for the GPU

    def _forward(self) -> Tensor:
        with torch.no_grad(), _no_tf32():
            logits: Tensor = self._network(self._signal)
            return logits

    def _capture(self) -> None:
        """Record the kernels of one window, so that a hop is one launch in the place of hundreds."""
        try:
            side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                for _ in range(WARM_UP_CALLS):
                    self._forward()
            torch.cuda.current_stream().wait_stream(side)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                self._logits = self._forward()
            self.graph = graph
        except Exception as error:  # noqa: BLE001  the same kernels run one by one
            log.warning("the network runs on the GPU without a CUDA graph: %s: %s", type(error).__name__, error)
            self.graph = None


@contextmanager
def _no_tf32() -> Iterator[None]:
    """Convolutions round to TF32 by default, which is not float32."""
    before = torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before
