"""Markers of whoever sends them: the cues of a session, then those of a rehearsal of the same name."""

from __future__ import annotations

import ctypes
import uuid

import pytest
from pylsl.lib import lib
from waiting import wait_for

from neuript.realtime.lsl.library import pylsl
from neuript.realtime.lsl.marker_inlet import LslMarkers

pytestmark = pytest.mark.lsl


def outlet(name: str, source_id: str) -> pylsl.StreamOutlet:
    return pylsl.StreamOutlet(pylsl.StreamInfo(name, "Markers", 1, 0.0, "string", source_id))


def test_the_next_stream_of_the_name_is_heard_when_the_first_is_gone():
    name = f"cues-{uuid.uuid4().hex[:8]}"
    markers = LslMarkers(f"name='{name}'")
    markers.start()
    heard: list[str] = []

    def hears(sender: pylsl.StreamOutlet, text: str) -> bool:
        heard.extend(said for _, said in markers.pull())
        if sender.have_consumers():
            sender.push_sample([text])
        return text in heard

    try:
        for source_id in ("session", "rehearsal"):
            sender = outlet(name, f"{name}-{source_id}")
            wait_for(lambda s=sender, text=source_id: hears(s, text), 30, f"a marker of the {source_id}")
            del sender
    finally:
        markers.close()
    assert heard == sorted(heard, key=["session", "rehearsal"].index)


def test_what_arrives_has_the_spelling_of_a_file():
    """Padding is dropped, and text that is not UTF-8 is read: pylsl itself stops at it."""
    name = f"cues-{uuid.uuid4().hex[:8]}"
    sender, markers = outlet(name, name), LslMarkers(f"name='{name}'")
    text = (ctypes.c_char_p * 1)("linke Hand üben \n".encode("latin-1"))
    heard: list[str] = []

    def hears() -> bool:
        heard.extend(said for _, said in markers.pull())
        if sender.have_consumers() and not heard:
            lib.lsl_push_sample_strtp(sender.obj, text, ctypes.c_double(0.0), ctypes.c_int(1))
        return bool(heard)

    markers.start()
    try:
        wait_for(hears, 30, "the marker")
    finally:
        markers.close()
    assert set(heard) == {"linke Hand üben"}
