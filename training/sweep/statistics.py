"""Means, intervals and paired differences of a table's entries.

Suffixes: R runs (seeds), S subjects, K classes, B bootstrap draws.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuript.training.fitting.intervals import LEVEL, draw_subjects, percentile_bounds
from neuript.training.fitting.metrics import balanced_accuracies

N_DRAWS = 5000
"""Number of draws of the test subjects behind an interval of a table."""

Confusions = Mapping[str, Sequence[Sequence[float]]]
"""Confusion table (rows: true classes) of each test subject."""


@dataclass(frozen=True)
class Estimate:
    """A mean with an interval; the bounds are NaN where there is too little for one."""

    mean: float
    low: float
    high: float
    n: int


def over_runs(values_R: Sequence[float], level: float = LEVEL) -> Estimate:
    """Mean and Student interval over runs.

    It says how far another set of seeds would come out, on the same test people; it says nothing
    about other people (see `over_subjects`).
    """
    from scipy.stats import t

    values = np.asarray(values_R, dtype=np.float64)
    n, mean = len(values), float(values.mean()) if len(values) else math.nan
    if n < 2:
        return Estimate(mean, math.nan, math.nan, n)
    half = float(t.ppf((1 + level) / 2, n - 1) * values.std(ddof=1) / math.sqrt(n))
    return Estimate(mean, mean - half, mean + half, n)


def paired(values: Mapping[int, float], reference: Mapping[int, float], level: float = LEVEL) -> Estimate:
    """Mean difference and Student interval over the seeds that both have.

    Parameters
    ----------
    values : mapping of int to float
        Score of each seed.
    reference : mapping of int to float
        Score of each seed for the setting to compare with.
    level : float
        Coverage of the interval, in (0, 1).
    """
    seeds = sorted(set(values) & set(reference))
    return over_runs([values[seed] - reference[seed] for seed in seeds], level)


def over_subjects(
    runs_R: Sequence[Confusions],
    reference_R: Sequence[Confusions] | None = None,
    *,
    n_boot: int = N_DRAWS,
    level: float = LEVEL,
    seed: int = 0,
) -> Estimate:
    """Balanced accuracy, mean over runs, with a percentile interval over test subjects.

    Subjects are drawn with replacement, all windows and all runs of a subject together. With
    `reference_R` the difference to another setting is taken within each draw. Fewer than about ten
    subjects make the interval too narrow; with one there is none.

    Parameters
    ----------
    runs_R : sequence of mapping
        Confusion tables by subject, of each run; all with the same subjects.
    reference_R : sequence of mapping, optional
        Tables of the setting to compare with, in the same form; None estimates the score itself.
    n_boot : int
        Number of draws.
    level : float
        Coverage of the interval, in (0, 1).
    seed : int
        Seed of the draws.

    Returns
    -------
    Estimate
        Mean, bounds (NaN for fewer than two subjects) and number of subjects.

    Raises
    ------
    ValueError
        If the runs were tested on different subjects.
    """
    terms = [(1.0, runs_R)] if reference_R is None else [(1.0, runs_R), (-1.0, reference_R)]
    return sum_over_subjects(terms, n_boot=n_boot, level=level, seed=seed)


def interaction(values: Sequence[Mapping[int, float]], level: float = LEVEL) -> Estimate:
    """Difference of differences (a - b) - (c - d), mean and Student interval over the seeds that all four have.

    Parameters
    ----------
    values : sequence of four mappings of int to float
        Scores of a, b, c and d, keyed by seed.
    level : float
        Coverage of the interval, in (0, 1).
    """
    a, b, c, d = values
    seeds = sorted(set(a) & set(b) & set(c) & set(d))
    return over_runs([a[seed] - b[seed] - c[seed] + d[seed] for seed in seeds], level)


def sum_over_subjects(
    terms: Sequence[tuple[float, Sequence[Confusions]]], *, n_boot: int = N_DRAWS, level: float = LEVEL, seed: int = 0
) -> Estimate:
    """Weighted sum of balanced accuracies (means over runs), with a percentile interval over test subjects.

    The sum is taken within each draw of the subjects: weights 1, -1, -1, 1 make a difference of differences.

    Parameters
    ----------
    terms : sequence of (float, sequence of mapping)
        Weight of each setting, and its confusion tables by subject, of each run; all with the same subjects.
    n_boot, level, seed
        As in `over_subjects`.

    Raises
    ------
    ValueError
        If the runs were tested on different subjects.
    """
    runs = terms[0][1]
    subjects = sorted(runs[0]) if runs else []
    stacked = [(weight, _stack(tables, subjects)) for weight, tables in terms]
    mean = float(_sum(np.ones((1, len(subjects))), stacked)[0]) if runs else math.nan
    if len(subjects) < 2:
        return Estimate(mean, math.nan, math.nan, len(subjects))
    counts_BS = draw_subjects(np.random.default_rng(seed), n_boot, len(subjects))
    values = _sum(counts_BS.astype(np.float64), stacked)
    return Estimate(mean, *percentile_bounds(values, level), len(subjects))


def _stack(runs: Sequence[Confusions], subjects: Sequence[str]) -> NDArray[np.float64]:
    if any(sorted(run) != list(subjects) for run in runs):
        raise ValueError("the runs were tested on different subjects; they cannot be compared")
    return np.array([[run[name] for name in subjects] for run in runs], dtype=np.float64)


def _sum(counts_BS: NDArray[np.float64], terms: Sequence[tuple[float, NDArray[np.float64]]]) -> NDArray[np.float64]:
    parts = [weight * _accuracy(counts_BS, tables_RSKK) for weight, tables_RSKK in terms]
    return np.asarray(np.sum(parts, axis=0), dtype=np.float64)


def _accuracy(counts_BS: NDArray[np.float64], tables_RSKK: NDArray[np.float64]) -> NDArray[np.float64]:
    """Mean over runs of the balanced accuracy of each draw; classes that do not occur are left out."""
    pooled_RBKK = np.einsum("bs,rskj->rbkj", counts_BS, tables_RSKK)
    return np.asarray(balanced_accuracies(pooled_RBKK).mean(axis=0))
