"""What outputs are told, and when: each fresh row, each command within the limit, and else that they stop.

Pure: times are arguments, and outputs are whatever has the three methods.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from neuript.realtime.bridge.rate_limit import RateLimit
from neuript.realtime.decoding.dead_man import DeadMan
from neuript.realtime.decoding.decision import Decision, Sink
from neuript.realtime.decoding.decoder_header import DecoderHeader
from neuript.realtime.decoding.states import STATE_ORDER, State

logger = logging.getLogger(__name__)

TELL_EVERY_S = 1.0
"""Seconds after which the state is told again, for who came late or lost a message."""
MOST_ROWS_PER_S = 50
"""More rows than that are not passed on, whoever publishes them."""
ENDED = "ENDED"
"""State that is told last, when the bridge ends."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeStatus:
    """Whether there is anything to act on."""

    state: str
    """A `State`, one of a reader's own (SEARCHING, SILENT, LATE, GONE), or ENDED."""
    classes: tuple[str, ...] = ()
    simulated: bool = False

    @property
    def stop(self) -> bool:
        """True in every state in which nothing may move: return to neutral."""
        return self.state != State.OK


class Output(Sink, Protocol):
    """Where rows and commands go. A row's `decision` is what is commanded now, `committed` where that begins."""

    def tell(self, status: BridgeStatus) -> None:
        """Take the state, when it changes and now and then; where it says stop, return to neutral at once."""
        ...

    def close(self) -> None:
        """End; what is sent last has been told before. Harmless when called twice."""
        ...


class Relay:
    """Tells outputs what a decoder publishes.

    Parameters
    ----------
    outputs : sequence of Output
        Who is told.
    dead_man : DeadMan
        Knows the state.
    max_per_minute : int
        Commands beyond that are not passed on; each ends as if it had never been given.
    """

    def __init__(self, outputs: Sequence[Output], dead_man: DeadMan, *, max_per_minute: int) -> None:
        self._outputs, self._dead_man = outputs, dead_man
        self._commands = RateLimit(max_per_minute)
        self._rows = RateLimit(MOST_ROWS_PER_S, 1.0)
        self._header = DecoderHeader(classes=())
        self._state: str | None = None
        self._told_at = 0.0
        self._given: str | None = None
        self._warned = False
        self.n_commands = 0
        """Commands that were passed on."""
        self.n_withheld = 0
        """Commands beyond the limit."""

    def connect(self, header: DecoderHeader) -> None:
        """Take what a decoder says about itself."""
        self._header = header

    def publish(self, decision: Decision, now: float) -> None:
        """Pass on a row that may be acted on."""
        if self._state != State.OK:
            self._tell(State.OK, now)
        command = decision.decision
        begins = decision.committed and command is not None and self._allows(command, now)
        if begins:
            self._given = command
            self.n_commands += 1
        elif command != self._given or decision.committed:
            self._given = None
        if self._rows.allows(now) or begins:
            row = replace(decision, decision=self._given, committed=begins)
            for output in self._outputs:
                output.publish(row)

    def tick(self, now: float) -> None:
        """Notice what time alone tells: that nothing comes any more."""
        state = self._dead_man.state(now)
        if state != self._state or now - self._told_at >= TELL_EVERY_S:
            self._tell(state, now)

    def close(self, now: float) -> None:
        """Tell every output to stop, and close it; none is left out because another one fails."""
        failures: list[Exception] = []
        for output in self._outputs:
            for last in (lambda o=output: o.tell(self._status(ENDED)), output.close):
                try:
                    last()
                except Exception as error:  # noqa: BLE001 - every output must stop
                    failures.append(error)
        self._state, self._told_at = ENDED, now
        if failures:
            raise failures[0]

    def _tell(self, state: str, now: float) -> None:
        if state != self._state:
            logger.info("%s", f"{state}: {State(state).text}" if state in STATE_ORDER else state)
        self._state, self._told_at = state, now
        status = self._status(state)
        if status.stop:
            self._given = None
        for output in self._outputs:
            output.tell(status)

    def _status(self, state: str) -> BridgeStatus:
        header = self._header
        return BridgeStatus(state=state, classes=header.classes, simulated=header.simulated)

    def _allows(self, command: str, now: float) -> bool:
        if self._commands.allows(now):
            self._warned = False
            return True
        self.n_withheld += 1
        if not self._warned:
            logger.warning("%s is not passed on, nor what follows: the limit per minute is reached", command)
        self._warned = True
        return False
