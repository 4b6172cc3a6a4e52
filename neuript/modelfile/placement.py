"""How a model's network is computed, on whatever device, while all else stays on the CPU."""

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


def network_of(module: nn.Module) -> nn.Module | None:
    """Return the network of a model, from signal to logits; None if it has none."""
    return module.network if isinstance(module, HybridClassifier) else module


def with_network(module: nn.Module, network: nn.Module) -> nn.Module:
    """Return a model that computes its network in another way and all else as `module` does.

    Parameters
    ----------
    module : Module
        A `HybridClassifier` with a network, or a network.
    network : Module
        What takes the network's place: from signal (1, n_chans, n_times) to logits, both on the CPU.
    """
    if not isinstance(module, HybridClassifier):
        return network.eval()
    weights = module.network_weight, module.tangent_weight
    reference = reference_of(module.state_dict())
    return HybridClassifier(network, module.tangent, weights, module.bias, reference, module.gate).eval()


def placed(module: nn.Module, device: str) -> nn.Module:
    """Return a model whose network runs on `device`; what reads tangent vectors, and the stack, stay on the CPU."""
    network = network_of(module)
    if device == "cpu" or network is None:
        return module.eval().to("cpu")
    return with_network(module, OnDevice(network, device))
