"""A threshold for a score of two classes, and what it does on whole recordings: windows, events, false alarms.

Suffixes: N windows, S subjects, F the numbers of `COUNTS`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from neuript.errors import NeuriptError

Goal = Literal["sensitivity", "specificity", "false-alarms"]
COUNTS = ("hits", "misses", "rejections", "false", "events", "found", "alarms", "hours")
"""Windows of class 1 above and below the threshold, windows of class 0 below and above; events and those that an alarm
overlaps; alarms that overlap none; hours of recording."""
N_TRIED = 400
"""Largest number of thresholds tried for a number of false alarms."""


@dataclass(frozen=True, kw_only=True)
class AlarmTarget:
    """What a threshold is to reach on the people that it is chosen on.

    Raises
    ------
    NeuriptError
        If a value is not allowed.
    """

    goal: Goal = "sensitivity"
    """A share of the windows of class 1 or 0 on their side of the threshold, or a number of false alarms per hour."""
    value: float = 0.95
    n_consecutive: int = 1
    """Windows above the threshold, one behind the other, that make an alarm."""

    def __post_init__(self) -> None:
        if self.goal not in get_args(Goal):
            raise NeuriptError(f"the goal {self.goal!r} must be one of {', '.join(get_args(Goal))}")
        if self.goal == "false-alarms" and not self.value >= 0:
            raise NeuriptError(f"{self.value:g} false alarms per hour must be 0 or more")
        if self.goal != "false-alarms" and not 0 < self.value <= 1:
            raise NeuriptError(f"a {self.goal} of {self.value:g} must be above 0 and at most 1")
        if self.n_consecutive < 1:
            raise NeuriptError(f"{self.n_consecutive} windows in a row make no alarm; at least 1")


@dataclass(frozen=True, eq=False)
class ScoredWindows:
    """Windows of whole recordings with their scores.

    Attributes
    ----------
    y : ndarray, shape (N,)
        True classes, 0 or 1.
    score : ndarray, shape (N,)
        Score of class 1, in any unit.
    subject, recording : ndarray of str, shape (N,)
        Whose window it is, and of which recording.
    start_s : ndarray, shape (N,)
        Start of each window in its recording, seconds.
    window_s : float
        Length of a window in seconds.
    """

    y: NDArray[np.int64]
    score: NDArray[np.float64]
    subject: NDArray[np.str_]
    recording: NDArray[np.str_]
    start_s: NDArray[np.float64]
    window_s: float


def choose_threshold(windows: ScoredWindows, target: AlarmTarget) -> float:
    """Return the threshold that reaches a target on some windows; scores at or above it count as class 1.

    For a sensitivity it is the highest that reaches it, else the lowest.

    Raises
    ------
    NeuriptError
        If there are no windows of the class that the target speaks of.
    """
    own = np.sort(windows.score[windows.y == int(target.goal == "sensitivity")])
    if not len(own):
        raise NeuriptError(f"the validation people have no window to choose a threshold for a {target.goal} on")
    if target.goal == "sensitivity":
        return float(own[len(own) - math.ceil(target.value * len(own) - 1e-9)])
    if target.goal == "specificity":
        return float(np.nextafter(own[math.ceil(target.value * len(own) - 1e-9) - 1], np.inf))
    return _for_false_alarms(windows, target)


def _for_false_alarms(windows: ScoredWindows, target: AlarmTarget) -> float:
    """Lowest threshold from which on, upwards, there are never more false alarms than allowed."""
    tried = np.unique(windows.score)
    if len(tried) > N_TRIED:
        tried = np.unique(np.quantile(tried, np.linspace(0, 1, N_TRIED)))
    chosen = float(np.nextafter(tried[-1], np.inf))
    recordings = _in_order(windows)
    for threshold in tried[::-1]:
        total = np.sum(
            [_of_recording(windows, at, float(threshold), target.n_consecutive) for at in recordings], axis=0
        )
        if rates(total)["false alarms per hour"] > target.value:
            break
        chosen = float(threshold)
    return chosen


def counts_by_subject(
    windows: ScoredWindows, threshold: float, n_consecutive: int = 1
) -> tuple[NDArray[np.str_], NDArray[np.float64]]:
    """Return the people, and the numbers of `COUNTS` of each.

    Parameters
    ----------
    windows : ScoredWindows
        N windows of any number of recordings, in any order.
    threshold : float
        Scores at or above it count as class 1.
    n_consecutive : int
        So many windows in a row above it make an alarm.

    Returns
    -------
    people : ndarray of str, shape (S,)
        Names, sorted.
    table : ndarray, shape (S, F)
        Numbers of windows, events, alarms, and hours, as `COUNTS` names them.
    """
    people, of_window = np.unique(windows.subject, return_inverse=True)
    table = np.zeros((len(people), len(COUNTS)))
    for at in _in_order(windows):
        table[of_window[at[0]]] += _of_recording(windows, at, threshold, n_consecutive)
    return people, table


def _in_order(windows: ScoredWindows) -> list[NDArray[np.int64]]:
    """The windows of each recording, in order of time."""
    _, recording = np.unique(windows.recording, return_inverse=True)
    order = np.lexsort((windows.start_s, recording))
    return np.split(order, np.flatnonzero(np.diff(recording[order])) + 1) if len(order) else []


def _of_recording(
    windows: ScoredWindows, at: NDArray[np.int64], threshold: float, n_consecutive: int
) -> NDArray[np.float64]:
    is_event, above = windows.y[at] == 1, windows.score[at] >= threshold
    follows = np.diff(windows.start_s[at]) < 1.5 * windows.window_s
    events = _runs(is_event, follows)
    alarms = [(a, b) for a, b in _runs(above, follows) if b - a >= n_consecutive]
    touched = [any(a < end and start < b for a, b in alarms) for start, end in events]
    false = sum(not is_event[a:b].any() for a, b in alarms)
    hours = len(at) * windows.window_s / 3600
    windows_of = [(is_event & above).sum(), (is_event & ~above).sum(), (~is_event & ~above).sum()]
    return np.array([*windows_of, (~is_event & above).sum(), len(events), sum(touched), false, hours], dtype=np.float64)


def _runs(flags: NDArray[np.bool_], follows: NDArray[np.bool_]) -> list[tuple[int, int]]:
    """Stretches of true windows without a gap in time, as (first, one past the last)."""
    found: list[tuple[int, int]] = []
    for i in np.flatnonzero(flags).tolist():
        if found and found[-1][1] == i and follows[i - 1]:
            found[-1] = (found[-1][0], i + 1)
        else:
            found.append((i, i + 1))
    return found


def rates(counts_F: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
    """Rates of summed `COUNTS`, (..., F); NaN where there is nothing to divide by."""
    n = dict(zip(COUNTS, np.moveaxis(counts_F, -1, 0), strict=True))
    with np.errstate(invalid="ignore", divide="ignore"):
        return {
            "sensitivity": n["hits"] / (n["hits"] + n["misses"]),
            "specificity": n["rejections"] / (n["rejections"] + n["false"]),
            "events found": n["found"] / n["events"],
            "false alarms per hour": n["alarms"] / n["hours"],
        }


def net_benefit(
    y_N: NDArray[np.int64], proba_N: NDArray[np.float64], thresholds: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Net benefit of a decision at some threshold probabilities, and of treating everybody (Vickers and Elkin 2006).

    True positives minus false positives weighted by the odds of the threshold, per window: what it is worth to act on
    class 1 where a missed one costs (1 - t) / t times as much as a false one. Treating nobody is worth 0.

    Parameters
    ----------
    y_N : ndarray, shape (N,)
        True classes, 0 or 1.
    proba_N : ndarray, shape (N,)
        Probability of class 1.
    thresholds : ndarray
        Threshold probabilities t, in (0, 1).
    """
    odds = thresholds / (1 - thresholds)
    acted = proba_N[:, None] >= thresholds
    positive = (y_N == 1)[:, None]
    model = (acted & positive).mean(axis=0) - (acted & ~positive).mean(axis=0) * odds
    return model, positive.mean() - (1 - positive.mean()) * odds
