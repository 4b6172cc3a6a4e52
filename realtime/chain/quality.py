"""Which channels carry no usable signal, judged on the last second: raw volts, and volts behind the chain."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

BLOCKS = 4
"""The verdict looks at this many blocks, one second together, and is renewed after each block."""
MISSING_V = 10.0
"""A number of more volts than this is as good as none; the chain holds the last good one instead."""


class Verdict(IntEnum):
    """What is wrong with a channel."""

    OK = 0
    MISSING = 1  # NaN, infinite or absurd numbers
    FLAT = 2  # no signal
    RAIL = 3  # stuck at the amplifier's limit for much of the time
    HUGE = 4  # larger than the chain can clean
    SAME = 5  # all channels carry one signal
    TONE = 6  # one frequency and nothing else
    NOISE = 7  # as flat as noise, and shared with no other channel
    SMALL = 8  # too small for a scalp, or for this person
    LARGE = 9  # too large for a brain, or for this person
    POPS = 10  # steps that no other channel makes


@dataclass(frozen=True, kw_only=True)
class Limits:
    """Limits beyond which a channel is called bad."""

    missing_share: float = 0.05
    """Share of missing samples."""
    flat_pp_v: float = 0.1e-6
    """Peak-to-peak amplitude in volts below which there is no signal."""
    stuck_share: float = 0.5
    """Share of samples equal to the one before."""
    huge_pp_v: float = 50e-3
    """Largest peak-to-peak amplitude in volts; mains of 10 mV rms is still cleaned by the notch."""


BAND_LIMITS = Limits(flat_pp_v=0.02e-6, huge_pp_v=1.5e-3)
"""Limits behind the chain (0.1-30 Hz), where blinks have 0.1-0.3 mV.

Of 124 real recordings with ordinary contact, 117 stay below 1.5 mV peak to peak within every second (the largest
reaches 1.45 mV).  In the other 7 movements flag 1 to 6 % of the windows; where contacts are lost (`bci4als`) it is 15
to 100 %.  The limit was chosen on these same recordings.
"""


@dataclass(frozen=True, slots=True)
class QualityChange:
    """The verdicts from sample `index` on (absolute; the first sample they do not include)."""

    index: int
    verdicts: NDArray[np.int8]


class QualityMonitor:
    """Judge every channel on the last second, in blocks of a quarter of a second.

    The verdicts depend on absolute sample counts alone, not on the chunks.

    Parameters
    ----------
    n_chans : int
        Number of channels.
    sfreq : float
        Sampling rate in Hz.
    limits : Limits, optional
        Limits beyond which a channel is bad; None means the defaults of `Limits`, for raw volts.
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
        self._filled = 0
        # row 0 is the last sample of the block before
        self._rows = np.full((self._block + 1, c), np.nan, dtype=np.float32)
        self._low = np.full((BLOCKS, c), np.nan, dtype=np.float32)
        self._high = np.full((BLOCKS, c), np.nan, dtype=np.float32)
        self._missing = np.zeros((BLOCKS, c), dtype=np.int64)
        self._stuck = np.zeros((BLOCKS, c), dtype=np.int64)
        self._verdicts = np.zeros(c, dtype=np.int8)

    @property
    def verdicts(self) -> NDArray[np.int8]:
        """The `Verdict` of each channel now, shape (n_chans,)."""
        return self._verdicts

    @property
    def bad(self) -> NDArray[np.bool_]:
        """Which channels are not OK, shape (n_chans,)."""
        return np.asarray(self._verdicts != Verdict.OK)

    def update(self, x_volts: NDArray[np.floating[Any]]) -> list[QualityChange]:
        """Look at the next samples.

        Parameters
        ----------
        x_volts : ndarray, shape (n_times, n_chans)
            Raw volts before any filter; or, with `BAND_LIMITS`, those behind the chain.

        Returns
        -------
        list of QualityChange
            One entry for each block after which a verdict was different.

        Raises
        ------
        ValueError
            If `x_volts` has another number of channels.
        """
        changes: list[QualityChange] = []
        if x_volts.ndim != 2 or x_volts.shape[1] != self._n_chans:
            raise ValueError(f"x_volts has shape {x_volts.shape}; expected (n_times, {self._n_chans})")
        at = 0
        while at < len(x_volts):
            n = min(self._block - self._filled, len(x_volts) - at)
            self._rows[1 + self._filled : 1 + self._filled + n] = x_volts[at : at + n]
            at += n
            self._filled += n
            self._total += n
            if self._filled == self._block:
                self._close_block()
                verdicts = self._judge()
                if (verdicts != self._verdicts).any():
                    self._verdicts = verdicts
                    changes.append(QualityChange(self._total, verdicts))
        return changes

    def _close_block(self) -> None:
        slot = (self._total // self._block - 1) % BLOCKS
        rows, x = self._rows, self._rows[1:]
        low, high = x.min(axis=0), x.max(axis=0)
        self._missing[slot] = 0
        if not (low.min() >= -MISSING_V and high.max() <= MISSING_V):
            absent = ~(np.abs(x) <= MISSING_V)
            self._missing[slot] = absent.sum(axis=0)
            low = np.where(absent, np.float32(np.inf), x).min(axis=0)
            high = np.where(absent, np.float32(-np.inf), x).max(axis=0)
        self._low[slot], self._high[slot] = low, high
        self._stuck[slot] = (x == rows[:-1]).sum(axis=0)
        rows[0] = rows[-1]
        self._filled = 0

    def _judge(self) -> NDArray[np.int8]:
        limits = self.limits
        blocks = min(self._total // self._block, BLOCKS)
        n = blocks * self._block
        spread = self._high[:blocks].max(axis=0) - self._low[:blocks].min(axis=0)
        missing = self._missing[:blocks].sum(axis=0) > limits.missing_share * n
        stuck = self._stuck[:blocks].sum(axis=0) > limits.stuck_share * n
        flat, huge = spread < limits.flat_pp_v, spread > limits.huge_pp_v
        verdicts = np.zeros(self._n_chans, dtype=np.int8)
        if (missing | stuck | flat | huge).any():
            verdicts[huge] = Verdict.HUGE
            verdicts[stuck] = Verdict.RAIL
            verdicts[flat] = Verdict.FLAT
            verdicts[missing] = Verdict.MISSING
        return verdicts


def share_lost(matrix: ArrayLike, bad: ArrayLike) -> float:
    """Return the share of model channels that take half of their weight or more from bad channels.

    Parameters
    ----------
    matrix : array_like, shape (n_model_chans, n_stream_chans)
        Weights of the stream's channels (columns) in each channel of the model (rows).
    bad : array_like of bool, shape (n_stream_chans,)
        Which stream channels are bad.
    """
    weight = np.abs(np.asarray(matrix, dtype=np.float64))
    lost = weight[:, np.asarray(bad, dtype=bool)].sum(axis=1)
    return float(np.mean(lost >= 0.5 * weight.sum(axis=1)))
