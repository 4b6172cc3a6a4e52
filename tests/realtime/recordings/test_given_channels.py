"""`--channels`: the same names make the same plan live, in a replay and in training."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from neuript.errors import NeuriptError
from neuript.montages import load_montage
from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.live.intake import take_in
from neuript.realtime.recordings.build_stream import marker_stream, signal_stream
from neuript.realtime.recordings.channel_plan import plan_signal
from neuript.realtime.recordings.explanation import explained, with_explanation
from neuript.realtime.recordings.given_channels import check_channels, parse_channels, renamed, with_channels
from neuript.realtime.recordings.header import header_xml, signal_info
from neuript.realtime.recordings.recording import Recording, events_of
from neuript.realtime.recordings.replay_source import ReplaySource
from neuript.training.windows.dataset import read_each
from neuript.training.windows.dataset_channels import cap_of, choose_channels
from neuript.training.windows.dataset_spec import DatasetSpec

SFREQ = 125.0
TEXT = "Fz,C3,Cz,C4,Pz,PO7,PO8,-"
NAMES = parse_channels(TEXT)
BARE = SignalInfo(name="OpenBCI", sfreq=SFREQ, ch_names=("",) * 8, units=("microvolts",) * 8, ch_types=("",) * 8)
EVENTS = {"left": ("1",), "right": ("2",)}


@pytest.fixture
def recording(rng):
    x = 15 * rng.standard_normal((round(6 * SFREQ), 8))
    stream = signal_stream(BARE, x.astype(np.float32), np.arange(len(x)) / SFREQ)
    return Recording(Path("made.xdf"), [stream], "XDF", [], 0)


def test_an_eighth_channel_beside_seven_electrodes_is_left_out_everywhere(recording):
    spec = DatasetSpec(event_map=EVENTS, channels=NAMES)
    (read,) = read_each([recording], channels=spec.channels)
    montage, notes = choose_channels([read], [np.full(8, 1e-6)], spec)
    assert montage.ch_names == NAMES[:7]
    assert notes == []
    training = plan_signal(read.eeg.info, montage, cap_of([read], spec))
    live = take_in(ReplaySource(read), montage).plan
    over_lsl = plan_signal(with_channels(BARE, NAMES), montage)
    for plan in (training, live, over_lsl):
        np.testing.assert_array_equal(plan.matrix, np.eye(7, 8))
        assert plan.entries[-1].note == "left out"
    assert recording.eeg.info is not read.eeg.info
    assert recording.eeg.info.ch_names == ("",) * 8


def test_without_names_the_refusal_says_what_to_write(recording):
    spec = DatasetSpec(event_map=EVENTS, montage="dsi-7")
    with pytest.raises(NeuriptError, match=r"8 EEG channels have no labels, but montage dsi-7 has 7; .*--channels Fz"):
        choose_channels([recording], [np.full(8, 1e-6)], spec)


def test_names_of_a_person_count_more_than_what_was_sent():
    sent = replace(BARE, ch_names=tuple("ABCDEFGH"), ch_types=("AUX",) * 8)
    named = with_channels(sent, NAMES)
    assert named.ch_names == (*NAMES[:7], "H")
    assert plan_signal(named, load_montage("10-20").pick(["C3", "Cz"])).matrix[:, 1:3].tolist() == [[1, 0], [0, 1]]
    assert with_channels(sent, None) is sent


def test_what_was_recorded_with_names_needs_none_later():
    """The explanation beside the EEG carries names and what is left out; training then takes these electrodes."""
    told = explained(with_channels(BARE, NAMES), None, "microvolts")
    found = with_explanation(replace(BARE, units=("",) * 8), [signal_info(header_xml(told))])
    assert (found.ch_names, found.ch_types[-1], found.explained) == ((*NAMES[:7], ""), "MISC", True)
    stream = signal_stream(found, np.zeros((10, 8), np.float32), np.arange(10) / SFREQ)
    read = Recording(Path("made.xdf"), [stream], "XDF", [], 0)
    assert cap_of([read], DatasetSpec(event_map=EVENTS)).ch_names == NAMES[:7]
    assert cap_of([read], DatasetSpec(event_map=EVENTS, montage="10-20")).name == "10-20"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Fz,,C3", "name 2 is empty; write - for"),
        ("", "--channels is empty"),
        ("Fz,Czz", "'Czz' is no electrode; did you mean Cz"),
        ("C3,T3,T7", "names T7 twice"),
        ("-,-,EOG", "leaves nothing to decode"),
    ],
)
def test_names_that_cannot_be_are_refused(text, words):
    with pytest.raises(NeuriptError, match=words):
        check_channels(parse_channels(text))


def test_one_name_for_every_channel(recording):
    with pytest.raises(NeuriptError, match="names 7 channels, but 'OpenBCI' has 8; give one name for each"):
        renamed(recording, NAMES[:7])


def test_what_the_twin_truly_imagined_counts_no_trial_twice(recording):
    cues = marker_stream(recording.path, "cues", [(1.0, "left_hand")])
    truth = marker_stream(recording.path, "truth", [(1.4, "left_hand")])
    truth.info = replace(truth.info, stype="Intent")
    recording.streams += [cues, truth]
    recording.eeg_index = 0
    assert [event.stream for event in events_of(recording)] == ["cues"]
    recording.streams.remove(cues)  # self-paced: nothing else says it
    assert [event.stream for event in events_of(recording)] == ["truth"]
