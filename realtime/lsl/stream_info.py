"""From a header to what liblsl publishes; the one place where this program writes stream metadata."""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement

from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.lsl.library import pylsl
from neuript.realtime.recordings.header import header_xml


def described(info: SignalInfo, *more: Element) -> Element:
    """Return the `desc` element of a stream: what `info` says of its channels, and `more` elements after it."""
    desc = header_xml(info).find("desc")
    if desc is None:
        raise AssertionError("header_xml writes a desc")
    desc.extend(more)
    return desc


def element(tag: str, **texts: str) -> Element:
    """Return an element whose children hold texts; `element("cap", name="10-20")`."""
    root = Element(tag)
    for name, text in texts.items():
        SubElement(root, name).text = text
    return root


def stream_info(info: SignalInfo, desc: Element) -> pylsl.StreamInfo:
    """Return the header that an outlet needs.

    Parameters
    ----------
    info : SignalInfo
        Name, type, number of channels, rate, format and source id.
    desc : Element
        The `desc` element; it may say something else of the channels than `info` does.
    """
    out = pylsl.StreamInfo(info.name, info.stype, len(info.ch_names), info.sfreq, info.channel_format, info.source_id)
    _copy_children(desc, out.desc())
    return out


def _copy_children(source: Element, target: pylsl.XMLElement) -> None:
    for child in source:
        if len(child):
            _copy_children(child, target.append_child(child.tag))
        else:
            target.append_child_value(child.tag, child.text or "")
