"""A wish to stop that is heard between two steps, so that nothing is cut in the middle of a line or a file.

(Nor in the middle of importing PyTorch, which a KeyboardInterrupt may abort with a C++ exception.)

A signal that was ignored when the program started stays ignored, as is the custom of Unix: a shell without job control
starts what stands before an `&` that way, because the Ctrl-C of its user is not for a program in the background.
SIGTERM, which `kill` sends, ends it, and so does SIGHUP, which comes when the terminal is closed.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Collection, Iterable
from types import FrameType, TracebackType
from typing import Any

INSIST = ("SIGINT", "SIGTERM")
"""Ctrl-C, and what `kill` or a service manager sends: a second one does not wait for the next step."""
KEYBOARD = (*INSIST, "SIGHUP")
"""The same, and that the terminal was closed, which may be said more than once."""
CLUSTER = (*KEYBOARD, "SIGUSR1")
"""The same, and what a cluster sends ahead of the end of a job."""


def take_over(numbers: Iterable[int], handler: Callable[[int, FrameType | None], None]) -> dict[int, Any]:
    """Give signals another handler, in the main thread and but for those that are ignored.

    Parameters
    ----------
    numbers : iterable of int
        Numbers of the signals.
    handler : callable
        Called with the number of the signal and the frame that it interrupted.

    Returns
    -------
    dict of int to handler
        What handled each signal that was taken over, for `give_back`.
    """
    if threading.current_thread() is not threading.main_thread():
        return {}
    return {n: signal.signal(n, handler) for n in numbers if signal.getsignal(n) is not signal.SIG_IGN}


def give_back(before: dict[int, Any]) -> None:
    """Restore the handlers that `take_over` replaced."""
    for number, handler in before.items():
        signal.signal(number, handler)


class Interrupt:
    """Context in which some signals set `requested` instead of ending the program.

    Outside the main thread (tests, embedding) signals are left alone, and an ignored one always.

    Parameters
    ----------
    signals : collection of str
        Names of the signals; those that this system lacks (SIGUSR1 on Windows) are left out.
    insist : collection of str
        Those of them that raise KeyboardInterrupt when they come after any first one.
    """

    def __init__(self, signals: Collection[str] = KEYBOARD, *, insist: Collection[str] = INSIST) -> None:
        self.requested = False
        self._signals = {int(getattr(signal, name)): name for name in signals if hasattr(signal, name)}
        self._insist = frozenset(insist)
        self._before: dict[int, Any] = {}

    def __enter__(self) -> Interrupt:
        """Take over the signals."""
        self._before = take_over(self._signals, self._note)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Give the signals back."""
        give_back(self._before)
        self._before = {}

    def check(self) -> None:
        """Raise KeyboardInterrupt if it was requested: for the places where that is harmless."""
        if self.requested:
            raise KeyboardInterrupt

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.requested and self._signals[number] in self._insist:
            raise KeyboardInterrupt
        self.requested = True
