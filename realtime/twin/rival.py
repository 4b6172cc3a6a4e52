"""Another sender that claims to be the twin: the same name and source id, and another person's signal."""

from __future__ import annotations

import math
from collections.abc import Iterator

from neuript.realtime.twin.device import Device, Plugged, Step, Unplugged
from neuript.realtime.twin.faults import Fault
from neuript.realtime.twin.signal import TwinSignal


class Rival:
    """What such a sender does, in seconds of the session.

    Parameters
    ----------
    fault : Fault
        When it is there.
    signal : TwinSignal
        The signal of the first sender.
    chunk_s : float
        Length of a chunk in seconds.
    number : int
        1, 2, ...: each has a signal of its own.
    """

    def __init__(self, fault: Fault, signal: TwinSignal, chunk_s: float, number: int) -> None:
        self._fault = fault
        self.signal = TwinSignal(
            signal.cap,
            signal.sfreq,
            signal.subject,
            signal.conditions,
            signal.schedule.protocol,
            signal.seed + 1000 * number,
            start_s=fault.at_s,
        )
        self._steps = self._all(Device(self.signal, chunk_s))
        self._next: Step | None = next(self._steps)

    @property
    def due_s(self) -> float:
        """When it does something next; infinite once it is gone."""
        return math.inf if self._next is None else self._next.due_s

    def steps(self, until_s: float) -> Iterator[Step]:
        """Yield what it does up to a second of the session."""
        while self._next is not None and self._next.due_s <= until_s:
            step, self._next = self._next, next(self._steps, None)
            yield step

    def _all(self, device: Device) -> Iterator[Step]:
        yield Plugged(self._fault.at_s, self.signal.sfreq)
        for step in device.steps():
            if step.due_s >= self._fault.end_s:
                break
            yield step
        yield Unplugged(self._fault.end_s)
