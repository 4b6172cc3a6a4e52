"""A whole simulated session in memory: the same samples and cues as an amplifier would have given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from neuript.errors import NeuriptError
from neuript.montages import load_montage
from neuript.realtime.recordings.recording import events_of
from neuript.realtime.recordings.replay_source import ReplaySource
from neuript.realtime.twin.cues import CueProtocol
from neuript.realtime.twin.session_recording import session_recording
from neuript.realtime.twin.signal import TwinSignal
from neuript.realtime.twin.subject import Subject

PROTOCOL = CueProtocol(trials_per_class=2, pre_cue_s=0.5, imagery_s=2.0, pause_s=(0.5, 0.8))


def twin(protocol: CueProtocol = PROTOCOL) -> TwinSignal:
    return TwinSignal(load_montage("10-20").pick(["C3", "Cz", "C4"]), 125.0, Subject(), protocol=protocol, seed=3)


def test_all_samples_of_the_session_are_there_with_even_stamps() -> None:
    recording, again = session_recording(twin()), twin()
    seconds = again.schedule.end_s
    assert seconds is not None
    n = round(seconds * 125)
    np.testing.assert_array_equal(recording.eeg.values, again.read(n))
    np.testing.assert_array_equal(recording.eeg.timestamps, np.arange(n) / 125)
    assert recording.eeg.info.ch_names == ("C3", "Cz", "C4")
    assert recording.eeg.info.simulated
    assert recording.eeg.segments == ((0, n),)


def test_its_cues_are_those_of_the_session() -> None:
    recording, again = session_recording(twin()), twin()
    expected = again.events(0.0, again.schedule.end_s or 0.0)
    found = events_of(recording)
    assert [(e.time_s, e.label) for e in found] == [(e.time_s, e.label) for e in expected]
    assert sum(e.label == "left_hand" for e in found) == 2
    assert sum(e.label == "trial_end" for e in found) == 4


def test_it_is_called_as_told_and_can_be_played() -> None:
    recording = session_recording(twin(), "somebody.xdf")
    assert recording.path == Path("somebody.xdf")
    source = ReplaySource(recording, chunk=512)
    assert source.info.ch_names == ("C3", "Cz", "C4")
    assert source.info.simulated


def test_a_session_without_an_end_is_refused() -> None:
    with pytest.raises(NeuriptError, match="has no end; give its protocol a number of trials"):
        session_recording(twin(CueProtocol()))
