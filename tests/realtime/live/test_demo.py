"""Which trials of a demo are scored, and how its verdict reads."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest

from neuript.realtime.decoding.decision import Decision
from neuript.realtime.decoding.scoring import PublishedRow
from neuript.realtime.decoding.states import State
from neuript.realtime.live.demo import Demo, scored_trials

CLASSES = ("left_hand", "right_hand")


def rows(until_s):
    return [PublishedRow(k / 8, {"left_hand": 0.5, "right_hand": 0.5}, None, "OK" if k > 40 else "WARMUP")
            for k in range(int(until_s * 8))]  # fmt: skip


def test_only_whole_trials_of_known_classes_count():
    cues = [
        (1.0, "left_hand"),  # before the first window was full
        (10.0, "right_hand"),
        (12.0, "trial_end"),
        (14.0, '{"ev": "cue", "cls": "left_hand"}'),
        (15.0, '{"broken'),
        (18.0, "left_hand"),  # not over yet
    ]
    found = scored_trials(cues, rows(20.0), CLASSES)
    assert [(t.onset_s, t.label) for t in found] == [(10.0, "right_hand"), (14.0, "left_hand")]
    assert scored_trials(cues, [], CLASSES) == []


@pytest.mark.parametrize(
    ("n_trials", "right", "words"), [(2, 2, "too few trials"), (20, 20, "above chance"), (20, 8, "not above chance")]
)
def test_the_verdict_is_honest(n_trials, right, words):
    demo = Demo()
    demo._cues = [(10.0 + 8 * k, CLASSES[k % 2]) for k in range(n_trials)]
    for k in range(8 * 8 * (n_trials + 2)):
        trial = math.floor((k / 8 - 10.0) / 8)
        said = trial % 2 if trial < right else 1 - trial % 2
        proba = {name: 0.8 if i == said else 0.2 for i, name in enumerate(CLASSES)}
        demo.publish(Decision(t=k / 8, window_index=k, state=State.OK, proba=proba))
    score = demo.score(SimpleNamespace(classes=CLASSES))
    assert (score["trials"], score["hits"]) == (n_trials, right)
    assert words in score["text"]
    assert ("not above" in score["text"]) == (words == "not above chance")
    assert "SIMULATED" in score["text"]
    demo.close()
