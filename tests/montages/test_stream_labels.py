"""One rule of what counts as EEG by its type."""

from __future__ import annotations

import pytest

from neuript.errors import NeuriptError
from neuript.montages import load_montage, plan_channels
from neuript.montages.stream_labels import is_eeg_channel, is_eeg_stream

NAMES = ("Fz", "C3", "Cz", "C4", "Pz")
MODEL = load_montage("10-20").pick(NAMES)


@pytest.mark.parametrize("kind", ["EEG", "EXG", "eeg", "exg", "ExG", " EXG "])
def test_what_says_that_it_is_eeg(kind):
    assert is_eeg_channel(kind)
    assert is_eeg_stream(kind)
    assert plan_channels(NAMES, MODEL, ch_types=[kind] * 5).used == plan_channels(NAMES, MODEL).used


@pytest.mark.parametrize("kind", ["", " "])
def test_a_channel_without_a_type_may_be_eeg_but_a_stream_without_one_may_be_anything(kind):
    assert is_eeg_channel(kind)
    assert not is_eeg_stream(kind)


@pytest.mark.parametrize("kind", ["MEG", "EOG", "ECG", "EMG", "TRG", "AUX", "ACC", "MISC", "GSR", "stim", "EEGX"])
def test_what_is_something_else(kind):
    assert not is_eeg_channel(kind)
    assert not is_eeg_stream(kind)


def test_a_mixture_uses_the_eeg_alone():
    plan = plan_channels(
        ("Fz", "X1", "C3", "Cz", "Trigger", "C4", "Pz"),
        MODEL,
        ch_types=("EXG", "AUX", "EXG", "EXG", "TRG", "EXG", "EXG"),
    )
    assert plan.used == (0, 2, 3, 5, 6)


def test_a_stream_without_eeg_is_refused_for_its_types():
    with pytest.raises(NeuriptError, match=r"EEG by its type \(MISC, TRG\).*EEG, EXG and none at all"):
        plan_channels(NAMES, MODEL, ch_types=["MISC"] * 4 + ["TRG"])
