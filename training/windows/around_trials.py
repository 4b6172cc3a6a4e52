"""Windows around the trials: those that end at a cue, and those in which nothing was asked for.

Both come out of the same walk through a recording as the windows of the trials.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuript.realtime.decoding.event_scoring import EARLIEST_S, last_onset_s
from neuript.realtime.decoding.scoring import Trial
from neuript.training.windows.epochs import TrialWindows
from neuript.training.windows.hops import Hops

PRE_CUE_S = (-0.25, 0.0)
"""Windows of the control before the cue end between these times, in seconds after it."""
PAUSE_STEP_S = 2.0
"""Least distance of two windows of the pauses, in seconds."""


@dataclass(frozen=True, eq=False, slots=True)
class PreCue:
    """Windows that end at the cue: whoever can tell the class from them reads the order of the trials, not the task.

    Attributes
    ----------
    tangent : ndarray, shape (n_windows, n_tangent)
        Tangent vectors.
    trial : ndarray, shape (n_windows,)
        Index of the trial that came after.
    """

    tangent: NDArray[np.float32]
    trial: NDArray[np.int64]

    def of_trials(self, taken: NDArray[np.bool_], renumber: NDArray[np.int64]) -> PreCue:
        """Return the windows before some of the trials, which have other numbers now.

        Parameters
        ----------
        taken : ndarray of bool, shape (n_trials,)
            Which trials are kept.
        renumber : ndarray, shape (n_trials,)
            New index of each of them.
        """
        mine = taken[self.trial]
        return PreCue(self.tangent[mine], renumber[self.trial[mine]])

    @classmethod
    def of(cls, earlier: TrialWindows, renumber: Mapping[int, int]) -> PreCue:
        """Return what came before the cues of one recording, for the trials that were kept under other numbers."""
        known = np.isin(earlier.trial, list(renumber))
        owner = np.array([renumber[int(i)] for i in earlier.trial[known]], dtype=np.int64)
        return cls(earlier.tangent[known], owner)

    @classmethod
    def joined(cls, parts: Sequence[PreCue]) -> PreCue:
        """Return the windows of several recordings."""
        return cls(np.concatenate([part.tangent for part in parts]), np.concatenate([part.trial for part in parts]))


@dataclass(frozen=True, eq=False, slots=True)
class Pauses:
    """Windows that hold no moment of a task: between trials, or in trials of the class of no command.

    Rest on command is one kind of doing nothing. Whoever decodes all day needs to know the others.

    Attributes
    ----------
    signal : ndarray, shape (n_windows, n_chans, n_times)
        What the network reads.
    tangent : ndarray, shape (n_windows, n_tangent)
        Tangent vectors.
    end_s : ndarray, shape (n_windows,)
        Stamp of each window's newest sample, in seconds on the clock of its recording.
    trial : ndarray, shape (n_windows,)
        Index of the trial that is nearest in time: a block of trials has the pauses around them.
    """

    signal: NDArray[np.float32]
    tangent: NDArray[np.float32]
    end_s: NDArray[np.float64]
    trial: NDArray[np.int64]

    def of_trials(self, taken: NDArray[np.bool_], renumber: NDArray[np.int64]) -> Pauses:
        """Return the windows around some of the trials, which have other numbers now; see `PreCue.of_trials`."""
        mine = taken[self.trial]
        return Pauses(self.signal[mine], self.tangent[mine], self.end_s[mine], renumber[self.trial[mine]])

    @classmethod
    def joined(cls, parts: Sequence[Pauses]) -> Pauses:
        """Return the windows of several recordings."""
        return cls(
            np.concatenate([part.signal for part in parts]),
            np.concatenate([part.tangent for part in parts]),
            np.concatenate([part.end_s for part in parts]),
            np.concatenate([part.trial for part in parts]),
        )


def pauses_of(hops: Hops, windows: TrialWindows, owner: NDArray[np.int64], spans: TaskSpans) -> Pauses:
    """Return windows of a walk in which nothing was asked for and a command could be given, one every `PAUSE_STEP_S`.

    Parameters
    ----------
    hops : Hops
        The walk.
    windows : TrialWindows
        Windows of the recording's trials; without any, nobody's pauses are known.
    owner : ndarray, shape (n_trial_windows,)
        Their trials, by the numbers that they are kept under.
    spans : TaskSpans
        When something was asked for.
    """
    which: list[int] = []
    stamps, newest = hops.window_t, -np.inf
    for i in np.flatnonzero(hops.could_command).tolist() if len(windows) else ():
        if stamps[i] >= newest + PAUSE_STEP_S - 1e-6 and not spans.touch(float(stamps[i])):
            newest = stamps[i]
            which.append(i)
    taken = np.array(which, dtype=np.int64)
    end_s = stamps[taken]
    nearest = np.abs(np.subtract.outer(end_s, windows.stamp)).argmin(axis=1) if which else taken
    return Pauses(hops.signal(taken), hops.tangent[taken], end_s, owner[nearest])


class TaskSpans:
    """When something was asked for in a recording.

    Parameters
    ----------
    trials : sequence of Trial
        Trials of the recording, of all classes.
    idle_class : str or None
        Class that means "no command": its trials are no task.
    task_s : float
        Seconds that a task lasts after its cue.
    window_s : float
        Length of a window in seconds.
    """

    def __init__(self, trials: Sequence[Trial], idle_class: str | None, task_s: float, window_s: float) -> None:
        tasks = [trial for trial in trials if trial.label != idle_class]
        self._begins = np.array([trial.onset_s + EARLIEST_S for trial in tasks])
        self._ends = np.array([last_onset_s(trial) + task_s for trial in tasks])
        self._window_s = window_s

    def touch(self, end_s: float) -> bool:
        """Whether the window that ends at this time holds a moment of a task."""
        return bool(((end_s > self._begins) & (end_s - self._window_s < self._ends)).any())
