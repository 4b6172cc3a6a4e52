"""The log of a verb: sentences on stderr."""

from __future__ import annotations

import logging
import sys


class _Stderr(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes to the stderr of the moment: a line of progress on a terminal puts itself in its place."""

    def emit(self, record: logging.LogRecord) -> None:
        self.stream = sys.stderr
        super().emit(record)


def configure_logging(*, verbose: bool) -> None:
    """Send neuript's log to stderr: its sentences alone, or with time, origin and level."""
    handler = _Stderr()
    form = "%(asctime)s %(name)s %(levelname)s %(message)s" if verbose else "%(message)s"
    handler.setFormatter(logging.Formatter(form))
    root = logging.getLogger("neuript")
    root.handlers[:] = [handler]
    root.setLevel(logging.DEBUG if verbose else logging.INFO)
    root.propagate = False
