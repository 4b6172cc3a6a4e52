"""A recording as a source of chunks: no network, no clock, as fast as the reader pulls."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import NDArray

from neuript.errors import NeuriptError
from neuript.realtime.chain.chunk import Chunk, SignalInfo, SourceStatus
from neuript.realtime.recordings.recording import CLOCK_STEP_S, RecordedStream, Recording

DEFAULT_CHUNK = 32
MAX_CHUNK_S = 0.25


class ReplaySource:
    """The EEG of a recording, in recorded order: raw numbers in the recorded unit, raw stamps.

    Parameters
    ----------
    recording : Recording
        A recording that has an EEG stream.
    chunk : int or 'recorded'
        Samples per pull, or the amplifier's own chunks as far as the stamps show them.
    start_s : float
        Seconds after the first EEG sample at which to begin.

    Raises
    ------
    NeuriptError
        If `start_s` is outside the recording.
    """

    def __init__(self, recording: Recording, *, chunk: int | str = DEFAULT_CHUNK, start_s: float = 0.0) -> None:
        self._stream = recording.eeg
        self._edges = chunk_edges(self._stream, chunk)
        times = play_times(self._stream)
        check_start(times, start_s)
        first = int(np.searchsorted(times, times[0] + start_s))
        bad = np.sort(np.reshape(self._stream.marked_bad, (-1, 2)).astype(np.int64), axis=0)
        edges = np.concatenate([self._edges, bad.ravel()])
        self._edges = np.unique([first, *edges[edges > first]])
        begun, over = (np.searchsorted(bad[:, i], self._edges, "right") for i in (0, 1))
        self._marked_bad = begun > over
        self._next = 0

    @property
    def info(self) -> SignalInfo:
        """What the recording says about its EEG."""
        return self._stream.info

    @property
    def n_left(self) -> int:
        """Samples not pulled yet."""
        return int(self._edges[-1] - self._edges[self._next])

    def pull(self, timeout_s: float = 0.0, n_min: int = 1) -> Chunk:
        """Return the next chunk at once; after the last, empty chunks with status ENDED."""
        del timeout_s, n_min  # nothing to wait for
        if self._next + 1 >= len(self._edges):
            return Chunk(self._stream.data[:0], self._stream.timestamps[:0], SourceStatus.ENDED)
        start, stop = self._edges[self._next], self._edges[self._next + 1]
        marked_bad = bool(self._marked_bad[self._next])
        self._next += 1
        return Chunk(self._stream.data[start:stop], self._stream.timestamps[start:stop], marked_bad=marked_bad)

    def close(self) -> None:
        """Nothing to let go of."""


def play_times(stream: RecordedStream) -> NDArray[np.float64]:
    """Return when each sample was there: the stamps as a clock that never runs backwards.

    Stamps that step back a little (bursts) take the time of the latest before them; a clock that
    jumps back by more than 5 s is taken to go on without a pause.
    """
    times = stream.timestamps.copy()
    period = 1.0 / stream.info.sfreq if stream.info.sfreq > 0 else 0.0
    steps = np.diff(times)
    for i in np.flatnonzero(steps < -CLOCK_STEP_S):
        times[i + 1 :] += period - steps[i]
    return np.maximum.accumulate(times)


def check_start(times: NDArray[np.float64], start_s: float) -> None:
    """Refuse a start before the first sample or behind the last one.

    Raises
    ------
    NeuriptError
        If `start_s` lies outside the recording.
    """
    if not 0 <= start_s <= times[-1] - times[0]:
        raise NeuriptError(f"start {start_s:g} s is outside the recording, which lasts {times[-1] - times[0]:.1f} s")


def chunk_edges(stream: RecordedStream, chunk: int | str) -> NDArray[np.int64]:
    """Return where chunks begin and end: 0 = edges[0] < edges[1] < ... < edges[-1] = n_times.

    With 'recorded' the stamps tell: inside a chunk an amplifier's driver counts stamps up by exactly
    one period, or gives all the same; between chunks the clock speaks. Where the stamps are too
    perfect to tell (a run longer than 0.25 s), chunks of 32 samples or 0.1 s are assumed.

    Raises
    ------
    ValueError
        If `chunk` is neither a number of samples above 0 nor 'recorded'.
    """
    n = len(stream)
    if isinstance(chunk, int):
        if chunk < 1:
            raise ValueError(f"chunk={chunk} must be at least 1 sample")
        return np.append(np.arange(0, n, chunk), n)
    if chunk != "recorded":
        raise ValueError(f"chunk={chunk!r} must be a number of samples or 'recorded'")
    sfreq = stream.info.sfreq
    if sfreq <= 0:
        return np.arange(n + 1)
    steps = np.diff(stream.timestamps)
    joined = (np.abs(steps - 1 / sfreq) < 1e-6) | ((steps >= 0) & (steps < 0.1 / sfreq))
    edges = np.concatenate([[0], np.flatnonzero(~joined) + 1, [n]])
    too_long = max(2, round(MAX_CHUNK_S * sfreq))
    size = max(1, min(DEFAULT_CHUNK, round(0.1 * sfreq)))
    pieces = [
        np.arange(start, stop, size) if stop - start > too_long else np.array([start])
        for start, stop in itertools.pairwise(edges)
    ]
    return np.append(np.concatenate(pieces), n) if n else np.zeros(1, np.int64)
