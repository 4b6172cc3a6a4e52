"""An amplifier without a network: chunks of the twin's signal, and when and how they leave.

Times are seconds of the session by the amplifier's own clock; nothing here reads a clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from neuript.errors import NeuriptError
from neuript.realtime.twin.delivery import Delivery, PaceScript, Packet
from neuript.realtime.twin.faults import AWAY, Fault
from neuript.realtime.twin.signal import TwinSignal
from neuript.realtime.twin.signal_faults import SignalFaults

CHUNK_S = 0.02
"""Default length of a chunk in seconds."""


@dataclass(frozen=True)
class Unplugged:
    """The stream vanishes."""

    due_s: float


@dataclass(frozen=True)
class Plugged:
    """The stream is back, at this rate; `fault` is what took it away, and may have changed more."""

    due_s: float
    sfreq: float
    fault: str = "unplug"


Step = Packet | Unplugged | Plugged


class Device:
    """The twin's amplifier: cuts the signal into chunks and breaks it by the script.

    Parameters
    ----------
    signal : TwinSignal
        The signal, of which nothing has been read yet.
    chunk_s : float
        Length of a chunk in seconds (at least one sample).
    faults : sequence of Fault
        Script of faults.

    Raises
    ------
    NeuriptError
        If `chunk_s` is not positive or above 5 s.
    """

    def __init__(self, signal: TwinSignal, chunk_s: float = CHUNK_S, faults: Sequence[Fault] = ()) -> None:
        if not 0 < chunk_s <= 5.0:
            raise NeuriptError(f"the chunk is {chunk_s:g} s; use up to 5 s")
        self.signal = signal
        self.faults = tuple(faults)
        self._chunk_s = chunk_s
        self._away = [f for f in self.faults if f.kind in AWAY]
        self._break()

    def _break(self) -> None:
        """Follow the script at the rate that the signal has now."""
        signal = self.signal
        self._numbers = SignalFaults(
            self.faults, signal.ch_names, signal.sfreq, signal.conditions.mains_hz, signal.seed
        )
        self._delivery = Delivery(self.faults, signal.sfreq, np.random.default_rng([signal.seed, 31]))

    @property
    def chunk_n(self) -> int:
        """Samples per chunk."""
        return max(1, round(self._chunk_s * self.signal.sfreq))

    def steps(self) -> Iterator[Step]:
        """Yield what happens, in order of time, without end."""
        last_due = 0.0
        for step in self._steps():
            last_due = max(last_due, step.due_s)
            yield _at(step, last_due)

    @property
    def pace(self) -> PaceScript:
        """When samples leave that come at another pace than declared."""
        return self._delivery.pace

    def prepare(self) -> None:
        """Compute ahead, so that the next chunks cost nothing."""
        self.signal.prepare(2 * self.chunk_n)

    def _steps(self) -> Iterator[Step]:
        away = list(self._away)
        while True:
            first = self.signal.n_read
            n = self.chunk_n
            t = self.signal.start_s + np.arange(first, first + n) / self.signal.sfreq
            leaving = away[0] if away and t[-1] >= away[0].at_s else None
            if leaving is not None:
                t = t[t < leaving.at_s]
            data = self.signal.read(len(t))
            if len(t):
                yield from self._delivery.packets(self._numbers.apply(data, t), t)
            if leaving is not None:
                away.pop(0)
                yield Unplugged(leaving.at_s)
                self._come_back(leaving)
                yield Plugged(leaving.end_s, self.signal.sfreq, leaving.kind)

    def _come_back(self, fault: Fault) -> None:
        old = self.signal
        self.signal = TwinSignal(
            old.cap,
            fault.value if fault.kind == "rate" else old.sfreq,
            old.subject,
            old.conditions,
            old.schedule.protocol,
            old.seed,
            start_s=fault.end_s,
        )
        if self.signal.sfreq != old.sfreq:
            self._break()


def _at(step: Step, due_s: float) -> Step:
    """The same step, not before `due_s`."""
    if step.due_s == due_s:
        return step
    if isinstance(step, Packet):
        return Packet(due_s, step.data, step.stamps_s)
    return Unplugged(due_s) if isinstance(step, Unplugged) else Plugged(due_s, step.sfreq, step.fault)
