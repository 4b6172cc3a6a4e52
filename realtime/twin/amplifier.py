"""The twin on LSL: an EEG stream, a stream of cues, and a stream of what the person truly did."""

from __future__ import annotations

import hashlib
import json
import socket
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from xml.etree.ElementTree import Element, SubElement

from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.lsl.broadcast import TICK_S, Broadcast
from neuript.realtime.lsl.gdf import TRIAL_CODES, gdf_codes
from neuript.realtime.lsl.library import lsl_clock
from neuript.realtime.lsl.marker_inlet import LslMarkers
from neuript.realtime.lsl.stream_info import described, element
from neuript.realtime.twin.cues import CLASSES, TwinEvent, cued_class
from neuript.realtime.twin.device import CHUNK_S, Device, Packet, Step, Unplugged
from neuript.realtime.twin.faults import Fault
from neuript.realtime.twin.signal import TwinSignal
from neuript.realtime.twin.twin_source import MANUFACTURER, NAME, twin_info

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
        self._unit, self._labels = unit, labels
        self._events_until_s = 0.0
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
            now = lsl_clock()
            while told and self.lsl_time(told[0].at_s) <= now:
                on_status(f"fault at {told.pop(0).text()}")
            if now >= end:
                break
            self._device.prepare()
            self.sleep_until(min(due, end, lsl_clock() + TICK_S))

    def _obey(self) -> None:
        """Take the cues to heart that have arrived: JSON markers of a cue program, or the bare name of a class."""
        for stamp, text in self._cues.pull() if self._cues is not None else ():
            if label := cued_class(text):
                self.signal.obey(label, (stamp - self.lsl_time(0.0)) * self._speed)

    def _do(self, step: Step) -> None:
        if isinstance(step, Packet):
            self.push(_EEG, step.data, [self.lsl_time(t) for t in step.stamps_s.tolist()])
            self.n_samples += len(step.data)
        elif isinstance(step, Unplugged):
            self.withdraw(_EEG)
        else:
            self._plug_in()

    def _push_events(self, until_s: float) -> None:
        if until_s <= self._events_until_s:
            return
        since, self._events_until_s = self._events_until_s, until_s
        self._push_texts(_MARKERS, self.signal.events(since, until_s))
        self._push_texts(_INTENT, self.signal.intent_events(since, until_s))

    def _push_texts(self, key: str, events: list[TwinEvent]) -> None:
        for event in events:
            self.push(key, [[event.label]], [self.lsl_time(event.time_s)])

    def _plug_in(self) -> None:
        """Publish the EEG stream, at the rate that the device has now."""
        signal = self.signal
        info = replace(twin_info(signal, self.name, self.source_id), reference="")
        nothing = ("",) * signal.n_chans
        if self._labels:
            info = replace(info, units=(self._unit,) * signal.n_chans)
        else:
            info = replace(info, ch_names=nothing, units=nothing, ch_types=nothing, positions_m={})
        timing = element("synchronization", offset_mean="0", can_drop_samples="false")
        cap = element("cap", name=signal.cap.name, labelscheme="10-20")
        more = (_acquisition(), _reference(signal.conditions.reference), cap, timing, _simulation(signal))
        self.publish(_EEG, info, described(info, *more))

    def _publish_text(self, key: str, name: str, stype: str) -> None:
        info = SignalInfo(
            name=name,
            stype=stype,
            sfreq=0.0,
            ch_names=(key,),
            ch_types=(stype,),
            units=("",),
            source_id=f"{self.source_id}-{key}",
            channel_format="string",
            manufacturer=MANUFACTURER,
        )
        belongs = Element("eeg_source_id")
        belongs.text = self.source_id
        self.publish(key, info, described(info, _acquisition(), belongs, _codes()))


def _acquisition() -> Element:
    return element("acquisition", manufacturer=MANUFACTURER, model="digital twin")


def _reference(kind: str) -> Element:
    root = Element("reference")
    for label in ("A1", "A2") if kind == "ears" else ():
        SubElement(root, "label").text = label
    SubElement(root, "subtracted").text = "No" if kind == "infinity" else "Yes"
    SubElement(root, "common_average").text = "Yes" if kind == "average" else "No"
    return root


def _simulation(signal: TwinSignal) -> Element:
    return element(
        "simulation",
        simulated="true",
        seed=str(signal.seed),
        subject=json.dumps(asdict(signal.subject)),
        conditions=json.dumps(asdict(signal.conditions)),
        classes=",".join(signal.schedule.protocol.classes),
    )


def _codes() -> Element:
    """What number each marker has in GDF."""
    root = Element("codes")
    for label, code in {**TRIAL_CODES, **gdf_codes(CLASSES)}.items():
        root.append(element("code", label=label, gdf=str(code)))
    return root


def _stable_id(name: str, cap: str) -> str:
    text = "|".join((socket.gethostname(), name, cap))
    return f"neuript-twin-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
