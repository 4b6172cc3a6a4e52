"""What is published says what the header says, as liblsl itself writes it."""

from __future__ import annotations

from xml.etree.ElementTree import Element

import pytest

from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.lsl.stream_info import described, element, stream_info
from neuript.realtime.recordings.header import CHANNEL_FORMATS, parse_xml, signal_info

INFO = SignalInfo(
    name='amp <1> & "2"',
    sfreq=250.0,
    ch_names=("C3", "ünï"),
    units=("microvolts", "none"),
    ch_types=("EEG", "MISC"),
    source_id="it's",
    positions_m={"C3": (-0.0654, -0.0116, 0.0643)},
    manufacturer="maker",
    reference="A1",
)


def test_a_header_comes_back_from_liblsl_as_it_was():
    more = element("cap", name="10-20", labelscheme="<&>"), element("empty")
    xml = stream_info(INFO, described(INFO, *more)).as_xml()
    read = signal_info(xml)
    for name in ("name", "stype", "sfreq", "ch_names", "units", "ch_types", "source_id", "manufacturer", "reference"):
        assert getattr(read, name) == getattr(INFO, name), name
    assert read.positions_m["C3"] == pytest.approx(INFO.positions_m["C3"])
    desc = parse_xml(xml).find("desc")
    assert (desc.findtext("cap/name"), desc.findtext("cap/labelscheme")) == ("10-20", "<&>")
    assert desc.find("empty") is not None


@pytest.mark.parametrize("channel_format", CHANNEL_FORMATS)
def test_every_format_is_published(channel_format):
    info = SignalInfo(name="x", sfreq=0.0, ch_names=("a",), channel_format=channel_format)
    assert signal_info(stream_info(info, Element("desc")).as_xml()).channel_format == channel_format
