"""Live, decisions that queued up are left out rather than published late."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Sequence

from neuript.realtime.decoding.admission import DueWindow

logger = logging.getLogger(__name__)

CATCH_UP_S = 0.5
"""Seconds spent at most on decisions that have queued up; older ones are skipped."""
OVERLOAD_HOPS, OVERLOAD_ENTER = 16, 4
"""Number of newest hops that are looked at, and number of skipped ones among them from which on it is an overload. An
overload is over when none of them was skipped."""


class Skipper:
    """Chooses the decisions to leave out, and tells an accident from an overload.

    Parameters
    ----------
    hop_s : float
        Seconds from one decision to the next.
    live : bool
        False skips nothing: a recording waits.
    """

    def __init__(self, hop_s: float, *, live: bool) -> None:
        self._hop_s, self._live = hop_s, live
        self._infer_s = 0.0
        self._recent: deque[bool] = deque(maxlen=OVERLOAD_HOPS)
        self.n_skipped = 0
        self.overloaded = False

    def choose(self, due: Sequence[DueWindow]) -> set[int]:
        """Return the `index` of each decision to skip: the oldest ones, so that the newest is not late."""
        ready = [window.index for window in due if window.ready]
        if not self._live or len(ready) < 2:
            return set()
        budget_s = min(len(ready) * self._hop_s, CATCH_UP_S)
        n_kept = max(1, int(budget_s / max(self._infer_s, 1e-6)))
        return set(ready[: max(0, len(ready) - n_kept)])

    def took(self, infer_s: float) -> None:
        """Learn how long one inference took; a sleep of the whole process in it says nothing of the next one."""
        infer_s = min(infer_s, CATCH_UP_S)
        self._infer_s = infer_s if self._infer_s == 0 else 0.8 * self._infer_s + 0.2 * infer_s

    def note(self, *, skipped: bool) -> None:
        """Count one decision that was ready."""
        self.n_skipped += skipped
        self._recent.append(skipped)
        n = sum(self._recent)
        before, self.overloaded = self.overloaded, n >= OVERLOAD_ENTER or (self.overloaded and n > 0)
        if self.overloaded and not before:
            logger.warning("inference is slower than the hop; hops are skipped")
