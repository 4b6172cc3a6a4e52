"""A recording whose stamps contradict its declared rate is refused with the way out, and read as it is with it."""

from __future__ import annotations

import numpy as np
import pytest
import xdf_writer

from neuript.errors import NeuriptError
from neuript.inspection import inspect
from neuript.realtime.recordings.in_order import time_order
from neuript.realtime.recordings.read import read_recording

NAMES = ["C3", "C4"]


def written(folder, declared, true, *, seconds=40, scatter=0.0005, order=None):
    rng = np.random.default_rng(3)
    t = 5000 + np.arange(round(seconds * true)) / true
    x = rng.normal(scale=10, size=(len(t), 2)).astype(np.float32)
    t = t + np.abs(rng.normal(0, scatter, len(t)))
    if order is not None:
        x, t = x[order], t[order]
    return xdf_writer.session(x, t, [], sfreq=declared, labels=NAMES).save(folder / "a.xdf")


@pytest.mark.parametrize(("declared", "true"), [(256, 200), (250, 125), (125, 250)])
def test_a_wrong_rate_is_refused_and_the_true_one_taken(tmp_path, declared, true):
    path = written(tmp_path, declared, true)
    with pytest.raises(NeuriptError, match=rf"declares {declared} Hz, and its stamps say {true} Hz.*--sfreq {true}"):
        read_recording(path)
    recording = read_recording(path, sfreq=true)
    assert recording.eeg.info.sfreq == true
    assert not recording.eeg.gaps
    assert not [w for w in recording.warnings if "declares" in w]
    assert any("declares" in warning for warning in inspect(path).warnings)
    assert read_recording(path, any_rate=True).eeg.info.sfreq == declared


@pytest.mark.parametrize(("declared", "true", "said"), [(500, 499.83, False), (250, 250, False), (250, 245, True)])
def test_a_crystal_is_no_news_and_a_little_more_is_a_sentence(tmp_path, declared, true, said):
    recording = read_recording(written(tmp_path, declared, true))
    assert any("more than a crystal" in warning for warning in recording.warnings) == said


def test_lumps_and_lost_seconds_are_no_other_rate(tmp_path):
    x = np.zeros((5000, 2), np.float32)
    t = 5000 + np.arange(5000).reshape(-1, 50)[:, -1:].repeat(50, 1).ravel() / 250
    t[2500:] += 7.0
    path = xdf_writer.session(x, t, [], sfreq=250, labels=NAMES).save(tmp_path / "a.xdf")
    assert not [w for w in read_recording(path).warnings if "declares" in w]


def test_a_rate_that_cannot_be_decoded_is_refused(tmp_path):
    with pytest.raises(NeuriptError, match="--sfreq 2 must be"):
        read_recording(written(tmp_path, 250, 250), sfreq=2)


def test_samples_that_were_stored_out_of_order_are_put_in_order(tmp_path):
    order = np.arange(10000)
    for start in range(1000, 9000, 500):
        order[start : start + 8] = np.r_[order[start + 4 : start + 8], order[start : start + 4]]
    shuffled = read_recording(written(tmp_path, 250, 250, scatter=0.0, order=order))
    plain = read_recording(written(tmp_path, 250, 250, scatter=0.0))
    np.testing.assert_array_equal(shuffled.eeg.timestamps, plain.eeg.timestamps)
    np.testing.assert_array_equal(shuffled.eeg.data, plain.eeg.data)
    assert any(f"{16 * 4} samples" in warning for warning in shuffled.warnings)
    assert not shuffled.eeg.gaps


def test_scattered_stamps_are_left_in_the_order_they_came():
    rng, t = np.random.default_rng(0), np.arange(10000) / 250
    assert time_order(t + np.repeat(rng.normal(0, 0.008, 1000), 10), 250.0) == (None, 0)
    assert time_order(t, 0.0) == (None, 0)
