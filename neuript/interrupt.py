"""A wish to stop that is heard between two steps, so that nothing is cut in the middle of a line or a file.

(Nor in the middle of importing PyTorch, which a KeyboardInterrupt may abort with a C++ exception.)
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Collection
from types import FrameType, TracebackType
from typing import Any

KEYBOARD = ("SIGINT", "SIGTERM")
"""Ctrl-C, and what `kill` or a service manager sends."""
CLUSTER = (*KEYBOARD, "SIGUSR1")
"""And what a cluster sends ahead of the end of a job."""


class Interrupt:
    """Context in which some signals set `requested` instead of ending the program.

    Outside the main thread (tests, embedding) signals are left alone.

    Parameters
    ----------
    signals
        Names of the signals; those that this system lacks (SIGUSR1 on Windows) are left out.
    insist
        Those of them that raise KeyboardInterrupt when they come after any first one.
    """

    def __init__(self, signals: Collection[str] = KEYBOARD, *, insist: Collection[str] = KEYBOARD) -> None:
        self.requested = False
        self._signals = {int(getattr(signal, name)): name for name in signals if hasattr(signal, name)}
        self._insist = frozenset(insist)
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupt:
        """Take over the signals."""
        if threading.current_thread() is threading.main_thread():
            self._before = {number: signal.signal(number, self._note) for number in self._signals}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the signals back."""
        for number, handler in self._before.items():
            signal.signal(number, handler)
        self._before = {}

    def check(self) -> None:
        """Raise KeyboardInterrupt if it was requested: for the places where that is harmless."""
        if self.requested:
            raise KeyboardInterrupt

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.requested and self._signals[number] in self._insist:
            raise KeyboardInterrupt
        self.requested = True
