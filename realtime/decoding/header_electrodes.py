"""Which channels of an EEG stream a decoder uses and the electrodes that it makes of them, as its headers say it."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from xml.etree.ElementTree import Element, SubElement

_AXES = ("x", "y", "z")


@dataclass(frozen=True, slots=True, kw_only=True)
class HeaderElectrode:
    """An electrode, or a pair, that the model sees."""

    name: str
    channel: int | None = None
    """Index of the one stream channel that carries it, from 0; None where it is made of several, or estimated."""
    pos_m: tuple[float, float, float] | None = None
    """Place on the template head in metres: x to the right, y to the front, z up; None where nobody knows it."""

    def to_xml(self) -> Element:
        """Return the `electrode` element."""
        root = Element("electrode")
        SubElement(root, "name").text = self.name
        SubElement(root, "index").text = "" if self.channel is None else str(self.channel)
        for axis, value in zip(_AXES, self.pos_m or (), strict=False):
            SubElement(root, axis).text = f"{value:.5g}"
        return root

    @classmethod
    def from_xml(cls, element: Element) -> HeaderElectrode:
        """Read an `electrode` element, whoever wrote it: what is missing or no number is not known."""
        place = tuple(_float(element.findtext(axis)) for axis in _AXES)
        return cls(
            name=(element.findtext("name") or "").strip(),
            channel=_index(element.findtext("index")),
            pos_m=(place[0], place[1], place[2]) if all(map(math.isfinite, place)) else None,
        )


def electrodes_xml(electrodes: Iterable[HeaderElectrode], used: Iterable[int]) -> Element:
    """Return the `electrodes` element: each electrode, and the indices of all stream channels that reach the model."""
    root = Element("electrodes")
    root.extend([electrode.to_xml() for electrode in electrodes])
    SubElement(root, "used").text = " ".join(map(str, used))
    return root


def read_electrodes(decoder: Element) -> tuple[tuple[HeaderElectrode, ...], tuple[int, ...]]:
    """Return the electrodes and the indices of the channels in use of a `decoder` element; none where it says none."""
    electrodes = tuple(map(HeaderElectrode.from_xml, decoder.findall("electrodes/electrode")))
    indices = [_index(text) for text in (decoder.findtext("electrodes/used") or "").split()]
    return electrodes, tuple(index for index in indices if index is not None)


def _index(text: str | None) -> int | None:
    text = (text or "").strip()
    return int(text) if text.isdecimal() else None


def _float(text: str | None) -> float:
    try:
        return float(text or "nan")
    except ValueError:
        return math.nan
