"""The decoder's three LSL streams: probabilities, events, and optionally GDF stimulation codes."""

from __future__ import annotations

import hashlib
import socket
from xml.etree.ElementTree import Element

from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.decoding.decision import Decision
from neuript.realtime.decoding.decoder_header import DecoderHeader
from neuript.realtime.decoding.proba_row import pack_row, row_kinds, row_labels
from neuript.realtime.decoding.states import State
from neuript.realtime.lsl.gdf import gdf_codes
from neuript.realtime.lsl.library import pylsl
from neuript.realtime.lsl.stream_info import described, element, stream_info

_CHUNK, _BUFFER_S = 1, 60


def decoder_source_id(header: DecoderHeader, stream: str) -> str:
    """Return the source id of the stream `proba`, `events` or `stim`.

    It stays the same for this host, EEG stream and task, so that a client finds the decoder again after a restart.
    """
    text = "|".join((socket.gethostname(), header.eeg_source_id, header.task))
    return f"neuript-{header.task}-{stream}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


class DecisionOutlets:
    """A sink that publishes decision rows on LSL.

    Parameters
    ----------
    header : DecoderHeader
        What the streams say about the decoder.
    stim : bool
        True also publishes GDF codes (for OpenViBE), those of `gdf_codes`.
    """

    def __init__(self, header: DecoderHeader, *, stim: bool = False) -> None:
        self.header = header
        self._classes = header.classes
        self._state: State | None = None
        self._codes = gdf_codes(header.classes)
        self._proba = _outlet(_proba_info(header), header)
        self._events = _outlet(_marker_info(header, "events", "string"), header)
        self._stim: pylsl.StreamOutlet | None = None
        if stim:
            self._stim = _outlet(_marker_info(header, "stim", "int32"), header, _codes_xml(self._codes))

    def publish(self, decision: Decision) -> None:
        """Push one row, and markers for a state change and a command; never waits."""
        self._proba.push_sample(pack_row(decision, self._classes), decision.t)
        if decision.state is not self._state:
            self._state = decision.state
            self._events.push_sample([f"neuript/state/{decision.state}"], decision.t)
        if decision.committed and decision.decision is not None:
            self._events.push_sample([f"neuript/decision/{decision.decision}"], decision.t)
            if self._stim is not None:
                self._stim.push_sample([self._codes[decision.decision]], decision.t)

    def tell(self, what: str, text: str) -> None:
        """Push a marker `neuript/<what>/<text>` now: something that a person did; never waits."""
        self._events.push_sample([f"neuript/{what}/{text}"], pylsl.local_clock())

    @property
    def proba_uid(self) -> str:
        """Identity of the probability stream, unique to this run."""
        return str(self._proba.get_info().uid())

    @property
    def proba_name(self) -> str:
        """Name of the probability stream."""
        return str(self._proba.get_info().name())

    def close(self) -> None:
        """Take the streams off the network."""
        for name in ("_proba", "_events", "_stim"):
            self.__dict__.pop(name, None)


def _outlet(info: SignalInfo, header: DecoderHeader, *more: Element) -> pylsl.StreamOutlet:
    # stamps are those of the EEG samples themselves, so nothing is to be subtracted
    timing = element("synchronization", offset_mean="0", can_drop_samples="true")
    desc = described(info, *more, element("acquisition", manufacturer="neuript"), header.to_xml(), timing)
    return pylsl.StreamOutlet(stream_info(info, desc), _CHUNK, _BUFFER_S)


def _proba_info(header: DecoderHeader) -> SignalInfo:
    kinds = row_kinds(len(header.classes))
    return SignalInfo(
        name=f"neuript-{header.task}-proba",
        stype="Predictions",
        sfreq=pylsl.IRREGULAR_RATE,
        ch_names=row_labels(header.classes),
        ch_types=tuple(kind for kind, _ in kinds),
        units=tuple(unit for _, unit in kinds),
        source_id=decoder_source_id(header, "proba"),
    )


def _marker_info(header: DecoderHeader, stream: str, channel_format: str) -> SignalInfo:
    return SignalInfo(
        name=f"neuript-{header.task}-{stream}",
        stype="Markers",
        sfreq=pylsl.IRREGULAR_RATE,
        ch_names=(stream,),
        ch_types=("Markers",),
        units=("none",),
        source_id=decoder_source_id(header, stream),
        channel_format=channel_format,
    )


def _codes_xml(codes: dict[str, int]) -> Element:
    root = Element("codes")
    for name, code in codes.items():
        root.append(element("code", **{"class": name, "gdf": str(code)}))
    return root
