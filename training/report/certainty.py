"""Whether a probability means what it says, how few errors are left among the certain trials, and the time course."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuript.realtime.decoding.scoring import exact_interval
from neuript.training.evaluate.pseudo_online.online_figures import (
    COURSE_S,
    COURSE_STEP_S,
    expected_calibration_error,
    risk_at,
    risk_coverage,
)
from neuript.training.evaluate.pseudo_online.online_scores import N_BINS
from neuript.training.evaluate.pseudo_online.walks import Walk

F64 = NDArray[np.float64]
PER_BIN = 12
"""Trials in a point of the calibration curve, about; with fewer each point would be mostly luck."""
MOST_BINS = 8
N_PERFECT = 500
"""Made-up decoders whose probabilities are true, for the error that luck alone makes."""


def calibration_curve(proba: F64, labels: NDArray[np.int64], *, seed: int = 0) -> dict[str, Any]:
    """Compare how certain trials are with how often they are right.

    Parameters
    ----------
    proba : ndarray, shape (n_trials, n_classes)
        Mean probabilities of the trials.
    labels : ndarray, shape (n_trials,)
        True classes.
    seed : int
        Seed of the made-up decoders.

    Returns
    -------
    dict
        `points` with `certainty`, `right`, `interval_95` and `n`, the most uncertain first, in bins of equal size;
        `ece` in `N_BINS` bins; `ece_of_luck`, the mean of decoders whose certainty is true, with as many trials.
    """
    certain, right = proba.max(axis=1), proba.argmax(axis=1) == labels
    n_bins = int(np.clip(len(labels) // PER_BIN, 2, MOST_BINS))
    points = []
    for mine in np.array_split(np.argsort(certain, kind="stable"), n_bins):
        hits, n = int(right[mine].sum()), len(mine)
        if n:
            low, high = exact_interval(hits, n)
            point = {"certainty": float(certain[mine].mean()), "right": hits / n, "interval_95": [low, high], "n": n}
            points.append(point)
    return {
        "points": points,
        "ece": expected_calibration_error(proba, labels, N_BINS),
        "ece_of_luck": _ece_of_luck(certain, seed),
        "bins_of_ece": N_BINS,
    }


def _ece_of_luck(certain: F64, seed: int) -> float:
    """Mean calibration error of decoders that are right as often as they are certain, with the bins of the true one."""
    right = np.random.default_rng(seed).random((N_PERFECT, len(certain))) < certain
    bins = np.array_split(np.argsort(certain, kind="stable"), min(N_BINS, len(certain)))
    away = [np.abs(right[:, mine].sum(axis=1) - certain[mine].sum()) for mine in bins]
    return float(np.sum(away, axis=0).mean() / len(certain))


def risk_and_coverage(proba: F64, labels: NDArray[np.int64]) -> dict[str, Any]:
    """Share of errors among the most certain trials, at some coverages and all along."""
    certain, right = proba.max(axis=1), proba.argmax(axis=1) == labels
    coverage, risk = risk_coverage(certain, right)
    return {**risk_at(certain, right), "curve": {"coverage": coverage.tolist(), "risk": risk.tolist()}}


def probability_course(walks: Sequence[Walk], classes: Sequence[str]) -> dict[str, Any]:
    """Probability of every class around the cue, for the trials of each class.

    Parameters
    ----------
    walks : sequence of Walk
        Held-out decisions, hop by hop.
    classes : sequence of str
        Class names in the order of the probabilities.

    Returns
    -------
    dict
        `t_s`, ends of the windows in seconds after the cue; `cued`, for each class and in it for each probability
        `mean`, `q25` and `q75` over the trials (None where no trial has a window); `n`, trials with one, at each time.
    """
    hop_s = walks[0].hop_s
    step = hop_s * max(1, round(COURSE_STEP_S / hop_s))
    first, last = math.ceil(COURSE_S[0] / step - 1e-9), math.floor(COURSE_S[1] / step + 1e-9)
    grid: F64 = np.arange(first, last + 1).astype(np.float64) * np.float64(step)
    cued: dict[str, Any] = {}
    for name in classes:
        parts = [_around(walk, [t.onset_s for t in walk.trials if t.label == name], grid) for walk in walks]
        rows = np.concatenate(parts)  # (n_trials, n_points, n_classes)
        known = np.isfinite(rows).all(axis=2)
        cued[name] = {
            "n": known.sum(axis=0).tolist(),
            "proba": {other: _spread(rows[..., k]) for k, other in enumerate(classes)},
        }
    return {"t_s": np.round(grid, 6).tolist(), "cued": cued}


def _around(walk: Walk, cues: Sequence[float], grid: F64) -> F64:
    """Probabilities of the windows that end at some times around each cue, (n_cues, n_points, n_classes)."""
    out = np.full((len(cues), len(grid), walk.proba.shape[1]), np.nan)
    times, proba = walk.t[walk.ok], walk.proba[walk.ok]
    if not len(cues) or not len(times):
        return out
    wanted = np.asarray(cues)[:, None] + grid
    after = np.clip(np.searchsorted(times, wanted), 1, len(times) - 1) if len(times) > 1 else np.zeros_like(wanted, int)
    before = np.maximum(after - 1, 0)
    nearest = np.where(np.abs(times[before] - wanted) <= np.abs(times[after] - wanted), before, after)
    near = np.abs(times[nearest] - wanted) <= 0.51 * walk.hop_s
    out[near] = proba[nearest[near]]
    return out


def _spread(rows: F64) -> dict[str, list[float | None]]:
    """Mean and quartiles over trials (n_trials, n_points) at each point."""
    out: dict[str, list[float | None]] = {"mean": [], "q25": [], "q75": []}
    for column in rows.T:
        known = column[np.isfinite(column)]
        out["mean"].append(float(known.mean()) if len(known) else None)
        for name, share in (("q25", 0.25), ("q75", 0.75)):
            out[name].append(float(np.quantile(known, share)) if len(known) else None)
    return out
