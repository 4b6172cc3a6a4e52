"""The Riemannian branch: a linear read-out of where a window's covariances lie in the tangent space.

Barachant et al. 2012 (IEEE TBME 59:920) as filter bank. The tangent vectors come with the window from the aligned chain
(`neuript.realtime.chain.alignment`), so that what is left for the model file is a matrix: with little data of one
person it is what the network has to beat, and the two are stacked (`neuript.network.stack`).

Shapes: B batch, V entries of a tangent vector, C outputs.
"""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn


class TangentBranch(nn.Module):
    """Tangent vectors to class logits.

    Parameters
    ----------
    weight : Tensor, shape (C, V)
        Read-out of the tangent vectors.
    bias : Tensor, shape (C,)
        Numbers added to the logits of the classes.

    Raises
    ------
    ValueError
        If the two do not belong together.
    """

    def __init__(self, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        if weight.ndim != 2 or tuple(bias.shape) != (len(weight),):
            raise ValueError(
                f"a read-out of shape {tuple(weight.shape)} and a bias of shape {tuple(bias.shape)} differ"
            )
        self.weight = nn.Parameter(weight.float(), requires_grad=False)
        self.bias = nn.Parameter(bias.float(), requires_grad=False)

    def forward(self, tangent_BV: Tensor) -> Tensor:
        """Return logits, shape (B, C)."""
        return F.linear(tangent_BV, self.weight, self.bias)
