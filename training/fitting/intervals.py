"""Intervals that treat a person, not a window, as the unit: scores resampled over subjects and seeds.

Suffixes: N windows, K classes, S subjects, R runs, B bootstrap draws, U different draws.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuript.training.fitting.metrics import FROM_SCORES, FROM_TABLES

N_BOOT = 2000
MAX_CELLS = 10_000_000
"""Largest count of numbers held at once while resampling."""
LEVEL = 0.95
"""Coverage of an interval."""

_Array = NDArray[np.float64]


@dataclass(frozen=True)
class Interval:
    """A score with its percentile interval.

    Attributes
    ----------
    value : float
        Mean score over the seeds, on the windows of all subjects.
    low, high : float
        Bounds of the percentile interval, in the score's unit; NaN where the resamples give none.
    sd_seeds : float
        Standard deviation over seeds (n - 1); NaN for one seed.
    n_seeds, n_subjects : int
        Numbers of seeds and of subjects that were resampled.
    """

    value: float
    low: float
    high: float
    sd_seeds: float
    n_seeds: int
    n_subjects: int


def intervals(
    y_N: NDArray[Any],
    proba_RNK: Sequence[NDArray[np.float64]],
    subject_N: NDArray[np.str_],
    metrics: Sequence[str],
    *,
    n_boot: int = N_BOOT,
    level: float = LEVEL,
    seed: int = 0,
) -> dict[str, Interval]:
    """Bootstrap scores over subjects and over seeds.

    Each resample draws subjects with replacement, all windows of a subject together, and seeds
    with replacement, the same subjects for all seeds; its score is the mean over the drawn seeds.
    Windows of one person are far from independent, so an interval over windows would be much too
    narrow. With fewer than about ten subjects a percentile interval is itself too narrow: read it
    as a lower bound of the uncertainty.

    Parameters
    ----------
    y_N : ndarray, shape (N,)
        True classes.
    proba_RNK : sequence of ndarray, each of shape (N, K)
        Class probabilities of each seed (one for a deterministic method).
    subject_N : ndarray, shape (N,)
        Whose window it is.
    metrics : sequence of str
        Names of `METRICS`.
    n_boot : int
        Number of resamples.
    level : float
        Coverage of the interval, in (0, 1).
    seed : int
        Seed of the draws.

    Returns
    -------
    dict of str to Interval
        Interval of each score, keyed by the name of its metric.
    """
    names, of_window = np.unique(subject_N, return_inverse=True)
    n_runs, n_subjects = len(proba_RNK), len(names)
    rng = np.random.default_rng(seed)
    counts_BS = draw_subjects(rng, n_boot, n_subjects)
    runs_BR = rng.integers(n_runs, size=(n_boot, n_runs))
    counts_US, which_B = np.unique(counts_BS, axis=0, return_inverse=True)  # few people: few draws
    weights = np.concatenate([np.ones((1, n_subjects)), counts_US.astype(np.float64)])
    found = {}
    for metric in metrics:
        values = np.stack([_resampled(metric, y_N, p, of_window, weights) for p in proba_RNK])
        draws = values[runs_BR, 1 + which_B.reshape(-1)[:, None]].mean(axis=1)
        found[metric] = _interval(values[:, 0], draws, level, n_subjects)
    return found


def draw_subjects(rng: np.random.Generator, n_boot: int, n_subjects: int) -> NDArray[np.int64]:
    """How often each subject is in each of some draws with replacement, (n_boot, n_subjects)."""
    drawn = rng.integers(n_subjects, size=(n_boot, n_subjects))
    return np.stack([np.bincount(row, minlength=n_subjects) for row in drawn])


def percentile_bounds(draws_B: NDArray[np.float64], level: float) -> tuple[float, float]:
    """Bounds between which a share `level` of the draws lies; NaN where no draw has a score.

    Parameters
    ----------
    draws_B : ndarray, shape (n_boot,)
        Score of each draw; draws that are NaN are left out.
    level : float
        Coverage, in (0, 1).
    """
    kept = draws_B[np.isfinite(draws_B)]  # a draw without one of the classes has no AUROC
    if not len(kept):
        return float("nan"), float("nan")
    low, high = np.percentile(kept, (100 * (1 - level) / 2, 100 * (1 + level) / 2))
    return float(low), float(high)


def _resampled(metric: str, y_N: NDArray[Any], proba_NK: _Array, of_window: NDArray[Any], weights_US: _Array) -> _Array:
    """A score for several weightings of the subjects, (U,)."""
    n_outputs, n_subjects = proba_NK.shape[1], weights_US.shape[1]
    if metric in FROM_TABLES:
        cell = (of_window * n_outputs + y_N) * n_outputs + proba_NK.argmax(axis=1)
        tables = np.bincount(cell, minlength=n_subjects * n_outputs**2).astype(np.float64)
        pooled = np.tensordot(weights_US, tables.reshape(n_subjects, n_outputs, n_outputs), 1)
        return FROM_TABLES[metric](pooled)
    if metric not in FROM_SCORES or n_outputs != 2:
        raise ValueError(f"no score {metric} of {n_outputs} classes")
    values, place = np.unique(-proba_NK[:, 1], return_inverse=True)
    cell = of_window * len(values) + place
    size = n_subjects * len(values)
    hits, misses = (
        np.bincount(cell[y_N == label], minlength=size).reshape(n_subjects, -1).astype(np.float64) for label in (1, 0)
    )
    step = max(1, MAX_CELLS // len(values))
    parts = [
        FROM_SCORES[metric](w @ hits, w @ misses)
        for w in (weights_US[i : i + step] for i in range(0, len(weights_US), step))
    ]
    return np.concatenate(parts)


def _interval(plain: NDArray[np.float64], draws: NDArray[np.float64], level: float, n_subjects: int) -> Interval:
    low, high = percentile_bounds(draws, level)
    sd = float(np.std(plain, ddof=1)) if len(plain) > 1 else float("nan")
    return Interval(float(np.mean(plain)), low, high, sd, len(plain), n_subjects)
