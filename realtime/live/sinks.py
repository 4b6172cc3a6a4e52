"""Where decision rows go besides LSL: lines on stdout or in the log."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from typing import TextIO

from neuript.errors import NeuriptError
from neuript.foreign import printable
from neuript.outflow import Outflow
from neuript.realtime.decoding.decision import Decision
from neuript.realtime.decoding.states import State

logger = logging.getLogger(__name__)


class StdoutLines:
    """Lines on stdout, whose reader may be slow or stand still without holding up the decoder.

    Parameters
    ----------
    out : TextIO
        Where they go.
    gives_up : callable, optional
        Where nothing runs in real time, lines wait for their reader until this returns True; None never waits: what the
        reader does not take is dropped, the oldest first, and counted.
    """

    def __init__(self, out: TextIO, *, gives_up: Callable[[], bool] | None = None) -> None:
        self._outflow, self._gives_up = Outflow(out, gives_up=gives_up), gives_up
        self._told = False

    @property
    def n_dropped(self) -> int:
        """Lines that the reader did not take."""
        return self._outflow.n_dropped

    def say(self, line: str) -> None:
        """Write a line, soon.

        Raises
        ------
        BrokenPipeError
            If the reader of an earlier line has gone away.
        NeuriptError
            If an earlier line could not be written.
        """
        self._check()
        self._outflow.put(f"{printable(line)}\n")
        if self._outflow.n_dropped and not self._told:
            self._told = True
            logger.warning("nobody takes our lines on stdout: the oldest are dropped and counted, and decoding goes on")

    def finish(self) -> None:
        """Write what is left, for as long as it may take; raises what `say` raises."""
        while self._gives_up is not None and not self._gives_up() and not self._outflow.flush(0.1):
            self._check()
        self.close()
        self._check()

    @contextmanager
    def to_the_end(self) -> Iterator[None]:
        """Context after which all that was said in it was written, or is counted as dropped, also where it fails.

        A refusal, too, waits for a reader who is waited for: what was said before it is as true as ever. An interrupt
        does not. Raises what `finish` raises, unless something else was raised.
        """
        try:
            yield
            self.finish()
        except NeuriptError:
            with suppress(NeuriptError, BrokenPipeError):
                self.finish()
            raise
        finally:
            self.close()

    def close(self) -> None:
        """Write what is left, for a while, and count the rest as dropped; harmless when called twice."""
        self._outflow.close()

    def _check(self) -> None:
        error = self._outflow.error
        if isinstance(error, BrokenPipeError):
            raise error
        if error is not None:
            raise NeuriptError(f"the output cannot be written: {error.strerror or error}") from error


class JsonLines:
    """One line of JSON per row.

    Parameters
    ----------
    say : callable
        Takes a line.
    trained_on : bool
        True if the model has learnt from the recording that is decoded; each line says so.
    """

    def __init__(self, say: Callable[[str], None], *, trained_on: bool = False) -> None:
        self._say, self._trained_on = say, trained_on

    def publish(self, decision: Decision) -> None:
        """Write one row."""
        self._say(decision.to_json_line(trained_on=self._trained_on))


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
        self._faults: dict[str, None] = {}  # in the order in which they came

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
            lasted, names = decision.t - self._fault_since, ", ".join(self._faults)
            self._fault_since, self._faults = None, {}
            return f"fine again, after {lasted:.1f} s ({names})"
        if state not in (State.OK, State.WARMUP, State.PAUSED):
            self._fault_since = decision.t if self._fault_since is None else self._fault_since
            self._faults.setdefault(str(state))
        return state.text


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
