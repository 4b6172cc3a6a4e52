"""Text that is not UTF-8: the same from a live stream and from a file."""

from __future__ import annotations

import struct

import numpy as np
import pytest
import xdf_writer

from neuript.realtime.chain.units import unit_name
from neuript.realtime.recordings.header import signal_info
from neuript.realtime.recordings.look import volts_per_number
from neuript.realtime.recordings.read import read_recording
from neuript.realtime.recordings.recording import events_of
from neuript.realtime.recordings.text_encoding import read_text

MICRO = "\u00b5V"
TWICE = MICRO.encode().decode("latin-1")
WRITTEN = {"utf-8": MICRO.encode(), "latin-1": MICRO.encode("latin-1"), "twice": TWICE.encode()}


def pylsl_reads(raw: bytes) -> str:
    """What pylsl makes of a header (its fallback, written down again)."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


@pytest.mark.parametrize("raw", WRITTEN.values(), ids=WRITTEN)
def test_every_way_to_write_a_unit_is_one_unit(raw):
    assert read_text(raw) == read_text(pylsl_reads(raw)) == MICRO
    assert unit_name(read_text(raw)) == "microvolts"


def test_other_texts_stay():
    for text in ("", "EEG", "Verstärker", "左手", "μV", "😀 é", "naïve café"):
        assert read_text(text) == read_text(text.encode()) == text
    assert read_text(b"\xff\xfe") == "ÿþ"


def header(unit: bytes, host: bytes = b"lab") -> bytes:
    channels = b"".join(b"<channel><label>C%d</label><unit>%s</unit></channel>" % (i, unit) for i in (3, 4))
    return (
        b"<info><name>Verst\xe4rker</name><type>EEG</type><channel_count>2</channel_count><nominal_srate>250</nominal_srate>"
        b"<channel_format>float32</channel_format><source_id>a</source_id><hostname>%s</hostname><desc><channels>%s"
        b"</channels></desc></info>" % (host, channels)
    )


@pytest.mark.parametrize("raw", WRITTEN.values(), ids=WRITTEN)
@pytest.mark.parametrize("host", [b"lab", b"b\xfcro", "büro".encode()])
def test_live_and_file_read_one_header_alike_whatever_is_mixed_in_it(raw, host):
    file, live = signal_info(header(raw, host)), signal_info(pylsl_reads(header(raw, host)))
    assert file == live
    assert (file.units, file.name) == ((MICRO, MICRO), "Verstärker")


@pytest.mark.parametrize("raw", WRITTEN.values(), ids=WRITTEN)
def test_a_recording_of_such_a_sender(tmp_path, rng, raw):
    out = xdf_writer.XdfWriter()
    out.formats[1] = "float32"
    out.raw(xdf_writer.chunk(2, struct.pack("<I", 1) + header(raw)))
    n = 1500
    out.samples(1, [5 + i / 250 for i in range(n)], 15 * rng.standard_normal((n, 2)).astype(np.float32))
    out.stream(2, "cues", "Markers", 2, 0.0, "string")
    body = struct.pack("<I", 2) + b"\x01\x03"
    for stamp, texts in (
        (7.0, (b"linke Hand \xfcben", b"")),
        (None, ("üben".encode(), b"1")),
        (9.0, (b"x" * 300, b"y")),
    ):
        body += b"\x00" if stamp is None else b"\x08" + struct.pack("<d", stamp)
        body += b"".join(xdf_writer.varlen(len(text)) + text for text in texts)
    rec = read_recording(out.raw(xdf_writer.chunk(3, body)).save(tmp_path / "x.xdf"))
    assert rec.eeg.info.name == "Verstärker"
    assert volts_per_number(rec).scale.tolist() == [1e-6, 1e-6]
    assert [e.label for e in events_of(rec)] == ["linke Hand üben,", "üben,1", "x" * 300 + ",y"]
    assert [e.time_s for e in events_of(rec)] == [7.0, 7.0, 9.0]
    assert not any("corrupt" in note for note in rec.warnings)


def test_a_letter_of_another_script_changes_nothing_else():
    assert read_text("Âµ–V") == "µ–V"
    assert read_text("dÃ©but 頭") == "début 頭"
