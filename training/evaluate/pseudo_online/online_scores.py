"""From walks to figures: of one recording, of a person, or of everybody together."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuript.realtime.decoding.event_scoring import EventCard, joined, last_onset_s, score_events
from neuript.realtime.decoding.scoring import ScoreCard, TrialScore
from neuript.realtime.decoding.states import State
from neuript.training.evaluate.pseudo_online.online_figures import (
    decision_table,
    expected_calibration_error,
    kappa_course,
    mutual_information_bits,
    normalised_mcc,
    risk_at,
    task_at,
    wolpaw_bits,
)
from neuript.training.evaluate.pseudo_online.walks import Walk
from neuript.training.fitting.metrics import confusion
from neuript.training.fitting.policy_scan import RELEASE_SHARE, THRESHOLDS, Rows, evidence_of, score_policy

N_BINS = 15
"""Bins of equal mass of the calibration error."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlineTask:
    """What walks are scored against.

    Attributes
    ----------
    classes : tuple of str
        Class names in the order of the probabilities.
    idle_class : str or None
        Class that means "no command"; its trials are rest.
    duration_s : float
        Seconds that a task lasts after its cue.
    window_end_s : tuple of two floats
        Seconds after a cue between which the windows end that say a trial's class.
    """

    classes: tuple[str, ...]
    idle_class: str | None
    duration_s: float
    window_end_s: tuple[float, float]


def event_card(walk: Walk, task: OnlineTask) -> EventCard:
    """Commands of a walk against its events."""
    return score_events(
        walk.commits, walk.trials, walk.t[walk.ok], walk.hop_s, idle_class=task.idle_class, duration_s=task.duration_s
    )


def trial_proba(walk: Walk, task: OnlineTask) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Mean probability over the windows of each trial, as `score_trials` takes them.

    Returns
    -------
    ndarray, shape (n_trials, n_classes)
        NaN for a trial without a window.
    ndarray, shape (n_trials,)
        Number of windows.
    """
    low, high = task.window_end_s
    proba = np.full((len(walk.trials), len(task.classes)), np.nan)
    counts = np.zeros(len(walk.trials), dtype=np.int64)
    for i, trial in enumerate(walk.trials):
        mine = np.zeros(len(walk.t), dtype=bool)
        for onset in trial.epochs_s or (trial.onset_s,):
            mine |= (walk.t >= onset + low - 1e-6) & (walk.t <= onset + high + 1e-6)
        mine &= walk.ok
        counts[i] = mine.sum()
        if mine.any():
            proba[i] = walk.proba[mine].mean(axis=0)
    return proba, counts


def figures_of(walks: Sequence[Walk], task: OnlineTask) -> dict[str, Any]:
    """All figures of some walks together, as plain JSON values; None stands for what is not known.

    Parameters
    ----------
    walks : sequence of Walk
        Walks of one decoder over recordings of one person or several.
    task : OnlineTask
        Classes and times.
    """
    cards = [event_card(walk, task) for walk in walks]
    events = joined(cards)
    figures: dict[str, Any] = plain(
        {
            **events.to_dict(),
            "by_trial": _by_trial(walks, task),
            "windows": _windows(walks, task),
            "information": _information(walks, cards, task),
            "kappa_course": _course(walks, task),
            "decoded_share": float(np.mean(np.concatenate([walk.ok for walk in walks]))),
        }
    )
    return figures


def operating_curve(walks: Sequence[Walk], task: OnlineTask) -> list[dict[str, Any]]:
    """What other thresholds would have done, each walk with its own dwell: to compare decoders, not to choose one.

    Parameters
    ----------
    walks : sequence of Walk
        Walks of one decoder.
    task : OnlineTask
        Classes and times.
    """
    played = [[_as_rows(walk)] for walk in walks]
    evidence = [
        evidence_of(rows, walk.policy, task.classes, walk.hop_s) for rows, walk in zip(played, walks, strict=True)
    ]
    out = []
    for threshold in THRESHOLDS:
        cards = []
        for walk, rows, found in zip(walks, played, evidence, strict=True):
            spec = replace(walk.policy, threshold=threshold, release=RELEASE_SHARE * threshold)
            cards.append(score_policy(rows, spec, task.classes, walk.hop_s, task.duration_s, found))
        card = joined(cards)
        figures = card.to_dict()
        kept = ("hits", "wrong", "missed", "false_activations", "false_per_minute", "time_to_detect_median_s")
        out.append({"threshold": threshold, **{name: figures[name] for name in kept}})
    return out


def _as_rows(walk: Walk) -> Rows:
    """Decisions of a walk as they are before a policy; in rows that are not OK no policy commands."""
    return Rows(walk.t, [State.OK if ok else State.BAD_SIGNAL for ok in walk.ok], walk.outputs, walk.trials)


def _by_trial(walks: Sequence[Walk], task: OnlineTask) -> dict[str, Any]:
    """Accuracy, calibration and risk of the trials' mean probabilities."""
    scored, rows, labels = [], [], []
    for walk in walks:
        proba, counts = trial_proba(walk, task)
        for trial, mean, count in zip(walk.trials, proba, counts, strict=True):
            predicted = task.classes[int(np.argmax(mean))] if count else None
            scored.append(TrialScore(trial, predicted, int(count), ()))
            if count:
                rows.append(mean)
                labels.append(task.classes.index(trial.label))
    card = ScoreCard(tuple(scored), task.classes)
    figures = {
        "n_trials": card.n_trials,
        "balanced_accuracy": card.balanced_accuracy,
        "accuracy": card.accuracy,
        "interval_95": list(card.interval),
        "chance_bound_5": card.bound,
        "above_chance": card.above_chance,
    }
    if not rows:
        return {**figures, "ece": math.nan, "brier": math.nan, "risk_coverage": risk_at(np.empty(0), np.empty(0, bool))}
    means, y = np.array(rows), np.array(labels)
    hit = np.eye(len(task.classes))[y]
    right = means.argmax(axis=1) == y
    return {
        **figures,
        "ece": expected_calibration_error(means, y, N_BINS),
        "brier": float(((means - hit) ** 2).sum(axis=1).mean()),
        "risk_coverage": risk_at(means.max(axis=1), right),
    }


def _windows(walks: Sequence[Walk], task: OnlineTask) -> dict[str, Any]:
    """What was commanded at each hop against what was asked for, with an explicit idle class."""
    names = [*task.classes] if task.idle_class is not None else [*task.classes, "no command"]
    idle = len(task.classes) if task.idle_class is None else task.classes.index(task.idle_class)
    table = np.zeros((len(names), len(names)))
    for walk in walks:
        asked = task_at(walk.t[walk.ok], walk.trials, names, idle, task.duration_s)
        held = walk.held[walk.ok]
        table += confusion(asked, np.where(held < 0, idle, held), len(names))
    return {
        "classes": names,
        "confusion": table.astype(int).tolist(),
        "nmcc": normalised_mcc(table) if table.sum() else math.nan,
    }


def _information(walks: Sequence[Walk], cards: Sequence[EventCard], task: OnlineTask) -> dict[str, Any]:
    """Bits per minute of the decisions, one for each trial, at the operating point."""
    table, seconds = None, 0.0
    for walk, card in zip(walks, cards, strict=True):
        idle = [trial for trial in walk.trials if trial.label == task.idle_class]
        mine = decision_table(card, walk.commits, idle, task.classes, task.idle_class, task.duration_s)
        table = mine if table is None else table + mine
        if walk.trials:
            onsets = [trial.onset_s for trial in walk.trials]
            seconds += max(last_onset_s(trial) for trial in walk.trials) + task.duration_s - min(onsets)
    total = 0 if table is None else int(table.sum())
    if table is None or not total:
        return {}
    accuracy = float(np.trace(table[:, : len(task.classes)])) / total
    per_minute = 60.0 * total / seconds
    bits, shared = wolpaw_bits(accuracy, len(task.classes)), mutual_information_bits(table)
    return {
        "decisions": table.tolist(),
        "accuracy": accuracy,
        "seconds_per_decision": seconds / total,
        "itr_bits": bits,
        "itr_bits_per_minute": bits * per_minute,
        "mutual_information_bits": shared,
        "mutual_information_bits_per_minute": shared * per_minute,
    }


def _course(walks: Sequence[Walk], task: OnlineTask) -> dict[str, Any]:
    """Kappa around the cue, and its maximum."""
    parts = []
    for walk in walks:
        said = np.argmax(walk.proba[walk.ok], axis=1) if walk.ok.any() else np.empty(0, dtype=np.int64)
        cues = [(trial.onset_s, task.classes.index(trial.label)) for trial in walk.trials]
        parts.append((walk.t[walk.ok], said, cues))
    points = kappa_course(parts, walks[0].hop_s, len(task.classes))
    known = [point for point in points if point["kappa"] is not None]
    best = max(known, key=lambda point: point["kappa"], default=None)
    return {
        "points": points,
        "max": math.nan if best is None else best["kappa"],
        "max_at_s": math.nan if best is None else best["t"],
    }


def plain(value: Any) -> Any:
    """Return plain JSON values, with None for numbers that are not finite."""
    if isinstance(value, Mapping):
        return {str(name): plain(part) for name, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, np.generic):
        value = value.item()
    return None if isinstance(value, float) and not math.isfinite(value) else value
