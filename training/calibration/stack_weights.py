"""Weights of the branches in the published stack, from what the branches said of blocks that they had not seen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax

from neuript.training.calibration.held_out import Masks
from neuript.training.windows.dataset import Dataset

MIN_BRANCH_WEIGHT = 0.05
"""A branch with less weight than this in the stack is left out of the model."""
MIN_GAIN_NATS = 0.01
"""Smallest improvement of the held-out log-likelihood per trial for which a second branch is worth its time."""


def fit_stack(
    branches: Sequence[NDArray[np.float64]], data: Dataset, train: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """Weights >= 0 of the branches' log-probabilities that fit held-out windows best; they hold the temperature.

    A weak pull towards an untempered mixture of equal parts keeps few trials from running away. One branch alone is
    kept when the others improve on it by less than `MIN_GAIN_NATS` per trial: what adds nothing should cost nothing
    live. Where no branch helps, the best one gets the smallest weight, so that the model stays close to "nothing
    known".

    Parameters
    ----------
    branches : sequence of ndarray, each of shape (n_windows, n_classes)
        Held-out log-probabilities (natural logarithms) of each branch.
    data : Dataset
        The windows with their classes and trials; each trial counts the same.
    train : ndarray of bool, shape (n_windows,), optional
        Windows to fit on; None takes all.

    Returns
    -------
    ndarray, shape (n_branches,)
        Weights of the branches; 0 for one that is left out.
    """
    keep = np.ones(len(data.x), dtype=bool) if train is None else train
    stacked = np.stack([b[keep] for b in branches])  # (n_branches, n_windows, n_classes)
    y = data.y[keep]
    per_trial = 1.0 / np.bincount(data.trial[keep], minlength=len(data.trials))[data.trial[keep]]
    n_trials = per_trial.sum()

    def misfit(w: NDArray[np.float64]) -> float:
        log_p = log_softmax(np.tensordot(w, stacked, axes=1), axis=1)
        return -float((per_trial * log_p[np.arange(len(y)), y]).sum())

    def fit(allowed: NDArray[np.float64]) -> NDArray[np.float64]:
        prior = allowed / allowed.sum()

        def loss(w: NDArray[np.float64]) -> float:
            return misfit(w) + 0.5 * float(((w - prior) ** 2).sum())

        best = minimize(loss, prior, method="L-BFGS-B", bounds=[(0.0, 5.0 * a) for a in allowed])
        return np.where(best.x < MIN_BRANCH_WEIGHT, 0.0, best.x)

    candidates = [fit(unit) for unit in np.eye(len(branches))]
    alone = min(candidates, key=misfit)
    together = fit(np.ones(len(branches)))
    weights = together if misfit(together) < misfit(alone) - MIN_GAIN_NATS * n_trials else alone
    if not weights.any():
        floor = [misfit(MIN_BRANCH_WEIGHT * unit) for unit in np.eye(len(branches))]
        weights[int(np.argmin(floor))] = MIN_BRANCH_WEIGHT
    return weights


def nested_stack(
    branches: Sequence[NDArray[np.float64]], data: Dataset, blocks: Sequence[Masks]
) -> NDArray[np.float64]:
    """Held-out log-probabilities of the stack: its weights, too, never see the block they are applied to.

    Parameters
    ----------
    branches : sequence of ndarray, each of shape (n_windows, n_classes)
        Held-out log-probabilities (natural logarithms) of each branch.
    data : Dataset
        The windows with their classes and trials.
    blocks : sequence of (ndarray of bool, ndarray of bool), each of shape (n_windows,)
        Windows to fit the weights on and windows to apply them to, for each block.

    Returns
    -------
    ndarray, shape (n_windows, n_classes)
        Log-probabilities of every window.
    """
    out = np.zeros_like(branches[0])
    for train, test in blocks:
        weights = fit_stack(branches, data, train)
        out[test] = log_softmax(np.tensordot(weights, np.stack([b[test] for b in branches]), axes=1), axis=1)
    return out
