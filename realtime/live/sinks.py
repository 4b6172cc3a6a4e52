"""Where decision rows go besides LSL: lines on stdout or in the log."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
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
    """Commands and changes of state, for people.

    Parameters
    ----------
    say : callable
        Takes a line.
    when : callable, optional
        Returns what stands before a line, from the time of its row; None puts nothing there.
    commands : bool
        False says faults and their end alone.
    """

    def __init__(
        self, say: Callable[[str], None], *, when: Callable[[float], str] | None = None, commands: bool = True
    ) -> None:
        self._say, self._commands = say, commands
        self._when = when or (lambda _t: "")
        self._state: State | None = None
        self._fault_since: float | None = None
        self._faults: list[str] = []

    def publish(self, decision: Decision) -> None:
        """Write a line when something changed."""
        at = self._when(decision.t)
        if decision.state is not self._state:
            self._say(f"{at}{decision.state}: {self._changed(decision)}")
            self._state = decision.state
        if decision.committed and self._commands:
            self._say(f"{at}-> {decision.decision}  ({decision.confidence:.2f})")

    def _changed(self, decision: Decision) -> str:
        """Say what the new state means; after a fault also how long it lasted."""
        state = decision.state
        if state is State.OK and self._fault_since is not None:
            lasted, names = decision.t - self._fault_since, ", ".join(dict.fromkeys(self._faults))
            self._fault_since, self._faults = None, []
            return f"fine again, after {lasted:.1f} s ({names})"
        if state not in (State.OK, State.WARMUP, State.PAUSED):
            self._fault_since = decision.t if self._fault_since is None else self._fault_since
            self._faults.append(str(state))
        return state.text


def lines_to(out: TextIO) -> Callable[[str], None]:
    """Return what writes lines to a file, flushed at once."""
    return lambda line: _write(out, line)


def time_of_day(_t: float) -> str:
    """Return the time of day now: a live row is a few milliseconds old."""
    return f"{datetime.now():%H:%M:%S}  "


class SinceFirst:
    """Seconds since the first row, for a recording."""

    def __init__(self) -> None:
        self._begin: float | None = None

    def __call__(self, t: float) -> str:
        """Return them as they stand before a line."""
        self._begin = t if self._begin is None else self._begin
        return f"{t - self._begin:9.2f} s  "


def _write(out: TextIO, line: str) -> None:
    try:
        out.write(line + "\n")
        out.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise NeuriptError(f"the output cannot be written: {error.strerror or error}") from error
