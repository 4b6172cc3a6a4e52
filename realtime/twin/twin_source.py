"""The twin as a source for the decoder: no network, no clock, as fast as it is pulled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from neuript.realtime.chain.chunk import Chunk, SignalInfo, SourceStatus
from neuript.realtime.twin.delivery import Packet
from neuript.realtime.twin.device import CHUNK_S, Device, Unplugged
from neuript.realtime.twin.signal import TwinSignal

if TYPE_CHECKING:
    from collections.abc import Sequence

    from neuript.realtime.twin.cues import TwinEvent
    from neuript.realtime.twin.faults import Fault

MANUFACTURER = "neuript (simulated)"
NAME = "neuript-twin (simulated)"


def twin_info(signal: TwinSignal, name: str = NAME, source_id: str = "neuript-twin") -> SignalInfo:
    """What the twin says about its EEG."""
    cap = signal.cap
    return SignalInfo(
        name=name,
        sfreq=signal.sfreq,
        ch_names=cap.ch_names,
        units=("microvolts",) * signal.n_chans,
        ch_types=("EEG",) * signal.n_chans,
        source_id=source_id,
        positions_m={
            label: (float(p[0]), float(p[1]), float(p[2])) for label, p in zip(cap.ch_names, cap.pos_m, strict=True)
        },
        manufacturer=MANUFACTURER,
        reference={"ears": "A1, A2", "average": "common average", "infinity": ""}[signal.conditions.reference],
        simulated=True,
    )


class TwinSource:
    """A `Source` that simulates; ends after `duration_s`.

    Parameters
    ----------
    signal : TwinSignal
        The signal, of which nothing has been read yet.
    duration_s : float
        Length in seconds of session time.
    chunk_s : float
        Length of the chunks in seconds.
    faults : sequence of Fault
        Script of faults; stamps and numbers come out as the amplifier would send them.
    """

    def __init__(
        self, signal: TwinSignal, duration_s: float, *, chunk_s: float = CHUNK_S, faults: Sequence[Fault] = ()
    ) -> None:
        self._device = Device(signal, chunk_s, faults)
        self._steps = self._device.steps()
        self._duration_s = duration_s
        self._status = SourceStatus.OK
        self._closed = False

    @property
    def info(self) -> SignalInfo:
        """What the stream says about itself (its rate may change when it comes back)."""
        return twin_info(self._device.signal)

    @property
    def events(self) -> list[TwinEvent]:
        """Markers of the whole duration."""
        return self._device.signal.events(0.0, self._duration_s)

    def pull(self, timeout_s: float, n_min: int = 1) -> Chunk:
        """Return the next chunk; nothing waits."""
        n_chans = self._device.signal.n_chans
        nothing = np.empty((0, n_chans), dtype=np.float32), np.empty(0)
        if self._closed:
            return Chunk(*nothing, SourceStatus.ENDED)
        step = next(self._steps)
        if step.due_s >= self._duration_s:
            self._closed = True
            return Chunk(*nothing, SourceStatus.ENDED)
        if isinstance(step, Packet):
            status, self._status = self._status, SourceStatus.OK
            return Chunk(step.data, step.stamps_s, status)
        if isinstance(step, Unplugged):
            return Chunk(*nothing, SourceStatus.LOST)
        self._status = SourceStatus.RECOVERED
        return self.pull(timeout_s, n_min)

    def close(self) -> None:
        """End it; harmless when called twice."""
        self._closed = True
