"""What a decoder says about itself in the headers of its streams, for who writes it and who reads it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any
from xml.etree.ElementTree import Element, SubElement

from neuript.errors import NeuriptError
from neuript.realtime.decoding.header_electrodes import HeaderElectrode, electrodes_xml, read_electrodes
from neuript.realtime.decoding.proba_row import ROW_CHANNELS, n_classes_of, row_labels
from neuript.realtime.decoding.states import STATE_ORDER


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderHeader:
    """The `decoder` element of a stream header; what a header does not say is empty or None.

    Each field is an element of its name, listed in docs/streams.md.
    """

    task: str = ""
    classes: tuple[str, ...]
    eeg_source_id: str = ""
    """Identity of the EEG stream (its name where it has no source id)."""
    eeg_name: str = ""
    eeg_scale_volts: float | None = None
    """Volts per number of the EEG stream, as the decoder settled on."""
    simulated: bool = False
    """True if the signal is a digital twin's."""
    window_s: float | None = None
    hop_s: float | None = None
    threshold: float | None = None
    release: float | None = None
    smoothing_s: float | None = None
    """Time constant in seconds of the evidence that is compared with the threshold."""
    dwell_s: float | None = None
    refractory_s: float | None = None
    max_age_s: float | None = None
    """Age in seconds of a window's newest sample above which it commands nothing."""
    temperature: float | None = None
    gate: bool = False
    """True if the evidence for tasks is bounded by what the model says of doing anything at all."""
    centre_s: float | None = None
    """Memory in seconds of the running mean that logits are taken relative to; 0 for none."""
    idle_class: str | None = None
    group_delay_10hz_ms: float | None = None
    group_delay_20hz_ms: float | None = None
    model_name: str = ""
    model_sha256: str = ""
    model_simulated: bool = False
    """True if the model was trained on simulated data."""
    uncalibrated: bool = False
    """True if the person has given no trial: earlier people alone say what is decoded."""
    engine: str = ""
    """What computes the network when the session begins; an event `neuript/engine/...` tells when another goes on."""
    engine_device: str = ""
    engine_precision: str = ""
    inference_ms: float | None = None
    """Milliseconds that a window took when the model was opened; what the session measures is in the events stream."""
    config_sha256: str = ""
    recording: str = ""
    """Name of the file that the session is recorded to by the decoder's own process; empty where it is not."""
    electrodes: tuple[HeaderElectrode, ...] = ()
    """What the model sees, in its order."""
    used: tuple[int, ...] = ()
    """Indices of the EEG stream's channels that reach the model, from 0; empty where the header does not say."""

    def to_xml(self) -> Element:
        """Return the `decoder` element, with the names of the states beside the fields."""
        root = Element("decoder")
        for name in _READERS:
            SubElement(root, name).text = _written(getattr(self, name))
        for tag, child, texts in (("classes", "class", self.classes), ("states", "state", STATE_ORDER)):
            listed = SubElement(root, tag)
            for text in texts:
                SubElement(listed, child).text = str(text)
        if self.electrodes or self.used:
            root.append(electrodes_xml(self.electrodes, self.used))
        return root

    @classmethod
    def from_xml(cls, element: Element) -> DecoderHeader:
        """Read a `decoder` element, whoever wrote it: a field that is missing or no number is not known."""
        said = {name: read(_text(element, name)) for name, read in _READERS.items()}
        electrodes, used = read_electrodes(element)
        classes = tuple((e.text or "").strip() for e in element.findall("classes/class"))
        return cls(classes=classes, electrodes=electrodes, used=used, **said)


def read_decoder_header(root: Element) -> DecoderHeader:
    """Read the whole header of a `neuript-<task>-proba` stream.

    The classes are those of the channels, since their columns are what is read; a header that names no task is known
    by the stream's name.

    Raises
    ------
    NeuriptError
        If this is no such stream: its channels are not those of a row.
    """
    element = root.find("desc/decoder")
    header = DecoderHeader(classes=()) if element is None else DecoderHeader.from_xml(element)
    labels = tuple(_text(channel, "label") for channel in root.findall("desc/channels/channel"))
    n_classes = n_classes_of(len(labels))
    classes = labels[: n_classes or 0]
    if row_labels(classes) != labels or _text(root, "channel_count") != str(len(labels)):
        raise NeuriptError(
            f"the stream {_text(root, 'name')!r} is not a predictions stream of neuript: it has "
            f"{_text(root, 'channel_count') or 'no'} channels with the labels {list(labels)}, and needs one per class, "
            f"then {list(ROW_CHANNELS)}, then evidence_<class> for each class"
        )
    return replace(header, classes=classes, task=header.task or _text(root, "name"))


def _text(parent: Element, tag: str) -> str:
    return (parent.findtext(tag) or "").strip()


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _written(value: str | float | bool | None) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else repr(float(value)).removesuffix(".0")


_BY_TYPE: dict[str, Callable[[str], Any]] = {
    "str": str,
    "str | None": lambda text: text or None,
    "bool": lambda text: text.lower() in {"1", "true", "yes"},
    "float | None": _number,
}
_READERS = {f.name: _BY_TYPE[str(f.type)] for f in fields(DecoderHeader) if str(f.type) in _BY_TYPE}
"""How the text of each field is read."""
