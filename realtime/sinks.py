"""Where decision rows go besides LSL: lines on stdout."""

from __future__ import annotations

from typing import TextIO

from neuript.realtime.decision import Decision
from neuript.realtime.states import State


class JsonLines:
    """One line of JSON per row, flushed at once so that a reader is never behind."""

    def __init__(self, out: TextIO) -> None:
        self._out = out

    def publish(self, decision: Decision) -> None:
        """Write one row."""
        self._out.write(decision.to_json_line() + "\n")
        self._out.flush()


class Sentences:
    """Commands and changes of state, for people."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._state: State | None = None
        self._begin: float | None = None

    def publish(self, decision: Decision) -> None:
        """Write a line when something changed."""
        if self._begin is None:
            self._begin = decision.t
        at = f"{decision.t - self._begin:9.2f} s"
        if decision.state is not self._state:
            self._state = decision.state
            self._write(f"{at}  {decision.state}: {decision.state.text}")
        if decision.committed:
            self._write(f"{at}  -> {decision.decision}  ({decision.confidence:.2f})")

    def _write(self, line: str) -> None:
        self._out.write(line + "\n")
        self._out.flush()
