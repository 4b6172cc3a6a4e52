"""Readers: what is in the file comes out, on one clock, and damage is survived or refused in words."""

from __future__ import annotations

import gzip
import struct
import time
import warnings

import numpy as np
import pytest
import xdf_writer

from neuript.errors import NeuriptError
from neuript.realtime.recordings import header as metadata
from neuript.realtime.recordings import xdf_walk as xdf
from neuript.realtime.recordings.gaps import find_gaps
from neuript.realtime.recordings.header import header_xml, parse_xml, signal_info
from neuript.realtime.recordings.read import read_recording
from neuript.realtime.recordings.recording import Event, events_of

SFREQ = 250.0


@pytest.fixture
def eeg(rng):
    """(data, stamps): 3 s of 3 channels with stamps that jitter."""
    n = 750
    stamps = 1000.0 + np.arange(n) / SFREQ + rng.normal(0, 2e-4, n)
    return (20 * rng.standard_normal((n, 3))).astype(np.float32), stamps


MARKERS = [(1000.5, "left"), (1001.0, "right"), (1002.25, "left")]


def test_an_xdf_comes_out_as_it_went_in(tmp_path, eeg):
    data, stamps = eeg
    desc = "<acquisition><manufacturer>Maker</manufacturer></acquisition><reference><label>A1</label></reference>"
    path = xdf_writer.session(data, stamps, MARKERS, labels=["C3", "Cz", "C4"], desc=desc).save(tmp_path / "a.xdf")
    rec = read_recording(path)
    assert rec.warnings == []
    assert rec.eeg.data.dtype == np.float32
    np.testing.assert_array_equal(rec.eeg.data, data)
    np.testing.assert_array_equal(rec.eeg.raw_timestamps, stamps)
    np.testing.assert_allclose(rec.eeg.timestamps, stamps, rtol=0, atol=1e-9)
    info = rec.eeg.info
    assert (info.name, info.sfreq, info.ch_names) == ("Amp", SFREQ, ("C3", "Cz", "C4"))
    assert (info.units, info.ch_types) == (("microvolts",) * 3, ("EEG",) * 3)
    assert (info.source_id, info.hostname) == ("amp-1", "lab")
    assert (info.manufacturer, info.reference) == ("Maker", "A1")
    assert rec.eeg.desc["channels"][0]["channel"][1]["label"] == ["Cz"]
    assert [e.label for e in events_of(rec)] == ["left", "right", "left"]
    assert rec.eeg.effective_sfreq == pytest.approx(SFREQ, rel=1e-3)


def test_stamps_are_not_smoothed(tmp_path, eeg):
    data, stamps = eeg
    rec = read_recording(xdf_writer.session(data, stamps, MARKERS).save(tmp_path / "a.xdf"))
    wobble = np.diff(rec.eeg.timestamps) - 1 / SFREQ
    assert wobble.std() == pytest.approx(2e-4 * np.sqrt(2), rel=0.15)


def test_eeg_and_events_of_two_computers_meet_on_one_clock(tmp_path, eeg):
    data, stamps = eeg
    markers = [(time_s - 500.0, text) for time_s, text in MARKERS]  # their computer started later
    rec = read_recording(
        xdf_writer.session(data, stamps, markers, eeg_offset=7.0, marker_offset=507.0).save(tmp_path / "a.xdf")
    )
    np.testing.assert_allclose(rec.eeg.timestamps, stamps + 7.0, rtol=0, atol=1e-6)
    np.testing.assert_array_equal(rec.eeg.raw_timestamps, stamps)
    expected = [(time_s + 7.0, text) for time_s, text in MARKERS]
    for event, (time_s, text) in zip(events_of(rec), expected, strict=True):
        assert event.time_s == pytest.approx(time_s, abs=1e-6)
        assert event.label == text


@pytest.mark.parametrize("fmt", ["float32", "double64", "int8", "int16", "int32", "int64"])
def test_numbers_keep_their_format(tmp_path, rng, fmt):
    values = rng.integers(-100, 100, (40, 2)).astype(xdf_writer.DTYPES[fmt])
    path = xdf_writer.session(values, np.arange(40) / SFREQ + 5, [], fmt=fmt).save(tmp_path / "a.xdf")
    stream = read_recording(path).eeg
    assert stream.values.dtype == np.dtype(xdf_writer.DTYPES[fmt])
    np.testing.assert_array_equal(stream.values, values)
    np.testing.assert_array_equal(stream.data, values.astype(np.float32))


def test_deduced_stamps_follow_the_rate(tmp_path):
    out = xdf_writer.XdfWriter().stream(4, "A", "EEG", 1, 100.0)
    out.samples(4, [10.0, None, None], [[1], [2], [3]]).samples(4, [10.5, None], [[4], [5]])
    stream = read_recording(out.save(tmp_path / "a.xdf")).eeg
    np.testing.assert_allclose(stream.raw_timestamps, [10, 10.01, 10.02, 10.5, 10.51], atol=1e-12)


@pytest.mark.parametrize("fmt", ["float32", "double64", "int8", "int16", "int32", "int64"])
@pytest.mark.parametrize("share_stamped", [0.0, 0.3, 1.0])
def test_decoding_equals_plain_pyxdf_to_the_bit(tmp_path, rng, fmt, share_stamped):
    import pyxdf

    out = xdf_writer.XdfWriter().stream(1, "A", "EEG", 3, 120.0, fmt).offset(1, 70.0, 2.0)
    out.stream(2, "M", "Markers", 1, 0.0, "string").samples(2, [70.3, None], ["a", "b"])
    for k, n in enumerate([17, 0, 1, 40, 2]):
        stamps = 70 + 0.5 * k + np.arange(n) / 120 + rng.uniform(0, 1e-3, n)
        kept = rng.random(n) < share_stamped
        values = rng.integers(-100, 100, (n, 3))
        out.samples(1, [t if keep else None for t, keep in zip(stamps, kept, strict=True)], values)
    path = out.offset(1, 73.0, 2.001).save(tmp_path / "a.xdf")
    plain = pyxdf.load_xdf(path, dejitter_timestamps=False)[0]
    for stream, twin in zip(read_recording(path).streams, plain, strict=True):
        np.testing.assert_array_equal(stream.timestamps, twin["time_stamps"])
        if not stream.is_text:
            assert stream.values.dtype == twin["time_series"].dtype
            np.testing.assert_array_equal(stream.values, twin["time_series"])


def test_a_file_without_footers_works_and_says_so(tmp_path, eeg):
    data, stamps = eeg
    path = xdf_writer.session(data, stamps, MARKERS, footers=False).save(tmp_path / "a.xdf")
    rec = read_recording(path)
    np.testing.assert_array_equal(rec.eeg.data, data)
    assert sum("no footer" in w for w in rec.warnings) == 2


def test_packed_files(tmp_path, eeg):
    data, stamps = eeg
    blob = xdf_writer.session(data, stamps, MARKERS).bytes()
    for name in ("a.xdfz", "a.xdf.gz"):
        (tmp_path / name).write_bytes(gzip.compress(blob))
        np.testing.assert_array_equal(read_recording(tmp_path / name).eeg.data, data)
    (tmp_path / "cut.xdfz").write_bytes(gzip.compress(blob)[:-500])
    with pytest.raises(NeuriptError, match="cannot be read"):
        read_recording(tmp_path / "cut.xdfz")


def test_an_unpacking_bomb_is_stopped(tmp_path, monkeypatch):
    monkeypatch.setattr(xdf, "MAX_UNPACKED_BYTES", 2**20)
    (tmp_path / "a.xdfz").write_bytes(gzip.compress(b"XDF:" + bytes(2**22)))
    with pytest.raises(NeuriptError, match="unpacks to more than"):
        read_recording(tmp_path / "a.xdfz")


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


@pytest.mark.alone
@pytest.mark.parametrize("lie", range(7))
def test_lying_lengths_cost_nothing(tmp_path, lie):
    lies, head = _lies(xdf_writer.XdfWriter())
    bad = list(lies.values())[lie]
    blob = head.bytes() + bad + xdf_writer.chunk(5, xdf_writer.BOUNDARY)
    blob += xdf_writer.XdfWriter().stream(1, "A", n_chans=2).samples(1, [1.02], [[5, 6]]).chunks[-1]
    (tmp_path / "a.xdf").write_bytes(blob)
    begin = time.perf_counter()
    rec = read_recording(tmp_path / "a.xdf")
    assert time.perf_counter() - begin < 1.0
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
    with pytest.raises(NeuriptError, match="no numeric stream named 'M'; it has 'Force'"):
        read_recording(path, eeg="M")


def test_empty_or_irregular_eeg(tmp_path):
    path = xdf_writer.XdfWriter().stream(1, "A", "EEG", 1, 100.0).save(tmp_path / "a.xdf")
    with pytest.raises(NeuriptError, match="'A' holds no samples"):
        read_recording(path)
    out = xdf_writer.XdfWriter().stream(1, "A", "EEG", 1, 0.0).samples(1, [1.0], [[1]])
    with pytest.raises(NeuriptError, match="'A' has no sampling rate"):
        read_recording(out.save(tmp_path / "a.xdf"))


def test_of_two_eeg_streams_the_longer_is_taken_with_a_word(tmp_path):
    out = xdf_writer.XdfWriter().stream(1, "Short", "EEG", 1, 100.0).samples(1, [1.0], [[1]])
    out.stream(2, "Long", "eeg", 1, 100.0).samples(2, [1.0, 1.01], [[1], [2]])
    rec = read_recording(out.save(tmp_path / "a.xdf"))
    assert rec.eeg.info.name == "Long"
    assert "2 EEG streams ('Short', 'Long'); using 'Long'" in rec.warnings
    assert read_recording(out.save(tmp_path / "a.xdf"), eeg="Short").eeg.info.name == "Short"


# --- clocks, gaps, markers --------------------------------------------------------------------


def test_a_clock_that_restarts_is_followed(tmp_path):
    """The amplifier's computer reboots after 20 s: its clock falls to 3 s, its offset rises."""
    sfreq, out = 100.0, xdf_writer.XdfWriter()
    out.stream(1, "A", "EEG", 1, sfreq)
    truth = np.concatenate([np.arange(2000), np.arange(2600, 4600)]) / sfreq + 50_000.0
    first, second = truth[:2000] - 10.0, truth[2000:] - 50_020.0
    data = np.arange(4000)[:, None]
    for raw, offset, part in ((first, 10.0, slice(0, 2000)), (second, 50_020.0, slice(2000, 4000))):
        for k in range(0, 2000, 200):
            out.offset(1, raw[k], offset)
            out.samples(1, raw[k : k + 200].tolist(), data[part][k : k + 200])
        out.offset(1, raw[-1], offset)
    stream = read_recording(out.save(tmp_path / "a.xdf")).eeg
    np.testing.assert_array_equal(stream.data[:, 0], np.arange(4000))
    np.testing.assert_array_equal(stream.raw_timestamps, np.concatenate([first, second]))
    np.testing.assert_allclose(stream.timestamps, truth, atol=1e-5)
    assert stream.n_clock_resets == 1
    assert stream.segments == ((0, 2000), (2000, 4000))
    assert [(g.index, g.n_missing) for g in stream.gaps] == [(2000, 600)]


def test_a_clock_that_jumps_unannounced_is_reported(tmp_path, eeg):
    data, stamps = eeg
    stamps = np.where(np.arange(750) < 300, stamps, stamps - 800.0)
    out = xdf_writer.XdfWriter().stream(1, "A", "EEG", 3, SFREQ)
    stream = read_recording(out.samples(1, stamps, data).save(tmp_path / "a.xdf"))
    np.testing.assert_array_equal(stream.eeg.timestamps, stamps)
    assert stream.eeg.segments == ((0, 300), (300, 750))
    assert any("step back by 800.0 s at sample 300" in w for w in stream.warnings)
    assert stream.eeg.effective_sfreq == pytest.approx(SFREQ, rel=1e-3)


def test_gaps_are_found_to_the_sample(rng):
    stamps = 100 + np.arange(5000) / SFREQ + rng.normal(0, 5e-4, 5000)
    stamps[1000:] += 37 / SFREQ
    stamps[3333:] += 1.5
    gaps = find_gaps(stamps, SFREQ)
    assert [(g.index, g.n_missing) for g in gaps] == [(1000, 37), (3333, 375)]
    assert gaps[1].seconds == pytest.approx(1.5, abs=0.01)


@pytest.mark.parametrize("true_rate", [250.0, 249.7, 256.0])
def test_bursts_and_wrong_rates_are_no_gaps(rng, true_rate):
    arrival = np.repeat(np.arange(1, 501) * 10, 10) / true_rate  # ten samples at a time, one stamp
    arrival += np.repeat(rng.uniform(0, 0.01, 500), 10)
    assert find_gaps(arrival, 250.0) == ()
    assert find_gaps(np.arange(5000) / true_rate, 250.0) == ()
    assert find_gaps(np.zeros(5000), 250.0) == ()
    assert find_gaps(np.array([1.0]), 250.0) == ()
    assert find_gaps(np.array([1.0, 9.0]), 0.0) == ()


def test_marker_labels(tmp_path):
    out = xdf_writer.XdfWriter().stream(1, "A", "EEG", 1, 100.0)
    out.samples(1, [10.0, 10.01], [[1], [2]])
    out.stream(2, "Stim", "Markers", 1, 0.0, "int32").samples(2, [10.5, 10.2], [[770], [769]])
    out.stream(3, "Two", "Markers", 2, 0.0, "string").samples(3, [10.3], [["a", "b"]])
    out.stream(4, "Proba", "Predictions", 1, 0.0).samples(4, [10.4], [[0.5]])
    rec = read_recording(out.save(tmp_path / "a.xdf"))
    assert events_of(rec) == [Event(10.2, "769", "Stim"), Event(10.3, "a,b", "Two"), Event(10.5, "770", "Stim")]


def test_whole_numbers_written_as_decimals(tmp_path, eeg):
    data, stamps = eeg
    texts = ["1111.000000000000", "2.", "-3.0", "1.5", "1.0.0", "a.0", "7"]
    markers = [(1000.1 + 0.1 * i, text) for i, text in enumerate(texts)]
    rec = read_recording(xdf_writer.session(data, stamps, markers).save(tmp_path / "a.xdf"))
    assert [e.label for e in events_of(rec)] == ["1111", "2", "-3", "1.5", "1.0.0", "a.0", "7"]
    assert rec.marker_streams[0].labels == texts  # what is published again is what was recorded


def test_a_stream_on_another_clock_is_named_and_left_out(tmp_path, eeg):
    data, stamps = eeg
    out = xdf_writer.session(data, stamps, MARKERS)
    out.stream(3, "Unix", "Markers", fmt="string").samples(3, [1.7e9], ["odd"])
    rec = read_recording(out.save(tmp_path / "a.xdf"))
    assert any("'Unix' is stamped by another clock" in w for w in rec.warnings)
    assert [e.label for e in events_of(rec)] == ["left", "right", "left"]


# --- metadata ---------------------------------------------------------------------------------


def _header(channels: str, n: int = 1) -> str:
    return (
        f"<info><name>A</name><type>EEG</type><channel_count>{n}</channel_count>"
        "<nominal_srate>250</nominal_srate><channel_format>float32</channel_format>"
        f"<desc><channels>{channels}</channels></desc></info>"
    )


def test_metadata_variants():
    info = signal_info(_header("<channel><name> Cz </name><unit>uV</unit><type>eeg</type></channel>"))
    assert (info.ch_names, info.units, info.ch_types) == (("Cz",), ("uV",), ("EEG",))
    info = signal_info(_header("<channel><label>Cz</label></channel>", n=2))
    assert (info.ch_names, info.units, info.ch_types) == (("", ""),) * 3  # a list of the wrong length
    assert signal_info(_header("").replace("<name>A", "<name>A (simulated)")).simulated
    assert signal_info("<info><name>A</name><channel_count>2</channel_count><nominal_srate>0"
                       "</nominal_srate><channel_format>int8</channel_format></info>").ch_names == ("", "")  # fmt: skip


@pytest.mark.parametrize(("z", "known"), [("104", True), ("0.104", False), ("1040", False), ("x", False)])
def test_positions_are_millimetres_or_not_believed(z, known):
    where = f"<location><X>3.5</X><Y>-9</Y><Z>{z}</Z></location>"
    info = signal_info(_header(f"<channel><label>Cz</label>{where}</channel>"))
    if known:
        np.testing.assert_allclose(info.positions_m["Cz"], (0.0035, -0.009, 0.104))
    else:
        assert info.positions_m == {}


def test_headers_written_by_us_read_back():
    info = signal_info(_header(
        "<channel><label>C&lt;z</label><unit>µV</unit><type>EEG</type>"
        "<location><X>0</X><Y>0</Y><Z>95</Z></location></channel>"))  # fmt: skip
    assert signal_info(header_xml(info)) == info


# --- through MNE ------------------------------------------------------------------------------


def _write_edf(path, blocks, *, units, labels, sfreq=100, bdf=False, scale=0.5):
    """Craft an EDF or BDF file by hand: 1 s records, physical = scale * digital."""
    n_chans, n_records = blocks.shape[1], len(blocks) // sfreq
    low, high = (-8388608, 8388607) if bdf else (-32768, 32767)

    def column(texts, width):
        return b"".join(str(t).encode("latin-1").ljust(width) for t in texts)

    head = (b"\xffBIOSEMI" if bdf else b"0".ljust(8)) + b"X X X X".ljust(80) + b"X".ljust(80)
    head += b"02.01.25" + b"10.20.30" + column([256 * (1 + n_chans)], 8) + b"".ljust(44)
    head += column([n_records], 8) + column([1], 8) + column([n_chans], 4)
    head += column(labels, 16) + column(["x"] * n_chans, 80) + column(units, 8)
    head += column([f"{low * scale:.0f}"] * n_chans, 8) + column([f"{high * scale:.6f}"[:8]] * n_chans, 8)
    head += column([low] * n_chans, 8) + column([high] * n_chans, 8)
    head += column([""] * n_chans, 80) + column([sfreq] * n_chans, 8) + column([""] * n_chans, 32)
    body = b""
    for record in blocks.reshape(n_records, sfreq, n_chans):
        for samples in record.T:
            raw = samples.astype("<i4").view(np.uint8).reshape(-1, 4)
            body += raw[:, : 3 if bdf else 2].tobytes()
    path.write_bytes(head + body)
    return path


def test_few_channels_at_a_time_are_all_channels(tmp_path, rng, monkeypatch):
    """A long file is read in groups of whole channels; MNE at once is the reference, also where rates differ."""
    mne = pytest.importorskip("mne")
    same = _write_edf(tmp_path / "same.edf", rng.integers(-200, 200, (300, 5)), units=["uV"] * 5, labels="ABCDE")
    mixed = _write_mixed_edf(tmp_path / "mixed.edf", rng, {"Cz": 100, "Pz": 50, "Oz": 100})
    monkeypatch.setattr("neuript.realtime.recordings.read_mne._HELD_BYTES", 2 * 8 * 300)
    for path in (same, mixed):
        whole = mne.io.read_raw_edf(path, preload=True, verbose="error")
        asked = []
        plain = mne.io.BaseRaw.get_data

        def get_data(raw, picks, plain=plain, asked=asked):
            asked.append(len(picks))
            return plain(raw, picks=picks)

        with monkeypatch.context() as patch:
            patch.setattr(mne.io.BaseRaw, "get_data", get_data)
            data = read_recording(path).eeg.data
        assert asked == [2] * (len(whole.ch_names) // 2) + [1]
        np.testing.assert_allclose(data, 1e6 * whole.get_data().T, rtol=1e-5, atol=1e-4)


def _write_mixed_edf(path, rng, rates, n_records=3):
    """Craft an EDF whose channels have rates of their own: 1 s records, 0.5 uV per step."""
    n = len(rates)

    def column(texts, width):
        return b"".join(str(t).encode().ljust(width) for t in texts)

    head = b"0".ljust(8) + b"X X X X".ljust(80) + b"X".ljust(80) + b"02.01.25" + b"10.20.30"
    head += column([256 * (1 + n)], 8) + b"".ljust(44) + column([n_records], 8) + column([1], 8)
    head += column([n], 4) + column(rates, 16) + column(["x"] * n, 80) + column(["uV"] * n, 8)
    head += column([-16384] * n, 8) + column([16383.5] * n, 8) + column([-32768] * n, 8)
    head += column([32767] * n, 8) + column([""] * n, 80) + column(rates.values(), 8)
    body = b"".join(
        np.cumsum(rng.integers(-20, 20, rate)).astype("<i2").tobytes()
        for _ in range(n_records)
        for rate in rates.values()
    )
    path.write_bytes(head + column([""] * n, 32) + body)
    return path


def test_edf_keeps_numbers_and_says_units_honestly(tmp_path, rng):
    digital = rng.integers(-200, 200, (300, 4))
    path = _write_edf(tmp_path / "a.edf", digital, units=["uV", "", "mV", "V"], labels=["Cz", "Pz", "ECG1", "HEOG"])
    rec = read_recording(path)
    info = rec.eeg.info
    assert info.units == ("microvolts", "", "millivolts", "volts")
    assert info.ch_types == ("EEG", "EEG", "ECG", "EOG")
    assert (info.sfreq, info.ch_names) == (100.0, ("Cz", "Pz", "ECG1", "HEOG"))
    assert rec.eeg.data.dtype == np.float32
    expected = 0.5 * digital  # the numbers of the file, whatever their unit
    np.testing.assert_allclose(rec.eeg.data, expected, rtol=1e-5, atol=1e-4)
    np.testing.assert_array_equal(rec.eeg.timestamps, np.arange(300) / 100)


def test_bdf_status_codes_become_events(tmp_path, rng):
    digital = rng.integers(-(2**20), 2**20, (200, 2))
    digital[:, 1] = 0
    digital[50:60, 1] = 7
    digital[120:121, 1] = 9
    path = _write_edf(
        tmp_path / "a.bdf", digital, units=["uV", "Boolean"], labels=["Cz", "Status"],
        bdf=True, scale=0.03125,
    )  # fmt: skip
    rec = read_recording(path)
    assert rec.eeg.info.ch_names == ("Cz",)
    np.testing.assert_allclose(rec.eeg.data[:, 0], digital[:, 0] * 0.03125, rtol=1e-5, atol=0.05)
    assert [(e.time_s, e.label) for e in events_of(rec)] == [(0.5, "7"), (1.2, "9")]


def test_gdf_keeps_numbers_and_says_units_honestly(tmp_path, rng):
    digital = rng.integers(-200, 200, (300, 2)).astype("<i2")  # 3 records of 1 s
    head = b"GDF 1.25" + b"X X".ljust(80) + b"X".ljust(80) + b"2025010203040500"
    head += struct.pack("<q", 256 * 3) + bytes(24) + bytes(20)
    head += struct.pack("<q", 3) + struct.pack("<II", 1, 1) + struct.pack("<I", 2)
    head += b"C3".ljust(16) + b"C4".ljust(16) + bytes(160) + b"uV".ljust(8) + b"".ljust(8)
    head += struct.pack("<4d", -3276.8, -3276.8, 3276.7, 3276.7)
    head += struct.pack("<4q", -32768, -32768, 32767, 32767) + b"".ljust(160)
    head += struct.pack("<4i", 100, 100, 3, 3) + bytes(64)
    body = b"".join(r.T.tobytes() for r in digital.reshape(3, 100, 2))
    events = b"\x01" + struct.pack("<I", 100)[:3] + struct.pack("<I", 2)
    events += struct.pack("<2I", 51, 201) + struct.pack("<2H", 769, 770)
    (tmp_path / "a.gdf").write_bytes(head + body + events)
    rec = read_recording(tmp_path / "a.gdf")
    assert rec.eeg.info.units == ("microvolts", "")
    np.testing.assert_allclose(rec.eeg.data, digital * 0.1, rtol=1e-6, atol=1e-5)
    assert [(e.time_s, e.label) for e in events_of(rec)] == [(pytest.approx(0.5), "769"), (pytest.approx(2.0), "770")]


def test_brainvision(tmp_path, rng):
    numbers = rng.integers(-500, 500, (200, 2)).astype("<i2")
    (tmp_path / "a.eeg").write_bytes(numbers.tobytes())
    (tmp_path / "a.vhdr").write_text(
        "Brain Vision Data Exchange Header File Version 1.0\n[Common Infos]\nDataFile=a.eeg\n"
        "MarkerFile=a.vmrk\nDataFormat=BINARY\nDataOrientation=MULTIPLEXED\nNumberOfChannels=2\n"
        "SamplingInterval=5000\n[Binary Infos]\nBinaryFormat=INT_16\n[Channel Infos]\n"
        "Ch1=Cz,,0.1,µV\nCh2=Pz,,0.001,mV\n",
        encoding="utf-8",
    )
    (tmp_path / "a.vmrk").write_text(
        "Brain Vision Data Exchange Marker File, Version 1.0\n[Common Infos]\nDataFile=a.eeg\n"
        "[Marker Infos]\nMk1=Stimulus,S  1,101,1,0\n"
    )
    rec = read_recording(tmp_path / "a.vhdr")
    np.testing.assert_allclose(rec.eeg.data, numbers * [0.1, 0.001], rtol=1e-6, atol=1e-5)
    assert rec.eeg.info.units == ("microvolts", "millivolts")
    event = events_of(rec)[-1]
    assert (event.time_s, event.label) == (pytest.approx(0.5), "Stimulus/S  1")


@pytest.mark.parametrize("dated", [True, False])
@pytest.mark.parametrize("first_samp", [0, 1234])
def test_fif_events_lie_where_they_were_set(tmp_path, rng, dated, first_samp):
    mne = pytest.importorskip("mne")
    volts = 1e-5 * rng.standard_normal((3, 1000))
    info = mne.create_info(["C3", "Cz", "STI"], 200.0, ["eeg", "eeg", "stim"])
    volts[2] = 0
    volts[2, 400:410] = 5
    raw = mne.io.RawArray(volts, info, first_samp=first_samp, verbose="error")
    raw.set_montage(mne.channels.make_dig_montage({"C3": (-0.07, 0, 0.06), "Cz": (0, 0, 0.095)}, coord_frame="head"))
    if dated:
        raw.set_meas_date(1.7e9)
    raw.set_annotations(mne.Annotations([0.75], [0.1], ["left"]))
    raw.save(tmp_path / "a_raw.fif", verbose="error", fmt="double")
    mne.write_events(tmp_path / "a-eve.fif", np.array([[first_samp + 300, 0, 33]]), verbose="error")
    rec = read_recording(tmp_path / "a_raw.fif")
    np.testing.assert_array_equal(rec.eeg.data, (volts[:2].T * 1e6).astype(np.float32))
    assert rec.eeg.info.units == ("microvolts", "microvolts")
    assert [(round(e.time_s, 9), e.label) for e in events_of(rec)] == [
        (0.75, "left"), (1.5, "33"), (2.0, "5"),
    ]  # fmt: skip
    np.testing.assert_allclose(rec.eeg.info.positions_m["C3"], (-0.07, 0, 0.06), atol=1e-6)


def test_a_pause_of_the_recorder_is_a_gap_not_zeros(tmp_path, rng):
    mne = pytest.importorskip("mne")
    volts = 1e-5 * rng.standard_normal((1, 1000))
    volts[0, 400:600] = 0
    raw = mne.io.RawArray(volts, mne.create_info(["Cz"], 200.0, "eeg"), verbose="error")
    raw.set_annotations(mne.Annotations([2.0], [1.0], ["BAD_ACQ_SKIP"]))
    raw.save(tmp_path / "a_raw.fif", verbose="error", fmt="double")
    stream = read_recording(tmp_path / "a_raw.fif").eeg
    kept = np.r_[0:400, 600:1000]
    np.testing.assert_array_equal(stream.data[:, 0], (volts[0, kept] * 1e6).astype(np.float32))
    np.testing.assert_array_equal(stream.timestamps, kept / 200)
    assert [(g.index, g.n_missing) for g in stream.gaps] == [(400, 200)]
    assert stream.segments == ((0, 400), (400, 800))


def test_eeglab_set(tmp_path, rng):
    from scipy.io import savemat

    microvolts = (30 * rng.standard_normal((2, 500))).astype(np.float32)
    chan = np.array([("Cz",), ("Pz",)], dtype=[("labels", object)])
    event = np.array([("go", 101.0)], dtype=[("type", object), ("latency", object)])
    eeg = {
        "data": microvolts, "srate": 100.0, "nbchan": 2.0, "pnts": 500.0, "trials": 1.0,
        "xmin": 0.0, "xmax": 4.99, "chanlocs": chan, "event": event, "setname": "a", "ref": "common",
    }  # fmt: skip
    savemat(tmp_path / "a.set", {"EEG": eeg}, appendmat=False)
    rec = read_recording(tmp_path / "a.set")
    np.testing.assert_allclose(rec.eeg.data, microvolts.T, rtol=2e-7)
    assert [(e.time_s, e.label) for e in events_of(rec)] == [(pytest.approx(1.0), "go")]


# --- the real ones ----------------------------------------------------------------------------


@pytest.mark.recordings
def test_real_xdf_files(data_dir):
    """All XDF of the three folders, against pyxdf called plainly on the whole file."""
    import pyxdf

    files = sorted(data_dir.glob("*/*.xdf"))
    assert len(files) == 13
    no_eeg = []
    for path in files:
        rec = read_recording(path, require_eeg=False)
        if rec.eeg_index is None:
            no_eeg.append(path.name)
            continue
        plain, _ = pyxdf.load_xdf(path, dejitter_timestamps=False)
        for stream in rec.streams:
            twin = next(s for s in plain if s["info"]["name"] == [stream.info.name])
            n = len(stream)
            assert len(twin["time_stamps"]) - n in (0, 40)  # one garbled chunk in the cut file
            np.testing.assert_array_equal(twin["time_stamps"][:n], stream.timestamps)
            if not stream.is_text:
                np.testing.assert_array_equal(twin["time_series"][:n], stream.values)
    assert no_eeg == ["empty_streams.xdf"]


@pytest.mark.recordings
def test_real_clock_resets(data_dir):
    rec = read_recording(data_dir / "xdf-example-files" / "clock_resets.xdf")
    assert rec.eeg.n_clock_resets == 1
    assert np.diff(rec.eeg.raw_timestamps).min() < -650_000
    assert np.diff(rec.eeg.timestamps).min() > -0.1
    times = [e.time_s for e in events_of(rec)]
    assert rec.eeg.timestamps[0] - 60 < min(times) <= max(times) < rec.eeg.timestamps[-1] + 60


@pytest.mark.recordings
def test_real_peterson_events_and_units(data_dir):
    """20 + 20 trials per run, in a file whose microvolts have no unit."""
    for person in ("edf01", "edf03", "edf07"):
        rec = read_recording(data_dir / "peterson2022-mi-rest" / person / "002" / "eeg.edf")
        labels = [e.label for e in events_of(rec)]
        assert labels.count("OVTK_GDF_Right") == labels.count("OVTK_GDF_Tongue") == 20
        assert set(rec.eeg.info.units) == {""}
        assert rec.eeg.info.sfreq == 125.0
        assert rec.eeg.data.shape[1] == 15


@pytest.mark.recordings
def test_real_files_through_mne(data_dir):
    expected = {
        "eegmmidb/S001R04.edf": (160, 64, "microvolts"),
        "eegmat-128hz/Subject00_1.edf": (128, 21, "microvolts"),
        "eeglab-sample/eeglab_data.set": (128, 32, "microvolts"),
    }
    for name, (sfreq, n_chans, unit) in expected.items():
        rec = read_recording(data_dir / name)
        assert rec.warnings == []
        assert (rec.eeg.info.sfreq, len(rec.eeg.info.ch_names)) == (sfreq, n_chans)
        kinds = np.array(rec.eeg.info.ch_types)
        assert set(np.array(rec.eeg.info.units)[kinds == "EEG"]) == {unit}
        spread = np.median(rec.eeg.data[:, kinds == "EEG"].std(axis=0))
        assert 1 < spread < 100  # microvolts, as scalp EEG is
    rec = read_recording(data_dir / "eegmmidb" / "S001R04.edf")
    labels = [e.label for e in events_of(rec)]
    assert labels.count("T1") + labels.count("T2") == 15
    assert np.array_equal(rec.eeg.data, np.round(rec.eeg.data))  # whole microvolts, exactly
    exo = sorted((data_dir / "ssvep-exoskeleton").glob("*/*_raw.fif"))
    assert len(exo) == 8
    for path in exo:
        assert {e.label for e in events_of(read_recording(path))} == {"1", "2", "3", "4"}
