"""The network in a model, and a model with another thing in its place."""

from __future__ import annotations

from torch import nn

from neuript.network.stack import HybridClassifier, reference_of


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
