"""A smooth time for each sample, from stamps that jitter, come in bursts, jump or stand still."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from math import exp, isfinite

import numpy as np
from numpy.typing import ArrayLike, NDArray

MEMORY_S = 10.0
"""Time constant with which the line forgets."""
TRUST_S = 1.0
"""For how long the nominal rate is worth as much as the stamps."""
CONFIRM_S = (0.1, 1.0)
"""How long a jump of the stamps must last before it is believed: 20 times the mean jitter, within
these limits.  A stream that is delivered in lumps needs longer to show where its line runs."""
DRAIN = 0.05
"""Late samples that wait somewhere come in faster than the rate; so much faster counts as catching up."""
PATIENCE = 4
"""For how many such stretches a distance that still grows may be watched."""
STEP_S = 5.0
"""A jump ahead by more than this is called a clock step, a smaller one a gap."""
LIMIT_MIN_S, LIMIT_MAX_S = 0.005, 0.4
"""Bounds of the deviation that counts as a jump; between them it is 8 times the mean jitter.
It starts at the upper one, until the jitter is known."""


class StampKind(StrEnum):
    """What happened to the stamps."""

    SUSPECT = "suspect"  # a stamp far off the line: late samples, a gap or a clock step
    BURST = "burst"  # they were late samples, and all arrived: nothing is missing
    GAP = "gap"  # samples are missing
    STEP = "step"  # the clock jumped: backwards, or far ahead


@dataclass(frozen=True, slots=True)
class StampEvent:
    """Something that happened to the stamps.

    A `SUSPECT` is always followed by one of the others.  Start the filters anew at `index` of a `GAP` or
    `STEP`; during a suspicion decide nothing.
    """

    index: int
    """Absolute index of the sample at which it was noticed."""
    kind: StampKind
    detail: dict[str, float]
    """`first`: index of the first sample with odd stamps; `seconds`: by how much they were off the
    line; `missing`: that many sample periods (for a gap, the missing samples); `rate_hz`: the rate that
    the stamps showed while it was decided (far from nominal: the device changed its rate)."""


class StampFit:
    """A causal, robust line through the stamps, sample by sample.

    A loop of second order follows offset and rate of the stamps, first as a least-squares line that trusts
    the nominal rate for about a second, later with a memory of ten seconds.  Single outliers are
    clipped.  A stamp far off the line raises a suspicion, and while it lasts the line runs on
    undisturbed.  If the samples catch up it was a burst; if they stay away, for 0.1 s or longer where the
    stamps jitter, it was a gap or a clock step, and the line starts again there.  The result does not
    depend on how the stamps were cut into chunks.

    Parameters
    ----------
    sfreq : float
        Nominal rate in Hz.
    """

    def __init__(self, sfreq: float) -> None:
        if not (isfinite(sfreq) and sfreq > 0):
            raise ValueError(f"sfreq={sfreq} must be a positive rate in Hz")
        self.sfreq = float(sfreq)
        self._nominal = 1.0 / self.sfreq
        self._trust = max(4.0, TRUST_S * self.sfreq)
        theta = exp(-self._nominal / MEMORY_S)
        self._alpha, self._beta = 1 - theta**2, (1 - theta) ** 2
        self._floor = 0.05 * self._nominal  # least step from one sample to the next
        self._periods = 0.75 * self._nominal, 1.25 * self._nominal
        self._learn = 0.5 * self._nominal  # the jitter has a memory of two seconds
        # from here on all gains are those of the long run
        self._settled = 4 / self._alpha + 4 * self.sfreq
        self._limit_min = max(1.5 * self._nominal, LIMIT_MIN_S)
        self.reset()

    def reset(self) -> None:
        """Forget all stamps; the next sample has index 0."""
        self._index = 0
        self._count = 0  # samples since the line last started
        self._seen = 0  # samples that the rate was learned from
        self._time = 0.0
        self._period = self._nominal
        self._jitter = LIMIT_MAX_S / 8
        self._limit = LIMIT_MAX_S
        self._jump: _Jump | None = None
        self._missing = 0.0

    @property
    def total(self) -> int:
        """Number of stamps so far."""
        return self._index

    @property
    def rate_hz(self) -> float:
        """Effective rate in Hz, as measured."""
        return 1.0 / self._period

    @property
    def jitter_s(self) -> float:
        """Mean absolute distance in seconds of the stamps from the line, over a few seconds."""
        return self._jitter

    @property
    def suspect(self) -> bool:
        """Whether the newest stamps are far off the line and it is not yet known why."""
        return self._jump is not None

    @property
    def missing_samples(self) -> float:
        """Samples lost in all gaps so far."""
        return self._missing

    def update(self, stamps: ArrayLike) -> tuple[NDArray[np.float64], list[StampEvent]]:
        """Take the stamps of the next samples.

        Parameters
        ----------
        stamps : array_like, shape (n_times,)
            Seconds; NaN where a sample has none.

        Returns
        -------
        fitted : ndarray, shape (n_times,)
            The time of each sample on the line.
        events : list of StampEvent
            What happened, in order.
        """
        fitted: list[float] = []
        events: list[StampEvent] = []
        values = np.asarray(stamps, dtype=np.float64).tolist()
        done = 0
        while done < len(values):
            if self._jump is None and min(self._seen, self._count) >= self._settled:
                done += self._follow(values[done:] if done else values, fitted)
            if done < len(values):
                self._take(values[done], fitted, events)
                done += 1
        return np.array(fitted, dtype=np.float64), events

    def _follow(self, stamps: list[float], fitted: list[float]) -> int:
        """Follow stamps near the line with the gains of the long run; return how many were near.

        This is `_take` for the common case, with everything in local variables.
        """
        alpha, beta, floor = self._alpha, self._beta, self._floor
        shortest, longest = self._periods
        learn, lowest = self._learn, self._limit_min
        time, period, jitter, limit = self._time, self._period, self._jitter, self._limit
        half = 0.5 * limit
        append = fitted.append
        n = 0
        for stamp in stamps:
            predicted = time + period
            error = stamp - predicted
            if error >= 0.0:
                if error >= limit:
                    break
                jitter += (error - jitter) * learn
                if error > half:
                    error = half
            else:
                if not error > -limit:  # far off, or NaN
                    break
                jitter += (-error - jitter) * learn
                if error < -half:
                    error = -half
            least = time + floor
            time = predicted + alpha * error
            if time < least:
                time = least
            period += beta * error
            if period < shortest:
                period = shortest
            elif period > longest:
                period = longest
            limit = 8.0 * jitter
            if limit < lowest:
                limit = lowest
            elif limit > LIMIT_MAX_S:
                limit = LIMIT_MAX_S
            half = 0.5 * limit
            append(time)
            n += 1
        self._time, self._period, self._jitter, self._limit = time, period, jitter, limit
        self._index += n
        self._count += n
        self._seen += n
        return n

    def _take(self, stamp: float, fitted: list[float], events: list[StampEvent]) -> None:
        """Take one stamp, whatever the state."""
        if self._count == 0:
            if not isfinite(stamp):  # nothing to go by yet
                fitted.append(float("nan"))
                self._index += 1
                return
            self._time = stamp - self._period
        predicted = self._time + self._period
        error = stamp - predicted
        limit = self._limit
        if self._jump is None and -limit < error < limit:
            n, j = self._count, self._seen + self._trust
            alpha = max(self._alpha, 1 / (n + 1), (4 * j + 2) / ((j + 1) * (j + 2)))
            beta = max(self._beta, 6 / ((j + 1) * (j + 2)))
            half = 0.5 * limit
            clipped = max(-half, min(half, error))
            self._time = max(predicted + alpha * clipped, self._time + self._floor)
            self._period += beta * clipped
            self._period = min(max(self._period, self._periods[0]), self._periods[1])
            self._jitter += (abs(error) - self._jitter) * max(
                self._learn, 1 / (self._seen + max(1.0, 0.25 * self.sfreq))
            )
            self._limit = min(max(8 * self._jitter, self._limit_min), LIMIT_MAX_S)
            self._seen += 1
        else:
            self._time = predicted
            if isfinite(error):
                self._doubt(error, events)
        self._count += 1
        fitted.append(self._time)
        self._index += 1

    def _doubt(self, error: float, events: list[StampEvent]) -> None:
        """Decide between a burst, a gap and a clock step for a stamp off the line."""
        jump = self._jump
        if jump is None:
            confirm_s = min(max(20 * self._jitter, CONFIRM_S[0]), CONFIRM_S[1])
            confirm = max(4, round(confirm_s * self.sfreq))
            jump = self._jump = _Jump(self._index, error, confirm)
            self._report(events, StampKind.SUSPECT, error)
        if abs(error) < self._limit:
            self._report(events, StampKind.BURST, jump.error)
            self._jump = None
            return
        jump.window.append(error)
        if len(jump.window) < jump.confirm:
            return
        nearest = min(abs(e) for e in jump.window)
        change = nearest - jump.nearest
        noise = max(self._jitter, DRAIN * jump.confirm * self._period)
        jump.windows += 1
        if change < -noise or (change > noise and jump.windows < PATIENCE):
            jump.nearest = nearest  # still catching up, or still falling behind
            jump.window.clear()
            return
        offset = sum(jump.window) / len(jump.window)
        kind = StampKind.GAP if 0 < offset <= STEP_S else StampKind.STEP
        if kind is StampKind.GAP:
            self._missing += offset / self._period
        self._report(events, kind, offset)
        self._time += offset
        self._count = 1
        self._jump = None

    def _report(self, events: list[StampEvent], kind: StampKind, seconds: float) -> None:
        first = self._jump.first if self._jump else self._index
        window = self._jump.window if self._jump else []
        steps = len(window) - 1
        took = steps * self._period + (window[-1] - window[0] if steps > 0 else 0.0)
        detail = {
            "first": first,
            "seconds": seconds,
            "missing": seconds / self._period,
            "rate_hz": steps / took if took > 0 else self.rate_hz,
        }
        events.append(StampEvent(self._index, kind, detail))


class _Jump:
    """Stamps off the line, while it is open why."""

    def __init__(self, first: int, error: float, confirm: int) -> None:
        self.first = first
        self.error = error
        self.confirm = confirm  # samples in a window
        self.windows = 0
        self.nearest = abs(error)
        self.window: list[float] = []
