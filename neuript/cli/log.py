"""The log of a verb: sentences on stderr."""

from __future__ import annotations

import logging
import sys

TIMED = ("live", "record")
"""Verbs whose log says the time of day: they run for long beside something else that happens."""


class _Stderr(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes to the stderr of the moment: a line of progress on a terminal puts itself in its place."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


class _Timed(logging.Formatter):
    """Puts the time of day before a sentence, and as much room before the lines that follow it."""

    def format(self, record: logging.LogRecord) -> str:
        at = self.formatTime(record, "%H:%M:%S")
        return f"{at}  " + super().format(record).replace("\n", f"\n{' ' * (len(at) + 2)}")


def configure_logging(*, verbose: bool, timed: bool = False) -> None:
    """Send neuript's log to stderr: its sentences alone, with the time of day, or with time, origin and level."""
    handler = _Stderr()
    if verbose:
        handler.setFormatter(logging.Formatter("%(asctime)s %(name)s %(levelname)s %(message)s"))
    else:
        handler.setFormatter(_Timed("%(message)s") if timed else logging.Formatter("%(message)s"))
    root = logging.getLogger("neuript")
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG if verbose else logging.INFO)
    root.propagate = False
