"""How the classification head starts, which decides whether training a fresh encoder works at all.

The encoder's outputs are not normalised: with the Kaiming start of the paper their scale grows from
block to block, and a Kaiming head on top gives logits of tens. From there a learning rate of 1e-3
diverges. A head of zeros starts at the class priors; a closed-form head starts at a linear read-out
of the features, which is what a pretrained encoder deserves.
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor, nn

from neuript.training.fitting.top_blocks import init_head

HeadStart = Literal["zero", "probe", "random"]

PROBE_PENALTY = 100.0
"""Ridge penalty of the closed-form start, per 100 features (see `finetune.init_head`)."""
MAX_PROBE_WINDOWS = 4000
"""The closed form solves a system as large as its windows; more than these are thinned out."""


def zero_head(head: nn.Module) -> None:
    """Set the last linear map of `head` to zero: every window starts at the same logits.

    Raises
    ------
    ValueError
        If there is no linear map in `head`.
    """
    last = last_linear(head)
    with torch.no_grad():
        last.weight.zero_()
        if last.bias is not None:
            last.bias.zero_()


def probe_head(head: nn.Module, features: Tensor, y: Tensor, bias: Tensor) -> None:
    """Set a linear head to a ridge regression of the classes on features.

    Parameters
    ----------
    head : nn.Linear
        Of K outputs, or of one for two classes (the logit of the second); changed in place.
    features : Tensor, shape (n_windows, n_features)
    y : Tensor, shape (n_windows,)
        Classes 0..K-1.
    bias : Tensor, shape (K,)
        What the loss adds to the logits of each class; taken off here, so that the loss starts at
        the regression whatever its correction for the priors.

    Raises
    ------
    ValueError
        If `head` is not linear.
    """
    if not isinstance(head, nn.Linear):
        raise ValueError(  # noqa: TRY004
            "a closed-form start needs a linear head; use head='linear' or head_start='zero'"
        )
    if head.out_features > 1:
        init_head(head, features, y, PROBE_PENALTY)
        with torch.no_grad():
            head.bias.sub_(bias.to(head.bias))
        return
    both = nn.Linear(head.in_features, 2).to(head.weight.device)
    init_head(both, features, y, PROBE_PENALTY)
    with torch.no_grad():
        head.weight.copy_(both.weight[1:] - both.weight[:1])
        head.bias.copy_(both.bias[1:] - both.bias[:1] - bias[1:].to(head.bias))


def last_linear(head: nn.Module) -> nn.Linear:
    """Return the last linear map of a head."""
    linear = [module for module in head.modules() if isinstance(module, nn.Linear)]
    if not linear:
        raise ValueError(f"the head {type(head).__name__} has no linear map to start from")
    return linear[-1]
