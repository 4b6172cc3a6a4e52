"""Cuts that a file declares are gaps; what it calls bad is bad; the rest are events."""

from __future__ import annotations

import math

import numpy as np
import pytest

from neuript.realtime.recordings.file_marks import (
    LEAST_CUT_S,
    UNKNOWN_CUT_S,
    FileMark,
    FileMarks,
    FileTime,
    joined_spans,
)
from neuript.realtime.recordings.read import read_recording
from neuript.realtime.recordings.recording import events_of

SFREQ = 200.0


@pytest.mark.parametrize(
    ("text", "duration_s", "kind"),
    [
        ("boundary", 3.0, "cuts"),
        ("Boundary", 0.0, "cuts"),
        ("BAD boundary", 0.0, "cuts"),
        ("BAD_boundary", 0.0, "cuts"),
        ("EDGE boundary", 0.0, "cuts"),
        ("EDGE", 0.0, "cuts"),
        ("New Segment/", 0.0, "cuts"),
        ("New Segment/LostSamples: 40", 0.0, "cuts"),
        ("BAD_ACQ_SKIP", 2.0, "skipped"),
        ("bad_acq_skip", 2.0, "skipped"),
        ("BAD_move", 1.0, "bad"),
        ("bad", 1.0, "bad"),
        ("bad blink", 1.0, "bad"),
        ("BAD_5", 0.0, "events"),
        ("badge", 1.0, "events"),
        ("edge_left", 0.0, "events"),
        ("769", 4.0, "events"),
    ],
)
def test_a_mark_means_what_its_writer_meant(text, duration_s, kind):
    marks = FileMarks.of([FileMark(1.0, duration_s, text)], SFREQ)
    assert [name for name in ("skipped", "cuts", "bad", "events") if getattr(marks, name)] == [kind]


def test_how_long_a_cut_lasts():
    said = [("boundary", 3.0), ("boundary", math.nan), ("BAD boundary", 0.0), ("New Segment/LostSamples: 400", 0.0)]
    marks = FileMarks.of([FileMark(i + 1.0, s, text) for i, (text, s) in enumerate(said)], SFREQ)
    assert [cut.duration_s for cut in marks.cuts] == pytest.approx([3.0, math.nan, math.nan, 2.0], nan_ok=True)
    known = marks.with_pauses({2.0: 7.5, 1.0: 99.0}, SFREQ)
    assert [cut.duration_s for cut in known.cuts] == pytest.approx([3.0, 7.5, math.nan, 2.0], nan_ok=True)


def test_what_follows_a_cut_is_later_by_it():
    cuts = [
        FileMark(2.0, math.nan, "EDGE boundary"),
        FileMark(2.0, math.nan, "BAD boundary"),
        FileMark(4.9975, 6.0, "boundary"),
    ]
    cuts += [FileMark(0.0, 9.0, "boundary"), FileMark(7.0, 0.1, "boundary"), FileMark(100.0, 9.0, "boundary")]
    time = FileTime(np.arange(2000) / SFREQ, SFREQ, cuts)
    late = np.repeat([0, UNKNOWN_CUT_S, UNKNOWN_CUT_S + 6, UNKNOWN_CUT_S + 6 + LEAST_CUT_S], [400, 600, 400, 600])
    assert time.cuts == (400, 1000, 1400)
    np.testing.assert_allclose(time.of_samples(np.arange(2000)), np.arange(2000) / SFREQ + late)
    assert [time.of_moment(s) for s in (1.99, 2.0, 4.99, 5.0)] == pytest.approx([1.99, 3.0, 5.99, 12.0])
    assert time.n_guessed == 1


def test_a_cut_where_time_is_missing_anyway_adds_nothing():
    times = np.r_[0:400, 1000:1400] / SFREQ
    time = FileTime(times, SFREQ, [FileMark(5.0, 4.0, "boundary")])
    np.testing.assert_array_equal(time.of_samples(np.arange(800)), times)


def joined(mne, tmp_path, rng, name="a_raw.fif"):
    """Three runs of 5 s, each with an event at its second 2, joined as MNE joins them."""
    parts = []
    for k in range(3):
        raw = mne.io.RawArray(1e-5 * rng.standard_normal((2, 1000)), mne.create_info(["C3", "C4"], SFREQ, "eeg"))
        raw.set_annotations(mne.Annotations([2.0], [0.0], [f"go{k}"]))
        parts.append(raw)
    whole = mne.concatenate_raws(parts)
    whole.save(tmp_path / name, fmt="double")
    return read_recording(tmp_path / name), whole


def test_runs_that_mne_joined_are_apart(tmp_path, rng):
    mne = pytest.importorskip("mne")
    with mne.utils.use_log_level("error"):
        recording, whole = joined(mne, tmp_path, rng)
    eeg = recording.eeg
    np.testing.assert_array_equal(eeg.data, (1e6 * whole.get_data().T).astype(np.float32))
    assert eeg.segments == ((0, 1000), (1000, 2000), (2000, 3000))
    assert [(g.index, g.n_missing) for g in eeg.gaps] == [(1000, 200), (2000, 200)]
    assert [(e.label, round(e.time_s, 6)) for e in events_of(recording)] == [("go0", 2), ("go1", 8), ("go2", 14)]
    for event, sample in zip(events_of(recording), (400, 1400, 2400), strict=True):
        assert event.time_s == pytest.approx(eeg.timestamps[sample])
    assert any("cut in 2 places" in w and "2 of unknown length taken as 1 s" in w for w in recording.warnings)


def test_what_eeglab_cut_out_is_a_gap_of_its_length(tmp_path, rng):
    from scipy.io import savemat

    microvolts = (30 * rng.standard_normal((2, 1500))).astype(np.float32)
    rows = [("boundary", 0.5, 10.0), ("go", 101.0, 0.0), ("boundary", 600.5, 450.0), ("go", 701.0, 0.0)]
    event = np.array(rows, dtype=[("type", object), ("latency", object), ("duration", object)])
    eeg = {
        "data": microvolts, "srate": 100.0, "nbchan": 2.0, "pnts": 1500.0, "trials": 1.0, "xmin": 0.0, "xmax": 14.99,
        "chanlocs": np.array([("Cz",), ("Pz",)], dtype=[("labels", object)]),
        "event": event, "setname": "a", "ref": "common",
    }  # fmt: skip
    savemat(tmp_path / "a.set", {"EEG": eeg}, appendmat=False)
    recording = read_recording(tmp_path / "a.set")
    assert [(g.index, g.n_missing, round(g.seconds, 6)) for g in recording.eeg.gaps] == [(600, 450, 4.5)]
    assert [(round(e.time_s, 6), e.label) for e in events_of(recording)] == [(1.0, "go"), (11.5, "go")]
    assert len(recording.warnings) == 1
    assert "cut in 1 place ('boundary')" in recording.warnings[0]


def test_bad_stretches_and_channels_of_a_fif_file_are_kept_and_said(tmp_path, rng):
    mne = pytest.importorskip("mne")
    volts = 1e-5 * rng.standard_normal((3, 2000))
    with mne.utils.use_log_level("error"):
        raw = mne.io.RawArray(volts, mne.create_info(["C3", "Cz", "C4"], SFREQ, "eeg"), first_samp=77)
        raw.set_annotations(mne.Annotations([1, 2, 6], [0.5, 1.0, 0.0], ["BAD_move", "BAD_ACQ_SKIP", "go"]))
        raw.info["bads"] = ["Cz"]
        raw.save(tmp_path / "a_raw.fif", fmt="double")
    recording = read_recording(tmp_path / "a_raw.fif")
    assert recording.eeg.info.bads == ("Cz",)
    assert recording.eeg.marked_bad == ((200, 300),)
    assert [(e.label, round(e.time_s, 6)) for e in events_of(recording)] == [("go", 6.0)]
    said = " ".join(recording.warnings)
    assert "marks 1 stretch of 0.5 s together as bad ('BAD_move')" in said
    assert "the file calls bad, so it is as if absent: Cz" in said


BRAINVISION = """Brain Vision Data Exchange Header File Version 1.0
[Common Infos]
DataFile=a.eeg
MarkerFile=a.vmrk
DataFormat=BINARY
DataOrientation=MULTIPLEXED
NumberOfChannels=2
SamplingInterval=5000
[Binary Infos]
BinaryFormat=INT_16
[Channel Infos]
Ch1=Cz,,0.1,µV
Ch2=Pz,,0.1,µV
"""


@pytest.mark.parametrize(("second", "seconds"), [(",20250102102040000000", 7.0), ("", UNKNOWN_CUT_S)])
def test_brainvision_segments_are_apart_by_the_time_of_day(tmp_path, rng, second, seconds):
    """The first segment lasts 3 s from 10:20:30, the second begins at 10:20:40, or nobody knows when."""
    (tmp_path / "a.eeg").write_bytes(rng.integers(-500, 500, (1200, 2)).astype("<i2").tobytes())
    (tmp_path / "a.vhdr").write_text(BRAINVISION, encoding="utf-8")
    (tmp_path / "a.vmrk").write_text(
        "Brain Vision Data Exchange Marker File, Version 1.0\n[Common Infos]\nDataFile=a.eeg\n[Marker Infos]\n"
        "Mk1=New Segment,,1,1,0,20250102102030000000\nMk2=Stimulus,S  1,101,1,0\n"
        f"Mk3=New Segment,,601,1,0{second}\nMk4=Stimulus,S  2,701,1,0\n"
    )
    recording = read_recording(tmp_path / "a.vhdr")
    assert [(g.index, g.seconds) for g in recording.eeg.gaps] == [(600, pytest.approx(seconds))]
    times = {e.label: e.time_s for e in events_of(recording)}
    assert times == {"Stimulus/S  1": pytest.approx(0.5), "Stimulus/S  2": pytest.approx(3.5 + seconds)}


def test_a_marker_file_that_is_gone_is_said(tmp_path, rng):
    (tmp_path / "a.eeg").write_bytes(rng.integers(-500, 500, (1200, 2)).astype("<i2").tobytes())
    (tmp_path / "a.vhdr").write_text(BRAINVISION, encoding="utf-8")
    recording = read_recording(tmp_path / "a.vhdr")
    assert len(recording.warnings) == 1
    assert "'a.vmrk' not found" in recording.warnings[0]


def test_a_bids_table_says_cuts_and_bad_stretches_too(tmp_path, rng):
    (tmp_path / "a.eeg").write_bytes(rng.integers(-500, 500, (2000, 2)).astype("<i2").tobytes())
    (tmp_path / "sub-1_task-x_eeg.vhdr").write_text(BRAINVISION.replace("MarkerFile=a.vmrk\n", ""), encoding="utf-8")
    rows = [("onset", "duration", "trial_type"), ("1.0", "0", "go"), ("2.0", "0.5", "BAD_move")]
    rows += [("4.0", "3.0", "boundary"), ("5.0", "n/a", "go")]
    (tmp_path / "sub-1_task-x_events.tsv").write_text("\n".join("\t".join(row) for row in rows))
    recording = read_recording(tmp_path / "sub-1_task-x_eeg.vhdr")
    assert [(e.label, e.time_s) for e in events_of(recording)] == [("go", 1.0), ("go", pytest.approx(8.0))]
    assert [(g.index, round(g.seconds, 6)) for g in recording.eeg.gaps] == [(800, 3.0)]
    assert recording.eeg.marked_bad == ((400, 500),)


@pytest.mark.parametrize("text", ["début", "début".encode().decode("latin-1")])
def test_texts_that_mne_read_follow_the_rule_for_text(tmp_path, rng, text):
    mne = pytest.importorskip("mne")
    with mne.utils.use_log_level("error"):
        raw = mne.io.RawArray(1e-5 * rng.standard_normal((2, 800)), mne.create_info(["C3", "C4"], SFREQ, "eeg"))
        raw.set_annotations(mne.Annotations([1], [0], [text]))
        raw.save(tmp_path / "a_raw.fif")
    assert [event.label for event in events_of(read_recording(tmp_path / "a_raw.fif"))] == ["début"]


def test_bad_stretches_that_overlap_are_one(tmp_path, rng):
    mne = pytest.importorskip("mne")
    with mne.utils.use_log_level("error"):
        raw = mne.io.RawArray(1e-5 * rng.standard_normal((2, 2000)), mne.create_info(["C3", "C4"], SFREQ, "eeg"))
        raw.set_annotations(mne.Annotations([4, 1, 1.2, 1.5, 7], [1, 1, 0.1, 2, 0.5], ["BAD_a", "BAD_b"] * 2 + ["BAD"]))
        raw.save(tmp_path / "a_raw.fif")
    assert read_recording(tmp_path / "a_raw.fif").eeg.marked_bad == ((200, 700), (800, 1000), (1400, 1500))
    assert joined_spans([(5, 7), (0, 2), (2, 4), (6, 6), (9, 9)]) == ((0, 4), (5, 7))
