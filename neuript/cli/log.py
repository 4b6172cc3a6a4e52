"""The log of a verb: sentences on stderr."""

from __future__ import annotations

import logging
import sys

from neuript.foreign import indented, printable

TIMED = ("live", "record")
"""Verbs whose log says the time of day: they run for long beside something else that happens."""


class _Stderr(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes to the stderr of the moment: a line of progress on a terminal puts itself in its place."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


class _Sentences(logging.Formatter):
    """Sentences, where wanted with the time of day before them; lines that follow stand further to the right.

    So a line end in a text of others forges no line of the log.
    """

    def __init__(self, *, timed: bool, verbose: bool) -> None:
        super().__init__("%(asctime)s %(name)s %(levelname)s %(message)s" if verbose else "%(message)s")
        self._timed = timed and not verbose

    def format(self, record: logging.LogRecord) -> str:
        at = f"{self.formatTime(record, '%H:%M:%S')}  " if self._timed else ""
        return at + indented(printable(super().format(record)), len(at) or 2)


def configure_logging(*, verbose: bool, timed: bool = False) -> None:
    """Send neuript's log to stderr: its sentences alone, with the time of day, or with time, origin and level."""
    handler = _Stderr()
    handler.setFormatter(_Sentences(timed=timed, verbose=verbose))
    root = logging.getLogger("neuript")
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG if verbose else logging.INFO)
    root.propagate = False
