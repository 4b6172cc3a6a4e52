"""Markers that all lie outside the EEG are said with the distance, wherever the recording is read."""

from __future__ import annotations

import numpy as np
import pytest
import xdf_writer

from neuript.errors import NeuriptError
from neuript.inspection import inspect
from neuript.realtime.recordings.apart import said_apart
from neuript.realtime.recordings.read import read_recording
from neuript.training.windows.dataset import load_dataset
from neuript.training.windows.dataset_spec import DatasetSpec

SFREQ, BEGIN = 125.0, 5000.0
SPEC = DatasetSpec(event_map={"left": "l", "right": "r"}, window_s=2.0, epoch_s=(0.0, 2.5))


@pytest.fixture
def record(tmp_path, rng):
    def write(times, more=()):
        x = rng.normal(scale=10, size=(round(60 * SFREQ), 2)).astype(np.float32)
        stamps = BEGIN + np.arange(len(x)) / SFREQ
        markers = [(t, "lr"[i % 2]) for i, t in enumerate(times)]
        file = xdf_writer.session(x, stamps, markers, sfreq=SFREQ, labels=["C3", "C4"])
        for i, (name, t) in enumerate(more, start=7):
            file.stream(i, name, "Markers", fmt="string").samples(i, [t], ["x"])
        return file.save(tmp_path / "a.xdf")

    return write


@pytest.mark.parametrize(
    ("times", "sentence"),
    [
        (2 + 4 * np.arange(14.0), "all 14 markers of 'Amp markers' lie 1.4 h before the EEG begins: another clock"),
        (np.zeros(14), "all 14 markers of 'Amp markers' lie 1.4 h before the EEG begins with one and the same stamp"),
        (BEGIN + 60 + 240 + np.arange(14.0), "lie 4 min 13 s after the EEG ends: another clock"),
        (BEGIN - 20 + np.arange(14.0), "lie 20 s before the EEG begins, so none can be used"),
    ],
)
def test_markers_outside_are_said_and_calibration_does_not_ask_for_more_of_them(record, times, sentence):
    path = record(times)
    assert any(sentence in warning for warning in inspect(path).warnings)
    with pytest.raises(NeuriptError) as refused:
        load_dataset(path, SPEC)
    assert sentence in str(refused.value)
    assert "record more" not in str(refused.value)


def test_markers_inside_and_a_word_beside_the_recording_are_no_news(record):
    inside = BEGIN + 5 + 4 * np.arange(12)
    assert said_apart(read_recording(record(inside, [("remark", BEGIN - 5)]))) == []
    (said,) = said_apart(read_recording(record(inside, [("other", BEGIN + 1e5)])))
    assert "the one marker of 'other' lies 27.8 h after the EEG ends: another clock" in said
    assert said_apart(read_recording(record([]))) == []


def test_trials_outside_are_counted_among_those_without_a_window(record):
    times = np.r_[BEGIN + 5 + 4 * np.arange(12), BEGIN + 100 + 4 * np.arange(3)]
    notes = load_dataset(record(times), SPEC).notes
    assert any("3 of 15 trials have no clean window (3 lie outside the EEG)" in note for note in notes)
