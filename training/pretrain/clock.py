"""How fast it goes."""

from __future__ import annotations

import time


class Clock:
    """Steps per second, without what was not training."""

    def __init__(self) -> None:
        self.steps = 0
        self._start = time.monotonic()
        self._out = 0.0
        self._left = 0.0

    def lap(self) -> float:
        """Steps per second since the last call."""
        spent = time.monotonic() - self._start - self._out
        speed = self.steps / spent if spent > 0 else 0.0
        self.steps, self._start, self._out = 0, time.monotonic(), 0.0
        return speed

    def paused(self) -> Clock:
        """Return a context whose time does not count."""
        return self

    def __enter__(self) -> None:
        self._left = time.monotonic()

    def __exit__(self, *about: object) -> None:
        self._out += time.monotonic() - self._left
