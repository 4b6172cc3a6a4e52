"""Where a model runs: its network on any device, all else on the CPU."""

from __future__ import annotations

from copy import deepcopy

from torch import Tensor, nn

from neuript.network.stack import HybridClassifier, reference_of


class OnDevice(nn.Module):
    """A module on another device than what is around it: it takes and gives tensors of the CPU.

    Parameters
    ----------
    module : Module
        Module that is copied to `device`.
    device : str
        PyTorch's name of the device.
    """

    def __init__(self, module: nn.Module, device: str) -> None:
        super().__init__()
        self.device = device
        self.module = deepcopy(module).to(device)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Return what the module says, on the CPU."""
        there = [part.to(self.device, non_blocking=True) for part in inputs]
        return self.module(*there).to("cpu")  # type: ignore[no-any-return]


def placed(module: nn.Module, device: str) -> nn.Module:
    """Return a module whose network runs on `device`; what reads tangent vectors, and the stack, stay on the CPU."""
    if device == "cpu":
        return module.eval().to("cpu")
    if not isinstance(module, HybridClassifier):
        return OnDevice(module, device).eval()
    network = None if module.network is None else OnDevice(module.network, device)
    weights = module.network_weight, module.tangent_weight
    reference = reference_of(module.state_dict())
    return HybridClassifier(network, module.tangent, weights, module.bias, reference, module.gate).eval()
