"""What a person asks of a decoder that runs is done between two steps, and said."""

from __future__ import annotations

import numpy as np
import pytest
from scripted_source import CLASSES, LinearEngine, Script, cut, manifest, signal

from neuript.realtime.decoding.decoder import Decoder
from neuript.realtime.decoding.policy import DecisionPolicy, PolicySpec
from neuript.realtime.decoding.states import State
from neuript.realtime.live.steering import Steering
from neuript.realtime.live.typed import obey


class Outlets:
    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def tell(self, what: str, text: str) -> None:
        self.told.append((what, text))


@pytest.fixture
def decoder(rng) -> Decoder:
    x = signal(rng, 30.0, 250.0)
    stamps = 50.0 + np.arange(len(x)) / 250.0
    source = Script(cut(x, stamps, 32), 250.0)
    return Decoder.from_manifest(source, np.eye(4), 1e-6, manifest(),
                                 LinearEngine(sure=True))  # fmt: skip


def steps(decoder: Decoder, n_rows: int) -> list:
    rows: list = []
    while len(rows) < n_rows and not decoder.ended:
        rows += decoder.step()
    return rows


def test_paused_commands_are_not_given_and_decoding_goes_on(decoder):
    steering = Steering(decoder)
    before = steps(decoder, 60)
    assert before[-1].decision == CLASSES[0]
    assert obey(["p"], steering.actions) == ["commands are paused; p goes on"]
    paused = steps(decoder, 16)
    assert {row.state for row in paused} == {State.PAUSED}
    assert {row.decision for row in paused} == {None}
    assert all(row.proba is not None for row in paused)
    assert steering.now()["paused"]
    obey(["p"], steering.actions)
    after = steps(decoder, 16)
    assert {row.state for row in after} == {State.OK}
    assert sum(row.committed for row in after) == 1
    assert [entry["asked"] for entry in steering.done] == ["p", "p"]


@pytest.mark.parametrize("text", ["", "high", "nan", "0", "1.01", "-0.5", "inf"])
def test_no_other_threshold_is_taken(decoder, text):
    steering, outlets = Steering(decoder), Outlets()
    steering.outlets = outlets
    (said,) = obey([f"t {text}"], steering.actions)
    assert "is no threshold" in said
    assert steering.now()["threshold"] == 0.6
    assert outlets.told == []


def test_thresholds_and_marks_are_published(decoder):
    outlets = Outlets()
    steering = Steering(decoder, outlets)
    said = obey(["t 0.9", "m eyes/closed", "m", "r"], steering.actions)
    assert said == [
        "a command now needs an evidence of 0.90",
        "marked: eyes-closed",
        "marked: mark",
        "this model does not recentre its windows, so there is nothing to begin anew",
    ]
    assert outlets.told == [("threshold", "0.9"), ("mark", "eyes-closed"), ("mark", "mark")]
    assert not steering.now()["recentres"]
    outlets.told.clear()
    for now_s in (0.0, 1.0, 4.9, 5.0, 6.0):
        steering.remind(now_s)
    assert outlets.told == [("threshold", "0.9")] * 2
    obey(["t 0.6"], steering.actions)  # as the header says
    outlets.told.clear()
    steering.remind(100.0)
    assert outlets.told == []
    assert "publishes nothing" in obey(["m x"], Steering(decoder).actions)[0]


def test_a_new_threshold_counts_from_the_next_window_and_release_comes_back():
    spec = PolicySpec(smoothing_s=0.0, threshold=0.8, release=0.6, dwell_s=0.0, refractory_s=0.0)
    policy = DecisionPolicy(spec, CLASSES, 0.125)
    weak = [1.0, 0.0]  # 0.73
    assert policy.update(weak).decision is None
    policy.set_threshold(0.5)
    assert policy.update(weak).decision == 0
    assert (policy.spec.threshold, policy.spec.release) == (0.5, 0.5)
    policy.set_threshold(0.9)
    assert (policy.spec.threshold, policy.spec.release) == (0.9, 0.6)
    assert policy.update(weak).decision == 0  # held until it falls below the release
    assert policy.update([0.0, 0.0]).decision is None
    assert policy.update(weak).decision is None
