"""Figures of decisions made over whole recordings; pure functions of tables and arrays (`docs/pseudo-online.md`).

Suffixes: N trials or windows, K classes.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuript.realtime.decoding.event_scoring import EARLIEST_S, GRACE_S, Commit, EventCard, last_onset_s
from neuript.realtime.decoding.scoring import Trial
from neuript.training.fitting.metrics import confusion, kappa

F64 = NDArray[np.float64]
COURSE_S = (-2.0, 6.0)
"""Seconds around the cue that the course of kappa covers."""
COURSE_STEP_S = 0.25
"""Least distance of two points of that course."""
COVERAGES = tuple(round(0.1 * k, 1) for k in range(1, 11))
"""Shares of the trials, the most certain ones first, whose risk is given."""


def matthews(table_KK: NDArray[Any]) -> float:
    """Matthews correlation of a confusion table of K classes (Gorodkin 2004); 0 where one side has one class only.

    Parameters
    ----------
    table_KK : ndarray, shape (K, K)
        Counts; rows are true classes, columns are guesses.
    """
    table = np.asarray(table_KK, dtype=np.float64)
    true, guessed = table.sum(axis=1), table.sum(axis=0)
    total = table.sum()
    spread = (total**2 - (guessed**2).sum()) * (total**2 - (true**2).sum())
    return float((np.trace(table) * total - guessed @ true) / math.sqrt(spread)) if spread > 0 else 0.0


def normalised_mcc(table_KK: NDArray[Any]) -> float:
    """(MCC + 1) / 2: 1 is perfect, 0.5 is guessing however rare a class is (Carrara & Papadopoulo 2024)."""
    return (matthews(table_KK) + 1.0) / 2.0


def wolpaw_bits(accuracy: float, n_classes: int) -> float:
    """Bits of one decision of `n_classes` that is right with this probability (Wolpaw et al. 2000); 0 below chance.

    It holds for classes that are equally frequent and mistaken for each other equally often.
    """
    if n_classes < 2 or not accuracy > 1.0 / n_classes:
        return 0.0
    bits = math.log2(n_classes) + accuracy * math.log2(accuracy)
    if accuracy < 1:
        bits += (1 - accuracy) * math.log2((1 - accuracy) / (n_classes - 1))
    return bits


def mutual_information_bits(table: NDArray[Any]) -> float:
    """Bits that a decision says of what was cued, from a table of counts with any number of rows and columns."""
    counts = np.asarray(table, dtype=np.float64)
    total = counts.sum()
    if not total > 0:
        return float("nan")
    joint = counts / total
    apart = joint.sum(axis=1, keepdims=True) * joint.sum(axis=0, keepdims=True)
    seen = joint > 0
    return max(float((joint[seen] * np.log2(joint[seen] / apart[seen])).sum()), 0.0)


def expected_calibration_error(proba_NK: F64, y_N: NDArray[np.int64], n_bins: int) -> float:
    """Mean distance of certainty and accuracy of the guessed class, in bins of equal mass (Nixon et al. 2019).

    Parameters
    ----------
    proba_NK : ndarray, shape (N, K)
        Class probabilities of the trials.
    y_N : ndarray, shape (N,)
        True classes.
    n_bins : int
        Number of bins; of as many as there are trials if these are fewer.
    """
    certain, right = proba_NK.max(axis=1), proba_NK.argmax(axis=1) == y_N
    bins = np.array_split(np.argsort(certain, kind="stable"), min(n_bins, len(certain)))
    return float(sum(len(b) * abs(certain[b].mean() - right[b].mean()) for b in bins) / len(certain))


def risk_coverage(confidence_N: F64, right_N: NDArray[np.bool_]) -> tuple[F64, F64]:
    """Share of errors among the most certain trials.

    Parameters
    ----------
    confidence_N : ndarray, shape (N,)
        How certain each trial was; of equals the first counts as the more certain.
    right_N : ndarray of bool, shape (N,)
        Whether it was right.

    Returns
    -------
    ndarray, shape (N,)
        Coverage: 1/N, 2/N, ... 1.
    ndarray, shape (N,)
        Risk at that coverage.
    """
    n = len(confidence_N)
    wrong = ~np.asarray(right_N, dtype=bool)[np.argsort(-np.asarray(confidence_N), kind="stable")]
    kept = np.arange(1, n + 1)
    return kept / max(n, 1), np.cumsum(wrong) / kept


def risk_at(confidence_N: F64, right_N: NDArray[np.bool_]) -> dict[str, Any]:
    """Risk at some coverages, and its mean over all (AURC; Geifman & El-Yaniv 2017), as plain values."""
    coverage, risk = risk_coverage(confidence_N, right_N)
    if not len(risk):
        return {"coverage": [], "risk": [], "aurc": None}
    places = [int(np.searchsorted(coverage, share - 1e-9)) for share in COVERAGES]
    return {"coverage": list(COVERAGES), "risk": [float(risk[place]) for place in places], "aurc": float(risk.mean())}


def task_at(t_N: F64, trials: Sequence[Trial], classes: Sequence[str], idle: int, duration_s: float) -> NDArray[Any]:
    """Class that was asked for at some times; `idle` outside of all tasks.

    Parameters
    ----------
    t_N : ndarray, shape (N,)
        Times in seconds on the clock of the trials.
    trials : sequence of Trial
        Trials of all classes.
    classes : sequence of str
        Names that a trial's class is looked up in.
    idle : int
        Index that stands for no task.
    duration_s : float
        Seconds that a task lasts after its (last) cue.
    """
    out = np.full(len(t_N), idle, dtype=np.int64)
    for trial in sorted(trials, key=lambda trial: trial.onset_s):
        inside = (t_N >= trial.onset_s) & (t_N <= last_onset_s(trial) + duration_s)
        out[inside] = classes.index(trial.label)
    return out


def kappa_course(
    walks: Sequence[tuple[F64, NDArray[np.int64], Sequence[tuple[float, int]]]], hop_s: float, n_classes: int
) -> list[dict[str, Any]]:
    """Cohen's kappa of the windows that end at the same time around the cue, from before it until it is over.

    Parameters
    ----------
    walks : sequence of tuple
        For each recording the times (N,) of its windows, the class (N,) that each is said to be, and the cues as times
        with a class.
    hop_s : float
        Seconds between two windows; the course has a point every so often, or every `COURSE_STEP_S` if that is longer.
    n_classes : int
        Number of classes.

    Returns
    -------
    list of dict
        `t`, seconds from the cue; `kappa`, None where it is not defined; `n`, number of trials with a window then.
    """
    step = hop_s * max(1, round(COURSE_STEP_S / hop_s))
    first, last = math.ceil(COURSE_S[0] / step - 1e-9), math.floor(COURSE_S[1] / step + 1e-9)
    out = []
    for k in range(first, last + 1):
        table = np.zeros((n_classes, n_classes))
        for t, said, cues in walks:
            for cue, label in cues:
                place = _nearest(t, cue + k * step, 0.51 * hop_s)
                if place is not None:
                    table += confusion(np.array([label]), said[place : place + 1], n_classes)
        value = kappa(table)
        out.append({"t": round(k * step, 6), "kappa": value if math.isfinite(value) else None, "n": int(table.sum())})
    return out


def _nearest(t_N: F64, when: float, within: float) -> int | None:
    """Index of the time that is nearest to another; None if it is too far."""
    after = int(np.searchsorted(t_N, when))
    near = [place for place in (after - 1, after) if 0 <= place < len(t_N)]
    best = min(near, key=lambda place: abs(t_N[place] - when), default=None)
    return best if best is not None and abs(t_N[best] - when) <= within else None


def decision_table(
    card: EventCard,
    commits: Sequence[Commit],
    idle_trials: Sequence[Trial],
    classes: Sequence[str],
    idle_class: str | None,
    duration_s: float,
) -> NDArray[np.int64]:
    """What each trial brought as one decision: the first command while it lasted, or none.

    Parameters
    ----------
    card : EventCard
        The trials of the classes that command.
    commits : sequence of Commit
        Commands in order of time, on the clock of `idle_trials`.
    idle_trials : sequence of Trial
        Trials in which nothing was to be commanded.
    classes : sequence of str
        All classes.
    idle_class : str or None
        Class that means "no command".
    duration_s : float
        Seconds that a trial lasts.

    Returns
    -------
    ndarray, shape (K, K) or (K, K + 1)
        Rows cued, columns decided. No command counts as the idle class; without one it is the last column.
    """
    names = list(classes)
    nothing = len(names) if idle_class is None else names.index(idle_class)
    table = np.zeros((len(names), max(len(names), nothing + 1)), dtype=np.int64)
    for event in card.events:
        table[names.index(event.trial.label), nothing if event.detected is None else names.index(event.detected)] += 1
    onsets = sorted(trial.onset_s for trial in (*idle_trials, *(event.trial for event in card.events)))
    for trial in idle_trials:
        begin, end = trial.onset_s + EARLIEST_S, last_onset_s(trial) + duration_s + GRACE_S
        end = min([end, *(onset + EARLIEST_S for onset in onsets if onset > trial.onset_s)])
        first = next((commit.label for commit in commits if begin <= commit.t <= end), None)
        table[nothing, nothing if first is None else names.index(first)] += 1
    return table
