"""Scores of the paper, from a confusion table or from the scores of two classes.

Balanced accuracy, Cohen's kappa and weighted F1 come from a confusion table; AUROC and AUC-PR from
the scores of the second of two classes. All take weights per window, which makes a bootstrap over
subjects a matter of counting how often each was drawn (`fitting.intervals`).

Suffixes: N windows, K classes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_Array = NDArray[np.float64]

BINARY = ("balanced_accuracy", "auc_pr", "auroc")
MULTICLASS = ("balanced_accuracy", "kappa", "weighted_f1")
METRICS = ("balanced_accuracy", "kappa", "weighted_f1", "auroc", "auc_pr")
"""Names of all scores; AUROC and AUC-PR exist for two classes only."""
SHORT = {"balanced_accuracy": "BA", "kappa": "kappa", "weighted_f1": "wF1", "auroc": "AUROC", "auc_pr": "AUC-PR"}


def confusion(
    y_N: NDArray[Any], guess_N: NDArray[Any], n_outputs: int, weight_N: NDArray[np.float64] | None = None
) -> NDArray[np.float64]:
    """Confusion table (K, K): rows are true classes, columns are guesses.

    Parameters
    ----------
    y_N : ndarray, shape (N,)
        True classes 0..K-1.
    guess_N : ndarray, shape (N,)
        Guessed classes 0..K-1.
    n_outputs : int
        Number of classes, K.
    weight_N : ndarray, shape (N,), optional
        How often each window counts; None counts each once.
    """
    cell = np.asarray(y_N, dtype=np.int64) * n_outputs + np.asarray(guess_N, dtype=np.int64)
    counts = np.bincount(cell, weights=weight_N, minlength=n_outputs**2)
    return counts.astype(np.float64).reshape(n_outputs, n_outputs)


def balanced_accuracy(table_KK: NDArray[np.float64]) -> float:
    """Mean recall of the classes that occur; NaN for an empty table."""
    return float(balanced_accuracies(table_KK))


def kappa(table_KK: NDArray[np.float64]) -> float:
    """Cohen's kappa; NaN where chance agreement is certain (one class only, all guessed so)."""
    return float(kappas(table_KK))


def at_base_rate(
    val_NK: NDArray[np.float64], y_val_N: NDArray[Any], proba_MK: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Move the threshold of two classes to where validation windows show their base rate.

    Above the new threshold lie as many validation windows as belong to class 1, whichever they
    are. It takes the labels of no other window, and needs nothing that a user would not know who
    knows how often each class occurs. The order of the windows stays as it is.

    Parameters
    ----------
    val_NK : ndarray, shape (N, 2)
        Class probabilities of the validation windows.
    y_val_N : ndarray, shape (N,)
        True classes of the validation windows, 0 or 1.
    proba_MK : ndarray, shape (M, 2)
        Class probabilities to be moved.

    Returns
    -------
    ndarray, shape (M, 2)
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
    """Probability that a window of class 1 scores above one of class 0, ties counting a half.

    Parameters
    ----------
    y_N : ndarray, shape (N,)
        True classes, 0 or 1.
    score_N : ndarray, shape (N,)
        Score of class 1, in any unit.
    weight_N : ndarray, shape (N,), optional
        How often each window counts; None counts each once.
    """
    return float(aurocs(*_by_threshold(y_N, score_N, weight_N)))


def auc_pr(y_N: NDArray[Any], score_N: NDArray[Any], weight_N: NDArray[np.float64] | None = None) -> float:
    """Average precision: precision at each threshold, weighted by the recall it adds.

    This is `sklearn.metrics.average_precision_score`. The trapezoid under the precision-recall
    curve, which some papers report as AUC-PR, is optimistic (Davis and Goadrich 2006, ICML).

    Takes the arguments of `auroc`.
    """
    return float(auc_prs(*_by_threshold(y_N, score_N, weight_N)))


def balanced_accuracies(tables: _Array) -> _Array:
    """Balanced accuracy of each of some tables (..., K, K)."""
    total, hit = tables.sum(axis=-1), np.diagonal(tables, axis1=-2, axis2=-1)
    return _ratio(_ratio(hit, total, 0.0).sum(axis=-1), (total > 0).sum(axis=-1))


def kappas(tables: _Array) -> _Array:
    """Cohen's kappa of each of some tables (..., K, K)."""
    n = tables.sum(axis=(-2, -1))
    by_chance = _ratio((tables.sum(axis=-1) * tables.sum(axis=-2)).sum(axis=-1), n**2)
    agreed = _ratio(np.trace(tables, axis1=-2, axis2=-1), n)
    return _ratio(agreed - by_chance, 1 - by_chance)


def weighted_f1s(tables: _Array) -> _Array:
    """Weighted F1 of each of some tables (..., K, K)."""
    true, guessed = tables.sum(axis=-1), tables.sum(axis=-2)
    f1 = _ratio(2 * np.diagonal(tables, axis1=-2, axis2=-1), true + guessed, 0.0)
    return _ratio((f1 * true).sum(axis=-1), true.sum(axis=-1))


def aurocs(hits: _Array, misses: _Array) -> _Array:
    """AUROC from the weights (..., V) of class 1 and class 0 at scores that fall."""
    above = np.cumsum(hits, axis=-1) - hits / 2
    return _ratio((misses * above).sum(axis=-1), hits.sum(axis=-1) * misses.sum(axis=-1))


def auc_prs(hits: _Array, misses: _Array) -> _Array:
    """AUC-PR from the weights (..., V) of class 1 and class 0 at scores that fall."""
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


FROM_TABLES: dict[str, Callable[[_Array], _Array]] = {
    "balanced_accuracy": balanced_accuracies,
    "kappa": kappas,
    "weighted_f1": weighted_f1s,
}
"""Scores (...,) of confusion tables (..., K, K)."""
FROM_SCORES: dict[str, Callable[[_Array, _Array], _Array]] = {"auroc": aurocs, "auc_pr": auc_prs}
"""Scores (...,) of the weights (..., V) of class 1 and of class 0 at each score, from the highest down."""


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
        Names of `METRICS`; None means all that exist for K classes.
    weight_N : ndarray, shape (N,), optional
        How often each window counts; None counts each once.

    Returns
    -------
    dict of str to float
        Score by metric: shares, not percentages; NaN where a score is not defined.

    Raises
    ------
    ValueError
        If a metric is not known, or not defined for K classes.
    """
    n_outputs = proba_NK.shape[1]
    table = confusion(y_N, proba_NK.argmax(axis=1), n_outputs, weight_N)
    scores = {name: float(function(table)) for name, function in FROM_TABLES.items()}
    if n_outputs == 2:
        scores["auroc"] = auroc(y_N, proba_NK[:, 1], weight_N)
        scores["auc_pr"] = auc_pr(y_N, proba_NK[:, 1], weight_N)
    if metrics is None:
        return scores
    if unknown := [name for name in metrics if name not in scores]:
        raise ValueError(f"no score {', '.join(unknown)} of {n_outputs} classes; {list(scores)}")
    return {name: scores[name] for name in metrics}


def by_subject(y_N: NDArray[Any], proba_NK: NDArray[np.float64], subject_N: NDArray[np.str_]) -> dict[str, float]:
    """Balanced accuracy of each subject.

    Parameters
    ----------
    y_N : ndarray, shape (N,)
        True classes 0..K-1.
    proba_NK : ndarray, shape (N, K)
        Class probabilities of the windows.
    subject_N : ndarray of str, shape (N,)
        Whose windows they are.
    """
    guess, n_outputs = proba_NK.argmax(axis=1), proba_NK.shape[1]
    return {
        str(name): balanced_accuracy(confusion(y_N[own], guess[own], n_outputs))
        for name in np.unique(subject_N)
        for own in [subject_N == name]
    }
