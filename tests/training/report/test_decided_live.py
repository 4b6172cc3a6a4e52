"""Trials that were decided while they were recorded, and those of today alone."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from twin_people import session

from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.decoding.decision import Decision
from neuript.realtime.decoding.proba_row import pack_row, row_labels
from neuript.realtime.decoding.scoring import ScoreCard, Trial, TrialScore
from neuript.realtime.decoding.states import State
from neuript.realtime.recordings.header import header_xml
from neuript.realtime.recordings.recording import RecordedStream, events_of
from neuript.training.report.decided_live import decided_live
from neuript.training.report.decoder_table import today
from neuript.training.report.verdict import about_live, about_today

CLASSES = ("left_hand", "right_hand")
N_UNDECODED, N_WRONG, N_BAD = 6, 2, 1


def published(rows: list[Decision], classes: tuple[str, ...] = CLASSES) -> RecordedStream:
    """Rows as the recorder finds them on LSL."""
    labels = row_labels(classes)
    info = SignalInfo(name="neuript-x-proba", sfreq=0.0, ch_names=labels, units=("",) * len(labels),
                      ch_types=("",) * len(labels), stype="Predictions")  # fmt: skip
    times = np.array([row.t for row in rows])
    values = np.array([pack_row(row, classes) for row in rows], dtype=np.float32)
    return RecordedStream(info, values, times, times, header_xml(info))


@pytest.fixture(scope="module")
def grounds():
    """Sixteen trials of two classes; a decoder runs from the seventh on, gets two wrong, and sees no EEG in one."""
    recording = session(3, trials=8)
    trials = [Trial(e.label, e.time_s) for e in events_of(recording) if e.label in CLASSES]
    rows = []
    for k, trial in enumerate(trials[N_UNDECODED:]):
        other = CLASSES[1 - CLASSES.index(trial.label)]
        said = other if k < N_WRONG else trial.label
        proba = {name: 0.8 if name == said else 0.2 for name in CLASSES}
        bad = N_WRONG <= k < N_WRONG + N_BAD
        for end_s, right in ((3.4, False), (3.7, True), (4.1, False)):  # only 3.5 to 4 s counts
            said_now = proba if right else {name: 1 - p for name, p in proba.items()}
            state = State.BAD_SIGNAL if bad else State.OK
            rows.append(Decision(t=trial.onset_s + end_s, window_index=0, state=state, proba=None if bad else said_now))
    played = SimpleNamespace(
        recording=replace(recording, streams=[*recording.streams, published(rows)]), trials=tuple(trials)
    )
    data = SimpleNamespace(classes=CLASSES, played=(played,))
    return SimpleNamespace(data=data, spec=SimpleNamespace(epoch_s=(0.5, 4.0)))


def test_every_trial_during_which_a_decoder_ran_counts_and_no_other(grounds):
    live = decided_live(grounds)
    assert (live["n_trials"], live["not_decoded"]) == (16 - N_UNDECODED, N_UNDECODED)
    assert live["n_hits"] == 16 - N_UNDECODED - N_WRONG - N_BAD  # a bad signal is a miss
    assert live["window_end_s"] == [3.5, 4.0]
    (sentence,) = about_live({"live": live})
    assert "7 of 10 right" in sentence
    assert sentence.endswith("During 6 trials no decoder ran yet.")


def test_a_decoder_of_other_classes_or_none_says_nothing(grounds):
    (played,) = grounds.data.played
    row = Decision(t=played.trials[0].onset_s + 3.7, window_index=0, state=State.OK, proba={"a": 0.5, "b": 0.5})
    for streams in ([], [published([row], ("a", "b"))]):
        other = replace(played.recording, streams=[*played.recording.streams[:-1], *streams])
        data = SimpleNamespace(classes=CLASSES, played=(SimpleNamespace(recording=other, trials=played.trials),))
        assert decided_live(SimpleNamespace(data=data, spec=grounds.spec)) is None
    assert decided_live(grounds, n_earlier=1) is None
    assert about_live({"live": None}) == []


@pytest.mark.parametrize(
    ("n_right", "words"), [(10, "10 of 10 right (100%; 69% to 100%), above"), (6, "%), not above")]
)
def test_today_is_told_beside_all_days(n_right, words):
    def score(recording: int, right: bool, k: int) -> TrialScore:
        label = CLASSES[k % 2]
        said = label if right else CLASSES[1 - k % 2]
        return TrialScore(Trial(label, float(k), recording), said, 1, ())

    earlier = [score(0, True, k) for k in range(40)]
    mine = [score(1 + k % 2, k < n_right, k) for k in range(10)]
    card = ScoreCard((*earlier, *mine), CLASSES)
    found = today(card, 1)
    assert (found["n_hits"], found["n_trials"]) == (n_right, 10)
    (sentence,) = about_today({"today": found})
    assert words in sentence
    assert "below 90%" in sentence
    assert today(card, 0) is None
    assert today(None, 1) is None
