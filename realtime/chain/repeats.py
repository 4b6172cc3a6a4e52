"""Samples that a driver sends twice: known by their numbers, whatever stamps they are given the second time.

Noise never repeats itself in several channels at once. So two samples in a row whose numbers stood in a row before, in
all channels that count, are the same two once more: a packet that a radio or a driver delivered again. (A sample that
repeats the one just before it is a missing one, see `holes`.)
"""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuript.realtime.chain.holes import CHANNELS_REPEAT

REMEMBERED_S = 2.5
"""A packet is known again for so many seconds."""


class RepeatFinder:
    """Finds samples that came before, whatever the chunks.

    Parameters
    ----------
    used : ndarray of int
        The channels that count; with fewer than `CHANNELS_REPEAT` coarse numbers repeat by chance and nothing is said.
    sfreq : float
        Sampling rate in Hz.

    Attributes
    ----------
    n_repeated : int
        Samples that were found so far.
    """

    def __init__(self, used: NDArray[np.int64], sfreq: float) -> None:
        self._used = used if len(used) >= CHANNELS_REPEAT else used[:0]
        self._remembered = max(2, round(REMEMBERED_S * sfreq))
        self.n_repeated = 0
        self._index = 0
        self.reset()

    def reset(self) -> None:
        """Forget the numbers: what comes next is another stream's. The count of samples goes on."""
        self._seen: dict[bytes, int] = {}
        self._order: deque[tuple[bytes, int]] = deque()
        self._back = 0  # how many samples ago the newest one came before; 0: never

    def update(self, volts: NDArray[np.floating[Any]]) -> list[int]:
        """Take the next samples, shape (n_times, n_chans); return the absolute indices of those that came before."""
        if not len(self._used):
            self._index += len(volts)
            return []
        found = []
        for row in np.ascontiguousarray(volts[:, self._used], dtype=np.float32):
            key = row.tobytes()
            before = self._seen.get(key)
            back = 0 if before is None else self._index - before
            if back > 1 and back == self._back:
                found.append(self._index)
            self._back = back
            self._remember(key)
            self._index += 1
        self.n_repeated += len(found)
        return found

    def _remember(self, key: bytes) -> None:
        self._seen[key] = self._index
        self._order.append((key, self._index))
        if len(self._order) > self._remembered:
            old, at = self._order.popleft()
            if self._seen.get(old) == at:
                del self._seen[old]
