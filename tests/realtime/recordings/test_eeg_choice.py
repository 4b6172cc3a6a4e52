"""Which stream of a recording is the EEG, and what becomes of one that was started again."""

from __future__ import annotations

import numpy as np
import pytest
import xdf_writer

from neuript.errors import NeuriptError
from neuript.realtime.lsl.stream_choice import stream_predicate
from neuript.realtime.recordings.read import read_recording

SFREQ = 100.0
N = 500


def write(path, *streams, markers=()):
    """Streams of two channels: name, source id, and the begin in seconds; optional type, samples and labels."""
    out = xdf_writer.XdfWriter()
    for sid, stream in enumerate(streams, start=1):
        name, source_id, start_s = stream[:3]
        more = stream[3] if len(stream) > 3 else {}
        n, stype, labels = more.get("n", N), more.get("stype", "EEG"), more.get("labels", ("C3", "C4"))
        out.stream(sid, name, stype, 2, SFREQ, "float32", xdf_writer.channels_xml(labels), source_id)
        t = start_s + np.arange(n) / SFREQ
        out.samples(sid, t.tolist(), np.stack([np.full(n, sid), np.arange(n)], axis=1))
        out.offset(sid, float(t[0]), 0.0).footer(sid, n)
    if markers:
        out.stream(99, "cues", "Markers", 1, 0.0, "string").samples(
            99, [t for t, _ in markers], [m for _, m in markers]
        )
    return out.save(path)


def test_of_two_heads_none_is_guessed(tmp_path):
    path = write(tmp_path / "a.xdf", ("android", "muse-A", 10.0, {"n": 3 * N}), ("android", "muse-B", 10.0))
    with pytest.raises(NeuriptError) as refused:
        read_recording(path)
    said = str(refused.value)
    assert "there are 2 EEG streams, and neuript does not guess" in said
    assert "choose with --eeg muse-A or --eeg muse-B:" in said
    assert "#1 'android' (EEG): 2 channels, 100 Hz, 0:15.0, source id muse-A" in said
    assert "#2 'android' (EEG): 2 channels, 100 Hz, 0:05.0, source id muse-B" in said
    for i, name in enumerate(("muse-A", "muse-B"), start=1):
        chosen = read_recording(path, eeg=name)
        assert (chosen.eeg.info.source_id, float(chosen.eeg.data[0, 0])) == (name, i)
    report = read_recording(path, require_eeg=False)  # what neuript inspect shows
    assert report.eeg_index is None
    assert "there are 2 EEG streams, and neuript does not guess" in report.warnings[0]


@pytest.mark.parametrize(
    "wanted", ["Data", "data", "un-1", "UN-2020.01.01", "source_id=un-1", "type=Data", "name=UN-2020.01.01", "#2"]
)
def test_a_stream_of_another_type_is_taken_by_whatever_names_it(tmp_path, wanted):
    other = {"stype": "Data"}
    path = write(tmp_path / "a.xdf", ("ECG", "e", 10.0, {"stype": "ECG"}), ("UN-2020.01.01", "un-1", 10.0, other))
    assert read_recording(path, eeg=wanted).eeg.info.source_id == "un-1"
    with pytest.raises(NeuriptError, match=r"no stream of type EEG; it has 'ECG' \(ECG\), .*name it with --eeg NAME"):
        read_recording(path)


def test_the_only_signal_of_another_type_is_named_with_the_option(tmp_path):
    path = write(tmp_path / "a.xdf", ("openvibe Signal", "", 10.0, {"stype": "signal"}), markers=[(11.0, "a")])
    with pytest.raises(NeuriptError, match=r"'cues' \(Markers\); if that is the EEG: --eeg 'openvibe Signal'"):
        read_recording(path)


def test_a_word_means_the_same_on_the_network_and_in_a_file():
    assert stream_predicate("Amp") == "name='Amp' or source_id='Amp' or type='Amp'"
    assert stream_predicate("source_id=a 1") == "source_id='a 1'"


def test_streams_that_nothing_tells_apart_have_a_number(tmp_path):
    path = write(tmp_path / "a.xdf", ("Amp", "", 10.0), ("Amp", "", 11.0))
    with pytest.raises(NeuriptError, match=r"choose with --eeg '#1' or --eeg '#2'"):
        read_recording(path)
    assert read_recording(path, eeg="#2").eeg.data[0, 0] == 2
    with pytest.raises(NeuriptError, match="there are 2 streams that are 'Amp'"):
        read_recording(path, eeg="Amp")


def test_parts_of_one_source_are_one_stream_with_a_gap(tmp_path):
    rest = {"n": 300}
    path = write(
        tmp_path / "a.xdf", ("Amp", "s-17", 10.0), ("Amp", "s-17", 27.0, rest), markers=[(12.0, "a"), (28.0, "b")]
    )
    rec = read_recording(path)
    assert [s.info.name for s in rec.streams] == ["Amp", "cues"]
    eeg = rec.eeg
    assert len(eeg) == N + 300
    np.testing.assert_array_equal(eeg.data[:, 0], [1] * N + [2] * 300)
    assert eeg.timestamps[[0, N - 1, N, -1]] == pytest.approx([10.0, 14.99, 27.0, 29.99])
    assert eeg.segments == ((0, N), (N, N + 300))
    (gap,) = eeg.gaps
    assert (gap.index, gap.n_missing, gap.seconds) == (N, 1200, pytest.approx(12.0))
    assert any("'Amp' (s-17) was started again during the recording: its 2 parts" in note for note in rec.warnings)
    assert len(read_recording(path, sfreq=SFREQ).eeg) == N + 300
    assert len(read_recording(path, eeg="s-17").eeg) == N + 300


def test_the_parts_are_put_in_order_of_time_whatever_their_order_in_the_file(tmp_path):
    path = write(tmp_path / "a.xdf", ("Amp", "s", 40.0), ("Amp", "s", 10.0), ("Amp", "s", 25.0))
    eeg = read_recording(path).eeg
    np.testing.assert_array_equal(eeg.data[::N, 0], [2, 3, 1])
    assert (np.diff(eeg.timestamps) > 0).all()
    assert [gap.index for gap in eeg.gaps] == [N, 2 * N]


@pytest.mark.parametrize(
    ("second", "why"),
    [
        (("Amp", "s", 12.0), "at the same time"),
        (("Amp", "s", 27.0, {"labels": ("C4", "C3")}), "other labels"),
        (("Amp", "t", 27.0), "another source"),
        (("Other", "s", 27.0), "another name"),
    ],
)
def test_what_is_not_surely_the_same_source_is_not_put_together(tmp_path, second, why):
    with pytest.raises(NeuriptError, match="neuript does not guess"):
        read_recording(write(tmp_path / "a.xdf", ("Amp", "s", 10.0), second))


def test_parts_without_a_source_id_may_be_two_devices(tmp_path):
    path = write(tmp_path / "a.xdf", ("Amp", "", 10.0), ("Amp", "", 27.0))
    with pytest.raises(NeuriptError, match="neuript does not guess"):
        read_recording(path)


def test_a_part_of_a_moment_does_not_stop_anybody(tmp_path):
    path = write(tmp_path / "a.xdf", ("Amp", "s", 10.0), ("Test", "t", 5.0, {"n": 50}))
    rec = read_recording(path)
    assert rec.eeg.info.name == "Amp"
    assert "'Amp' (s) is taken as the EEG, and not 'Test' (t)" in rec.warnings
