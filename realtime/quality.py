"""Which channels carry no usable signal, judged on the last second of raw volts."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import IntEnum
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

BLOCKS = 8
"""The verdict looks at this many blocks, one second together, and is renewed after each block."""
MISSING_V = 10.0
"""A number beyond this is as good as none; the chain holds the last good one instead."""


class Verdict(IntEnum):
    """What is wrong with a channel."""

    OK = 0
    MISSING = 1  # NaN, infinite or absurd numbers
    FLAT = 2  # no signal
    RAIL = 3  # stuck at the amplifier's limit for much of the time
    HUGE = 4  # larger than the chain can clean


@dataclass(frozen=True, kw_only=True)
class Limits:
    """From where on a channel is called bad."""

    missing_share: float = 0.05
    """Share of missing samples."""
    flat_pp_v: float = 0.1e-6
    """Peak to peak in volts below which there is no signal."""
    stuck_share: float = 0.5
    """Share of samples equal to the one before."""
    huge_pp_v: float = 50e-3
    """Peak to peak in volts; mains of 10 mV rms is still cleaned by the notch."""


class QualityChange(NamedTuple):
    """The verdicts from sample `index` on (absolute; the first sample they do not include)."""

    index: int
    verdicts: NDArray[np.int8]


class QualityMonitor:
    """Judge every channel on the last second, in blocks of an eighth of a second.

    The verdicts depend on absolute sample counts alone, not on the chunks.

    Parameters
    ----------
    n_chans : int
        Number of channels.
    sfreq : float
        Sampling rate in Hz.
    limits : Limits, optional
        From where on a channel is bad.
    """

    def __init__(self, n_chans: int, sfreq: float, limits: Limits | None = None) -> None:
        if n_chans < 1 or not sfreq >= BLOCKS:
            raise ValueError(f"n_chans={n_chans}, sfreq={sfreq}: need a channel and {BLOCKS} Hz")
        self.limits = limits or Limits()
        self._block = max(2, round(sfreq / BLOCKS))
        self._n_chans = n_chans
        self.reset()

    def reset(self) -> None:
        """Forget all samples; all channels count as good until the first block is full."""
        c = self._n_chans
        self._total = 0
        self._last = np.full(c, np.nan)
        self._open = _Block(c)
        self._done: deque[_Block] = deque(maxlen=BLOCKS)
        self._verdicts = np.zeros(c, dtype=np.int8)

    @property
    def verdicts(self) -> NDArray[np.int8]:
        """The `Verdict` of each channel now, shape (n_chans,)."""
        return self._verdicts

    @property
    def bad(self) -> NDArray[np.bool_]:
        """Which channels are not OK, shape (n_chans,)."""
        return self._verdicts != Verdict.OK

    def update(self, x_volts: NDArray[np.floating[Any]]) -> list[QualityChange]:
        """Look at the next samples.

        Parameters
        ----------
        x_volts : ndarray, shape (n_times, n_chans)
            Raw volts, before any filter.

        Returns
        -------
        list of QualityChange
            One entry for each block after which a verdict was different.
        """
        changes: list[QualityChange] = []
        if x_volts.ndim != 2 or x_volts.shape[1] != self._n_chans:
            raise ValueError(
                f"x_volts has shape {x_volts.shape}; expected (n_times, {self._n_chans})"
            )
        n = len(x_volts)
        if not n:
            return changes
        magnitude = np.abs(x_volts)
        absent = ~(magnitude <= MISSING_V)
        x = np.where(absent, np.nan, x_volts) if absent.any() else x_volts
        stuck = np.empty(x.shape, dtype=bool)
        np.equal(x[0], self._last, out=stuck[0])
        np.equal(x[1:], x[:-1], out=stuck[1:])
        self._last = np.array(x[-1], dtype=np.float64)
        starts = np.arange(-(self._total % self._block), n, self._block)
        starts[0] = 0
        low, high = np.fmin.reduceat(x, starts, axis=0), np.fmax.reduceat(x, starts, axis=0)
        n_absent = np.add.reduceat(absent, starts, axis=0, dtype=np.int64)
        n_stuck = np.add.reduceat(stuck, starts, axis=0, dtype=np.int64)
        for i, start in enumerate(starts.tolist()):
            stop = int(starts[i + 1]) if i + 1 < len(starts) else n
            self._open.add(low[i], high[i], n_absent[i], n_stuck[i])
            if (self._total + stop) % self._block == 0:
                self._close(self._total + stop, changes)
            del start
        self._total += n
        return changes

    def _close(self, index: int, changes: list[QualityChange]) -> None:
        self._done.append(self._open)
        self._open = _Block(self._n_chans)
        verdicts = self._judge()
        if (verdicts != self._verdicts).any():
            self._verdicts = verdicts
            changes.append(QualityChange(index, verdicts))

    def _judge(self) -> NDArray[np.int8]:
        blocks, limits = self._done, self.limits
        n = len(blocks) * self._block
        low = np.fmin.reduce([b.low for b in blocks])
        high = np.fmax.reduce([b.high for b in blocks])
        absent = np.sum([b.absent for b in blocks], axis=0) / n
        stuck = np.sum([b.stuck for b in blocks], axis=0) / n
        spread = np.where(np.isnan(low), 0.0, high - low)
        rules = [
            (absent > limits.missing_share, Verdict.MISSING),
            (spread < limits.flat_pp_v, Verdict.FLAT),
            (stuck > limits.stuck_share, Verdict.RAIL),
            (spread > limits.huge_pp_v, Verdict.HUGE),
        ]
        return np.select([r for r, _ in rules], [int(v) for _, v in rules], 0).astype(np.int8)


class _Block:
    """Extremes and counts of one block, per channel."""

    def __init__(self, n_chans: int) -> None:
        self.low = np.full(n_chans, np.nan)
        self.high = np.full(n_chans, np.nan)
        self.absent = np.zeros(n_chans, dtype=np.int64)
        self.stuck = np.zeros(n_chans, dtype=np.int64)

    def add(
        self,
        low: NDArray[np.floating[Any]],
        high: NDArray[np.floating[Any]],
        absent: NDArray[np.int64],
        stuck: NDArray[np.int64],
    ) -> None:
        self.low = np.fmin(self.low, low)
        self.high = np.fmax(self.high, high)
        self.absent += absent
        self.stuck += stuck


def share_lost(matrix: ArrayLike, bad: ArrayLike) -> float:
    """Return the share of model channels that take half of their weight or more from bad channels.

    Parameters
    ----------
    matrix : array_like, shape (n_model_chans, n_stream_chans)
        From stream channels to model channels.
    bad : array_like of bool, shape (n_stream_chans,)
        Which stream channels are bad.
    """
    weight = np.abs(np.asarray(matrix, dtype=np.float64))
    lost = weight[:, np.asarray(bad, dtype=bool)].sum(axis=1)
    return float(np.mean(lost >= 0.5 * weight.sum(axis=1)))
