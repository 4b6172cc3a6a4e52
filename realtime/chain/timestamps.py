"""A smooth time for each sample, from stamps that jitter, come in bursts, jump or stand still."""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from math import exp, inf, isfinite, nan

import numpy as np
from numpy.typing import ArrayLike, NDArray

MEMORY_S = 10.0
"""Time constant with which the line forgets, and how late samples come at times."""
TRUST_S = 1.0
"""Seconds for which the nominal rate is worth as much as the stamps."""
CONFIRM_S = (0.1, 1.0)
"""How long a jump of the stamps must last before it is believed, within these limits: 0.5 s for 50 ms,
the longer the smaller it is, and 20 times the mean jitter at least."""
CONFIRM_AREA = 0.025
"""Seconds of a jump times seconds for which it must last."""
CONFIRM_RUNS = 6
"""Stamps that keep their distance from the line are one run.  So many runs must agree; fewer, if the
newest is twice as long as any before it."""
SHIFT_S = 0.05
"""The line follows a smaller step back without a word; also a step ahead that began with lumps, since
lumps come late."""
LUMP = 0.25
"""Stamps less than this part of a sample period apart belong to a lump."""
HABIT = 2.0
"""Late samples that returned twice are expected again, up to so many times as late and as long."""
HABIT_S = 4.0
"""Time constant with which it is forgotten for how long."""
HUGE_S = 1.0
"""A deviation of this size raises a suspicion whatever the habits, and is no jitter."""
DRAIN = 0.05
"""Late samples that wait somewhere come in faster than the rate; so much faster counts as catching up."""
PATIENCE = 4
"""Number of such stretches for which a distance that still grows may be watched."""
STEP_S = 5.0
"""A jump ahead by more than this is called a clock step, a smaller one a gap."""
LIMIT_MIN_S, LIMIT_MAX_S = 0.005, 0.4
"""Bounds of the deviation that counts as odd; between them it is 8 times the mean jitter.
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
    first: int
    """Absolute index of the first sample with odd stamps."""
    seconds: float
    """Distance of the stamps from the line, in seconds."""
    missing: float
    """The same distance in sample periods; for a gap, the number of missing samples."""
    rate_hz: float
    """The rate that the stamps showed while it was decided; far from nominal: the device changed its rate."""

    @property
    def breaks(self) -> bool:
        """Whether the stream is broken here: what filters hold from before has nothing to do with what follows."""
        return self.kind in (StampKind.GAP, StampKind.STEP)

    def shifted(self, by: int) -> StampEvent:
        """Return the event with indices that count from `by` samples earlier."""
        return replace(self, index=self.index + by, first=self.first + by)


class StampFit:
    """A causal, robust line through the stamps, sample by sample.

    A loop of second order follows offset and rate of the stamps, first as a least-squares line that trusts
    the nominal rate for about a second, later with a memory of ten seconds.  Of samples that come
    with (almost) equal stamps only the last counts: it waited least.  Single outliers are clipped.

    A stamp far off the line opens an excursion, and while it lasts the line runs on undisturbed.  Jitter
    and lumps return to the line; a gap or a clock step shifts all stamps for good.  So it is decided by
    the stamp that came nearest to the line in a time that is the longer the smaller the deviation, and
    the line starts again there.  An excursion raises a suspicion unless the stream had such ones in the
    last seconds and they returned.  The result does not depend on how the stamps were cut into chunks.

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
        self._floor = 0.5 * self._nominal  # least step from one sample to the next
        self._lump_period = LUMP * self._nominal
        self._lump_max = TRUST_S * self.sfreq  # the last of a lump speaks for so many samples
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
        self._time = 0.0  # of the newest sample, on the line
        self._fitted = -inf  # the same, as returned: never backwards but at a step
        self._period = self._nominal
        self._jitter = LIMIT_MAX_S / 8
        self._limit = LIMIT_MAX_S
        self._stamp = nan  # the newest
        self._error = 0.0  # its distance from the line; not yet used
        self._lump = 0  # samples in the newest lump
        self._jump: _Jump | None = None
        self._late = _Habit(MEMORY_S * self.sfreq)  # how far off, in seconds
        self._long = _Habit(HABIT_S * self.sfreq)  # for how long, in samples
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
        """Mean absolute distance in seconds from the line, over a few seconds.

        Where samples come in lumps with equal stamps, only the last one of each lump counts.
        """
        return self._jitter

    @property
    def suspect(self) -> bool:
        """Whether the newest stamps are far off the line and it is not yet known why."""
        return self._jump is not None and self._jump.told

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
                fitted.append(self._take(values[done], events))
                done += 1
        return np.array(fitted, dtype=np.float64), events

    def _follow(self, stamps: list[float], fitted: list[float]) -> int:
        """Follow stamps near the line with the gains of the long run; return how many were near.

        This is `_take` for the common case, with everything in local variables.
        """
        alpha, beta, learn = self._alpha, self._beta, self._learn
        floor, together, lump_max = self._floor, self._lump_period, self._lump_max
        shortest, longest = self._periods
        lowest = self._limit_min
        time, period, jitter, limit = self._time, self._period, self._jitter, self._limit
        last, error, lump, out = self._stamp, self._error, self._lump, self._fitted
        append = fitted.append
        n = 0
        for stamp in stamps:
            if not -together < stamp - last < together and lump:  # the last of a lump
                weight = lump if lump < lump_max else lump_max
                lump = 0
                half = 0.5 * limit
                if error >= 0.0:
                    jitter += (error - jitter) * (learn * weight)
                    if error > half:
                        error = half
                else:
                    jitter += (-error - jitter) * (learn * weight)
                    if error < -half:
                        error = -half
                time += alpha * weight * error
                period += beta * weight * error
                if period < shortest:
                    period = shortest
                elif period > longest:
                    period = longest
                limit = 8.0 * jitter
                if limit < lowest:
                    limit = lowest
                elif limit > LIMIT_MAX_S:
                    limit = LIMIT_MAX_S
            predicted = time + period
            away = stamp - predicted
            if not -limit < away < limit:  # far off, or NaN
                break
            time, error, last = predicted, away, stamp
            lump += 1
            out += floor
            if out < time:
                out = time
            append(out)
            n += 1
        self._time, self._period, self._jitter, self._limit = time, period, jitter, limit
        self._stamp, self._error, self._lump, self._fitted = last, error, lump, out
        self._index += n
        self._count += n
        self._seen += n
        return n

    def _take(self, stamp: float, events: list[StampEvent]) -> float:
        """Take one stamp, whatever the state; return its time on the line."""
        known = isfinite(stamp)
        if self._count == 0:
            if not known:  # nothing to go by yet
                self._index += 1
                return nan
            self._time = stamp - self._period
        new = not -self._lump_period < stamp - self._stamp < self._lump_period
        if self._jump is None and new:
            self._correct()
        self._time += self._period
        if known:
            if self._jump is not None:
                self._watch(stamp - self._time, new, events)
            error = stamp - self._time
            if self._jump is None and not -self._limit < error < self._limit:
                self._jump = _Jump(self._index, error)
                self._tell(error, events)
            self._lump = 1 if new else self._lump + 1
            self._stamp, self._error = stamp, error
            if self._jump is None:
                self._seen += 1
        self._fitted = max(self._time, self._fitted + self._floor)
        self._count += 1
        self._index += 1
        return self._fitted

    def _correct(self) -> None:
        """Move the line towards the last stamp of a lump that is complete."""
        if not self._lump:
            return
        weight = min(self._lump, self._lump_max)
        n, j = self._count - 1, max(0, self._seen - self._lump) + self._trust
        alpha = max(self._alpha, 1 / (n + 1), (4 * j + 2) / ((j + 1) * (j + 2)))
        beta = max(self._beta, 6 / ((j + 1) * (j + 2)))
        learn = max(self._learn, 1 / (self._seen + max(1.0, 0.25 * self.sfreq)))
        half = 0.5 * self._limit
        error = max(-half, min(half, self._error))
        self._time += min(1.0, alpha * weight) * error
        if n < self._lump:
            beta = 0.0  # the line begins where a lump began: that says nothing about the rate
        period = self._period + beta * weight * error
        self._period = min(max(period, self._periods[0]), self._periods[1])
        self._jitter += (abs(self._error) - self._jitter) * min(1.0, learn * weight)
        self._limit = min(max(8 * self._jitter, self._limit_min), LIMIT_MAX_S)
        self._lump = 0

    def _watch(self, error: float, new: bool, events: list[StampEvent]) -> None:
        """Decide between late samples, a gap and a clock step while stamps are off the line."""
        jump = self._jump
        assert jump is not None
        if error * jump.sign < self._limit:  # back
            if jump.told:
                self._report(events, StampKind.BURST, jump.error)
            self._late.note(jump.furthest, self._index)
            self._long.note(self._index - jump.first, self._index)
            self._jump = None
            return
        if new:
            jump.add(self._error, self._index, 0.5 * self._limit_min)
            if self._decided(jump, events):
                return
        jump.furthest = max(jump.furthest, abs(error))
        self._tell(error, events)

    def _tell(self, error: float, events: list[StampEvent]) -> None:
        """Raise a suspicion, unless the stream had such excursions and they returned."""
        jump = self._jump
        if jump is None or jump.told or -SHIFT_S < error < 0:
            return
        usual_s = min(HABIT * self._late.get(self._index), HUGE_S)
        usual = min(HABIT * self._long.get(self._index), CONFIRM_S[1] * self.sfreq)
        if abs(error) >= usual_s or self._index - jump.first > usual:
            jump.told = True
            self._report(events, StampKind.SUSPECT, error)

    def _decided(self, jump: _Jump, events: list[StampEvent]) -> bool:
        """Look at the lumps of an excursion; if they stay away for long enough, start again there."""
        confirm_s = max(20 * self._jitter, CONFIRM_AREA / jump.nearest)
        confirm_s = min(max(confirm_s, CONFIRM_S[0]), CONFIRM_S[1])
        most = 2 * CONFIRM_S[1] * self.sfreq
        usual = min(HABIT * self._long.get(self._index), most)
        confirm = max(4, round(confirm_s * self.sfreq), usual)
        length = self._index - jump.start
        run = self._index - jump.run_start
        if length < confirm or jump.n < 2:
            return False
        few = jump.runs < CONFIRM_RUNS and run < max(confirm, 2 * jump.longest)
        if few and jump.nearest < HUGE_S and length < most:
            return False
        change = jump.nearest - jump.before
        noise = max(self._jitter, DRAIN * length * self._period)
        jump.windows += 1
        if change < -noise or (change > noise and jump.windows < PATIENCE):
            jump.restart(self._index)  # still catching up, or still falling behind
            return False
        offset = jump.offset()
        late_s = (length / jump.n - 1) * self._period  # first of a lump against the last
        if -SHIFT_S <= offset < min(SHIFT_S, late_s):
            kind = StampKind.BURST
            for _ in range(2):  # there were several
                self._late.note(jump.furthest, self._index)
                self._long.note(length / jump.n, self._index)
        else:
            kind = StampKind.GAP if 0 < offset <= STEP_S else StampKind.STEP
            self._fitted = -inf
            if not jump.told:
                self._report(events, StampKind.SUSPECT, jump.error)
                jump.told = True
        if kind is StampKind.GAP:
            self._missing += offset / self._period
        if jump.told:
            self._report(events, kind, offset)
        self._time += offset
        self._count = length
        self._jump = None
        return True

    def _report(self, events: list[StampEvent], kind: StampKind, seconds: float) -> None:
        jump = self._jump
        rate = self.rate_hz
        if jump is not None and jump.n > 1:
            steps = jump.last_index - jump.first_index
            took = steps * self._period + jump.last_error - jump.first_error
            rate = steps / took if took > 0 else rate
        first = self._index if jump is None else jump.first
        events.append(StampEvent(self._index, kind, first, seconds, seconds / self._period, rate))


class _Jump:
    """Stamps off the line, while it is open why."""

    def __init__(self, first: int, error: float) -> None:
        self.first = first
        self.error = error
        self.sign = 1.0 if error > 0 else -1.0
        self.told = False
        self.furthest = abs(error)
        self.nearest = inf
        self.windows = 0
        self.first_index = self.last_index = first
        self.first_error = self.last_error = error
        self.longest = 0  # samples in a run
        self.restart(first)

    def restart(self, index: int) -> None:
        """Begin a new stretch to decide on."""
        self.start = self.run_start = index
        self.before = self.nearest
        self.nearest = inf
        self.n = 0  # lumps in it
        self.runs = 0
        self.sum = self.run_error = self.run_sum = 0.0
        self.run_n = 0

    def add(self, error: float, index: int, tolerance: float) -> None:
        """Take the last distance of a lump that ended before sample `index`."""
        if self.n == 0:
            self.first_index, self.first_error = index, error
            self.before = min(self.before, abs(error))
        tolerance = max(tolerance, 0.25 * abs(self.run_error))
        if self.n == 0 or abs(error - self.run_error) > tolerance:
            if self.n:
                self.longest = max(self.longest, self.last_index - self.run_start)
                self.run_start = self.last_index
            self.runs += 1
            self.run_error = error
            self.run_n, self.run_sum = 0, 0.0
        self.run_n += 1
        self.run_sum += error
        self.last_index, self.last_error = index, error
        self.nearest = min(self.nearest, abs(error))
        if self.n:  # the first lump may have begun before the jump
            self.sum += error
        self.n += 1

    def offset(self) -> float:
        """Return the mean distance: of the newest run if it began late and lasts, else of all."""
        if 1 < self.runs < CONFIRM_RUNS and self.run_n >= 4:
            return self.run_sum / self.run_n
        return self.sum / (self.n - 1)


class _Habit:
    """The second largest of some numbers, slowly forgotten: what happened twice may happen again."""

    def __init__(self, memory: float) -> None:
        self._memory = memory
        self._at = 0
        self._top = self._second = 0.0

    def note(self, value: float, index: int) -> None:
        fade = exp((self._at - index) / self._memory)
        self._at = index
        top, second = self._top * fade, self._second * fade
        self._top, self._second = sorted((top, second, value), reverse=True)[:2]

    def get(self, index: int) -> float:
        return self._second * exp((self._at - index) / self._memory)
