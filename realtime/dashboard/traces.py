"""Traces made small for drawing: causal display filter, min/max columns, steady scrolling.

All of it is arithmetic by sample counts: no clock, no thread, no Qt.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import signal

_SCALES_UV = tuple(m * 10.0**e for e in range(-3, 10) for m in (1.0, 2.0, 5.0))
MAX_GAP_S = 30.0
"""A hole of more seconds in the time stamps is drawn as so many."""


class DisplayFilter:
    """A causal band-pass or high-pass with carried state, primed by the first sample.

    It only makes traces readable (removes the electrode offset); the decoder has its own chain.

    Parameters
    ----------
    n_chans : int
        Number of channels.
    sfreq : float
        Sampling rate in Hz.
    low_hz : float
        Corner of the high-pass in Hz (2nd-order Butterworth).
    high_hz : float | None
        Corner of the low-pass in Hz (2nd-order Butterworth); None, or not below 45 % of the
        rate, leaves it out.
    """

    def __init__(self, n_chans: int, sfreq: float, low_hz: float = 0.5, high_hz: float | None = 45.0) -> None:
        if high_hz is not None and high_hz >= 0.45 * sfreq:
            high_hz = None
        self.low_hz, self.high_hz = low_hz, high_hz
        sos = [signal.butter(2, low_hz, "highpass", fs=sfreq, output="sos")]
        if high_hz is not None:
            sos.append(signal.butter(2, high_hz, "lowpass", fs=sfreq, output="sos"))
        self._sos: NDArray[np.float64] = np.concatenate(sos)
        self._zi: NDArray[np.float64] | None = None
        self._held = np.zeros(n_chans)

    @property
    def words(self) -> str:
        """What was done to the drawn traces, for the screen."""
        if self.high_hz is None:
            return f"{self.low_hz:g} Hz high-pass"
        return f"{self.low_hz:g}–{self.high_hz:g} Hz"

    def reset(self) -> None:
        """Forget the past: the next sample primes the filter again."""
        self._zi = None

    def process(self, x: NDArray[np.float32]) -> NDArray[np.float32]:
        """Filter `x` (n_times, n_chans); samples that are not finite come out as NaN."""
        if len(x) == 0:
            return x.astype(np.float32)
        work = x.astype(np.float64)
        bad = ~np.isfinite(work)
        if bad.any():
            work = _hold_last(work, bad, self._held)
        self._held = work[-1].copy()
        if self._zi is None:
            unit = signal.sosfilt_zi(self._sos)  # (n_sections, 2)
            self._zi = unit[:, :, None] * work[0][None, None, :]
        out: NDArray[np.float64]
        out, self._zi = signal.sosfilt(self._sos, work, axis=0, zi=self._zi)
        if bad.any():
            out[bad] = np.nan
        return out.astype(np.float32)


def _hold_last(x: NDArray[np.float64], bad: NDArray[np.bool_], before: NDArray[np.float64]) -> NDArray[np.float64]:
    """Replace what is not finite by the last finite value of its channel."""
    padded = np.concatenate([before[None], x])
    rows = np.where(np.concatenate([np.zeros_like(bad[:1]), bad]), 0, np.arange(len(padded))[:, None])
    np.maximum.accumulate(rows, axis=0, out=rows)
    held: NDArray[np.float64] = np.take_along_axis(padded, rows, axis=0)[1:]
    return held


class EnvelopeRing:
    """The last few seconds as columns of two extremes per channel, in the order they occurred.

    One column stands for `samples_per_column` samples and is drawn on one pixel: the smallest and
    the largest value inside, the earlier one first, so that nothing a full plot would show is
    lost, and at one or two samples per column the trace is exact.

    Parameters
    ----------
    n_chans : int
        Number of channels.
    sfreq : float
        Sampling rate in Hz.
    column_s : float
        Wished length of a column in seconds; rounded to whole samples.
    n_columns : int
        Capacity; older columns are overwritten.
    """

    def __init__(self, n_chans: int, sfreq: float, *, column_s: float = 0.01, n_columns: int = 4096) -> None:
        self.n_chans, self.n_columns = n_chans, n_columns
        self.samples_per_column = max(1, round(sfreq * column_s))
        self.column_s = self.samples_per_column / sfreq
        self.total = 0
        """Columns finished since the start; the newest is number `total - 1`."""
        self._extremes = np.full((n_columns, 2, n_chans), np.nan, np.float32)
        self._stamps = np.full(n_columns, np.nan)
        self._rest = np.empty((0, n_chans), np.float32)
        self._rest_stamps = np.empty(0)

    def append(self, x: NDArray[np.float32], stamps: NDArray[np.float64]) -> None:
        """Add samples `x` (n_times, n_chans) with their stamps (n_times,)."""
        if len(x) == 0:
            return
        if len(self._rest):
            x = np.concatenate([self._rest, x])
            stamps = np.concatenate([self._rest_stamps, stamps])
        spc = self.samples_per_column
        n_new = len(x) // spc
        skip = max(0, n_new - self.n_columns)  # more than fits: only the newest are kept
        blocks = x[skip * spc : n_new * spc].reshape(n_new - skip, spc, self.n_chans)
        at = (self.total + skip + np.arange(n_new - skip)) % self.n_columns
        self._extremes[at] = _ordered_extremes(blocks)
        self._stamps[at] = stamps[(skip + 1) * spc - 1 : n_new * spc : spc]
        self.total += n_new
        self._rest = x[n_new * spc :].copy()
        self._rest_stamps = stamps[n_new * spc :].copy()

    def append_gap(self, duration_s: float, stamp: float) -> None:
        """Add empty columns for `duration_s` seconds without samples that end at `stamp`."""
        self._rest = self._rest[:0]
        self._rest_stamps = self._rest_stamps[:0]
        n_new = max(1, round(min(duration_s, MAX_GAP_S) / self.column_s))
        n_new = min(n_new, self.n_columns)
        at = (self.total + np.arange(n_new)) % self.n_columns
        self._extremes[at] = np.nan
        self._stamps[at] = stamp - self.column_s * np.arange(n_new - 1, -1, -1)
        self.total += n_new

    def newest(self, seconds: float) -> NDArray[np.float32]:
        """Return the extremes of the columns of the last seconds, shape (n, 2, n_chans), as `columns` does."""
        return self.columns(self.total - round(seconds / self.column_s), self.total)[0]

    def columns(self, start: int, stop: int) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Return columns number `start` to `stop` (excluded), clipped to what is kept.

        Returns
        -------
        extremes : ndarray, shape (n, 2, n_chans)
            The earlier and the later extreme of each column; NaN in gaps.
        stamps : ndarray, shape (n,)
            Stamp of the last sample of each column.
        """
        stop = min(stop, self.total)
        start = max(start, self.total - self.n_columns, 0)
        at = np.arange(start, max(start, stop)) % self.n_columns
        return self._extremes[at], self._stamps[at]


def _ordered_extremes(blocks: NDArray[np.float32]) -> NDArray[np.float32]:
    """Reduce (n, spc, n_chans) to (n, 2, n_chans): minimum and maximum, the earlier one first."""
    if blocks.shape[1] == 1:
        return np.repeat(blocks, 2, axis=1)
    if blocks.shape[1] == 2:
        return blocks
    low, high = blocks.min(axis=1), blocks.max(axis=1)
    low_first = blocks.argmin(axis=1) <= blocks.argmax(axis=1)
    return np.stack([np.where(low_first, low, high), np.where(low_first, high, low)], axis=1)


class GapFinder:
    """Find holes in a stream by comparing its stamps with its sample count.

    Late, bunched or jittering stamps are no gap: what counts is that the stamps run ahead of
    the count by more than `tolerance_s` and stay there.

    The decoder's `StampFit` answers another question: it waits for up to a second, in which nothing may be decided,
    until late samples and lost ones can be told apart. A picture that moves has to draw the hole, or no hole, at once.
    """

    def __init__(self, sfreq: float, tolerance_s: float = 0.3) -> None:
        self._period = 1.0 / sfreq
        self._tolerance_s = tolerance_s
        self._expected: float | None = None

    def reset(self) -> None:
        """Start anew at the next chunk."""
        self._expected = None

    def find(self, stamps: NDArray[np.float64]) -> tuple[int, float] | None:
        """Return (index in the chunk, seconds missing before it), or None.

        Steps back in time restart the count without a gap.
        """
        if len(stamps) == 0:
            return None
        if self._expected is None:
            self._expected = float(stamps[0])
        ahead = float(stamps[-1]) - (self._expected + (len(stamps) - 1) * self._period)
        found = None
        if ahead > self._tolerance_s:
            steps = np.diff(stamps, prepend=self._expected - self._period)
            found = (int(steps.argmax()), ahead)
        if found is not None or abs(ahead) > self._tolerance_s:
            self._expected = float(stamps[-1]) + self._period
        else:  # follow slowly, so that a rate off by 100 ppm never adds up to a gap
            self._expected += len(stamps) * self._period + 0.02 * ahead
        return found


class ScrollPacer:
    """Turn columns that arrive in lumps into steady scrolling.

    Keeps about one chunk of columns waiting, so that a stream sent in 100 ms chunks still moves
    evenly; a backlog of some seconds is shown at once.
    """

    def __init__(self, column_s: float) -> None:
        self._column_s = column_s
        self._lump = 0.0
        self._credit = 0.0
        self._last = 0

    def step(self, waiting: int, dt_s: float) -> int:
        """Say how many of the `waiting` columns to draw, `dt_s` seconds after the last frame."""
        arrived = min(max(0, waiting - self._last), 0.6 / self._column_s)
        self._lump = max(float(arrived), self._lump * 0.98)
        rate = 1.0 / self._column_s
        if waiting * self._column_s > 1.0 + 2.0 * self._lump * self._column_s:
            self._credit, n = 0.0, waiting
        else:
            excess = (waiting - self._lump) / (0.5 * rate)  # in half seconds
            self._credit += rate * dt_s * min(2.0, max(0.5, 1.0 + excess))
            n = min(waiting, int(self._credit))
            self._credit = min(self._credit - n, 2.0)
        self._last = waiting - n
        return n


def fitting_scale(extremes: NDArray[np.float32], fill: float = 1.25) -> float:
    """Choose how many microvolts one row of traces spans.

    Parameters
    ----------
    extremes : ndarray, shape (n_columns, 2, n_chans)
        What is on screen.
    fill : float
        How many rows the typical channel's central 98 % may fill at most (2 = rows overlap).

    Returns
    -------
    float
        A number from the series 1, 2, 5 in the unit of the traces. 100 where there is nothing to
        measure.
    """
    flat = extremes.reshape(-1, extremes.shape[-1])
    flat = flat[np.isfinite(flat).all(axis=1)]
    if len(flat) < 20:
        return 100.0
    low, high = np.percentile(flat, [1, 99], axis=0)
    span = float(np.median(high - low))
    if not span > 0:
        return 100.0
    return next((scale for scale in _SCALES_UV if scale >= span / fill), _SCALES_UV[-1])


def next_scale(scale: float, steps: int) -> float:
    """Move along the series 1, 2, 5 by `steps` (negative: finer)."""
    at = int(np.argmin(np.abs(np.log(np.array(_SCALES_UV) / scale))))
    return _SCALES_UV[min(len(_SCALES_UV) - 1, max(0, at + steps))]
