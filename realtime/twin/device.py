"""An amplifier without a network: chunks of the twin's signal, and when and how they leave.

Times are seconds of the session by the amplifier's own clock; nothing here reads a clock.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from neuript.errors import NeuriptError
from neuript.realtime.twin.faults import Fault, SignalFaults
from neuript.realtime.twin.signal import TwinSignal

if TYPE_CHECKING:
    from numpy.typing import NDArray

CHUNK_S = 0.02
"""Default length of a chunk in seconds."""


@dataclass(frozen=True)
class Packet:
    """Samples that leave together.

    Attributes
    ----------
    due_s : float
        Time in seconds of the session at which the samples leave.
    data : ndarray, shape (n_times, n_chans)
        Samples in microvolts, float32.
    stamps_s : ndarray, shape (n_times,)
        Times in seconds of the session at which the amplifier says that the samples were taken.
    """

    due_s: float
    data: NDArray[np.float32]
    stamps_s: NDArray[np.float64]


@dataclass(frozen=True)
class Unplugged:
    """The stream vanishes."""

    due_s: float


@dataclass(frozen=True)
class Plugged:
    """The stream is back, at this rate."""

    due_s: float
    sfreq: float


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
        self._numbers = SignalFaults(faults, signal.ch_names, signal.conditions.mains_hz)
        self._jitter_rng = np.random.default_rng([signal.seed, 31])
        self._away = [f for f in self.faults if f.kind in ("unplug", "rate")]

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
            packet = self._packet(data, t)
            if packet is not None:
                yield packet
            if leaving is not None:
                away.pop(0)
                yield Unplugged(leaving.at_s)
                self._come_back(leaving)
                yield Plugged(leaving.end_s, self.signal.sfreq)

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

    def _packet(self, data: NDArray[np.float32], t: NDArray[np.float64]) -> Packet | None:
        """Apply the faults to one chunk; None if nothing of it is left."""
        if not len(t):
            return None
        data = self._numbers.apply(data, t)
        due, stamps = float(t[-1]), t.copy()
        keep = np.ones(len(t), dtype=bool)
        for fault in self.faults:
            if not (fault.at_s <= t[-1] and t[0] < fault.end_s):
                continue
            if fault.kind == "gap":
                keep &= (t < fault.at_s) | (t >= fault.end_s)
            elif fault.kind == "clock":
                stamps[t >= fault.at_s] += fault.value
            elif fault.kind == "jitter":
                stamps += 1e-3 * fault.value * self._jitter_rng.standard_normal()
            elif fault.kind == "stall":
                due = max(due, fault.end_s)
            elif fault.kind == "burst":
                lumps = np.floor((t[-1] - fault.at_s) / fault.value) + 1
                due = min(fault.at_s + lumps * fault.value, fault.end_s)
                stamps += due - t
        if not keep.any():
            return None
        return Packet(due, data[keep], stamps[keep])


def _at(step: Step, due_s: float) -> Step:
    """The same step, not before `due_s`."""
    if step.due_s == due_s:
        return step
    if isinstance(step, Packet):
        return Packet(due_s, step.data, step.stamps_s)
    return Unplugged(due_s) if isinstance(step, Unplugged) else Plugged(due_s, step.sfreq)
