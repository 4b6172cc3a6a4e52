"""The twin on LSL: an EEG stream, a stream of cues, and a stream of what the person truly did."""

from __future__ import annotations

import hashlib
import json
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from types import TracebackType

from neuript.realtime.lsl.library import pylsl
from neuript.realtime.twin.cues import GDF_CODES
from neuript.realtime.twin.device import CHUNK_S, Device, Packet, Step, Unplugged
from neuript.realtime.twin.faults import Fault
from neuript.realtime.twin.signal import TwinSignal
from neuript.realtime.twin.twin_source import MANUFACTURER, NAME

MAX_NAP_S = 0.05
"""Longest sleep, so that Ctrl-C is answered at once."""
_SIMULATED = " (simulated)"


class TwinAmplifier:
    """Publishes a twin on LSL in real time.

    Samples are counted against the LSL clock, so the pace never drifts: sample k is stamped start + k / rate and leaves
    when its chunk is complete. If the computer sleeps, what is due leaves at once when it wakes, with the right stamps.

    Parameters
    ----------
    signal : TwinSignal
        From its first sample.
    name : str
        Name of the EEG stream; ' (simulated)' is appended unless it says so already.
    source_id : str, optional
        Identity of the EEG stream; the default depends on host, name and cap only, so it survives a restart.
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
    ) -> None:
        self.name = name if "simulated" in name.lower() else name + _SIMULATED
        self._stem = self.name.lower().replace(_SIMULATED, "").strip() or "twin"
        self.source_id = source_id or _stable_id(self.name, signal.cap.name)
        self.started_at: float | None = None
        self.n_samples = 0
        self._device = Device(signal, chunk_s, faults)
        self._steps = self._device.steps()
        self._pending: Step | None = None
        self._speed = 1.0 + 1e-6 * clock_ppm
        self._unit, self._labels = unit, labels
        self._events_until_s = 0.0
        self._eeg: pylsl.StreamOutlet | None = None
        self._markers: pylsl.StreamOutlet | None = None
        self._intents: pylsl.StreamOutlet | None = None

    @property
    def signal(self) -> TwinSignal:
        """The signal that is published at present."""
        return self._device.signal

    @property
    def faults(self) -> tuple[Fault, ...]:
        """The script."""
        return self._device.faults

    @property
    def markers_name(self) -> str:
        """Name of the stream of cues."""
        return f"{self._stem}-markers{_SIMULATED}"

    @property
    def intents_name(self) -> str:
        """Name of the stream of true intents."""
        return f"{self._stem}-intent{_SIMULATED}"

    def open(self) -> None:
        """Create the outlets; the streams become visible, nothing is sent yet."""
        self._device.prepare()
        self._eeg = pylsl.StreamOutlet(self._eeg_info(), 0, 360)
        self._markers = pylsl.StreamOutlet(self._text_info(self.markers_name, "Markers", "markers"), 0, 360)
        self._intents = pylsl.StreamOutlet(self._text_info(self.intents_name, "Intent", "intent"), 0, 360)

    def close(self) -> None:
        """Withdraw the streams; harmless when called twice."""
        self._eeg = self._markers = self._intents = None

    def __enter__(self) -> TwinAmplifier:
        """Open."""
        self.open()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()

    def wait_for_consumers(self, timeout_s: float) -> bool:
        """Wait until somebody listens to the EEG; False if nobody came in time."""
        return self._eeg is not None and bool(self._eeg.wait_for_consumers(timeout_s))

    def start(self, now: float | None = None) -> None:
        """Set the time of the first sample on the LSL clock (now, unless told)."""
        self.started_at = pylsl.local_clock() if now is None else now

    def lsl_time(self, session_s: float) -> float:
        """Time on the LSL clock of a time in the session, by the amplifier's clock."""
        if self.started_at is None:
            raise RuntimeError("the amplifier was not started")
        return self.started_at + session_s / self._speed

    def step(self) -> float:
        """Push everything that is due; return the LSL time at which the next thing is."""
        now = pylsl.local_clock()
        while True:
            step = self._pending if self._pending is not None else next(self._steps)
            self._pending = step
            due = self.lsl_time(step.due_s)
            if due > now:
                break
            self._do(step)
            self._pending = None
        self._push_events((now - self.lsl_time(0.0)) * self._speed)
        return due

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
            now = pylsl.local_clock()
            while told and self.lsl_time(told[0].at_s) <= now:
                on_status(f"fault at {told.pop(0).text()}")
            if now >= end:
                break
            self._device.prepare()
            nap = min(due, end) - pylsl.local_clock()
            if nap > 0:
                time.sleep(min(nap, MAX_NAP_S))

    def _do(self, step: Step) -> None:
        if isinstance(step, Packet):
            if self._eeg is not None:
                stamps = [self.lsl_time(t) for t in step.stamps_s.tolist()]
                self._eeg.push_chunk(step.data, stamps)
                self.n_samples += len(stamps)
        elif isinstance(step, Unplugged):
            self._eeg = None  # the last reference: the outlet is destroyed
        else:
            self._eeg = pylsl.StreamOutlet(self._eeg_info(), 0, 360)

    def _push_events(self, until_s: float) -> None:
        if until_s <= self._events_until_s:
            return
        since, self._events_until_s = self._events_until_s, until_s
        for outlet, events in (
            (self._markers, self.signal.events(since, until_s)),
            (self._intents, self.signal.intent_events(since, until_s)),
        ):
            if outlet is not None:
                for event in events:
                    outlet.push_sample([event.label], self.lsl_time(event.time_s))

    def _eeg_info(self) -> pylsl.StreamInfo:
        signal = self.signal
        info = pylsl.StreamInfo(self.name, "EEG", signal.n_chans, signal.sfreq, pylsl.cf_float32, self.source_id)
        desc = info.desc()
        self._describe_maker(desc)
        channels = desc.append_child("channels")
        for label, position in zip(signal.ch_names, signal.cap.pos_m, strict=True):
            if not self._labels:
                break
            channel = channels.append_child("channel")
            channel.append_child_value("label", label)
            if self._unit:
                channel.append_child_value("unit", self._unit)
            channel.append_child_value("type", "EEG")
            location = channel.append_child("location")
            for axis, metres in zip("XYZ", position, strict=True):
                location.append_child_value(axis, f"{1e3 * metres:.3f}")
        reference = desc.append_child("reference")
        kind = signal.conditions.reference
        for label in ("A1", "A2") if kind == "ears" else ():
            reference.append_child_value("label", label)
        reference.append_child_value("subtracted", "No" if kind == "infinity" else "Yes")
        reference.append_child_value("common_average", "Yes" if kind == "average" else "No")
        cap = desc.append_child("cap")
        cap.append_child_value("name", signal.cap.name)
        cap.append_child_value("labelscheme", "10-20")
        timing = desc.append_child("synchronization")
        timing.append_child_value("offset_mean", "0")
        timing.append_child_value("can_drop_samples", "false")
        twin = desc.append_child("simulation")
        twin.append_child_value("simulated", "true")
        twin.append_child_value("seed", str(signal.seed))
        twin.append_child_value("subject", json.dumps(asdict(signal.subject)))
        twin.append_child_value("conditions", json.dumps(asdict(signal.conditions)))
        twin.append_child_value("classes", ",".join(signal.schedule.protocol.classes))
        return info

    def _text_info(self, name: str, stype: str, suffix: str) -> pylsl.StreamInfo:
        info = pylsl.StreamInfo(name, stype, 1, 0.0, pylsl.cf_string, f"{self.source_id}-{suffix}")
        desc = info.desc()
        self._describe_maker(desc)
        channel = desc.append_child("channels").append_child("channel")
        channel.append_child_value("label", suffix)
        channel.append_child_value("type", stype)
        desc.append_child_value("eeg_source_id", self.source_id)
        codes = desc.append_child("codes")
        for label, code in GDF_CODES.items():
            entry = codes.append_child("code")
            entry.append_child_value("label", label)
            entry.append_child_value("gdf", str(code))
        return info

    @staticmethod
    def _describe_maker(desc: pylsl.XMLElement) -> None:
        desc.append_child_value("manufacturer", MANUFACTURER)
        acquisition = desc.append_child("acquisition")
        acquisition.append_child_value("manufacturer", MANUFACTURER)
        acquisition.append_child_value("model", "digital twin")


def _stable_id(name: str, cap: str) -> str:
    text = "|".join((socket.gethostname(), name, cap))
    return f"neuript-twin-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
