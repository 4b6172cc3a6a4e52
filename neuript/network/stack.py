"""Stacking of the network and the Riemannian branch into one deployable module.

The weights are fitted on out-of-fold outputs of blocked cross-validation and may be zero for either branch: with
little data of one person the Riemannian branch is the bar (`docs/method.md`), and the stack says how much the network
adds.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class HybridClassifier(nn.Module):
    """Weighted sum of the branches' log-probabilities, as logits.

    logits = bias + w_network * log softmax(network(x)) + w_tangent * log softmax(tangent(x))

    Parameters
    ----------
    network, tangent : Module or None
        Branches that map windows in volts (B, D, T) to logits (B, C); a branch with weight 0 should be None and costs
        nothing.
    weights : tuple of two floats >= 0
        Weights of the network and of the tangent branch; they include the temperature.
    bias : Tensor, shape (C,)
        Numbers added to the logits of the classes.

    Raises
    ------
    ValueError
        If both branches are None, or a weight is negative.
    """

    def __init__(
        self, network: nn.Module | None, tangent: nn.Module | None, weights: tuple[float, float], bias: Tensor
    ) -> None:
        super().__init__()
        if network is None and tangent is None:
            raise ValueError("a hybrid needs at least one branch; both network and tangent are None")
        if min(weights) < 0:
            raise ValueError(f"weights={weights} must not be negative")
        self.network = network
        self.tangent = tangent
        self.network_weight, self.tangent_weight = weights
        self.bias: Tensor
        self.register_buffer("bias", bias.float())

    def forward(self, x_BDT: Tensor) -> Tensor:
        """Map windows in volts, shape (B, D, T), to logits, shape (B, C)."""
        logits = self.bias.expand(x_BDT.shape[0], -1)
        if self.network is not None:
            logits = logits + self.network_weight * F.log_softmax(self.network(x_BDT), dim=-1)
        if self.tangent is not None:
            logits = logits + self.tangent_weight * F.log_softmax(self.tangent(x_BDT), dim=-1)
        return logits
