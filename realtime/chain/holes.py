"""Single samples that a radio link loses are bridged before the filters; longer holes, or too many, are named.

A sample is missing where a channel that counts has no number (NaN, infinite, absurd), or where every channel repeats
the sample before, which is what drivers send for a packet that did not arrive. The samples of a hole wait for the next
good one, at most `MOST_S`, and are put on the straight line between their neighbours. A hole that lasts
longer goes on as it came, to be held by the chain, and is condemned.

How many samples a link loses is known after seconds only. Where losses begin, nothing is decided from the second hole
on (the first, where there was none for a minute) until the part seen so far lies within the bound.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuript.realtime.chain.quality import MISSING_V

MOST_S = 0.020
"""A hole of more seconds is not bridged."""
MOST_SHARE, SHARE_S = 0.03, 4.0
"""Nor is one with which more than this share of so many seconds would be bridged."""
ONSET_S = 8.0
"""Losses begin with a hole before which there was none for so many seconds."""
RARE_S = 60.0
"""After so many seconds without, a single hole may be the first of many, and is waited for, too."""
CHANNELS_REPEAT = 4
"""All channels repeat a number by chance where they are few and coarse: so many are needed to tell."""


@dataclass(frozen=True, slots=True)
class Hole:
    """Where samples are missing; indices are absolute.

    Attributes
    ----------
    index : int
        Input sample from which on this holds.
    bridged : int
        So many samples before `index` were filled in and are as good as any.
    condemned : bool
        Whether no window may hold what comes next, until the next `Hole` says otherwise.
    doubt_until : int
        No window that ends before this sample may be decided on: until then more is missing than may be, of what was
        seen since the losses began.
    """

    index: int
    bridged: int = 0
    condemned: bool = False
    doubt_until: int = 0


class HoleBridge:
    """Fills short holes, whatever the chunks.

    Parameters
    ----------
    used : ndarray of int
        The channels that count.
    sfreq : float
        Sampling rate in Hz.
    """

    def __init__(self, used: NDArray[np.int64], sfreq: float) -> None:
        self._used = used
        self._most = max(1, round(MOST_S * sfreq))
        self._most_of_span = max(1, round(MOST_SHARE * SHARE_S * sfreq))
        self._span = round(SHARE_S * sfreq)
        self._onset_span, self._rare_span = round(ONSET_S * sfreq), round(RARE_S * sfreq)
        self._tells_repeats = len(used) >= CHANNELS_REPEAT
        self._total = 0
        self._long = False  # in a hole that is too long to wait for; a new stream ends it like any good sample
        self.reset()

    @property
    def n_waiting(self) -> int:
        """Samples of an open hole that wait for its end."""
        return len(self._waiting)

    def reset(self) -> None:
        """What comes next has nothing to do with what came."""
        self._last: NDArray[np.floating[Any]] | None = None  # the newest sample as it came
        self._good: NDArray[np.floating[Any]] | None = None  # the newest good one
        self._waiting: list[NDArray[np.floating[Any]]] = []
        self._filled: deque[tuple[int, int]] = deque()  # index after the hole, samples in it
        self._newest_hole = -self._rare_span - 1
        self._onset, self._doubts_from = 0, 2  # where the losses of this time began, and with which hole the doubt

    def take(self, volts: NDArray[np.floating[Any]]) -> tuple[NDArray[np.floating[Any]], list[Hole]]:
        """Take samples in volts, shape (n_times, n_chans); return those that can go on, and the holes among them."""
        missing = self._missing(volts)
        if len(volts):
            self._last = volts[-1]
        if not (missing.any() or self._waiting or self._long):
            self._total += len(volts)
            if len(volts):
                self._good = volts[-1]
            return volts, []
        out: list[NDArray[np.floating[Any]]] = []
        holes: list[Hole] = []
        for row, absent in zip(volts, missing, strict=True):
            self._one(row, bool(absent), out, holes)
            self._total += 1
        return (np.stack(out) if out else volts[:0]), holes

    def _missing(self, volts: NDArray[np.floating[Any]]) -> NDArray[np.bool_]:
        """Tell which samples are missing, shape (n_times,)."""
        x = volts[:, self._used]
        missing = np.asarray(~(np.abs(x) <= MISSING_V).all(axis=1))
        if self._tells_repeats and len(x):
            before = np.full_like(x[:1], np.nan) if self._last is None else self._last[None, self._used]
            missing |= (x == np.concatenate([before, x[:-1]])).all(axis=1)
        return missing

    def _one(
        self, row: NDArray[np.floating[Any]], absent: bool, out: list[NDArray[np.floating[Any]]], holes: list[Hole]
    ) -> None:
        at = self._total
        if not absent:
            if self._long:
                holes.append(Hole(at))
                self._long = False
            elif self._waiting:
                self._close(row, at, out, holes)
            out.append(row)
            self._good = row
        elif self._long or self._good is None:
            if not self._long:
                holes.append(Hole(at, condemned=True))
                self._long = True
            out.append(row)
        else:
            self._waiting.append(row)
            if len(self._waiting) > self._most:
                holes.append(Hole(at + 1 - len(self._waiting), condemned=True))
                self._long = True
                out += self._waiting
                self._waiting = []

    def _close(
        self, row: NDArray[np.floating[Any]], at: int, out: list[NDArray[np.floating[Any]]], holes: list[Hole]
    ) -> None:
        """Fill the hole that ends before the good sample number `at`, and say whether there were too many."""
        n = len(self._waiting)
        while self._filled and self._filled[0][0] <= at - self._span:
            self._filled.popleft()
        self._filled.append((at, n))
        if at - self._newest_hole > self._onset_span:
            self._onset, self._doubts_from = at - n, 1 if at - self._newest_hole > self._rare_span else 2
        self._newest_hole = at
        n_filled = sum(k for _, k in self._filled)
        if n_filled <= self._most_of_span:
            holes.append(Hole(at, bridged=n, doubt_until=self._doubt_until(at, n_filled)))
        else:
            holes += [Hole(at - n, condemned=True), Hole(at)]
        assert self._good is not None
        rows = np.stack([self._good, *self._waiting, row])
        repeated = (rows[1:-1, self._used] == self._good[self._used]).all(axis=1)
        place = np.arange(len(rows))
        for c in self._used:
            good = np.abs(rows[:, c]) <= MISSING_V
            good[1:-1] &= ~repeated
            rows[~good, c] = np.interp(place[~good], place[good], rows[good, c])
        out += list(rows[1:-1])
        self._waiting = []

    def _doubt_until(self, at: int, n_filled: int) -> int:
        """Sample at which the share of what is missing since the losses began is within the bound; 0 where it is."""
        if len(self._filled) < self._doubts_from or at - self._onset > self._span:
            return 0
        until = self._onset + math.ceil(n_filled / MOST_SHARE)
        return until if until > at else 0
