"""What the streams say about themselves, read from their XML without LSL."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree import ElementTree

MAX_XML_BYTES = 4_000_000
"""A stream header larger than this is refused unread (1000 channels take about 0.3 MB)."""

_ROW_CHANNELS = ("decision", "confidence", "state", "sample_age_ms", "latency_ms")

_UNIT_TO_UV = {
    "microvolts": 1.0,
    "microvolt": 1.0,
    "uv": 1.0,
    "-6": 1.0,
    "nanovolts": 1e-3,
    "nv": 1e-3,
    "-9": 1e-3,
    "millivolts": 1e3,
    "millivolt": 1e3,
    "mv": 1e3,
    "-3": 1e3,
    "volts": 1e6,
    "volt": 1e6,
    "v": 1e6,
    "0": 1e6,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DecoderInfo:
    """What the decoder's `Predictions` stream declares."""

    name: str
    source_id: str
    uid: str = ""
    task: str = ""
    classes: tuple[str, ...]
    idle_class: str | None = None
    threshold: float | None = None
    release: float | None = None
    smoothing_s: float | None = None
    """Time constant of the evidence that is compared with the threshold."""
    window_s: float | None = None
    hop_s: float | None = None
    delay_10hz_ms: float | None = None
    delay_20hz_ms: float | None = None
    model_name: str = ""
    model_sha256: str = ""
    model_simulated: bool = False
    """The model was trained on simulated data."""
    eeg_source_id: str = ""
    eeg_name: str = ""
    eeg_scale_uv: float | None = None
    """Microvolts per unit of the EEG stream, where the decoder states what it settled on."""
    simulated: bool = False
    columns: dict[str, int]
    """Column of `decision`, `confidence`, `state`, `sample_age_ms`, `latency_ms`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EegInfo:
    """What the EEG stream declares, as far as it is drawn."""

    name: str
    source_id: str
    uid: str = ""
    hostname: str = ""
    sfreq: float
    ch_names: tuple[str, ...]
    scale_uv: tuple[float, ...] | None = None
    """Microvolts per unit, one per channel; None where the stream does not say."""
    simulated: bool = False


class HeaderError(ValueError):
    """A stream header that cannot be shown; the message says why."""


def _parse(xml: str) -> ElementTree.Element:
    if len(xml) > MAX_XML_BYTES:
        raise HeaderError(f"the stream header has {len(xml)} characters; at most {MAX_XML_BYTES}")
    if "<!DOCTYPE" in xml or "<!ENTITY" in xml:
        raise HeaderError("the stream header declares a DOCTYPE or entities; LSL headers have none")
    try:
        return ElementTree.fromstring(xml)
    except ElementTree.ParseError as error:
        raise HeaderError(f"the stream header is not XML: {error}") from error


def _text(root: ElementTree.Element, path: str) -> str:
    return (root.findtext(path) or "").strip()


def _number(root: ElementTree.Element, path: str) -> float | None:
    try:
        value = float(_text(root, path))
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def _truth(text: str) -> bool:
    return text.strip().lower() in {"1", "true", "yes"}


def _channels(root: ElementTree.Element) -> Iterator[ElementTree.Element]:
    return iter(root.findall("desc/channels/channel"))


def _channel_count(root: ElementTree.Element) -> int:
    count = _number(root, "channel_count")
    if count is None or not 1 <= count <= 100_000:
        raise HeaderError(f"the stream header states {_text(root, 'channel_count')!r} channels")
    return int(count)


def decoder_info(xml: str) -> DecoderInfo:
    """Read the header of a `neuript-<task>-proba` stream.

    Parameters
    ----------
    xml : str
        The full header, as `pylsl.StreamInfo.as_xml()` gives it.

    Returns
    -------
    DecoderInfo

    Raises
    ------
    HeaderError
        If this is no predictions stream: a needed channel is missing.
    """
    root = _parse(xml)
    labels = [_text(channel, "label") for channel in _channels(root)]
    n_channels = _channel_count(root)
    if not labels:  # a header without channel labels: classes first, then the fixed five
        classes = tuple(_class_names(root))
        labels = [*classes, *_ROW_CHANNELS]
    missing = [label for label in _ROW_CHANNELS if label not in labels]
    if missing or len(labels) != n_channels:
        raise HeaderError(
            f"stream {_text(root, 'name')!r} is not a neuript predictions stream: it has channels "
            f"{labels}, and needs one per class and then {list(_ROW_CHANNELS)}"
        )
    first = min(labels.index(label) for label in _ROW_CHANNELS)
    scale = _number(root, "desc/decoder/eeg_scale_volts")
    return DecoderInfo(
        name=_text(root, "name"),
        source_id=_text(root, "source_id"),
        uid=_text(root, "uid"),
        task=_text(root, "desc/decoder/task"),
        classes=tuple(labels[:first]),
        idle_class=_text(root, "desc/decoder/idle_class") or None,
        threshold=_number(root, "desc/decoder/threshold"),
        release=_number(root, "desc/decoder/release"),
        smoothing_s=_number(root, "desc/decoder/smoothing_s"),
        window_s=_number(root, "desc/decoder/window_s"),
        hop_s=_number(root, "desc/decoder/hop_s"),
        delay_10hz_ms=_number(root, "desc/decoder/group_delay_10hz_ms"),
        delay_20hz_ms=_number(root, "desc/decoder/group_delay_20hz_ms"),
        model_name=_text(root, "desc/decoder/model_name"),
        model_sha256=_text(root, "desc/decoder/model_sha256"),
        model_simulated=_truth(_text(root, "desc/decoder/model_simulated")),
        eeg_source_id=_text(root, "desc/decoder/eeg_source_id"),
        eeg_name=_text(root, "desc/decoder/eeg_name"),
        eeg_scale_uv=None if scale is None else scale * 1e6,
        simulated=_truth(_text(root, "desc/decoder/simulated")),
        columns={label: labels.index(label) for label in _ROW_CHANNELS},
    )


def _class_names(root: ElementTree.Element) -> list[str]:
    return [(e.text or "").strip() for e in root.findall("desc/decoder/classes/class")]


def unit_scale_uv(unit: str) -> float | None:
    """Return microvolts per `unit`, or None where the unit is unknown or missing."""
    return _UNIT_TO_UV.get(unit.strip().lower().replace("µ", "u").replace("μ", "u"))


def eeg_info(xml: str) -> EegInfo:
    """Read the header of the EEG stream.

    Parameters
    ----------
    xml : str
        The full header, as `pylsl.StreamInfo.as_xml()` gives it.

    Returns
    -------
    EegInfo
        Missing labels become `1`, `2`, ...; `scale_uv` is None unless every labelled channel has
        a known unit.
    """
    root = _parse(xml)
    n_channels = _channel_count(root)
    channels = list(_channels(root))[:n_channels]
    names = [_text(c, "label") or _text(c, "name") or str(k + 1) for k, c in enumerate(channels)]
    names += [str(k + 1) for k in range(len(names), n_channels)]
    scales = [unit_scale_uv(_text(channel, "unit")) for channel in channels]
    known = [scale for scale in scales if scale is not None]
    # a trigger or counter channel has no unit in volts: it is drawn in the unit of the others
    full = tuple(known[0] if s is None else s for s in scales) if known and len(scales) == n_channels else None
    name = _text(root, "name")
    manufacturer = _text(root, "desc/acquisition/manufacturer") or _text(root, "desc/manufacturer")
    return EegInfo(
        name=name,
        source_id=_text(root, "source_id"),
        uid=_text(root, "uid"),
        hostname=_text(root, "hostname"),
        sfreq=_number(root, "nominal_srate") or 0.0,
        ch_names=tuple(names),
        scale_uv=full,
        simulated="simulated" in f"{name} {manufacturer}".lower(),
    )
