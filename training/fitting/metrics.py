"""Scores of the paper, and intervals that treat a person, not a window, as the unit.

Balanced accuracy, Cohen's kappa and weighted F1 come from a confusion table; AUROC and AUC-PR from
the scores of the second of two classes. All take weights per window, which makes a bootstrap over
subjects a matter of counting how often each was drawn.

Suffixes: N windows, K classes, S subjects.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINARY = ("balanced_accuracy", "auc_pr", "auroc")
MULTICLASS = ("balanced_accuracy", "kappa", "weighted_f1")
METRICS = ("balanced_accuracy", "kappa", "weighted_f1", "auroc", "auc_pr")
"""Names of all scores; AUROC and AUC-PR exist for two classes only."""
SHORT = {"balanced_accuracy": "BA", "kappa": "kappa", "weighted_f1": "wF1", "auroc": "AUROC", "auc_pr": "AUC-PR"}

N_BOOT = 2000
MAX_CELLS = 10_000_000
"""Numbers held at once while resampling."""
LEVEL = 0.95


def confusion(
    y_N: NDArray[Any], guess_N: NDArray[Any], n_outputs: int, weight_N: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Confusion table (K, K): rows are true classes, columns are guesses."""
    cell = np.asarray(y_N, dtype=np.int64) * n_outputs + np.asarray(guess_N, dtype=np.int64)
    counts = np.bincount(cell, weights=weight_N, minlength=n_outputs**2)
    return counts.astype(np.float64).reshape(n_outputs, n_outputs)


def balanced_accuracy(table_KK: NDArray[np.float64]) -> float:
    """Mean recall of the classes that occur; NaN for an empty table."""
    return float(_balanced_accuracy(table_KK))


def kappa(table_KK: NDArray[np.float64]) -> float:
    """Cohen's kappa; NaN where chance agreement is certain (one class only, all guessed so)."""
    return float(_kappa(table_KK))


def weighted_f1(table_KK: NDArray[np.float64]) -> float:
    """F1 of each class, averaged with the share of its true windows."""
    return float(_weighted_f1(table_KK))


def at_base_rate(
    val_NK: NDArray[np.float64], y_val_N: NDArray[Any], proba_MK: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Move the threshold of two classes to where validation windows show their base rate.

    Above the new threshold lie as many validation windows as belong to class 1, whichever they
    are. It takes the labels of no other window, and needs nothing that a user would not know who
    knows how often each class occurs. The order of the windows stays as it is.

    Parameters
    ----------
    val_NK, y_val_N
        Probabilities of validation windows, (N, 2), and their labels.
    proba_MK
        Probabilities to be moved, (M, 2).

    Returns
    -------
    array of shape (M, 2)
        Rows that add up to one, class 1 above one half where its score is above the threshold.

    Raises
    ------
    ValueError
        If there are not two classes.
    """
    if val_NK.shape[1] != 2:
        raise ValueError(f"a threshold of {val_NK.shape[1]} classes")
    scores = np.concatenate([[1.0], np.sort(val_NK[:, 1])[::-1], [0.0]])
    n_positive = int(np.sum(y_val_N == 1))
    threshold = scores[n_positive : n_positive + 2].mean()
    second = 0.5 + (proba_MK[:, 1] - threshold) / 2
    return np.stack([1 - second, second], axis=1)


def auroc(y_N: NDArray[Any], score_N: NDArray[Any], weight_N: NDArray[np.float64] | None = None) -> float:
    """Probability that a window of class 1 scores above one of class 0, ties counting a half."""
    return float(_auroc(*_by_threshold(y_N, score_N, weight_N)))


def auc_pr(y_N: NDArray[Any], score_N: NDArray[Any], weight_N: NDArray[np.float64] | None = None) -> float:
    """Average precision: precision at each threshold, weighted by the recall it adds.

    This is `sklearn.metrics.average_precision_score`. The trapezoid under the precision-recall
    curve, which some papers report as AUC-PR, is optimistic (Davis and Goadrich 2006, ICML).
    """
    return float(_auc_pr(*_by_threshold(y_N, score_N, weight_N)))


_Array = NDArray[np.float64]


def _balanced_accuracy(tables: _Array) -> _Array:
    """Of tables (..., K, K), as the other functions with an underscore."""
    total, hit = tables.sum(axis=-1), np.diagonal(tables, axis1=-2, axis2=-1)
    return _ratio(_ratio(hit, total, 0.0).sum(axis=-1), (total > 0).sum(axis=-1))


def _kappa(tables: _Array) -> _Array:
    n = tables.sum(axis=(-2, -1))
    by_chance = _ratio((tables.sum(axis=-1) * tables.sum(axis=-2)).sum(axis=-1), n**2)
    agreed = _ratio(np.trace(tables, axis1=-2, axis2=-1), n)
    return _ratio(agreed - by_chance, 1 - by_chance)


def _weighted_f1(tables: _Array) -> _Array:
    true, guessed = tables.sum(axis=-1), tables.sum(axis=-2)
    f1 = _ratio(2 * np.diagonal(tables, axis1=-2, axis2=-1), true + guessed, 0.0)
    return _ratio((f1 * true).sum(axis=-1), true.sum(axis=-1))


def _auroc(hits: _Array, misses: _Array) -> _Array:
    """Of weights (..., V) of class 1 and class 0 at scores that fall, as `_auc_pr`."""
    above = np.cumsum(hits, axis=-1) - hits / 2
    return _ratio((misses * above).sum(axis=-1), hits.sum(axis=-1) * misses.sum(axis=-1))


def _auc_pr(hits: _Array, misses: _Array) -> _Array:
    found = np.cumsum(hits, axis=-1)
    precision = _ratio(found, found + np.cumsum(misses, axis=-1), 0.0)
    return _ratio((hits * precision).sum(axis=-1), hits.sum(axis=-1))


def _ratio(a: Any, b: Any, otherwise: float = float("nan")) -> _Array:
    """Quotient, and `otherwise` where `b` is not positive."""
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    out = np.full(np.broadcast_shapes(a.shape, b.shape), otherwise)
    return np.asarray(np.divide(a, b, out=out, where=b > 0))


def _by_threshold(
    y_N: NDArray[Any], score_N: NDArray[Any], weight_N: NDArray[np.float64] | None
) -> tuple[_Array, _Array]:
    """Weight of class 1 and of class 0 at each different score, from the highest down."""
    values, place = np.unique(-np.asarray(score_N, dtype=np.float64), return_inverse=True)
    weight = np.ones(len(place)) if weight_N is None else weight_N
    positive = np.asarray(y_N) == 1
    hits = np.bincount(place, weights=weight * positive, minlength=len(values))
    misses = np.bincount(place, weights=weight * ~positive, minlength=len(values))
    return hits.astype(np.float64), misses.astype(np.float64)


_FROM_TABLE: dict[str, Callable[[NDArray[np.float64]], float]] = {
    "balanced_accuracy": balanced_accuracy,
    "kappa": kappa,
    "weighted_f1": weighted_f1,
}


def score(
    y_N: NDArray[Any],
    proba_NK: NDArray[np.float64],
    metrics: Sequence[str] | None = None,
    weight_N: NDArray[np.float64] | None = None,
) -> dict[str, float]:
    """All scores, or those of `metrics`, of class probabilities.

    Parameters
    ----------
    y_N : ndarray, shape (N,)
        True classes 0..K-1.
    proba_NK : ndarray, shape (N, K)
        The largest is the guess (the first of equals); with two classes, column 1 is the score.
    metrics : sequence of str, optional
        Of `METRICS`; None means all that exist for K classes.
    weight_N : ndarray, shape (N,), optional
        How often each window counts.

    Returns
    -------
    dict of float
        Shares, not percentages; NaN where a score is not defined.
    """
    n_outputs = proba_NK.shape[1]
    table = confusion(y_N, proba_NK.argmax(axis=1), n_outputs, weight_N)
    scores = {name: function(table) for name, function in _FROM_TABLE.items()}
    if n_outputs == 2:
        scores["auroc"] = auroc(y_N, proba_NK[:, 1], weight_N)
        scores["auc_pr"] = auc_pr(y_N, proba_NK[:, 1], weight_N)
    if metrics is None:
        return scores
    if unknown := [name for name in metrics if name not in scores]:
        raise ValueError(f"no score {', '.join(unknown)} of {n_outputs} classes; {list(scores)}")
    return {name: scores[name] for name in metrics}


def by_subject(y_N: NDArray[Any], proba_NK: NDArray[np.float64], subject_N: NDArray[np.str_]) -> dict[str, float]:
    """Balanced accuracy of each subject."""
    guess, n_outputs = proba_NK.argmax(axis=1), proba_NK.shape[1]
    return {
        str(name): balanced_accuracy(confusion(y_N[own], guess[own], n_outputs))
        for name in np.unique(subject_N)
        for own in [subject_N == name]
    }


@dataclass(frozen=True)
class Interval:
    """A score with its percentile interval.

    Attributes
    ----------
    value
        Mean over the seeds, of all subjects.
    low, high
        Bounds; NaN where the resamples give none.
    sd_seeds
        Standard deviation over seeds (n - 1); NaN for one seed.
    n_seeds, n_subjects
        What was resampled.
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
    n_boot, level, seed
        Resamples, coverage, and seed of the draws.

    Returns
    -------
    dict of Interval
        By metric.
    """
    names, of_window = np.unique(subject_N, return_inverse=True)
    n_runs, n_subjects = len(proba_RNK), len(names)
    rng = np.random.default_rng(seed)
    drawn = rng.integers(n_subjects, size=(n_boot, n_subjects))
    counts_BS = np.stack([np.bincount(row, minlength=n_subjects) for row in drawn])
    runs_BR = rng.integers(n_runs, size=(n_boot, n_runs))
    counts_US, which_B = np.unique(counts_BS, axis=0, return_inverse=True)  # few people: few draws
    weights = np.concatenate([np.ones((1, n_subjects)), counts_US.astype(np.float64)])
    found = {}
    for metric in metrics:
        values = np.stack([_resampled(metric, y_N, p, of_window, weights) for p in proba_RNK])
        draws = values[runs_BR, 1 + which_B.reshape(-1)[:, None]].mean(axis=1)
        found[metric] = _interval(values[:, 0], draws, level, n_subjects)
    return found


def _resampled(metric: str, y_N: NDArray[Any], proba_NK: _Array, of_window: NDArray[Any], weights_US: _Array) -> _Array:
    """A score for several weightings of the subjects, (U,)."""
    n_outputs, n_subjects = proba_NK.shape[1], weights_US.shape[1]
    if metric in _FROM_TABLES:
        cell = (of_window * n_outputs + y_N) * n_outputs + proba_NK.argmax(axis=1)
        tables = np.bincount(cell, minlength=n_subjects * n_outputs**2).astype(np.float64)
        pooled = np.tensordot(weights_US, tables.reshape(n_subjects, n_outputs, n_outputs), 1)
        return _FROM_TABLES[metric](pooled)
    if metric not in _FROM_SCORES or n_outputs != 2:
        raise ValueError(f"no score {metric} of {n_outputs} classes")
    values, place = np.unique(-proba_NK[:, 1], return_inverse=True)
    cell = of_window * len(values) + place
    size = n_subjects * len(values)
    hits, misses = (
        np.bincount(cell[y_N == label], minlength=size).reshape(n_subjects, -1).astype(np.float64) for label in (1, 0)
    )
    step = max(1, MAX_CELLS // len(values))
    parts = [
        _FROM_SCORES[metric](w @ hits, w @ misses)
        for w in (weights_US[i : i + step] for i in range(0, len(weights_US), step))
    ]
    return np.concatenate(parts)


_FROM_TABLES: dict[str, Callable[[_Array], _Array]] = {
    "balanced_accuracy": _balanced_accuracy,
    "kappa": _kappa,
    "weighted_f1": _weighted_f1,
}
_FROM_SCORES: dict[str, Callable[[_Array, _Array], _Array]] = {"auroc": _auroc, "auc_pr": _auc_pr}


def _interval(plain: NDArray[np.float64], draws: NDArray[np.float64], level: float, n_subjects: int) -> Interval:
    kept = draws[np.isfinite(draws)]  # a draw without one of the classes has no AUROC
    tails = (100 * (1 - level) / 2, 100 * (1 + level) / 2)
    low, high = np.percentile(kept, tails) if len(kept) else (np.nan, np.nan)
    sd = float(np.std(plain, ddof=1)) if len(plain) > 1 else float("nan")
    return Interval(float(np.mean(plain)), float(low), float(high), sd, len(plain), n_subjects)
