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
SHORT = {
    "balanced_accuracy": "BA",
    "kappa": "kappa",
    "weighted_f1": "wF1",
    "auroc": "AUROC",
    "auc_pr": "AUC-PR",
}

N_BOOT = 2000
LEVEL = 0.95


def confusion(
    y_N: NDArray[Any],
    guess_N: NDArray[Any],
    n_outputs: int,
    weight_N: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Confusion table (K, K): rows are true classes, columns are guesses."""
    cell = np.asarray(y_N, dtype=np.int64) * n_outputs + np.asarray(guess_N, dtype=np.int64)
    counts = np.bincount(cell, weights=weight_N, minlength=n_outputs**2)
    return counts.astype(np.float64).reshape(n_outputs, n_outputs)


def balanced_accuracy(table_KK: NDArray[np.float64]) -> float:
    """Mean recall of the classes that occur; NaN for an empty table."""
    total = table_KK.sum(axis=1)
    present = total > 0
    if not present.any():
        return float("nan")
    return float((np.diag(table_KK)[present] / total[present]).mean())


def kappa(table_KK: NDArray[np.float64]) -> float:
    """Cohen's kappa; NaN where chance agreement is certain (one class only, all guessed so)."""
    n = table_KK.sum()
    if n == 0:
        return float("nan")
    by_chance = float((table_KK.sum(axis=1) * table_KK.sum(axis=0)).sum() / n**2)
    agreed = float(np.trace(table_KK) / n)
    return (agreed - by_chance) / (1 - by_chance) if by_chance < 1 else float("nan")


def weighted_f1(table_KK: NDArray[np.float64]) -> float:
    """F1 of each class, averaged with the share of its true windows."""
    n = table_KK.sum()
    if n == 0:
        return float("nan")
    true, guessed, hit = table_KK.sum(axis=1), table_KK.sum(axis=0), np.diag(table_KK)
    f1 = 2 * hit / np.maximum(true + guessed, np.finfo(float).tiny)
    return float((f1 * true).sum() / n)


def auroc(
    y_N: NDArray[Any], score_N: NDArray[Any], weight_N: NDArray[np.float64] | None = None
) -> float:
    """Probability that a window of class 1 scores above one of class 0, ties counting a half."""
    hits, misses = _by_threshold(y_N, score_N, weight_N)
    positives, negatives = hits.sum(), misses.sum()
    if positives == 0 or negatives == 0:
        return float("nan")
    above = np.cumsum(hits) - hits / 2
    return float((misses * above).sum() / (positives * negatives))


def auc_pr(
    y_N: NDArray[Any], score_N: NDArray[Any], weight_N: NDArray[np.float64] | None = None
) -> float:
    """Average precision: precision at each threshold, weighted by the recall it adds.

    This is `sklearn.metrics.average_precision_score`. The trapezoid under the precision-recall
    curve, which some papers report as AUC-PR, is optimistic (Davis and Goadrich 2006, ICML).
    """
    hits, misses = _by_threshold(y_N, score_N, weight_N)
    if hits.sum() == 0:
        return float("nan")
    found = np.cumsum(hits)
    seen = found + np.cumsum(misses)
    precision = np.divide(found, seen, out=np.zeros_like(found), where=seen > 0)
    return float((hits * precision).sum() / hits.sum())


def _by_threshold(
    y_N: NDArray[Any], score_N: NDArray[Any], weight_N: NDArray[np.float64] | None
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
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


def by_subject(
    y_N: NDArray[Any], proba_NK: NDArray[np.float64], subject_N: NDArray[np.str_]
) -> dict[str, float]:
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
    plain = {m: [score(y_N, p, [m])[m] for p in proba_RNK] for m in metrics}
    names, of_window = np.unique(subject_N, return_inverse=True)
    rng = np.random.default_rng(seed)
    draws: dict[str, list[float]] = {m: [] for m in metrics}
    for _ in range(n_boot):
        counts = np.bincount(rng.integers(len(names), size=len(names)), minlength=len(names))
        weight = counts[of_window].astype(np.float64)
        runs = rng.integers(len(proba_RNK), size=len(proba_RNK))
        scores = {r: score(y_N, proba_RNK[r], metrics, weight) for r in np.unique(runs)}
        for m in metrics:
            draws[m].append(float(np.mean([scores[r][m] for r in runs])))
    return {m: _interval(plain[m], draws[m], level, len(names)) for m in metrics}


def _interval(
    plain: Sequence[float], draws: Sequence[float], level: float, n_subjects: int
) -> Interval:
    kept = np.asarray(draws)[np.isfinite(draws)]  # a draw without one of the classes has no AUROC
    tails = (100 * (1 - level) / 2, 100 * (1 + level) / 2)
    low, high = np.percentile(kept, tails) if len(kept) else (np.nan, np.nan)
    sd = float(np.std(plain, ddof=1)) if len(plain) > 1 else float("nan")
    return Interval(float(np.mean(plain)), float(low), float(high), sd, len(plain), n_subjects)
