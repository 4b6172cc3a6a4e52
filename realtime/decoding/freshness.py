"""How old a window is by the clock on the wall, and what that forbids. A replay has no such clock."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Sequence

from neuript.realtime.chain.chunk import Chunk
from neuript.realtime.decoding.admission import SOFT_RECOVERY_S, DueWindow

logger = logging.getLogger(__name__)

MAX_AGE_S = 1.0
"""Age in seconds of a window's newest sample above which it commands nothing, unless somebody says otherwise."""
FOREIGN_S = 60.0
"""Stamps that are farther away from the clock than this, in seconds, are those of another clock."""
START_S = 5.0
"""Seconds for which old samples in the beginning are those that queued up meanwhile, and no fault of anybody."""
HAND_OVER_S = 0.02
"""Seconds that a row may take to whoever reads it; part of the age."""
_SAY_EVERY_S = 10.0


class Freshness:
    """Tells the age of windows, without believing that the sender's clock is right for ever.

    Stamps on the LSL clock are taken as they are. A sample cannot have been measured after it arrived: where stamps
    lie ahead of the clock, the sender's clock is ahead by that much. Stamps of another clock altogether are as old as
    they are later than the least late of them; a step back of the sender's clock makes nothing older.

    Parameters
    ----------
    max_age_s : float
        Age in seconds above which a window commands nothing.
    clock : callable or None
        The LSL clock; None for a replay, which has no time but that of its stamps.
    """

    def __init__(self, max_age_s: float, clock: Callable[[], float] | None) -> None:
        if not max_age_s > 0:
            raise ValueError(f"max_age_s={max_age_s} must be larger than 0")
        self.max_age_s, self._clock = float(max_age_s), clock
        self.n_old = self.n_passed_over = 0
        self.begun = False
        """Whether a window was good for a command once."""
        self._zero = math.nan  # arrival minus stamp of a sample without any delay
        self._newest = math.nan  # the same of the newest sample
        self._hold_until = -math.inf
        self._begin = math.nan
        self._asked_at = self._said_at = -math.inf

    @property
    def live(self) -> bool:
        """Whether there is a clock on the wall."""
        return self._clock is not None

    def arrived(self, chunk: Chunk) -> None:
        """Learn from a chunk how its stamps lie to the clock, before it is decoded."""
        away = chunk.pulled_at - float(chunk.timestamps[-1])
        if self._clock is None or not math.isfinite(away):
            return
        if math.isnan(self._begin):
            self._begin = self._clock()
        if math.isnan(self._zero):
            self._zero = away if abs(away) > FOREIGN_S else 0.0
        self._newest = away

    def is_step(self, seconds: float) -> bool:
        """Whether a jump of the stamps ahead is one of the sender's clock: what follows has lost more than its delay.

        Where samples were lost instead, time has passed here, too.
        """
        return self._newest < self._zero - 0.5 * seconds

    def stepped(self, seconds: float) -> None:
        """Take a step of the sender's clock out of the ages to come."""
        if seconds < 0:
            self._zero = min(self._zero - seconds, self._newest)

    def fitted(self, t: float, pulled_at: float) -> None:
        """Learn where the line through the stamps lies at the newest sample of a chunk."""
        away = pulled_at - t
        if away < self._zero:
            self._zero = away

    def start_over(self) -> None:
        """Forget the sender's clock: another one comes."""
        self._zero = math.nan

    def age_s(self, t: float) -> float:
        """Age in seconds of a sample that was measured at `t`; NaN without a clock."""
        return math.nan if self._clock is None else self._clock() - t - self._zero

    def is_old(self, t: float) -> bool:
        """Whether a window that ends at `t` may command nothing any more."""
        return self.age_s(t) > self.max_age_s - HAND_OVER_S

    def n_backlog(self, due: Sequence[DueWindow], hops: int, *, whole: bool) -> int:
        """Return how many of the decisions that fell due get no row: all but the newest, where one comes too late.

        The same where `hops`, those since the last row, tell that older ones of the same chunk were passed over. All of
        them, where `whole` says that newer samples wait in the same chunk.
        """
        if not self.live or not due:
            return 0
        n = len(due) if whole else len(due) - 1 if self.is_old(due[0].t) or hops > 1 else 0
        self.n_passed_over += n
        return n

    def old(self, t: float) -> None:
        """Count a row that came too late, and say so now and then."""
        if self.starting:
            return
        self.n_old += 1
        now = math.nan if self._clock is None else self._clock()
        if now - self._said_at < _SAY_EVERY_S:
            return
        self._said_at = now
        logger.warning(
            "the newest sample is %.1f s old, and nothing older than --max-age %g s commands: %s",
            self.age_s(t),
            self.max_age_s,
            "is the sender late, or does it stamp by another clock?",
        )

    def hold(self) -> None:
        """Command nothing for half a second of the wall's time."""
        if self._clock is not None:
            self._hold_until = self._clock() + SOFT_RECOVERY_S

    @property
    def holding(self) -> bool:
        """Whether that time is not over."""
        return self._clock is not None and self._clock() < self._hold_until

    @property
    def starting(self) -> bool:
        """Whether what is old may have queued up while the session began: nothing was good for a command yet."""
        return not self.begun and self._clock is not None and self._clock() - self._begin < START_S

    def passed_s(self) -> float:
        """Seconds on the wall since this was last asked; infinite in a replay and the first time."""
        if self._clock is None:
            return math.inf
        now = self._clock()
        passed, self._asked_at = now - self._asked_at, now
        return passed
