"""Windows for training are the windows of the live decoder: the same `step()`, with a recording as its source.

So calibration sees exactly what decoding will see: the same filters and their delay, the same handling of gaps, clock
steps and bad channels, the same hops. Windows that live would not be decoded are not trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuript.realtime.decoding.decoder import Decoder
from neuript.realtime.decoding.scoring import Trial
from neuript.realtime.decoding.states import State
from neuript.training.windows.labelled import LabelledWindows

if TYPE_CHECKING:
    from neuript.modelfile.manifest import Manifest
    from neuript.realtime.chain.chunk import Source


@dataclass(frozen=True, eq=False)
class TrialWindows(LabelledWindows):
    """Windows of one recording, each of a trial, whose class it has.

    Attributes
    ----------
    trial : ndarray, shape (n_windows,)
        Index of each window's trial.
    end_s : ndarray, shape (n_windows,)
        Seconds from the event to the stamp of the window's newest sample.
    stamp : ndarray, shape (n_windows,)
        Stamp of the window's newest sample, in seconds on the clock of the recording.
    """

    trial: NDArray[np.int64]
    end_s: NDArray[np.float64]
    stamp: NDArray[np.float64]

    PER_WINDOW: ClassVar[tuple[str, ...]] = ("x", "y", "trial", "end_s", "stamp")


class WindowTap:
    """An engine that decodes nothing and keeps copies of the windows that are asked for."""

    def __init__(self, n_outputs: int) -> None:
        self._flat = np.zeros(n_outputs, dtype=np.float32)
        self.windows: list[NDArray[np.float32]] = []

    def infer(self, window: NDArray[np.floating[Any]]) -> NDArray[np.float32]:
        """Keep a copy of a window (n_times, n_chans) and say that every class is as likely."""
        self.windows.append(np.array(window, dtype=np.float32))
        return self._flat


def labels_of(trials: Sequence[Trial], classes: Sequence[str]) -> NDArray[np.int64]:
    """Class index of each trial, shape (n_trials,).

    Raises
    ------
    ValueError
        If a trial is of none of the classes.
    """
    return np.array([classes.index(trial.label) for trial in trials], dtype=np.int64)


def ends_within(epoch_s: tuple[float, float], window_s: float) -> tuple[float, float]:
    """First and last time after an event at which a window may end so that it lies inside the epoch.

    An epoch shorter than the window gives the one end of the epoch itself.

    Parameters
    ----------
    epoch_s : tuple of two floats
        Begin and end of the epoch, in seconds after the event.
    window_s : float
        Length of a window in seconds.
    """
    return min(epoch_s[0] + window_s, epoch_s[1]), epoch_s[1]


def collect_windows(
    source: Source,
    matrix: ArrayLike,
    scale: ArrayLike,
    manifest: Manifest,
    trials: Sequence[Trial],
    ends_s: tuple[float, float],
    *,
    step_s: float = 0.25,
) -> TrialWindows:
    """Run the decoder over a recording and keep the windows that end at given times after the trials' events.

    Parameters
    ----------
    source : Source
        A recording (`ReplaySource`); it is read to its end.
    matrix : array_like, shape (n_model_chans, n_stream_chans)
        Weights of the stream's channels in each channel of the model, as `montages.plan_channels` gives them.
    scale : array_like, shape (n_stream_chans,) or scalar
        Volts per number of the stream.
    manifest : Manifest
        Window, hop and preprocessing of the model to be.
    trials : sequence of Trial
        Events with their classes, in seconds on the clock of the source's stamps; each of a class of the manifest.
    ends_s : tuple of two floats
        Windows must end between these times, in seconds after an event. At least the one window nearest after the first
        of them is taken, so that no trial is lost to the grid of hops.
    step_s : float
        Least distance of two windows of one event, in seconds.

    Returns
    -------
    TrialWindows
        Windows (n_windows, n_chans, n_times) in volts, each with its class, its trial and its end.
    """
    tap = WindowTap(len(manifest.classes))
    decoder = Decoder.from_manifest(source, matrix, scale, manifest, tap)
    onsets = [(onset, i) for i, trial in enumerate(trials) for onset in trial.epochs_s or (trial.onset_s,)]
    # ends are stamps of input samples, and a crystal may be slow
    longest_hop_s = 1.01 * manifest.hop_s + 1.0 / source.info.sfreq
    last_s = max(ends_s[1], ends_s[0] + longest_hop_s)
    wanted = _Wanted(onsets, (ends_s[0], last_s), step_s - manifest.hop_s / 8)
    kept: list[NDArray[np.float32]] = []
    owner: list[int] = []
    ends: list[float] = []
    stamps: list[float] = []
    while not decoder.ended:
        rows = decoder.step(0.0)
        ready = [row for row in rows if row.proba is not None]
        for row, window in zip(ready, tap.windows, strict=True):
            for trial, end in wanted.at(row.t) if row.state is State.OK else ():
                kept.append(window.T)
                owner.append(trial)
                ends.append(end)
                stamps.append(row.t)
        tap.windows.clear()
    n_chans = len(manifest.montage["ch_names"])
    x = np.stack(kept) if kept else np.empty((0, n_chans, manifest.n_times), dtype=np.float32)
    of_trial = np.array(owner, dtype=np.int64)
    y = labels_of(trials, manifest.classes)[of_trial]
    return TrialWindows(np.ascontiguousarray(x), y, of_trial, np.array(ends), np.array(stamps))


class _Wanted:
    """Which trials want the window that ends now."""

    def __init__(self, onsets: Sequence[tuple[float, int]], ends_s: tuple[float, float], step_s: float) -> None:
        self._onsets = sorted(onsets)
        self._first, self._last = ends_s
        self._step = step_s
        self._newest: dict[int, float] = {}
        self._begin = 0

    def at(self, t: float) -> list[tuple[int, float]]:
        """Return (trial, seconds since the event) for each event that wants a window ending at `t`."""
        found = []
        while self._begin < len(self._onsets) and t > self._onsets[self._begin][0] + self._last + 1e-6:
            self._begin += 1
        for k in range(self._begin, len(self._onsets)):
            onset, trial = self._onsets[k]
            end = t - onset
            if end < self._first - 1e-6:
                break
            if end <= self._last + 1e-6 and t >= self._newest.get(k, -np.inf) + self._step:
                self._newest[k] = t
                found.append((trial, end))
        return found
