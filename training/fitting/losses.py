"""Losses that know how often each class occurs among the training windows.

Three ways to make the classes count: a correction of each class's own logit, a shift of the softmax, or weights.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike
from torch import Tensor, nn


class BalancedBCE(nn.Module):
    """One-against-rest cross-entropy with prior-corrected logits (Bal-BCE of the paper).

    Loss = -sum_c [y_c ln s(z_c + b_c) + (1 - y_c) ln(1 - s(z_c + b_c))], mean over the batch, with
    b_c = kappa (ln p_c - ln(1 - p_c)) and p_c the class share among the training labels. The bias is part of the loss
    only: predictions use the plain logits.

    Parameters
    ----------
    class_counts : array_like, shape (n_outputs,)
        Number of training windows of each class, all positive.
    kappa : float
        Strength of the correction; the paper's formula is 1, its grid 0 to 0.3.
    """

    bias: Tensor

    def __init__(self, class_counts: ArrayLike, kappa: float = 0.3) -> None:
        super().__init__()
        prior = class_priors(class_counts)
        self.register_buffer("bias", (kappa * (prior.log() - (-prior).log1p())).float())

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of logits (batch, n_outputs), or (batch, 1) for two classes; target (batch,)."""
        if logits.shape[1] == 1:
            labels, bias = target[:, None].to(logits.dtype), self.bias[1:]
        else:
            labels, bias = F.one_hot(target, logits.shape[1]).to(logits.dtype), self.bias
        loss = F.binary_cross_entropy_with_logits(logits + bias, labels, reduction="none")
        return loss.sum(dim=1).mean()


class BalancedCrossEntropy(nn.Module):
    """Softmax cross-entropy with the bias kappa ln p_c added to the logits, in the loss only.

    Parameters
    ----------
    class_counts : array_like, shape (n_outputs,)
        Number of training windows of each class, all positive.
    kappa : float
        Strength of the correction; 0 is plain cross-entropy, 1 makes the plain logits those of balanced classes.
    """

    bias: Tensor

    def __init__(self, class_counts: ArrayLike, kappa: float = 1.0) -> None:
        super().__init__()
        self.register_buffer("bias", (kappa * class_priors(class_counts).log()).float())

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of logits (batch, n_outputs); target (batch,) of class indices."""
        return F.cross_entropy(logits + self.bias, target)


class WeightedCrossEntropy(nn.Module):
    """Softmax cross-entropy in which every class that occurs weighs the same.

    Parameters
    ----------
    class_counts : array_like, shape (n_outputs,)
        Number of training windows of each class; a class without any has no weight to lose.
    label_smoothing : float
        Share of the target spread evenly over the classes, as in `torch.nn.functional.cross_entropy`.
    """

    weight: Tensor

    def __init__(self, class_counts: ArrayLike, label_smoothing: float = 0.0) -> None:
        super().__init__()
        self.label_smoothing = label_smoothing
        self.register_buffer("weight", class_weight(class_counts))

    def forward(self, logits: Tensor, target: Tensor) -> Tensor:
        """Loss of logits (batch, n_outputs); target (batch,) of class indices."""
        return F.cross_entropy(logits, target, self.weight, label_smoothing=self.label_smoothing)


def class_priors(class_counts: ArrayLike) -> Tensor:
    """Shares of the classes, float64, (n_outputs,); ValueError where a class has no window."""
    counts = torch.as_tensor(class_counts, dtype=torch.float64)
    if counts.dim() != 1 or len(counts) < 2 or not (counts > 0).all():
        raise ValueError(
            f"class counts are {counts.tolist()}; at least two classes with at least one training "
            "window each are needed"
        )
    return counts / counts.sum()


def class_weight(class_counts: ArrayLike) -> Tensor:
    """Weights that make every class count the same, (n_outputs,); their mean over the windows is 1."""
    counts = torch.as_tensor(class_counts, dtype=torch.float32)
    n_windows = float(counts.sum())  # a number over a tensor rounds otherwise than a tensor does, and seeds notice
    return n_windows / (counts.clamp_min(1) * (counts > 0).sum())
