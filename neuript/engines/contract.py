"""The contract of all engines of the network, and the one that defines the answers: float32, as PyTorch runs it."""

from __future__ import annotations

from typing import Any, Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from neuript.network.experts import PMoE

EnginePrecision = Literal["float32", "float16", "bfloat16"]


class NetworkEngine(Protocol):
    """Logits of the network alone for windows in volts; what else decides (`HybridClassifier`) are numbers beside it.

    An engine is made for one number of channels and samples, and for one thread, which calls it.
    """

    @property
    def name(self) -> str:
        """Name that a person may ask for."""

    @property
    def precision(self) -> EnginePrecision:
        """Kind of the numbers that it computes with."""

    @property
    def device(self) -> str:
        """Where it computes, `cpu` or `cuda`; windows and logits are on the CPU."""

    def __call__(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map windows (batch, n_chans, n_times) to logits (batch, n_outputs), a new array."""

    def router_logits(self, windows: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """Return what the routers say, (batch, numbers); None where the engine does not tell. See `RouterLogits`."""

    def close(self) -> None:
        """Give back what it holds; it cannot be called afterwards."""


class RouterLogits(nn.Module):
    """A network that also returns the logits of its routers, one after the other, as `expert_choices` reads them.

    Parameters
    ----------
    network : Module
        A `NeurIPTNetwork`.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network
        self._seen: list[Tensor] = []
        for layer in routed_layers(network):
            layer.router.register_forward_hook(self._keep)

    def _keep(self, _module: nn.Module, _inputs: Any, output: Tensor) -> None:
        self._seen.append(output)

    def forward(self, x_BDT: Tensor) -> tuple[Tensor, Tensor]:
        """Map windows to logits (B, n_outputs) and router logits (B, numbers); without experts there are none."""
        self._seen.clear()
        logits = self.network(x_BDT)
        seen, n = list(self._seen), x_BDT.shape[0]
        self._seen.clear()
        return logits.float(), torch.cat([s.reshape(n, -1).float() for s in seen], dim=1) if seen else x_BDT.new_zeros(
            n, 0
        )


def routed_layers(network: nn.Module) -> list[PMoE]:
    """Return the layers with routed experts in the order in which they run."""
    return [module for module in network.modules() if isinstance(module, PMoE)]


class EagerEngine:
    """The network as PyTorch runs it: in float32 the reference that every other engine is compared with.

    Parameters
    ----------
    network : Module
        A `NeurIPTNetwork`, or any module that maps windows to logits.
    precision : {'float32', 'float16', 'bfloat16'}
        Half precision is what autocast makes of it; it shows what that costs in answers.
    """

    name = "eager"
    device = "cpu"

    def __init__(self, network: nn.Module, precision: EnginePrecision = "float32") -> None:
        self.precision: EnginePrecision = precision
        self._network = network.eval()

    def __call__(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map windows (batch, n_chans, n_times) to logits (batch, n_outputs)."""
        return _array(self._run(self._network, windows))

    def router_logits(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what the routers say, (batch, numbers)."""
        import copy

        return _array(self._run(RouterLogits(copy.deepcopy(self._network)), windows)[1])

    def close(self) -> None:
        """Nothing is held."""

    def _run(self, network: nn.Module, windows: NDArray[np.float32]) -> Any:
        half = self.precision != "float32"
        kind = getattr(torch, self.precision) if half else torch.bfloat16
        with torch.inference_mode(), torch.autocast("cpu", kind, enabled=half):
            return network(torch.from_numpy(np.ascontiguousarray(windows)))


def _array(logits: Tensor) -> NDArray[np.float32]:
    return np.array(logits.float().numpy())
