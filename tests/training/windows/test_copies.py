"""An event that a recording holds several times is one trial."""

from __future__ import annotations

import numpy as np
import pytest
import xdf_writer

from neuript.errors import NeuriptError
from neuript.realtime.recordings.read import read_recording
from neuript.realtime.recordings.recording import Event, events_of
from neuript.training.windows.copies import without_copies
from neuript.training.windows.dataset import load_dataset, read_each
from neuript.training.windows.dataset_spec import DatasetSpec
from neuript.training.windows.events import trials_of

MAP = {"left": ("1", "left"), "right": ("2", "right")}
MEANING = {marker: name for name, markers in MAP.items() for marker in markers}


def events(*rows):
    return [Event(t, label, stream) for t, label, stream in sorted(rows, key=lambda row: row[0])]


def onsets(found, **options):
    return [(trial.onset_s, trial.label) for trial in trials_of(found, MAP, **options)]


def test_a_marker_that_is_sent_again_at_once_is_one():
    found = events((1.0, "1", "m"), (1.004, "1", "m"), (1.1, "1", "m"), (2.0, "2", "m"), (2.2, "2", "m"))
    said = []
    assert onsets(found, say=said.append) == [(1.0, "left"), (2.0, "right"), (2.2, "right")]
    assert said == [
        "2 markers are copies of another of the same class less than 0.125 s away (in 'm'); each event counts once"
    ]


def test_two_sources_of_one_event_are_one_also_under_other_names():
    found = events(
        *((t + 0.01 * (-1) ** i, "left", "annotations") for i, t in enumerate((1.0, 5.0))),
        *((t, "1", "STI 014") for t in (1.0, 5.0)),
        *((t, "1", "a-eve.fif") for t in (1.0, 5.0)),
    )
    kept, said = without_copies(found, MEANING)
    assert [(e.label, e.stream) for e in kept] == [("1", "STI 014")] * 2
    assert said.startswith("4 markers are copies")
    assert onsets(found) == [(1.0, "left"), (5.0, "left")]


def test_other_classes_and_other_labels_are_no_copies():
    found = events((1.0, "1", "m"), (1.01, "2", "m"), (1.02, "beep", "m"), (1.03, "beep", "m"))
    assert without_copies(found, MEANING) == (found, "")


def test_what_belongs_together_stays_in_one_stream():
    """Both streams say start and class; the second is now a little before the first, now after it."""
    found = []
    for i, t in enumerate((1.0, 9.0, 17.0)):
        lag = 0.005 * (-1) ** i
        found += [(t, "start", "a"), (t + 1, "1", "a"), (t + lag, "start", "b"), (t + 1 - lag, "1", "b")]
    assert onsets(events(*found), trial_start="start") == [(2.0, "left"), (10.0, "left"), (18.0, "left")]


@pytest.fixture
def noise(rng):
    """Noise with 12 markers, each of them once or twice, as a function of how often."""
    x = rng.normal(scale=10, size=(70 * 125, 2)).astype(np.float32)
    stamps = 500 + np.arange(len(x)) / 125

    def write(path, times):
        markers = [(508.0 + 5 * i + 0.004 * k, "12"[i % 2]) for i in range(12) for k in range(times)]
        return xdf_writer.session(x, stamps, markers, sfreq=125.0, labels=["C3", "C4"]).save(path)

    return write


def test_a_data_set_of_doubled_markers_is_that_of_single_ones(noise, tmp_path):
    spec = DatasetSpec(event_map={"left": "1", "right": "2"}, window_s=2.0, epoch_s=(0.0, 2.5))
    once = load_dataset(noise(tmp_path / "once.xdf", 1), spec)
    twice = load_dataset(noise(tmp_path / "twice.xdf", 2), spec)
    assert twice.counts == once.counts == {"left": 6, "right": 6}
    np.testing.assert_array_equal(twice.x, once.x)
    assert once.notes == ()
    assert any("twice.xdf: 12 markers are copies" in note for note in twice.notes)


def test_a_stimulus_channel_and_its_list_of_events_are_one(tmp_path, rng):
    mne = pytest.importorskip("mne")
    volts = np.vstack([1e-5 * rng.standard_normal((2, 4000)), np.zeros(4000)])
    for k in range(8):
        volts[2, 400 * k + 200 : 400 * k + 210] = 1 + k % 2
    with mne.utils.use_log_level("error"):
        raw = mne.io.RawArray(volts, mne.create_info(["C3", "C4", "STI 014"], 200.0, ["eeg", "eeg", "stim"]))
        raw.save(tmp_path / "a_raw.fif")
        mne.write_events(tmp_path / "a-eve.fif", mne.find_events(raw, "STI 014"))
    found = events_of(read_recording(tmp_path / "a_raw.fif"))
    assert len(found) == 16
    assert onsets(found) == [(pytest.approx(2 * k + 1), ("left", "right")[k % 2]) for k in range(8)]


def test_a_copy_of_a_file_under_another_name_is_refused(noise, tmp_path):
    first = noise(tmp_path / "a.xdf", 1)
    second = noise(tmp_path / "b.xdf", 2)  # other markers, the same EEG
    with pytest.raises(NeuriptError, match=r"b\.xdf holds the same EEG as .*a\.xdf; name each recording once"):
        read_each([first, second])
