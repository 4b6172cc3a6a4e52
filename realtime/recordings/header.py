"""What a stream's XML says: one reader for live LSL streams and XDF stream headers, which share one layout.

The XML comes from the network or from a file, so it is read with limits: size, depth, no DOCTYPE.
"""

from __future__ import annotations

import math
import xml.etree.ElementTree as ET
from collections.abc import Iterator

from neuript.errors import NeuriptError
from neuript.limits import MAX_CHANNELS
from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.recordings.text_encoding import read_text

MAX_XML_BYTES = 16 * 2**20
MAX_XML_DEPTH = 64
MAX_CLAIMED_SFREQ = 1e6
"""A header that says more (Hz) is damaged; audio and EMG beside the EEG stay below."""
DESCRIPTION_TYPE = "Description"
"""Type of the stream that explains another one."""
CHANNEL_FORMATS = ("float32", "double64", "string", "int32", "int16", "int8", "int64")


class _DepthLimitedBuilder(ET.TreeBuilder):
    """Tree builder that refuses absurd nesting and document types."""

    def __init__(self) -> None:
        super().__init__()
        self._depth = 0

    def start(self, tag: str, attrs: dict[str, str], /) -> ET.Element:
        self._depth += 1
        if self._depth > MAX_XML_DEPTH:
            raise NeuriptError(f"the XML is nested deeper than {MAX_XML_DEPTH} levels")
        return super().start(tag, attrs)

    def end(self, tag: str, /) -> ET.Element:
        self._depth -= 1
        return super().end(tag)


def parse_xml(text: str | bytes) -> ET.Element:
    """Parse XML of unknown origin, or say why not.

    Parameters
    ----------
    text : str or bytes
        XML as in `pylsl.StreamInfo.as_xml()` or in an XDF chunk, read by `read_text`.

    Returns
    -------
    Element
        The root element of the document.

    Raises
    ------
    NeuriptError
        If the text is larger than 16 MiB, nested deeper than 64 levels, has a DOCTYPE or NUL bytes, or is not XML.
    """
    text = read_text(text)
    if len(text) > MAX_XML_BYTES:
        raise NeuriptError(f"the XML has {len(text)} characters, more than {MAX_XML_BYTES}")
    if "<!doctype" in text.lower() or "\x00" in text:
        raise NeuriptError("the XML has a DOCTYPE or NUL bytes, which stream metadata never needs")
    try:
        return ET.fromstring(text.strip(), parser=ET.XMLParser(target=_DepthLimitedBuilder()))
    except (ET.ParseError, ValueError) as error:
        raise NeuriptError(f"the XML cannot be read ({error})") from error


def text_of(parent: ET.Element | None, *tags: str) -> str:
    """Return the stripped text of the first of `tags` that `parent` has with text, else ''."""
    for tag in tags:
        text = "" if parent is None else (parent.findtext(tag) or "").strip()
        if text:
            return text
    return ""


def signal_info(xml: str | bytes | ET.Element) -> SignalInfo:
    """Read what a stream says about itself from its LSL or XDF header XML.

    Labels, units and types are taken only if there is one `<channel>` per channel; otherwise they
    are empty strings, because a list of the wrong length cannot be trusted to name the right wires.

    Raises
    ------
    NeuriptError
        If there is no `<channel_count>`, or a count, rate or format is outside what a stream can have.
    """
    root = xml if isinstance(xml, ET.Element) else parse_xml(xml)
    name = text_of(root, "name")
    n_chans = int(_number(root, "channel_count", 1, MAX_CHANNELS))
    sfreq = _number(root, "nominal_srate", 0, MAX_CLAIMED_SFREQ)
    channel_format = text_of(root, "channel_format")
    if channel_format not in CHANNEL_FORMATS:
        raise NeuriptError(
            f"stream '{name}' has channel_format '{channel_format}'; known are {', '.join(CHANNEL_FORMATS)}"
        )
    desc = root.find("desc")
    channels = list(_channels(desc))
    if len(channels) != n_chans:
        channels = [ET.Element("channel")] * n_chans
    manufacturer = text_of(desc, "manufacturer", "acquisition/manufacturer", "amplifier/manufacturer")
    labels = tuple(text_of(c, "label", "name") for c in channels)
    return SignalInfo(
        name=name,
        sfreq=sfreq,
        ch_names=labels,
        units=tuple(text_of(c, "unit", "units") for c in channels),
        ch_types=tuple(text_of(c, "type").upper() for c in channels),
        stype=text_of(root, "type"),
        source_id=text_of(root, "source_id"),
        uid=text_of(root, "uid"),
        hostname=text_of(root, "hostname"),
        channel_format=channel_format,
        positions_m=_positions_m(labels, channels),
        manufacturer=manufacturer,
        reference=", ".join(
            label.text.strip()
            for label in ([] if desc is None else desc.findall("reference/label"))
            if label.text and label.text.strip()
        ),
        speed=_speed(text_of(desc, "replay/speed")),
        simulated="simulated" in f"{name} {manufacturer}".lower(),
    )


def _speed(text: str) -> float:
    """Read how much faster than in life a replay is played; 1 for anything else."""
    try:
        speed = float(text)
    except ValueError:
        return 1.0
    return speed if 0 < speed < math.inf else 1.0


def _channels(desc: ET.Element | None) -> Iterator[ET.Element]:
    if desc is not None:
        yield from desc.findall("channels/channel")


def _number(root: ET.Element, tag: str, low: float, high: float) -> float:
    text = text_of(root, tag)
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not low <= value <= high:
        raise NeuriptError(f"stream '{text_of(root, 'name')}' has {tag} '{text}'; allowed is {low:g} to {high:g}")
    return value


def _positions_m(labels: tuple[str, ...], channels: list[ET.Element]) -> dict[str, tuple[float, float, float]]:
    """Electrode positions from `location/{X,Y,Z}`, millimetres by the LSL convention.

    All or nothing: if one of them cannot lie on a head (further than 0.3 m from its centre), the
    unit is not what the convention says, and none is used.
    """
    found: dict[str, tuple[float, float, float]] = {}
    for label, channel in zip(labels, channels, strict=True):
        texts = [text_of(channel.find("location"), axis, axis.lower()) for axis in "XYZ"]
        try:
            x, y, z = (float(text) * 1e-3 for text in texts)
        except ValueError:
            continue
        if label and math.isfinite(x + y + z) and (x, y, z) != (0.0, 0.0, 0.0):
            found[label] = (x, y, z)
    return found if all(0.02 < math.dist((0, 0, 0), p) < 0.3 for p in found.values()) else {}


def header_xml(info: SignalInfo) -> ET.Element:
    """Write a stream header by the LSL EEG convention: the inverse of `signal_info`.

    Used to publish recordings whose format has no such header of its own.
    """
    root = ET.Element("info")
    for tag, text in (
        ("name", info.name),
        ("type", info.stype),
        ("channel_count", str(len(info.ch_names))),
        ("nominal_srate", repr(info.sfreq)),
        ("channel_format", info.channel_format),
        ("source_id", info.source_id),
        ("uid", info.uid),
        ("hostname", info.hostname),
    ):
        ET.SubElement(root, tag).text = text
    desc = ET.SubElement(root, "desc")
    if info.manufacturer:
        ET.SubElement(desc, "manufacturer").text = info.manufacturer
    channels = ET.SubElement(desc, "channels")
    for label, unit, kind in zip(info.ch_names, info.units, info.ch_types, strict=True):
        channel = ET.SubElement(channels, "channel")
        for tag, text in (("label", label), ("unit", unit), ("type", kind)):
            ET.SubElement(channel, tag).text = text
        if label in info.positions_m:
            location = ET.SubElement(channel, "location")
            for axis, metres in zip("XYZ", info.positions_m[label], strict=True):
                ET.SubElement(location, axis).text = repr(metres * 1e3)
    if info.reference:
        ET.SubElement(ET.SubElement(desc, "reference"), "label").text = info.reference
    return root


def as_dict(element: ET.Element) -> dict[str, list[object]]:
    """Return the children of an element as nested dictionaries of lists, as pyxdf does."""
    out: dict[str, list[object]] = {}
    for child in element:
        out.setdefault(child.tag, []).append(as_dict(child) if len(child) else child.text)
    return out
