"""A channel that stands still is dead long before a second of it has been seen.

No two samples of a living electrode are the same for long: in public recordings of several amplifiers, with steps of up
to 1 uV, the longest exact standstill of a sound channel lasts 25 ms. So a channel that counts and does not move at all
for `STILL_S` silences its windows at once; whether it is flat, stuck or missing, `quality` says after a second.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

STILL_S, STILL_SAMPLES = 0.06, 8
"""Seconds without any change, and at least so many samples, from which on a channel counts as dead."""


class StandstillFinder:
    """Finds channels that do not move, whatever the chunks.

    Parameters
    ----------
    used : ndarray of int
        The channels that count.
    sfreq : float
        Sampling rate in Hz.
    """

    def __init__(self, used: NDArray[np.int64], sfreq: float) -> None:
        self._used = used
        self._most = max(STILL_SAMPLES, round(STILL_S * sfreq))
        self._index = 0
        self.reset()

    def reset(self) -> None:
        """Forget the numbers: what comes next is another stream's. The count of samples goes on."""
        self._last: NDArray[np.floating[Any]] | None = None
        self._run = np.zeros(len(self._used), dtype=np.int64)  # samples for which each channel has been the same

    def update(self, volts: NDArray[np.floating[Any]]) -> NDArray[np.int64]:
        """Take the next samples, shape (n_times, n_chans); return the absolute indices of those in a standstill."""
        x = volts[:, self._used]
        first, self._index = self._index, self._index + len(x)
        if not x.size:
            return np.empty(0, dtype=np.int64)
        before = np.full_like(x[:1], np.nan) if self._last is None else self._last[None]
        same = x == np.concatenate([before, x[:-1]])
        self._last = x[-1].copy()
        place = np.arange(1, len(x) + 1)[:, None]
        moved = np.maximum.accumulate(np.where(same, 0, place), axis=0)  # place of the newest change, 0 for none
        run = place - moved + np.where(moved == 0, self._run, 0)
        self._run = run[-1]
        return first + np.flatnonzero((run >= self._most).any(axis=1))
