"""The rate that a stream declares against the one at which it sends."""

from __future__ import annotations

from enum import StrEnum
from math import inf, isfinite, nan

import numpy as np
from numpy.typing import NDArray

from neuript.realtime.chain.sample_order import FEW_STAMPS

ODD_SHARE, WRONG_SHARE = 0.01, 0.03
"""Shares of the declared rate by which the measured one may be another: a crystal keeps 0.1 %. From the first on it is
worth a sentence, from the second on all frequencies are wrong."""
SPAN_S = 60.0
"""Longest time, in seconds, over which the rate is measured; a new measurement begins with the half of it."""
MIN_S = 1.0
"""Shortest such time."""


class RateVerdict(StrEnum):
    """What is thought of a declared rate."""

    FINE = "fine"
    ODD = "odd"  # more than a crystal, less than what harms
    WRONG = "wrong"


class RateMeter:
    """Counts samples against time: that of their stamps, or that at which they arrive.

    Samples come in lumps and stamps scatter, so a rate is known the better the longer it is measured: nothing is said
    before the difference is larger than what twice the largest irregularity makes of it.

    Parameters
    ----------
    declared : float
        Declared rate in Hz.
    min_s : float
        Seconds before which nothing is said.
    """

    def __init__(self, declared: float, min_s: float = MIN_S) -> None:
        self.declared, self._min_s = declared, min_s
        self.reset()

    def reset(self) -> None:
        """Begin anew with the next sample."""
        self._begin = self._half = self._last = nan
        self._n = self._n_half = 0
        self._rough = self._rough_half = 0.0

    @property
    def hz(self) -> float:
        """Measured rate in Hz; NaN where nothing was measured yet."""
        passed = self._last - self._begin
        return self._n / passed if self._n > 0 and passed > 0 else nan

    @property
    def error(self) -> float:
        """Largest share of the rate by which the measured one may be wrong; infinite in the beginning."""
        passed = self._last - self._begin
        return 2 * self._rough / passed if passed >= self._min_s else inf

    @property
    def verdict(self) -> RateVerdict:
        """What the measurement says of the declared rate by now."""
        away = abs(self.hz / self.declared - 1.0) - self.error
        if not away > ODD_SHARE:
            return RateVerdict.FINE
        return RateVerdict.WRONG if away > WRONG_SHARE else RateVerdict.ODD

    def arrived(self, n: int, t: float) -> None:
        """Count `n` samples, the last of which came at `t`, seconds."""
        if not isfinite(t):
            return
        if isfinite(self._last):
            self._n += n
            self._note(abs(t - self._last - n / self.declared))
        else:
            self._begin = t
        self._last = t
        self.forget_old()

    def stamped(self, stamps: NDArray[np.float64]) -> None:
        """Count samples by their stamps, seconds, shape (n_times,); call `forget_old` now and then."""
        if len(stamps) <= FEW_STAMPS and isfinite(self._last):
            self._stamped_few(stamps.tolist())
            return
        known = stamps[np.isfinite(stamps)]
        if not len(known):
            return
        before = self._last
        if not isfinite(before):
            self._begin = before = float(known[0])
            known = known[1:]
        if len(known):
            self._n += len(known)
            steps = np.diff(known, prepend=before) - 1.0 / self.declared
            self._note(float(np.abs(steps).max()))
            before = float(known[-1])
        self._last = before

    def _stamped_few(self, stamps: list[float]) -> None:
        last, period, rough = self._last, 1.0 / self.declared, 0.0
        for stamp in stamps:
            if isfinite(stamp):
                rough = max(rough, abs(stamp - last - period))
                last = stamp
                self._n += 1
        self._last = last
        self._note(rough)

    def said(self, name: str) -> str:
        """Return both rates in words."""
        return f"'{name}' declares {self.declared:g} Hz and sends {self.hz:.4g} Hz"

    def _note(self, rough: float) -> None:
        self._rough, self._rough_half = max(self._rough, rough), max(self._rough_half, rough)

    def forget_old(self) -> None:
        """Let the measurement begin later, where it has become long."""
        t = self._last
        if not isfinite(self._half) and t - self._begin > SPAN_S / 2:
            self._half, self._n_half, self._rough_half = t, self._n, 0.0
        elif t - self._begin > SPAN_S:
            self._begin, self._n, self._rough = self._half, self._n - self._n_half, self._rough_half
            self._half, self._n_half, self._rough_half = t, self._n, 0.0


def wrong_rate(name: str, meter: RateMeter) -> str:
    """Return the sentence that refuses a stream or recording, and the way out."""
    return (
        f"{meter.said(name)}: all its frequencies would be wrong. Samples are lost on the way, or the header is wrong; "
        f"if it is the header, give the rate with --sfreq {meter.hz:.4g}"
    )
