"""`neuript.score`: decisions and a recording, by path or in memory, to a score card."""

from __future__ import annotations

import numpy as np
import pytest
import xdf_writer
from cue_sessions import as_cue_session

import neuript
from neuript.errors import NeuriptError
from neuript.realtime.decoding.decision import Decision
from neuript.realtime.decoding.states import State
from neuript.realtime.recordings.read import read_recording

SFREQ, ZERO = 125.0, 800.0
ONSETS = (5.0, 12.0, 19.0, 26.0)
EVENTS = {"left": "769", "right": ["770", "771"]}


@pytest.fixture
def recording(tmp_path, rng):
    """Four trials: left, right, left, and right under its second marker; the first EEG sample is at 800 s."""
    n = round(35 * SFREQ)
    markers = [(ZERO + s, code) for s, code in zip(ONSETS, ("769", "770", "769", "771"), strict=True)]
    stamps = ZERO + np.arange(n) / SFREQ
    return xdf_writer.session(rng.normal(size=(n, 2)) * 10, stamps, markers, sfreq=SFREQ).save(tmp_path / "run.xdf")


@pytest.fixture
def decisions(tmp_path):
    """One window 4.2 s after each event; the last but one is wrong."""
    rows = [
        Decision(
            t=1e6 + onset,
            window_index=i,
            state=State.OK,
            proba={"left": 0.8 if name == "left" else 0.2, "right": 0.2 if name == "left" else 0.8},
            rec_t=onset + 4.2,
        )
        for i, (onset, name) in enumerate(zip(ONSETS, ("left", "right", "right", "right"), strict=True))
    ]
    path = tmp_path / "d.jsonl"
    path.write_text("".join(row.to_json_line() + "\n" for row in rows))
    return path


def test_by_path_and_in_memory(recording, decisions):
    said = []
    card = neuript.score(decisions, recording, EVENTS, say=said.append)
    assert said == []
    assert (card.n_hits, card.n_trials) == (3, 4)
    assert card.to_dict()["confusion"] == [[1, 1, 0], [0, 2, 0]]
    assert neuript.score(str(decisions), read_recording(recording), EVENTS) == card
    assert neuript.score(decisions, recording, {"left": 769, "right": [770, "771"]}) == card


def test_a_session_with_cues_needs_no_event_map(recording, decisions):
    read = read_recording(recording)
    session = as_cue_session(read, {"769": "left", "770": "right", "771": "right"})
    assert neuript.score(decisions, session) == neuript.score(decisions, read, EVENTS)
    with pytest.raises(NeuriptError, match="it holds '769' x2, '770' x1, '771' x1"):
        neuript.score(decisions, read)


def test_trials_outside_of_the_decisions_are_told(recording, decisions):
    decisions.write_text("".join(decisions.read_text().splitlines(keepends=True)[:2]))
    said = []
    neuript.score(decisions, recording, EVENTS, say=said.append)
    assert len(said) == 1
    assert said[0].startswith("2 of 4 trials lie outside the 7 s")


@pytest.mark.parametrize(
    ("events", "options", "message"),
    [
        ({"left": "769"}, {}, "names 1 class; at least two"),
        ({"left": "769", "feet": "770"}, {}, "class 'feet' is not among the decisions' classes left, right"),
        ({"left": "769", "right": 770.0}, {}, r"the marker 770\.0 of class 'right' is neither text nor a whole number"),
        ({"left": "769", "right": "5"}, {}, "the marker '5' of class 'right'"),
        (EVENTS, {"window_end_s": (4.0, 3.0)}, r"--window-end 4 3.*window_end_s"),
    ],
)
def test_refusals(recording, decisions, events, options, message):
    with pytest.raises(NeuriptError, match=message):
        neuript.score(decisions, recording, events, **options)
