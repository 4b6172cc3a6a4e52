"""EDF+ and BDF+: when records begin and what is noted in them is what counts, not the number of samples."""

from __future__ import annotations

import numpy as np
import pytest
from edf_plus import write_edf_plus

from neuript.errors import NeuriptError
from neuript.realtime.recordings.read import read_recording
from neuript.realtime.recordings.recording import events_of

SFREQ = 100


@pytest.fixture
def signal(rng):
    """Twenty seconds of two channels in tenths of a microvolt, shape (2000, 2)."""
    return np.round(20 * rng.standard_normal((20 * SFREQ, 2)), 1)


def note(onset_s, text, duration=""):
    length = f"\x15{duration}" if duration else ""
    return f"+{onset_s:g}{length}\x14{text}\x14".encode()


@pytest.mark.parametrize(("kind", "n_lists"), [("EDF+D", 1), ("EDF+D", 2), ("BDF+D", 1)])
def test_pauses_between_records_are_gaps_and_events_keep_their_place(tmp_path, signal, kind, n_lists):
    begins = [*range(8), *range(28, 34), *np.arange(79.5, 85.5)]
    notes = [(2, note(2.25, "left")), (9, note(29.5, "right")), (19, note(85.25, "left"))]
    path = tmp_path / f"a.{kind[:3].lower()}"
    write_edf_plus(path, signal, n_per_record=SFREQ, kind=kind, begins=begins, notes=notes, n_lists=n_lists)
    recording = read_recording(path)
    eeg = recording.eeg
    expected = np.concatenate([begin + np.arange(SFREQ) / SFREQ for begin in begins])
    np.testing.assert_allclose(eeg.timestamps, expected, atol=1e-9)
    np.testing.assert_allclose(eeg.data, signal, atol=0.05)
    assert [(g.index, g.n_missing, pytest.approx(g.seconds)) for g in eeg.gaps] == [(800, 2000, 20), (1400, 4550, 45.5)]
    assert eeg.segments == ((0, 800), (800, 1400), (1400, 2000))
    assert [(e.time_s, e.label) for e in events_of(recording)] == [(2.25, "left"), (29.5, "right"), (85.25, "left")]
    assert recording.warnings == []


@pytest.mark.parametrize("zero", [0.0, 0.5])
def test_a_discontinuous_file_without_holes_is_a_continuous_one(tmp_path, signal, zero):
    begins = zero + np.arange(20)
    both = [
        read_recording(
            write_edf_plus(
                tmp_path / f"{kind[-1]}.edf",
                signal,
                n_per_record=SFREQ,
                kind=kind,
                begins=begins,
                notes=[(4, note(4 + zero, "go"))],
            )
        )
        for kind in ("EDF+C", "EDF+D")
    ]
    for recording in both:
        np.testing.assert_array_equal(recording.eeg.timestamps, np.arange(2000) / SFREQ)
        np.testing.assert_array_equal(recording.eeg.data, both[0].eeg.data)
        assert not recording.eeg.gaps
        assert [(e.time_s, e.label) for e in events_of(recording)] == [(4.0, "go")]
        assert recording.warnings == []


def test_a_file_that_calls_itself_continuous_is_checked(tmp_path, signal):
    begins = [*range(5), *range(9, 24)]
    recording = read_recording(write_edf_plus(tmp_path / "a.edf", signal, n_per_record=SFREQ, begins=begins))
    assert [(g.index, g.n_missing) for g in recording.eeg.gaps] == [(500, 400)]
    assert [w for w in recording.warnings if "calls itself continuous (EDF+C)" in w and "1 gap of 4 s" in w]


def test_records_of_a_fraction_of_a_second_with_rounded_onsets_are_even(tmp_path, rng):
    signal = np.round(20 * rng.standard_normal((4000, 2)), 1)
    begins = np.round(0.128 * np.arange(250), 2)
    begins[125:] += 3
    path = write_edf_plus(tmp_path / "a.edf", signal, n_per_record=16, record_s=0.128, kind="EDF+D", begins=begins)
    eeg = read_recording(path).eeg
    assert eeg.info.sfreq == 125.0
    assert [g.index for g in eeg.gaps] == [2000]
    assert eeg.gaps[0].seconds == pytest.approx(3, abs=0.01)
    np.testing.assert_allclose(np.diff(eeg.timestamps[:2000]), 1 / 125, atol=1e-9)


def test_a_recorder_whose_clock_drifts_keeps_its_annotations_beside_their_samples(tmp_path, signal):
    """Its rate is 0.2 % slow: after 20 s a note lies 40 ms after the sample that counting would give it."""
    begins = 1.002 * np.arange(20)
    path = write_edf_plus(tmp_path / "a.edf", signal, n_per_record=SFREQ, begins=begins)
    eeg = read_recording(path).eeg
    np.testing.assert_allclose(eeg.timestamps, 0.01002 * np.arange(2000), atol=1e-6)
    assert not eeg.gaps


def test_a_wrong_length_of_the_records_is_a_wrong_rate(tmp_path, signal):
    path = write_edf_plus(tmp_path / "a.edf", signal, n_per_record=2 * SFREQ, begins=1.25 * np.arange(10))
    with pytest.raises(NeuriptError, match=r"declares 200 Hz, and its stamps say 160 Hz.*--sfreq 160"):
        read_recording(path)
    assert read_recording(path, sfreq=160).eeg.gaps == ()


def test_records_that_run_backwards_are_refused(tmp_path, signal):
    begins = [*range(10), *range(2, 12)]
    path = write_edf_plus(tmp_path / "a.edf", signal, n_per_record=SFREQ, kind="EDF+D", begins=begins)
    with pytest.raises(NeuriptError, match=r"run backwards \(record 11 begins at 2 s, the one before it at 9 s"):
        read_recording(path)


@pytest.mark.parametrize("kind", ["EDF+C", "EDF+D"])
def test_a_record_without_an_onset_is_told_where_its_neighbours_leave_no_doubt(tmp_path, signal, kind):
    begins = [k if k not in (6, 7) else b"\xff\xfe garbage" for k in range(20)]
    path = write_edf_plus(tmp_path / "a.edf", signal, n_per_record=SFREQ, kind=kind, begins=begins)
    recording = read_recording(path)
    np.testing.assert_array_equal(recording.eeg.timestamps, np.arange(2000) / SFREQ)
    assert any("2 of 20 data records do not say when they begin" in warning for warning in recording.warnings)


@pytest.mark.parametrize("lost", [6, 19])
def test_a_pause_that_nobody_can_place_is_refused(tmp_path, signal, lost):
    begins = [k + 30 * (k > 6) if k != lost else b"garbage" for k in range(20)]
    path = write_edf_plus(tmp_path / "a.edf", signal, n_per_record=SFREQ, kind="EDF+D", begins=begins)
    with pytest.raises(NeuriptError, match=rf"data record {lost + 1} of 20 does not say when it begins"):
        read_recording(path)


def test_annotations_in_latin_1_are_read_and_said(tmp_path, signal):

    notes = [(3, "+3.5\x14début\x14".encode("latin-1")), (4, "+4.5\x14déjà\x14".encode())]
    path = write_edf_plus(tmp_path / "a.edf", signal, n_per_record=SFREQ, notes=notes)
    recording = read_recording(path)
    assert [event.label for event in events_of(recording)] == ["début", "déjà"]
    assert any("read as Latin-1" in warning for warning in recording.warnings)


def test_annotations_are_those_that_mne_reads(tmp_path, signal):
    mne = pytest.importorskip("mne")
    notes = [(0, note(0, "first")), (2, note(2.5, "long", "1.5")), (2, b"+2.75\x14two\x14texts\x14"), (7, note(7, "é"))]
    path = write_edf_plus(tmp_path / "a.edf", signal, n_per_record=SFREQ, notes=notes, n_lists=2)
    found = mne.io.read_raw_edf(path, verbose="error").annotations
    expected = list(zip(found.onset, found.description, strict=True))
    assert [(e.time_s, e.label) for e in events_of(read_recording(path))] == expected
