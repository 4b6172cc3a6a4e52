"""Damage is survived or refused in words."""

from __future__ import annotations

import struct
import time
import warnings

import numpy as np
import pytest
import xdf_writer

from neuript.errors import NeuriptError
from neuript.realtime.recordings import header as metadata
from neuript.realtime.recordings import xdf_walk as xdf
from neuript.realtime.recordings.header import parse_xml
from neuript.realtime.recordings.read import read_recording

SFREQ = 250.0

MARKERS = [(1000.5, "left"), (1001.0, "right"), (1002.25, "left")]


# --- damage -----------------------------------------------------------------------------------


def test_cut_anywhere_it_gives_a_prefix_or_a_sentence(tmp_path, rng):
    data = rng.standard_normal((60, 2)).astype(np.float32)
    writer = xdf_writer.session(data, 5 + np.arange(60) / SFREQ, [(5.1, "a")], n_per_chunk=10)
    blob = writer.bytes()
    edges = 4 + np.cumsum([len(chunk) for chunk in writer.chunks])
    sizes = {0, 3, *range(4, len(blob), 23), *edges[:-1], *(edges - 1), *(edges[:-1] + 5)}
    path = tmp_path / "a.xdf"
    n_read, refusals = [], []
    for size in sorted(sizes):
        path.write_bytes(blob[:size])
        try:
            rec = read_recording(path)
        except NeuriptError as error:
            refusals.append(str(error))
            continue
        n = len(rec.eeg)
        np.testing.assert_array_equal(rec.eeg.data, data[:n])
        assert n % 10 == 0
        n_read.append(n)
        if size != len(blob) and "the file is damaged" not in str(rec.warnings):
            assert "no footer" in str(rec.warnings)  # cut exactly between two chunks
    assert sorted(set(n_read)) == [10, 20, 30, 40, 50, 60]
    assert n_read == sorted(n_read)
    assert refusals
    assert all(str(path) in text and "\n" not in text for text in refusals)


def test_the_warning_says_how_much_was_read(tmp_path, eeg):
    data, stamps = eeg
    blob = xdf_writer.session(data, stamps, MARKERS).bytes()
    (tmp_path / "a.xdf").write_bytes(blob[:5000])
    rec = read_recording(tmp_path / "a.xdf")
    line = next(w for w in rec.warnings if "the file is damaged" in w)
    assert f"of 5000 bytes ({100 * xdf.scan(blob[:5000]).n_kept / 5000:.1f} %)" in line
    assert f"{len(rec.eeg)} samples" in line


def test_after_damage_in_the_middle_reading_goes_on_at_the_next_boundary(tmp_path, eeg):
    data, stamps = eeg
    writer = xdf_writer.session(data, stamps, MARKERS)
    sizes = [len(c) for c in writer.chunks]
    hit = 9  # a Samples chunk after the first boundary
    blob = bytearray(writer.bytes())
    position = 4 + sum(sizes[:hit])
    blob[position] = 77  # an impossible length
    (tmp_path / "a.xdf").write_bytes(bytes(blob))
    rec = read_recording(tmp_path / "a.xdf")
    assert "reading goes on at the next boundary" in rec.warnings[0]
    assert 0 < len(rec.eeg) < 750
    lost = np.setdiff1d(stamps, rec.eeg.raw_timestamps)
    kept = np.isin(stamps, rec.eeg.raw_timestamps)
    np.testing.assert_array_equal(rec.eeg.data, data[kept])
    assert len(lost) == 750 - len(rec.eeg)
    assert len(rec.eeg.gaps) == 1
    assert rec.eeg.gaps[0].n_missing == pytest.approx(len(lost), abs=1)


def test_flipped_bytes_never_crash_and_never_invent_samples(tmp_path, rng):
    data = rng.standard_normal((60, 2)).astype(np.float32)
    blob = xdf_writer.session(data, 5 + np.arange(60) / SFREQ, [(5.1, "a")], n_per_chunk=10).bytes()
    path = tmp_path / "a.xdf"
    n_read = n_refused = 0
    for _ in range(80):
        bad = bytearray(blob)
        for at in rng.integers(4, len(blob), rng.integers(1, 4)):
            bad[at] = rng.integers(0, 256)
        path.write_bytes(bytes(bad))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                rec = read_recording(path)
            except NeuriptError:
                n_refused += 1
                continue
        n_read += 1
        assert len(rec.eeg) <= 60
    assert n_read > 30
    assert n_refused > 0


def _lies(writer):
    head = writer.stream(1, "A", "EEG", 2, 100.0)
    head.stream(2, "M", "Markers", 1, 0.0, "string")
    head.samples(1, [1.0, 1.01], [[1, 2], [3, 4]])
    one = struct.pack("<I", 1)
    return {
        "a chunk of 2^60 bytes": b"\x08" + struct.pack("<QH", 2**60, 3) + one,
        "a chunk of 4 GB": b"\x04" + struct.pack("<IH", 2**32 - 1, 3) + one,
        "2^60 samples": xdf_chunk(3, one + b"\x08" + struct.pack("<Q", 2**60) + bytes(30)),
        "a stamp of 3 bytes": xdf_chunk(3, one + b"\x01\x01" + b"\x03" + bytes(16)),
        "a stream nobody declared": xdf_chunk(3, struct.pack("<I", 99) + b"\x01\x00"),
        "a chunk of 1 byte": b"\x01\x01\x03",
        "a text of 2 GB": xdf_chunk(3, struct.pack("<I", 2) + b"\x01\x01\x00\x04" + struct.pack("<I", 2**31)),
    }, head


def xdf_chunk(tag: int, content: bytes) -> bytes:
    return b"\x04" + struct.pack("<IH", len(content) + 2, tag) + content


@pytest.mark.parametrize("lie", range(7))
def test_lying_lengths_cost_nothing(tmp_path, lie):
    lies, head = _lies(xdf_writer.XdfWriter())
    bad = list(lies.values())[lie]
    blob = head.bytes() + bad + xdf_writer.chunk(5, xdf_writer.BOUNDARY)
    blob += xdf_writer.XdfWriter().stream(1, "A", n_chans=2).samples(1, [1.02], [[5, 6]]).chunks[-1]
    (tmp_path / "a.xdf").write_bytes(blob)
    begin = time.process_time()
    rec = read_recording(tmp_path / "a.xdf")
    assert time.process_time() - begin < 1.0
    np.testing.assert_array_equal(rec.eeg.data, [[1, 2], [3, 4], [5, 6]])
    assert any("left out" in w or "reading goes on" in w for w in rec.warnings)


def test_a_second_header_does_not_erase_the_samples(tmp_path):
    out = xdf_writer.XdfWriter().stream(1, "A", "EEG", 1, 100.0).samples(1, [1.0], [[7]])
    out.stream(1, "A", "EEG", 1, 100.0).samples(1, [1.01], [[8]])
    rec = read_recording(out.save(tmp_path / "a.xdf"))
    np.testing.assert_array_equal(rec.eeg.data, [[7], [8]])
    assert "second header" in rec.warnings[0]


# --- refusals ---------------------------------------------------------------------------------


def test_a_doctype_is_refused(tmp_path):
    bomb = '<!DOCTYPE x [<!ENTITY a "aaaa">]>'
    for out in (
        xdf_writer.XdfWriter().stream(1, "A", "EEG", 1, 100.0, head=bomb),
        xdf_writer.XdfWriter(header=bomb + "<info/>"),
    ):
        with pytest.raises(NeuriptError, match="DOCTYPE"):
            read_recording(out.save(tmp_path / "a.xdf"))


def test_xml_limits(monkeypatch):
    with pytest.raises(NeuriptError, match="deeper than 64"):
        parse_xml("<a>" * 100 + "</a>" * 100)
    assert parse_xml("<a>" * 64 + "</a>" * 64).tag == "a"
    monkeypatch.setattr(metadata, "MAX_XML_BYTES", 100)
    with pytest.raises(NeuriptError, match="more than 100"):
        parse_xml("<a>" + "x" * 100 + "</a>")


@pytest.mark.parametrize(
    ("n_chans", "sfreq", "fmt"),
    [(0, 100, "float32"), (10**9, 100, "float32"), (1, -5, "float32"), (1, "nan", "float32"),
     (1, "fast", "float32"), (1, 100, "float99")],
)  # fmt: skip
def test_impossible_streams_are_left_out(tmp_path, n_chans, sfreq, fmt):
    out = xdf_writer.XdfWriter().stream(1, "Bad", "EEG", n_chans, sfreq, fmt)
    out.stream(2, "Good", "EEG", 1, 100.0).samples(2, [1.0], [[7]])
    rec = read_recording(out.save(tmp_path / "a.xdf"))
    assert [s.info.name for s in rec.streams] == ["Good"]
    assert "left out" in rec.warnings[0]


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("a.xdf", b"", "empty"),
        ("a.xdf", b"PK\x03\x04 something else", "not an XDF file"),
        ("a.xdf", b"XDF:", "no streams"),
        ("a.edf", b"", "empty"),
        ("a.edf", b"nonsense" * 100, "cannot be read"),
        ("a.fif", b"nonsense" * 100, "cannot be read"),
        ("a.vhdr", b"nonsense", "cannot be read"),
        ("a.set", b"nonsense", "cannot be read"),
        ("a.mp3", b"x", "not a recording that neuript reads"),
        ("a.eeg", b"x", "a.vhdr"),
    ],
)
def test_what_is_no_recording_is_refused_in_one_sentence(tmp_path, name, content, sentence):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(NeuriptError, match=sentence) as refusal:
        read_recording(tmp_path / name)
    assert "\n" not in str(refusal.value)
    assert str(tmp_path / name) in str(refusal.value)


def test_missing_file_and_folder(tmp_path):
    with pytest.raises(NeuriptError, match="there is no file"):
        read_recording(tmp_path / "a.xdf")
    (tmp_path / "b.xdf").mkdir()
    with pytest.raises(NeuriptError, match="not a file"):
        read_recording(tmp_path / "b.xdf")
    (tmp_path / "b.edf").mkdir()
    with pytest.raises(NeuriptError, match="not a file"):
        read_recording(tmp_path / "b.edf")


def test_without_eeg(tmp_path):
    out = xdf_writer.XdfWriter().stream(1, "M", "Markers", fmt="string").samples(1, [1.0], ["a"])
    out.stream(2, "Force", "Signal", 1, 100.0).samples(2, [1.0, 1.01], [[1], [2]])
    path = out.save(tmp_path / "a.xdf")
    with pytest.raises(NeuriptError, match=r"no stream of type EEG; it has 'M' \(Markers\), 'Force'"):
        read_recording(path)
    assert len(read_recording(path, require_eeg=False).streams) == 2
    assert read_recording(path, eeg="Force").eeg.info.name == "Force"
    with pytest.raises(NeuriptError, match="the stream 'M' holds text, so it cannot be the EEG"):
        read_recording(path, eeg="M")


def test_empty_or_irregular_eeg(tmp_path):
    path = xdf_writer.XdfWriter().stream(1, "A", "EEG", 1, 100.0).save(tmp_path / "a.xdf")
    with pytest.raises(NeuriptError, match="'A' holds no samples"):
        read_recording(path)
    out = xdf_writer.XdfWriter().stream(1, "A", "EEG", 1, 0.0).samples(1, [1.0], [[1]])
    with pytest.raises(NeuriptError, match="'A' has no sampling rate"):
        read_recording(out.save(tmp_path / "a.xdf"))


def test_of_two_eeg_streams_one_too_short_to_be_used_is_left_out_with_a_word(tmp_path):
    out = xdf_writer.XdfWriter().stream(1, "Short", "EEG", 1, 100.0).samples(1, [1.0], [[1]])
    out.stream(2, "Long", "eeg", 1, 100.0).samples(2, [1.0 + 0.01 * i for i in range(300)], [[i] for i in range(300)])
    rec = read_recording(out.save(tmp_path / "a.xdf"))
    assert rec.eeg.info.name == "Long"
    assert "'Long' (no source id) is taken as the EEG, and not 'Short' (no source id)" in rec.warnings
    assert read_recording(out.save(tmp_path / "a.xdf"), eeg="Short").eeg.info.name == "Short"
