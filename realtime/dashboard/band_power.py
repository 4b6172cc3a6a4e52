"""How strong the rhythms of imagery are on each channel over the last seconds; causal, without Qt and without LSL."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy import signal

from neuript.realtime.chain.ring import RingBuffer

POWER_S = 2.0
"""Seconds that the power is measured over."""
SEGMENT_S = 1.0
"""Seconds of a segment of Welch's estimate: a resolution of a hertz."""


class Band(NamedTuple):
    """A rhythm."""

    name: str
    low_hz: float
    high_hz: float


BANDS = (Band("mu", 8.0, 13.0), Band("beta", 13.0, 30.0))
"""The rhythms that imagery of a movement weakens."""


class BandPower:
    """Keeps the last seconds of a signal; measuring costs something, keeping next to nothing.

    Parameters
    ----------
    n_chans : int
        Number of channels.
    sfreq : float
        Sampling rate in Hz.
    """

    def __init__(self, n_chans: int, sfreq: float) -> None:
        self._sfreq = sfreq
        self._kept = RingBuffer(max(2, round(POWER_S * sfreq)), n_chans)

    def add(self, x: NDArray[np.float32]) -> None:
        """Take the next samples, shape (n_times, n_chans)."""
        self._kept.append(x)

    def reset(self) -> None:
        """Forget the samples, because what comes next does not join on to them."""
        self._kept = RingBuffer(self._kept.capacity, self._kept.n_chans)

    def of(self, band: Band) -> NDArray[np.float64] | None:
        """Return the power of each channel in a band, shape (n_chans,), in the square of the samples' unit.

        None before there is enough signal, or at a rate that is too low for the band; NaN for a channel of which
        samples are missing.
        """
        if len(self._kept) < self._kept.capacity or band.high_hz >= 0.5 * self._sfreq:
            return None
        x = self._kept.latest(self._kept.capacity)
        freq, density = signal.welch(x, fs=self._sfreq, nperseg=min(len(x), round(SEGMENT_S * self._sfreq)), axis=0)
        within = (freq >= band.low_hz) & (freq < band.high_hz)
        power: NDArray[np.float64] = density[within].sum(axis=0) * (freq[1] - freq[0])
        return power
