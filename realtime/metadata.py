"""What an LSL stream header (XML) says about an EEG signal; bounded, and tolerant of dialects."""

from __future__ import annotations

import math
from xml.etree import ElementTree

from neuript.errors import NeuriptError
from neuript.realtime.chunk import SignalInfo

MAX_XML_CHARS = 8_000_000
"""A header larger than this is refused unread (1000 channels take about 0.3 MB)."""

Position = tuple[float, float, float]


def signal_info_from_xml(xml: str) -> SignalInfo:
    """Read a stream header as `pylsl.StreamInfo.as_xml()` or an XDF file gives it.

    Raises
    ------
    NeuriptError
        If the header is too large, declares entities, or is no XML.
    """
    root = _parse(xml)
    n_chans = int(_number(root, "channel_count"))
    channels = root.findall("desc/channels/channel")[:n_chans]
    name = _text(root, "name")
    manufacturer = _text(root, "desc/acquisition/manufacturer") or _text(root, "desc/manufacturer")
    return SignalInfo(
        name=name,
        sfreq=_number(root, "nominal_srate"),
        ch_names=_column(channels, n_chans, "label", "name"),
        units=_column(channels, n_chans, "unit"),
        ch_types=tuple(t.upper() for t in _column(channels, n_chans, "type")),
        stype=_text(root, "type"),
        source_id=_text(root, "source_id"),
        uid=_text(root, "uid"),
        hostname=_text(root, "hostname"),
        channel_format=_text(root, "channel_format") or "float32",
        positions_m=_positions(channels),
        manufacturer=manufacturer,
        reference=", ".join(filter(None, (_own(e) for e in root.findall("desc/reference/label")))),
        simulated="simulated" in f"{name} {manufacturer}".lower(),
    )


def _parse(xml: str) -> ElementTree.Element:
    if len(xml) > MAX_XML_CHARS:
        raise NeuriptError(
            f"the stream's header has {len(xml)} characters; at most {MAX_XML_CHARS} are read"
        )
    if "<!DOCTYPE" in xml or "<!ENTITY" in xml:
        raise NeuriptError("the stream's header declares entities; LSL headers have none")
    try:
        return ElementTree.fromstring(xml)
    except ElementTree.ParseError as error:
        raise NeuriptError(f"the stream's header is not XML ({error})") from error


def _own(element: ElementTree.Element) -> str:
    return (element.text or "").strip()


def _text(root: ElementTree.Element, path: str) -> str:
    return (root.findtext(path) or "").strip()


def _number(root: ElementTree.Element, path: str) -> float:
    try:
        value = float(_text(root, path))
    except ValueError:
        return 0.0
    return value if math.isfinite(value) else 0.0


def _column(channels: list[ElementTree.Element], n_chans: int, *tags: str) -> tuple[str, ...]:
    found = [next((t for tag in tags if (t := _text(c, tag))), "") for c in channels]
    return tuple(found + [""] * (n_chans - len(found)))


def _positions(channels: list[ElementTree.Element]) -> dict[str, Position]:
    """Read locations; the convention is millimetres, but metres and centimetres are met too."""
    raw: dict[str, Position] = {}
    for channel in channels:
        label = _text(channel, "label")
        if label and channel.find("location") is not None:
            x, y, z = (_number(channel, f"location/{axis}") for axis in "XYZ")
            raw[label] = (x, y, z)
    radii = sorted(math.hypot(*p) for p in raw.values())
    if not radii:
        return {}
    scale = _to_metres(radii[len(radii) // 2])
    if scale is None:
        return {}
    return {k: (p[0] * scale, p[1] * scale, p[2] * scale) for k, p in raw.items()}


def _to_metres(radius: float) -> float | None:
    """Unit of a head radius (4 to 20 cm in reality), or None where it is no head."""
    return next((s for s in (1e-3, 1.0, 1e-2) if 0.04 <= radius * s <= 0.2), None)
