"""How the classification head starts, which decides whether training a fresh encoder works at all.

The encoder's outputs are not normalised: with the Kaiming start of the paper their scale grows from
block to block, and a Kaiming head on top gives logits of tens. From there a learning rate of 1e-3
diverges. A head of zeros starts at the class priors; a closed-form head starts at a linear read-out
of the features, which is what a pretrained encoder deserves.
"""

from __future__ import annotations

import copy
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neuript.network.network import NeurIPTNetwork
from neuript.training.fitting.tangent_readout import Readout

HeadStart = Literal["zero", "probe", "random"]

PROBE_PENALTY = 100.0
"""Ridge penalty of the closed-form start, per 100 features (see `init_head`)."""
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


def init_head(head: nn.Module, features: Tensor, y: Tensor, penalty: float = PROBE_PENALTY) -> None:
    """Set a head to the ridge regression of the classes on features (closed form, a second).

    Parameters
    ----------
    head : nn.Linear
        Map from features to one output per class; changed in place.
    features : Tensor, shape (n_windows, n_features)
        Features of the training windows. Standardised inside the solution, which folds back into weight and bias.
    y : Tensor, shape (n_windows,)
        Classes of the windows, counted from 0.
    penalty : float
        Strength of the ridge, relative to the number of features over 100.

    Raises
    ------
    ValueError
        If `head` is not linear.
    """
    head = linear_head(head)
    with torch.no_grad():
        features = features.double()
        mean, std = features.mean(0), features.std(0) + 1e-3
        z = (features - mean) / std
        target = F.one_hot(y, head.out_features).double()
        prior = target.mean(0)
        ridge = penalty * z.shape[1] / 100 + 1e-6
        dual = torch.linalg.solve(z @ z.T + ridge * torch.eye(len(z), dtype=z.dtype), target - prior)
        weight = (z.T @ dual).T / std * 2.0
        head.weight.copy_(weight.float())
        head.bias.copy_((prior.clamp_min(1e-3).log() - weight @ mean).float())


def probe_head(head: nn.Module, features: Tensor, y: Tensor, bias: Tensor) -> None:
    """Set a head to the ridge regression of `init_head`, whatever its loss adds to the logits.

    Parameters
    ----------
    head : nn.Linear
        Map from features to K logits, or to one for two classes (the logit of the second); changed in place.
    features : Tensor, shape (n_windows, n_features)
        Features of the training windows, as the head will see them.
    y : Tensor, shape (n_windows,)
        Classes 0..K-1.
    bias : Tensor, shape (K,)
        Constants that the loss adds to the logits of each class; taken off here, so that the loss starts at
        the regression whatever its correction for the priors.

    Raises
    ------
    ValueError
        If `head` is not linear.
    """
    head = linear_head(head)
    if head.out_features > 1:
        init_head(head, features, y)
        with torch.no_grad():
            head.bias.sub_(bias.to(head.bias))
        return
    both = nn.Linear(head.in_features, 2).to(head.weight.device)
    init_head(both, features, y)
    with torch.no_grad():
        head.weight.copy_(both.weight[1:] - both.weight[:1])
        head.bias.copy_(both.bias[1:] - both.bias[:1] - bias[1:].to(head.bias))


def readout_as_head(network: NeurIPTNetwork, readout: Readout, scale: float) -> NeurIPTNetwork:
    """Return a copy of a network with a read-out of its features as its head.

    Parameters
    ----------
    network : NeurIPTNetwork
        With a linear head of one output per class.
    readout : Readout
        Read-out of the pooled features times `scale`.
    scale : float
        Factor that the read-out expects.

    Raises
    ------
    ValueError
        If the head is not linear.
    """
    out = copy.deepcopy(network)
    head = linear_head(out.head)
    with torch.no_grad():
        head.weight.copy_(torch.tensor(readout.weight * scale))
        head.bias.copy_(torch.tensor(readout.bias))
    return out.eval()


def linear_head(head: nn.Module) -> nn.Linear:
    """Return a head that is one linear map; ValueError for any other."""
    if not isinstance(head, nn.Linear):
        raise ValueError(  # noqa: TRY004
            "a closed-form start needs a linear head; use head='linear' or head_start='zero'"
        )
    return head


def last_linear(head: nn.Module) -> nn.Linear:
    """Return the last linear map of a head.

    Raises
    ------
    ValueError
        If the head has no linear map.
    """
    linear = [module for module in head.modules() if isinstance(module, nn.Linear)]
    if not linear:
        raise ValueError(f"the head {type(head).__name__} has no linear map to start from")
    return linear[-1]
