"""The twin on LSL: an EEG stream, a stream of cues, and a stream of what the person truly did."""

from __future__ import annotations

import hashlib
import math
import socket
from collections.abc import Callable, Sequence

import numpy as np

from neuript.realtime.lsl.broadcast import TICK_S, Broadcast
from neuript.realtime.lsl.library import lsl_clock
from neuript.realtime.lsl.marker_inlet import LslMarkers
from neuript.realtime.twin.announcement import Announced, eeg_announcement, text_announcement, with_more
from neuript.realtime.twin.cues import TwinEvent, cued_class
from neuript.realtime.twin.delivery import Packet
from neuript.realtime.twin.device import CHUNK_S, Device, Plugged, Step, Unplugged
from neuript.realtime.twin.faults import Fault
from neuript.realtime.twin.rival import Rival
from neuript.realtime.twin.signal import TwinSignal
from neuript.realtime.twin.twin_source import NAME

_SIMULATED = " (simulated)"
_EEG, _MARKERS, _INTENT = "eeg", "markers", "intent"


class TwinAmplifier(Broadcast):
    """Publishes a twin on LSL in real time.

    Samples are counted against the LSL clock, so the pace never drifts: sample k is stamped start + k / rate and leaves
    when its chunk is complete. If the computer sleeps, what is due leaves at once when it wakes, with the right stamps.

    Parameters
    ----------
    signal : TwinSignal
        The signal, of which nothing has been read yet.
    name : str
        Name of the EEG stream; ' (simulated)' is appended unless it says so already.
    source_id : str, optional
        Identity of the EEG stream; None makes one of host, name and cap only, so it survives a restart.
    chunk_s : float
        Length of a chunk in seconds.
    faults : sequence of Fault
        Script of faults.
    clock_ppm : float
        How much too fast the amplifier's clock runs, in parts per million.
    unit : str
        Unit that the stream declares. The numbers are microvolts whatever it says; '' declares none.
    labels : bool
        Whether the stream names its channels.
    cue_predicate : str
        LSL predicate of a stream of cues that the person obeys, for a signal whose protocol says so.

    Examples
    --------
    >>> with TwinAmplifier(TwinSignal("openbci-16", 250.0)) as amplifier:  # doctest: +SKIP
    ...     amplifier.run(duration_s=60.0)
    """

    def __init__(
        self,
        signal: TwinSignal,
        *,
        name: str = NAME,
        source_id: str | None = None,
        chunk_s: float = CHUNK_S,
        faults: Sequence[Fault] = (),
        clock_ppm: float = 0.0,
        unit: str = "microvolts",
        labels: bool = True,
        cue_predicate: str = "",
    ) -> None:
        super().__init__()
        self.name = name if "simulated" in name.lower() else name + _SIMULATED
        self._stem = self.name.lower().replace(_SIMULATED, "").strip() or "twin"
        self.source_id = source_id or _stable_id(self.name, signal.cap.name)
        self._device = Device(signal, chunk_s, faults)
        self._steps = self._device.steps()
        self._pending: Step | None = None
        self._speed = 1.0 + 1e-6 * clock_ppm
        self._as_announced = Announced(self.name, self.source_id, unit, labels, self._device.faults)
        self._rivals = [Rival(f, signal, chunk_s, n) for n, f in enumerate(self._device.faults, 1) if f.kind == "rival"]
        self._floods = [f for f in self._device.faults if f.kind == "flood"]
        self._rng = np.random.default_rng([signal.seed, 43])
        self._events_until_s = self._session_s = 0.0
        self._cues = LslMarkers(cue_predicate) if cue_predicate else None

    @property
    def signal(self) -> TwinSignal:
        """The signal that is published at present."""
        return self._device.signal

    @property
    def faults(self) -> tuple[Fault, ...]:
        """The script."""
        return self._device.faults

    @property
    def uid(self) -> str:
        """Unique id of the EEG stream that is published at present."""
        return self.uid_of(_EEG)

    @property
    def markers_name(self) -> str:
        """Name of the stream of cues."""
        return f"{self._stem}-{_MARKERS}{_SIMULATED}"

    @property
    def intents_name(self) -> str:
        """Name of the stream of true intents."""
        return f"{self._stem}-{_INTENT}{_SIMULATED}"

    @property
    def main(self) -> str:
        """The EEG stream."""
        return _EEG

    def open(self) -> None:
        """Create the outlets; the streams become visible, nothing is sent yet."""
        self._device.prepare()
        self._plug_in()
        self._publish_text(_MARKERS, self.markers_name, "Markers")
        self._publish_text(_INTENT, self.intents_name, "Intent")
        if self._cues is not None:
            self._cues.start()

    def close(self) -> None:
        """Withdraw the streams; harmless when called twice."""
        if self._cues is not None:
            self._cues.close()
        super().close()

    def start(self, now: float | None = None) -> None:
        """Set the time of the first sample on the LSL clock (now, unless told)."""
        self.started_at = lsl_clock() if now is None else now

    def lsl_time(self, session_s: float) -> float:
        """Time on the LSL clock of a time in the session, by the amplifier's clock.

        Raises
        ------
        RuntimeError
            If the amplifier was not started.
        """
        if self.started_at is None:
            raise RuntimeError("the amplifier was not started")
        return self.started_at + session_s / self._speed

    def sent_s(self, session_s: float) -> float:
        """Second of the session at which something leaves that is due at `session_s` by the declared rate."""
        return float(self._device.pace.sent_s(session_s))

    def step(self) -> float:
        """Push everything that is due; return the LSL time at which the next thing is."""
        now = lsl_clock()
        self._obey()
        while True:
            step = self._pending if self._pending is not None else next(self._steps)
            self._pending = step
            due = self.lsl_time(step.due_s)
            if due > now:
                break
            self._do(step)
            self._pending = None
        since = self._session_s
        self._session_s = (now - self.lsl_time(0.0)) * self._speed
        self._push_events(self._device.pace.due_s(self._session_s))
        self._flood(since, self._session_s)
        return min([due, *(self._step_rival(rival, self._session_s) for rival in self._rivals)])

    def _step_rival(self, rival: Rival, until_s: float) -> float:
        """Let another sender do what is due; return the LSL time of what it does next."""
        for step in rival.steps(until_s):
            if isinstance(step, Plugged):
                self.publish(rival, *eeg_announcement(rival.signal, self._as_announced))
            elif isinstance(step, Packet):
                self.push(rival, step.data, [self.lsl_time(t) for t in step.stamps_s.tolist()])
            else:
                self.withdraw(rival)
        return self.lsl_time(rival.due_s) if rival.due_s < math.inf else math.inf

    def _flood(self, since_s: float, until_s: float) -> None:
        for fault in self._floods:
            first, stop = (
                math.ceil((min(max(s, fault.at_s), fault.end_s) - fault.at_s) * fault.value) for s in (since_s, until_s)
            )
            if stop > first:
                stamps = [self.lsl_time(fault.at_s + i / fault.value) for i in range(first, stop)]
                self.push(_MARKERS, [[f"flood {i}"] for i in range(first, stop)], stamps)

    def run(
        self,
        *,
        duration_s: float | None = None,
        stop: Callable[[], bool] = lambda: False,
        on_status: Callable[[str], None] = lambda text: None,
    ) -> None:
        """Publish until the duration is over or `stop()` says so (asked at least every 50 ms)."""
        if self.started_at is None:
            self.start()
        told = list(self._device.faults)
        end = self.lsl_time(duration_s) if duration_s is not None else float("inf")
        while not stop():
            due = self.step()
            now = lsl_clock()
            while told and self.lsl_time(self.sent_s(told[0].at_s)) <= now:
                on_status(f"fault at {told.pop(0).text()}")
            if now >= end:
                break
            self._device.prepare()
            self.sleep_until(min(due, end, lsl_clock() + TICK_S))

    def _obey(self) -> None:
        """Take the cues to heart that have arrived: JSON markers of a cue program, or the bare name of a class."""
        for stamp, text in self._cues.pull() if self._cues is not None else ():
            if label := cued_class(text):
                self.signal.obey(label, self._device.pace.due_s((stamp - self.lsl_time(0.0)) * self._speed))

    def _do(self, step: Step) -> None:
        if isinstance(step, Packet):
            data = with_more(step.data, self._device.faults, self._rng)
            self.push(_EEG, data, [self.lsl_time(t) for t in step.stamps_s.tolist()])
            self.n_samples += len(step.data)
        elif isinstance(step, Unplugged):
            self.withdraw(_EEG)
        else:
            self._plug_in(step.fault)

    def _push_events(self, until_s: float) -> None:
        if until_s <= self._events_until_s:
            return
        since, self._events_until_s = self._events_until_s, until_s
        self._push_texts(_MARKERS, self.signal.events(since, until_s))
        self._push_texts(_INTENT, self.signal.intent_events(since, until_s))

    def _push_texts(self, key: str, events: list[TwinEvent]) -> None:
        for event in events:
            self.push(key, [[event.label]], [self.lsl_time(self.sent_s(event.time_s))])

    def _plug_in(self, change: str = "") -> None:
        """Publish the EEG stream, at the rate that the device has now."""
        self.publish(_EEG, *eeg_announcement(self.signal, self._as_announced, change))

    def _publish_text(self, key: str, name: str, stype: str) -> None:
        self.publish(key, *text_announcement(key, name, stype, self.source_id))


def _stable_id(name: str, cap: str) -> str:
    text = "|".join((socket.gethostname(), name, cap))
    return f"neuript-twin-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
