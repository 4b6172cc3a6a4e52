"""The read-out of the Riemannian branch: multinomial logistic regression whose weights may know other people.

Without earlier people it is ridge-penalised logistic regression (Barachant et al. 2012). With them, their weights are
the mean of a Gaussian prior on this person's: somebody of whom nothing is known is decoded by them, and each trial
moves the weights from there (a MAP estimate, as in Jayaram et al. 2016, IEEE Comput. Intell. Mag. 11:20).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax

from neuript.network.tangent import TangentBranch

F64 = NDArray[np.float64]

STRENGTH = 1.0
"""Default variance of the prior on each weight; the features are tangent vectors in typical distances."""
SQUARED_NORM = 6.0
"""Mean squared norm that other features are scaled to: that of the tangent vectors of six bands."""
BIAS_VARIANCE = 100.0
"""Variance of the prior on the bias: as good as free."""


@dataclass(frozen=True, eq=False, slots=True)
class Readout:
    """Weights of a linear read-out.

    Attributes
    ----------
    weight : ndarray, shape (n_classes, n_features)
        What each feature says for each class.
    bias : ndarray, shape (n_classes,)
        Numbers added to the logits.
    """

    weight: F64
    bias: F64

    def logits(self, x: NDArray[np.floating]) -> F64:
        """Return the logits of features (n, n_features), shape (n, n_classes)."""
        return np.asarray(x @ self.weight.T + self.bias)

    def scaled(self, share: float) -> Readout:
        """Return the read-out with all of it times `share`."""
        return Readout(share * self.weight, share * self.bias)

    def branch(self) -> TangentBranch:
        """Return it as the branch of a model file."""
        return TangentBranch(torch.tensor(self.weight), torch.tensor(self.bias)).eval()


def fit_readout(
    x: NDArray[np.floating],
    y: NDArray[np.int64],
    n_classes: int,
    *,
    sample_weight: NDArray[np.floating] | None = None,
    variance: float = STRENGTH,
    prior: Readout | None = None,
) -> Readout:
    """Fit the read-out by maximum a posteriori.

    The problem is solved in the space that the windows span, so it costs what there are of windows or of features,
    whichever are fewer.

    Parameters
    ----------
    x : ndarray, shape (n_windows, n_features)
        Features, such as tangent vectors.
    y : ndarray, shape (n_windows,)
        Class indices in 0..n_classes-1.
    n_classes : int
        Number of classes.
    sample_weight : ndarray, shape (n_windows,), optional
        How much each window counts; None counts each as 1. Windows of one trial should sum to 1.
    variance : float
        Variance of the Gaussian prior on each weight, per class; small values stay close to its mean. That of the bias,
        counted from the mean of the windows, is `BIAS_VARIANCE`: it is as good as free.
    prior : Readout, optional
        Mean of the prior; None takes 0.

    Returns
    -------
    Readout
        The weights; the same arguments give the same bits.
    """
    if not len(x):
        nothing = np.zeros((n_classes, x.shape[1]))
        return Readout(nothing, np.zeros(n_classes)) if prior is None else prior
    x = np.asarray(x, dtype=np.float64)
    weight = np.ones(len(x)) if sample_weight is None else np.asarray(sample_weight, dtype=np.float64)
    offset = np.zeros((len(x), n_classes)) if prior is None else prior.logits(x)
    middle = x.mean(axis=0)  # the bias is as good as free, so where the origin lies does not matter but to rounding
    x = x - middle
    axes = _axes(x)
    z = x @ axes.T  # the windows in coordinates of their own span
    n_own = z.shape[1]
    target = np.eye(n_classes)[y]

    def loss(flat: F64) -> tuple[float, F64]:
        theta = flat.reshape(n_classes, n_own + 1)
        log_p = log_softmax(offset + z @ theta[:, :-1].T + theta[:, -1], axis=1)
        error = weight[:, None] * (np.exp(log_p) - target)
        penalty = np.concatenate([theta[:, :-1] / variance, theta[:, -1:] / BIAS_VARIANCE], axis=1)
        gradient = np.concatenate([error.T @ z, error.sum(0)[:, None]], axis=1) + penalty
        return -float((weight[:, None] * target * log_p).sum()) + 0.5 * float((theta * penalty).sum()), gradient.ravel()

    found = minimize(loss, np.zeros(n_classes * (n_own + 1)), jac=True, method="L-BFGS-B", options={"maxiter": 2000})
    theta = found.x.reshape(n_classes, n_own + 1)
    own = theta[:, :-1] @ axes
    base = Readout(np.zeros_like(own), np.zeros(n_classes)) if prior is None else prior
    return Readout(base.weight + own, base.bias + theta[:, -1] - own @ middle)


def _axes(x: NDArray[np.floating]) -> F64:
    """Orthonormal axes of the span of the rows of `x`, shape (n_axes, n_features)."""
    n_windows, n_features = x.shape
    if not n_features:
        return np.empty((0, 0))
    by_windows = n_windows <= n_features
    values, vectors = np.linalg.eigh(x @ x.T if by_windows else x.T @ x)
    kept = values > max(1e-10 * values[-1], 1e-12)
    if by_windows:
        return np.asarray((vectors[:, kept] / np.sqrt(values[kept])).T @ x)
    return np.asarray(vectors[:, kept].T)


def feature_scale(features: Sequence[NDArray[np.floating]]) -> float:
    """Return the factor that gives features, relative to their person's mean, the norm of tangent vectors.

    Parameters
    ----------
    features : sequence of ndarray, each of shape (n_windows, n_features)
        Features of one person each.
    """
    squares = [((f - f.mean(axis=0)) ** 2).sum(axis=1).mean() for f in features]
    return float(np.sqrt(SQUARED_NORM / max(float(np.mean(squares)), 1e-12)))
