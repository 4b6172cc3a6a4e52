"""The decoder's three LSL streams: probabilities, events, and optionally GDF stimulation codes."""

from __future__ import annotations

import hashlib
import math
import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from neuript.realtime.decoding.decision import Decision
from neuript.realtime.decoding.states import State
from neuript.realtime.lsl.library import pylsl

ROW_CHANNELS = ("decision", "confidence", "state", "sample_age_ms", "latency_ms")
"""Channels of the probability stream after the classes."""

GDF_CODES: dict[str, int] = {
    "left_hand": 769,
    "right_hand": 770,
    "feet": 771,
    "foot": 771,
    "tongue": 772,
    "both_hands": 774,
    "rest": 779,
}
"""Graz codes of the classes we know; `rest` has no official one, 779 (class 11) is ours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OutletInfo:
    """What the decoder says about itself in its streams' headers."""

    task: str
    classes: tuple[str, ...]
    eeg_source_id: str
    """Identity of the EEG stream (its name where it has no source id)."""
    decoder: Mapping[str, str | float | bool | None]
    """Further fields of `desc/decoder`: window_s, hop_s, threshold, hashes, delays, ..."""

    @property
    def sha8(self) -> str:
        """Eight hex digits that stay the same for this host, EEG stream and task."""
        text = "|".join((socket.gethostname(), self.eeg_source_id, self.task))
        return hashlib.sha256(text.encode()).hexdigest()[:8]

    def source_id(self, stream: str) -> str:
        """Stable source id of the stream `proba`, `events` or `stim`."""
        return f"neuript-{self.task}-{stream}-{self.sha8}"


class DecisionOutlets:
    """A sink that publishes decision rows on LSL.

    Parameters
    ----------
    info : OutletInfo
    stim : bool
        Also publish GDF codes (for OpenViBE); classes without a known code get 774 upwards.
    """

    def __init__(self, info: OutletInfo, *, stim: bool = False) -> None:
        self._classes = list(info.classes)
        self._state: State | None = None
        self._codes = gdf_codes(info.classes)
        self._proba = pylsl.StreamOutlet(_proba_info(info), 1, 60)
        self._events = pylsl.StreamOutlet(_marker_info(info, "events", "string"), 1, 60)
        self._stim = pylsl.StreamOutlet(_marker_info(info, "stim", "int32"), 1, 60) if stim else None

    def publish(self, decision: Decision) -> None:
        """Push one row, and markers for a state change and a command; never waits."""
        self._proba.push_sample(self._row(decision), decision.t)
        if decision.state is not self._state:
            self._state = decision.state
            self._events.push_sample([f"neuript/state/{decision.state}"], decision.t)
        if decision.committed and decision.decision is not None:
            self._events.push_sample([f"neuript/decision/{decision.decision}"], decision.t)
            if self._stim is not None:
                self._stim.push_sample([self._codes[decision.decision]], decision.t)

    @property
    def proba_uid(self) -> str:
        """Identity of the probability stream, unique to this run."""
        return str(self._proba.get_info().uid())

    def close(self) -> None:
        """Take the streams off the network."""
        for name in ("_proba", "_events", "_stim"):
            self.__dict__.pop(name, None)

    def _row(self, decision: Decision) -> list[float]:
        proba = decision.proba or {}
        held = decision.decision
        return [
            *(proba.get(c, math.nan) for c in self._classes),
            float(self._classes.index(held)) if held is not None else -1.0,
            decision.confidence,
            float(decision.state.code),
            decision.sample_age_ms,
            decision.latency_ms.get("total", math.nan),
        ]


def gdf_codes(classes: Sequence[str]) -> dict[str, int]:
    """Return one GDF class code per class; unknown names take the free codes from 774 upwards."""
    free = (code for code in range(774, 781) if code not in GDF_CODES.values())
    return {c: GDF_CODES[c] if c in GDF_CODES else next(free, 783) for c in classes}


def _proba_info(info: OutletInfo) -> pylsl.StreamInfo:
    labels = [*info.classes, *ROW_CHANNELS]
    header = _header(info, "proba", "Predictions", len(labels), "float32")
    kinds = {
        "decision": ("Index", "none"),
        "confidence": ("Probability", "none"),
        "state": ("Index", "none"),
        "sample_age_ms": ("Latency", "milliseconds"),
        "latency_ms": ("Latency", "milliseconds"),
    }
    channels = header.desc().append_child("channels")
    for label in labels:
        kind, unit = kinds.get(label, ("Probability", "none"))
        channel = channels.append_child("channel")
        channel.append_child_value("label", label)
        channel.append_child_value("unit", unit)
        channel.append_child_value("type", kind)
    _describe_decoder(header, info)
    return header


def _marker_info(info: OutletInfo, stream: str, form: str) -> pylsl.StreamInfo:
    header = _header(info, stream, "Markers", 1, form)
    channel = header.desc().append_child("channels").append_child("channel")
    channel.append_child_value("label", stream)
    channel.append_child_value("type", "Markers")
    if stream == "stim":
        codes = header.desc().append_child("codes")
        for name, code in gdf_codes(info.classes).items():
            entry = codes.append_child("code")
            entry.append_child_value("class", name)
            entry.append_child_value("gdf", str(code))
    _describe_decoder(header, info)
    return header


def _header(info: OutletInfo, stream: str, stype: str, n_chans: int, form: str) -> pylsl.StreamInfo:
    name = f"neuript-{info.task}-{stream}"
    return pylsl.StreamInfo(name, stype, n_chans, pylsl.IRREGULAR_RATE, form, info.source_id(stream))


def _describe_decoder(header: pylsl.StreamInfo, info: OutletInfo) -> None:
    acquisition = header.desc().append_child("acquisition")
    acquisition.append_child_value("manufacturer", "neuript")
    decoder = header.desc().append_child("decoder")
    decoder.append_child_value("task", info.task)
    decoder.append_child_value("eeg_source_id", info.eeg_source_id)
    for key, value in info.decoder.items():
        decoder.append_child_value(key, _text(value))
    classes = decoder.append_child("classes")
    for name in info.classes:
        classes.append_child_value("class", name)
    states = decoder.append_child("states")
    for state in State:
        states.append_child_value("state", str(state))
    # stamps are those of the EEG samples themselves, so nothing is to be subtracted
    sync = header.desc().append_child("synchronization")
    sync.append_child_value("offset_mean", "0")
    sync.append_child_value("can_drop_samples", "true")


def _text(value: str | float | bool | None) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else f"{value:.10g}"
