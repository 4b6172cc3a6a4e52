"""A recording whose stamps contradict its declared rate is refused with the way out, and read as it is with it."""

from __future__ import annotations

import numpy as np
import pytest
import xdf_writer
from edf_plus import write_edf_plus

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


@pytest.mark.parametrize("sfreq", [100, 99.9])
def test_gaps_that_a_file_declares_stay_where_they_are_at_a_given_rate(tmp_path, sfreq):
    """Two within one second, of which the stamps show one by themselves, and one of a few samples."""
    begins = np.arange(60.0) + 3 * (np.arange(60) >= 20) + 2 * (np.arange(60) >= 21) + 0.03 * (np.arange(60) >= 40)
    x = np.round(20 * np.random.default_rng(2).standard_normal((6000, 2)), 1)
    path = write_edf_plus(tmp_path / "a.edf", x, n_per_record=100, kind="EDF+D", begins=begins)
    for eeg in (read_recording(path).eeg, read_recording(path, sfreq=sfreq).eeg):
        assert [(gap.index, gap.n_missing) for gap in eeg.gaps] == [(2000, 300), (2100, 200), (4000, 3)]
        assert eeg.segments == ((0, 2000), (2000, 2100), (2100, 4000), (4000, 6000))


def test_what_the_stamps_show_beyond_the_known_gaps_is_added(tmp_path):
    """At the declared 500 Hz a second has 500 samples, so that of two gaps 300 samples apart one is seen."""
    t = np.arange(10000) / 250
    t[4000:] += 2
    t[4300:] += 1
    x = np.zeros((10000, 2), np.float32)
    path = xdf_writer.session(x, t, [], sfreq=500, labels=NAMES).save(tmp_path / "a.xdf")
    assert [gap.index for gap in read_recording(path, any_rate=True).eeg.gaps] == [4000]
    found = read_recording(path, sfreq=250).eeg.gaps
    assert [(gap.index, gap.n_missing) for gap in found] == [(4000, 500), (4300, 250)]
    assert found[0].seconds == pytest.approx(2)


def test_what_was_a_gap_only_by_a_wrong_rate_is_none(tmp_path):
    x = np.round(20 * np.random.default_rng(2).standard_normal((4000, 2)), 1)
    path = write_edf_plus(tmp_path / "a.edf", x, n_per_record=200, begins=1.6 * np.arange(20))
    assert read_recording(path, sfreq=125).eeg.gaps == ()
