"""A wish to stop, from the keyboard or a cluster, that is heard between two steps."""

from __future__ import annotations

import signal
import threading
from types import FrameType
from typing import Any


class Stop:
    """Context in which SIGINT, SIGTERM and SIGUSR1 set `requested`.

    SIGTERM and SIGUSR1 are how a cluster announces the end of a job. A second SIGINT raises, unless
    other processes depend on this one: `torchrun` passes on a Ctrl-C that its children have had
    already.
    """

    def __init__(self, *, alone: bool = True) -> None:
        self.requested = False
        self.alone = alone
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Stop:
        """Take over the signals, in the main thread only."""
        if threading.current_thread() is threading.main_thread():
            names = ("SIGINT", "SIGTERM", "SIGUSR1")  # the last is not on Windows
            numbers = [getattr(signal, n) for n in names if hasattr(signal, n)]
            self._before = {n: signal.signal(n, self._note) for n in numbers}
        return self

    def __exit__(self, *about: object) -> None:
        """Give the signals back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.requested and self.alone and number == signal.SIGINT:  # somebody insists
            raise KeyboardInterrupt
        self.requested = True
