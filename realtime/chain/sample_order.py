"""Whether samples come in their order, and how many never come: by stamps that lie on a grid.

A sender that counts its samples stamps them a whole number of periods apart. Then a stamp says which sample it is, and
what comes before its neighbour or does not come at all can be counted one by one. Stamps that scatter say nothing of
the kind; there `StampFit` alone tells late samples from lost ones.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import exp, inf, isfinite, nan

import numpy as np
from numpy.typing import NDArray

ON_GRID = 0.05
"""Part of a period by which a step may miss a whole number of periods; at least `ON_GRID_S`."""
ON_GRID_S = 1e-4
FAR = 20
"""Periods from which on a step ahead is on the grid wherever it ends: no crystal is that exact."""
MEMORY_S = 5.0
"""Time constant with which steps off the grid are forgotten."""
FEW = 0.9
"""Steps off the grid that a counting sender may have had lately: one, half a second ago."""
DOUBT_S = 1.0
"""Holes of the last second before stamps leave the grid are none: they begin to scatter or to come in lumps."""
BACK_S = 1.0
"""A step back by more is one of the clock."""
TOUCHES_S = 0.02
"""A report stands for the samples of so many seconds from its own on."""
_HOLES = 64
FEW_STAMPS = 64
"""Chunks of no more samples are followed without NumPy, which costs more than it saves there."""


@dataclass(slots=True)
class _Hole:
    index: int  # of the sample after it
    low: float
    high: float
    left: int


class SampleOrder:
    """Follows the stamps of a stream, sample by sample, however they were cut into chunks.

    Parameters
    ----------
    sfreq : float
        Declared rate in Hz.

    Attributes
    ----------
    n_scrambled, n_lost : int
        Samples that came after a later one, and that did not come.
    """

    def __init__(self, sfreq: float) -> None:
        self._period = 1.0 / sfreq
        self._tolerance = max(ON_GRID, ON_GRID_S * sfreq)
        self._memory = MEMORY_S * sfreq
        self._hold = max(1, round(TOUCHES_S * sfreq))
        self.n_scrambled = self.n_lost = 0
        self.reset()

    def reset(self) -> None:
        """Forget the stamps, and keep the counts; the next sample has index 0."""
        self._index = 0
        self._last = nan
        self._newest = -inf
        self._sent_until = -inf  # newest stamp before the last step back: what comes again up to there is not missing
        self._off = self._holed = 0.0  # steps off the grid, and holes that nothing filled; fading
        self._faded_at = 0
        self._told_until = 0
        self._holes: deque[_Hole] = deque(maxlen=_HOLES)

    @property
    def exact(self) -> bool:
        """Whether a stamp says which sample it is: for a second at least nearly all steps were whole periods.

        Where most steps are of two periods or more, the rate is another one, and nothing is lost.
        """
        seen = min(self._memory, self._index)
        fade = exp((self._faded_at - self._index) / self._memory)
        return self._index * self._period >= 1.0 and self._off * fade < FEW and self._holed * fade < 0.5 * seen

    def update(self, stamps: NDArray[np.float64]) -> list[int]:
        """Take the stamps of the next samples, seconds, shape (n_times,), and return where the order was broken.

        Returns
        -------
        list of int
            Indices of samples that are out of order; each stands for those within `TOUCHES_S` after it.
        """
        if len(stamps) <= FEW_STAMPS:
            return self._update_few(stamps.tolist())
        steps = np.diff(stamps, prepend=self._last) / self._period
        newest = np.fmax.accumulate(np.concatenate([[self._newest], stamps]))[:-1]
        odd = np.flatnonzero(~(np.abs(steps - 1.0) < self._tolerance) | (stamps <= newest))
        broken: list[int] = []
        begin, first = 0, self._index
        for i in odd.tolist():
            self._go_on(stamps, begin, i, first)
            self._index = first + i
            if self._take(float(stamps[i]), float(steps[i])) and self._index >= self._told_until:
                broken.append(self._index)
                self._told_until = self._index + self._hold
            begin = i + 1
            self._index += 1
        self._go_on(stamps, begin, len(stamps), first)
        self._index = first + len(stamps)
        return broken

    def forgive(self, first: int, last: int) -> None:
        """Count nothing as lost between two samples: the sender's clock has stepped there."""
        for hole in self._holes:
            if first <= hole.index <= last:
                self.n_lost -= hole.left
                hole.left = 0

    def _update_few(self, stamps: list[float]) -> list[int]:
        """`update` one by one."""
        broken: list[int] = []
        period, tolerance = self._period, self._tolerance
        for stamp in stamps:
            step = (stamp - self._last) / period
            if -tolerance < step - 1.0 < tolerance and stamp > self._newest:
                self._last = self._newest = stamp
            elif self._take(stamp, step) and self._index >= self._told_until:
                broken.append(self._index)
                self._told_until = self._index + self._hold
            self._index += 1
        return broken

    def _go_on(self, stamps: NDArray[np.float64], begin: int, stop: int, first: int) -> None:
        if stop > begin:
            self._last = float(stamps[stop - 1])
            self._newest = max(self._newest, self._last)
            self._index = first + stop

    def _take(self, stamp: float, step: float) -> bool:
        """Take a sample that is not simply the next one; whether it is out of order."""
        if not isfinite(stamp):  # it is there all the same
            self._last += self._period
            self._newest += self._period
            return False
        if not isfinite(step):
            step = (stamp - self._last) / self._period
        new = not isfinite(self._last)
        whole = round(step) if isfinite(step) else 0
        self._last = stamp
        if new:
            self._newest = stamp
            return False
        on_grid = whole != 0 and (abs(step - whole) < self._tolerance or whole > FAR)
        exact, late = self.exact, stamp <= self._newest
        sent = self._sent_until if self._newest < self._sent_until <= stamp else self._newest
        lost = 0 if late else max(0, round((stamp - sent) / self._period) - 1)
        self._note(off=not on_grid, holed=lost > 0)
        if late and stamp < self._newest - BACK_S:  # the clock, not the order
            self._sent_until, self._newest = self._newest, stamp
            self._holes.clear()
            return False
        if late:
            return exact and on_grid and self._out_of_order(stamp)
        if exact and lost > 0:
            self._holes.append(_Hole(self._index, sent, stamp, lost))
            self.n_lost += lost
        self._newest = stamp
        return False

    def _out_of_order(self, stamp: float) -> bool:
        for hole in self._holes:
            if hole.left and hole.low < stamp < hole.high:
                hole.left -= 1
                self.n_lost -= 1
                self.n_scrambled += 1
                self._holed = max(0.0, self._holed - 1.0)
                return True
        return False

    def _note(self, *, off: bool, holed: bool) -> None:
        fade = exp((self._faded_at - self._index) / self._memory)
        self._off, self._holed = self._off * fade + off, self._holed * fade + holed
        self._faded_at = self._index
        if self._off >= 2 * FEW:
            self.forgive(self._index - round(DOUBT_S / self._period), self._index)
