"""Windows for training are the windows of the live decoder: the same `step()`, with a recording as its source.

So calibration sees exactly what decoding will see: the same filters and their delay, the same handling of gaps, clock
steps and bad channels, the same hops. Windows that live would not be decoded are not trained on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuript.realtime.chain.alignment import AlignedWindows, Reference, Window, Windows
from neuript.realtime.decoding.decoder import Decoder
from neuript.realtime.decoding.scoring import Trial
from neuript.training.windows.hops import Hops, NoOpinion, walk_hops
from neuript.training.windows.labelled import LabelledWindows

if TYPE_CHECKING:
    from neuript.modelfile.manifest import Manifest
    from neuript.realtime.chain.chunk import Source


@dataclass(frozen=True, eq=False)
class TrialWindows(LabelledWindows):
    """Windows of one recording, each of a trial, whose class it has.

    Attributes
    ----------
    signal : ndarray, shape (n_windows, n_chans, n_times)
        float32, what the network reads: the windows as seen from the person's running mean; without an alignment `x`.
    tangent : ndarray, shape (n_windows, n_tangent)
        float32, what the Riemannian branch reads: tangent vectors of the windows' covariances.
    trial : ndarray, shape (n_windows,)
        Index of each window's trial.
    end_s : ndarray, shape (n_windows,)
        Seconds from the event to the stamp of the window's newest sample.
    stamp : ndarray, shape (n_windows,)
        Stamp of the window's newest sample, in seconds on the clock of the recording.
    reference : Reference or None
        Where the alignment ended; None without one, or if it never rested on enough signal.
    """

    signal: NDArray[np.float32]
    tangent: NDArray[np.float32]
    trial: NDArray[np.int64]
    end_s: NDArray[np.float64]
    stamp: NDArray[np.float64]
    reference: Reference | None = None

    PER_WINDOW: ClassVar[tuple[str, ...]] = ("x", "y", "signal", "tangent", "trial", "end_s", "stamp")


class WindowTap:
    """The decoder's windows, of which copies are kept."""

    def __init__(self, windows: Windows) -> None:
        self._windows = windows
        self.taken: list[Window] = []

    @property
    def settled(self) -> bool:
        """Whether windows can be decoded."""
        return self._windows.settled

    def append(self, y: NDArray[np.float32]) -> None:
        """Take the next samples."""
        self._windows.append(y)

    def restart(self) -> None:
        """Filters start anew with the next sample."""
        self._windows.restart()

    def follow(self, end: int) -> bool:
        """Learn from a clean window."""
        return self._windows.follow(end)

    def window(self, end: int) -> Window:
        """Return the window that ends before sample `end`, and keep a copy."""
        found = self._windows.window(end)
        self.taken.append(Window(found.volts.copy(), found.signal.copy(), found.tangent))
        return found


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
    reference: Reference | None = None,
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
    reference : Reference, optional
        What the windows are first seen from, where the manifest aligns them; None learns it on the way, and takes no
        window before it is settled.

    Returns
    -------
    TrialWindows
        Windows (n_windows, n_chans, n_times) in volts, each with its class, its trial and its end.
    """
    hops = walk_hops(source, matrix, scale, manifest, reference)
    return windows_of_trials(hops, trials, ends_s, manifest, source.info.sfreq, step_s=step_s)


def windows_of_trials(
    hops: Hops,
    trials: Sequence[Trial],
    ends_s: tuple[float, float],
    manifest: Manifest,
    sfreq: float,
    *,
    step_s: float = 0.25,
) -> TrialWindows:
    """Return the windows of a walk that end at given times after the trials' events and could be commanded on.

    Parameters
    ----------
    hops : Hops
        The walk.
    trials, ends_s, manifest, step_s
        As in `collect_windows`.
    sfreq : float
        Nominal rate of the stream in Hz.
    """
    onsets = [(onset, i) for i, trial in enumerate(trials) for onset in trial.epochs_s or (trial.onset_s,)]
    # ends are stamps of input samples, and a crystal may be slow
    longest_hop_s = 1.01 * manifest.hop_s + 1.0 / sfreq
    wanted = _Wanted(onsets, (ends_s[0], max(ends_s[1], ends_s[0] + longest_hop_s)), step_s - manifest.hop_s / 8)
    stamps = hops.window_t
    which, owner, ends = [], [], []
    for i in np.flatnonzero(hops.could_command).tolist():
        for trial, end in wanted.at(float(stamps[i])):
            which.append(i)
            owner.append(trial)
            ends.append(end)
    taken, of_trial = np.array(which, dtype=np.int64), np.array(owner, dtype=np.int64)
    x = hops.volts(taken)
    return TrialWindows(
        x=x,
        y=labels_of(trials, manifest.classes)[of_trial],
        signal=hops.signal(taken) if manifest.n_tangent else x,
        tangent=hops.tangent[taken],
        trial=of_trial,
        end_s=np.array(ends, dtype=np.float64),
        stamp=stamps[taken],
        reference=hops.reference,
    )


def first_reference(source: Source, matrix: ArrayLike, scale: ArrayLike, manifest: Manifest) -> Reference | None:
    """What the windows at the beginning of a recording are to be seen from: its first settled reference.

    A calibration would lose the trials of the first half minute otherwise. No label is looked at.

    Parameters
    ----------
    source : Source
        A recording; it is read until the reference is settled.
    matrix, scale, manifest
        As in `collect_windows`.

    Returns
    -------
    Reference or None
        None without an alignment, or where the recording ends before there is enough clean signal.
    """
    decoder = Decoder.from_manifest(source, matrix, scale, manifest, NoOpinion(len(manifest.classes)))
    windows = decoder.windows
    if not isinstance(windows, AlignedWindows):
        return None
    while not decoder.ended and not windows.settled:
        decoder.step(0.0)
    return windows.reference if windows.settled else None


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
