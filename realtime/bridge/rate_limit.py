"""How often something may happen; times are arguments."""

from __future__ import annotations

from collections import deque


class RateLimit:
    """At most so many in any span of a given length.

    Parameters
    ----------
    n_most : int
        How many.
    span_s : float
        Length of the span in seconds.
    """

    def __init__(self, n_most: int, span_s: float = 60.0) -> None:
        self._times: deque[float] = deque(maxlen=n_most)
        self._span_s = span_s

    def allows(self, now: float) -> bool:
        """Say whether one more may happen now, and count it if so; `now` in seconds, never less than before."""
        if len(self._times) == self._times.maxlen and now - self._times[0] < self._span_s:
            return False
        self._times.append(now)
        return True
