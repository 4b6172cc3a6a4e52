"""What is shown does not flicker: a value that changes at most so often. Pure: times are arguments."""

from __future__ import annotations

from typing import Generic, TypeVar

T = TypeVar("T")


class Steady(Generic[T]):
    """Shows the newest value, and each for a while at least.

    Parameters
    ----------
    first : object
        What is shown at first.
    shortest_s : float
        Seconds for which each value is shown at least.
    """

    def __init__(self, first: T, shortest_s: float) -> None:
        self.value = first
        """What is shown."""
        self._shortest_s = shortest_s
        self._since = float("-inf")

    def show(self, value: T, now: float) -> T:
        """Take the newest value at `now`, in seconds, and return what is shown."""
        if value != self.value and now - self._since >= self._shortest_s:
            self.value, self._since = value, now
        return self.value
