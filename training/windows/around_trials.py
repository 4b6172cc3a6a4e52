"""Windows around the trials: those that end at a cue, and those in which nothing was asked for.

Both come out of the same walk through a recording as the windows of the trials.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuript.realtime.chain.alignment import Window
from neuript.realtime.decoding.decision import Decision
from neuript.realtime.decoding.event_scoring import EARLIEST_S, last_onset_s
from neuript.realtime.decoding.scoring import Trial
from neuript.realtime.decoding.states import State
from neuript.training.windows.epochs import TrialWindows, stacked

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


class PauseCollector:
    """Keeps windows in which nothing was asked for, one every `PAUSE_STEP_S`.

    Parameters
    ----------
    trials : sequence of Trial
        Trials of one recording, of all classes.
    idle_class : str or None
        Class that means "no command": its trials are no task.
    task_s : float
        Seconds that a task lasts after its cue.
    window_s : float
        Length of a window in seconds.
    """

    def __init__(self, trials: Sequence[Trial], idle_class: str | None, task_s: float, window_s: float) -> None:
        tasks = [trial for trial in trials if trial.label != idle_class]
        begins = np.array([trial.onset_s + EARLIEST_S for trial in tasks])
        ends = np.array([last_onset_s(trial) + task_s for trial in tasks])
        self._begins, self._ends, self._window_s = begins, ends, window_s
        self._newest = -np.inf
        self._kept: list[Window] = []
        self._stamps: list[float] = []

    def offer(self, row: Decision, window: Window | None) -> None:
        """Keep a window if it holds nothing of a task and could have been commanded on."""
        if window is None or row.state is not State.OK or row.t < self._newest + PAUSE_STEP_S - 1e-6:
            return
        if ((row.t > self._begins) & (row.t - self._window_s < self._ends)).any():
            return
        self._newest = row.t
        self._kept.append(window)
        self._stamps.append(row.t)

    def collected(
        self, stamps: NDArray[np.float64], trial: NDArray[np.int64], shape: tuple[int, int], n_tangent: int
    ) -> Pauses:
        """Return what was kept.

        Parameters
        ----------
        stamps : ndarray, shape (n_trial_windows,)
            Ends of the windows of this recording's trials, in seconds on its clock.
        trial : ndarray, shape (n_trial_windows,)
            Their trials, by the numbers that they are kept under.
        shape : tuple of int
            Channels and samples of a window.
        n_tangent : int
            Length of a tangent vector.
        """
        kept = self._kept if len(stamps) else []
        end_s = np.array(self._stamps[: len(kept)])
        nearest = np.abs(np.subtract.outer(end_s, stamps)).argmin(axis=1) if len(kept) else []
        return Pauses(
            stacked([window.signal.T for window in kept], shape),
            stacked([window.tangent for window in kept], (n_tangent,)),
            end_s,
            trial[np.asarray(nearest, dtype=np.int64)],
        )
