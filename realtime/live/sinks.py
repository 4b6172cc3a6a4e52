"""Where decision rows go besides LSL: lines on stdout."""

from __future__ import annotations

from typing import TextIO

from neuript.errors import NeuriptError
from neuript.realtime.decoding.decision import Decision
from neuript.realtime.decoding.states import State


class JsonLines:
    """One line of JSON per row, flushed at once so that a reader is never behind.

    Parameters
    ----------
    out : TextIO
        Where they go.
    trained_on : bool
        True if the model has learnt from the recording that is decoded; each line says so.
    """

    def __init__(self, out: TextIO, *, trained_on: bool = False) -> None:
        self._out, self._trained_on = out, trained_on

    def publish(self, decision: Decision) -> None:
        """Write one row."""
        _write(self._out, decision.to_json_line(trained_on=self._trained_on))


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
            _write(self._out, f"{at}  {decision.state}: {decision.state.text}")
        if decision.committed:
            _write(self._out, f"{at}  -> {decision.decision}  ({decision.confidence:.2f})")


def _write(out: TextIO, line: str) -> None:
    try:
        out.write(line + "\n")
        out.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise NeuriptError(f"the output cannot be written: {error.strerror or error}") from error
