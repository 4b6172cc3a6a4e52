"""Stacking of the network and the Riemannian branch into one deployable module.

The weights are fitted on out-of-fold outputs of blocked cross-validation and may be zero for either branch: with
little data of one person the Riemannian branch is the bar (`docs/method.md`), and the stack says how much the network
adds.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

REFERENCE_PREFIX = "reference_"
"""Entries of the state with this prefix are the reference of the alignment."""
PRIOR_PREFIX = "prior."
"""Entries with this prefix are what earlier people say of the next one; decoding does not need them."""


def reference_of(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the reference of the alignment among a model's weights, keyed by field; empty without one."""
    return {key.removeprefix(REFERENCE_PREFIX): v for key, v in state.items() if key.startswith(REFERENCE_PREFIX)}


class HybridClassifier(nn.Module):
    """Weighted sum of the branches' log-probabilities, as logits.

    logits = bias + w_network * log softmax(network(x)) + w_tangent * log softmax(tangent(v))

    With a gate there is one more output: the log-odds of a task against doing nothing, which the policy reads
    (`neuript.realtime.decoding.policy`). The classes are as without it.

    Parameters
    ----------
    network : Module or None
        Branch that maps the windows' signal (B, D, T) to logits (B, C).
    tangent : Module or None
        Branch that maps the windows' tangent vectors (B, V) to logits (B, C). A branch with weight 0 should be None and
        costs nothing.
    weights : tuple of two floats >= 0
        Weights of the network and of the tangent branch; they include the temperature.
    bias : Tensor, shape (C,)
        Numbers added to the logits of the classes.
    reference : mapping of str to Tensor, optional
        What the windows were seen from at the end of the calibration (`neuript.realtime.chain.alignment.Reference`):
        not used here, but kept with the weights, since they mean nothing without it.
    gate : Module or None
        From the tangent vectors (B, V) to logits (B, 2) of doing nothing and of a task.

    Raises
    ------
    ValueError
        If both branches are None, or a weight is negative.
    """

    def __init__(
        self,
        network: nn.Module | None,
        tangent: nn.Module | None,
        weights: tuple[float, float],
        bias: Tensor,
        reference: Mapping[str, Tensor] | None = None,
        gate: nn.Module | None = None,
    ) -> None:
        super().__init__()
        if network is None and tangent is None:
            raise ValueError("a hybrid needs at least one branch; both network and tangent are None")
        if min(weights) < 0:
            raise ValueError(f"weights={weights} must not be negative")
        self.network = network
        self.tangent = tangent
        self.gate = gate
        self.network_weight, self.tangent_weight = weights
        self.bias: Tensor
        self.register_buffer("bias", bias.float())
        for name, values in (reference or {}).items():
            self.register_buffer(REFERENCE_PREFIX + name, values.double())

    def forward(self, x_BDT: Tensor, tangent_BV: Tensor | None = None) -> Tensor:
        """Map windows, signal (B, D, T) and tangent vectors (B, V), to logits, shape (B, C); with a gate (B, C + 1)."""
        logits = self.bias.expand(x_BDT.shape[0], -1)
        if self.network is not None:
            logits = logits + self.network_weight * F.log_softmax(self.network(x_BDT), dim=-1)
        if self.tangent is not None:
            logits = logits + self.tangent_weight * F.log_softmax(self.tangent(tangent_BV), dim=-1)
        if self.gate is not None:
            nothing_B, task_B = self.gate(tangent_BV).unbind(dim=-1)
            logits = torch.cat([logits, (task_B - nothing_B)[:, None]], dim=1)
        return logits
