"""What is in an XDF file comes out, on one clock."""

from __future__ import annotations

import gzip

import numpy as np
import pytest
import xdf_writer

from neuript.errors import NeuriptError
from neuript.realtime.recordings import xdf_bytes
from neuript.realtime.recordings.gaps import find_gaps
from neuript.realtime.recordings.read import read_recording
from neuript.realtime.recordings.recording import Event, events_of

SFREQ = 250.0

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
    assert [w for w in rec.warnings if "no footer" in w] == [
        f"stream '{name}' has no footer (recording broken off)" for name in ("Amp", "Amp markers")
    ]


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
    monkeypatch.setattr(xdf_bytes, "MAX_UNPACKED_BYTES", 2**20)
    (tmp_path / "a.xdfz").write_bytes(gzip.compress(b"XDF:" + bytes(2**22)))
    with pytest.raises(NeuriptError, match="unpacks to more than"):
        read_recording(tmp_path / "a.xdfz")


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
    assert any("the one marker of 'Unix' lies 472221.9 h after the EEG ends: another clock" in w for w in rec.warnings)
    assert [e.label for e in events_of(rec)] == ["left", "right", "left"]


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
    rec = read_recording(data_dir / "xdf-example-files" / "clock_resets.xdf", any_rate=True)  # 92.9 Hz, not its 100
    assert rec.eeg.n_clock_resets == 1
    assert np.diff(rec.eeg.raw_timestamps).min() < -650_000
    assert np.diff(rec.eeg.timestamps).min() > -0.1
    times = [e.time_s for e in events_of(rec)]
    assert rec.eeg.timestamps[0] - 60 < min(times) <= max(times) < rec.eeg.timestamps[-1] + 60
