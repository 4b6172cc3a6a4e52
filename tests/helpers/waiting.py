"""The one loop in which a test waits: for a condition, never for time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")
POLL_S = 0.02


def wait_for(
    condition: Callable[[], T], within_s: float, what: object = "the condition", *, poll_s: float = POLL_S
) -> T:
    """Ask until the answer is true and return it.

    Parameters
    ----------
    condition : callable
        Asked again and again; it may do the work that is waited for, such as pulling samples.
    within_s : float
        How long it may take on a busy machine, in seconds.
    what : object
        What is waited for; a callable is called for what to say when it did not come.
    poll_s : float
        Pause between two questions, in seconds.

    Raises
    ------
    AssertionError
        If the condition did not come true in time.
    """
    end = time.monotonic() + within_s
    while not (answer := condition()):
        assert time.monotonic() < end, f"waited {within_s:g} s in vain for {what() if callable(what) else what}"
        time.sleep(poll_s)
    return answer
