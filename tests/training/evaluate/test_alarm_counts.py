"""Thresholds, events, false alarms and net benefit against slow counts and worked examples."""

from __future__ import annotations

import numpy as np
import pytest

from neuript.errors import NeuriptError
from neuript.training.evaluate.alarm_counts import (
    COUNTS,
    AlarmTarget,
    ScoredWindows,
    choose_threshold,
    counts_by_subject,
    net_benefit,
    rates,
)


def scored(y, score, *, recording=None, start_s=None, subject=None, window_s=4.0):
    n = len(y)
    recording = np.array(["r"] * n if recording is None else recording)
    return ScoredWindows(
        np.array(y),
        np.array(score, dtype=float),
        recording if subject is None else np.array(subject),
        recording,
        np.arange(n) * window_s if start_s is None else np.array(start_s, dtype=float),
        window_s,
    )


@pytest.mark.parametrize("value", [0.5, 0.8, 0.95, 1.0])
@pytest.mark.parametrize("goal", ["sensitivity", "specificity"])
def test_a_threshold_just_reaches_its_target(rng, goal, value):
    y = rng.integers(0, 2, 200)
    windows = scored(y, rng.normal(size=200) + y)
    threshold = choose_threshold(windows, AlarmTarget(goal=goal, value=value))
    above = windows.score >= threshold
    own = above[y == 1] if goal == "sensitivity" else ~above[y == 0]
    assert own.mean() >= value
    assert own.mean() < value + 1 / len(own) + 1e-9  # one window more would be too many


def test_ties_are_on_the_side_that_reaches_the_target():
    windows = scored([1, 1, 1, 0, 0], [0.5, 0.5, 0.2, 0.5, 0.1])
    assert choose_threshold(windows, AlarmTarget(value=0.5)) == 0.5
    threshold = choose_threshold(windows, AlarmTarget(goal="specificity", value=0.6))
    assert (windows.score[3:] < threshold).mean() == 1.0


def test_events_and_alarms_of_a_worked_recording():
    #        two events, the first found; one false alarm of two windows, one of one
    y = [0, 0, 1, 1, 0, 0, 0, 1, 0, 0]
    score = [0.9, 0.9, 0.1, 0.9, 0.9, 0.1, 0.9, 0.1, 0.1, 0.1]
    people, table = counts_by_subject(scored(y, score), 0.5)
    assert people.tolist() == ["r"]
    assert dict(zip(COUNTS, table[0], strict=True)) == {
        "hits": 1, "misses": 2, "rejections": 3, "false": 4, "events": 2, "found": 1, "alarms": 2, "hours": 40 / 3600,
    }  # fmt: skip
    found = rates(counts_by_subject(scored(y, score), 0.5, n_consecutive=2)[1].sum(axis=0))
    assert found["false alarms per hour"] == pytest.approx(1 / (40 / 3600))
    assert found["events found"] == 0.5
    assert found["sensitivity"] == pytest.approx(1 / 3)


def test_a_gap_or_another_recording_ends_an_event_and_an_alarm():
    y, score = [1, 1, 1, 1], [0.9] * 4
    whole = counts_by_subject(scored(y, score), 0.5)[1][0]
    gap = counts_by_subject(scored(y, score, start_s=[0, 4, 20, 24]), 0.5)[1][0]
    other = scored(y, score, recording=["a", "a", "b", "b"], start_s=[0, 4, 0, 4], subject=["p"] * 4)
    assert [t[COUNTS.index("events")] for t in (whole, gap, counts_by_subject(other, 0.5)[1][0])] == [1, 2, 2]
    shuffled = scored([0, 1, 0], [0.1, 0.9, 0.9], start_s=[8, 0, 4])  # in order of time: 1 0 0 and .9 .9 .1
    assert counts_by_subject(shuffled, 0.5)[1][0][COUNTS.index("alarms")] == 0


def test_a_threshold_for_false_alarms_is_the_lowest_that_keeps_to_them(rng):
    y = np.repeat([0, 1, 0, 0], 100)
    windows = scored(y, rng.normal(size=400) + 2 * y)
    target = AlarmTarget(goal="false-alarms", value=9.0)

    def per_hour(threshold):
        return rates(counts_by_subject(windows, threshold)[1].sum(axis=0))["false alarms per hour"]

    threshold = choose_threshold(windows, target)
    assert per_hour(threshold) <= 9.0
    below = np.sort(windows.score[windows.score < threshold])[-1]
    assert per_hour(below) > 9.0
    none = choose_threshold(scored([0, 0], [0.2, 0.4]), AlarmTarget(goal="false-alarms", value=0.0))
    assert none > 0.4


def test_net_benefit_is_vickers_formula(rng):
    y = rng.integers(0, 2, 60)
    proba = rng.uniform(size=60)
    at = np.array([0.1, 0.5])
    model, everybody = net_benefit(y, proba, at)
    for i, t in enumerate(at):
        hits, false = np.sum((proba >= t) & (y == 1)), np.sum((proba >= t) & (y == 0))
        assert model[i] == pytest.approx(hits / 60 - false / 60 * t / (1 - t))
        assert everybody[i] == pytest.approx(y.mean() - (1 - y.mean()) * t / (1 - t))
    perfect, _ = net_benefit(y, y.astype(float), at)
    np.testing.assert_allclose(perfect, y.mean())


@pytest.mark.parametrize(
    "bad",
    [{"goal": "recall"}, {"value": 0.0}, {"value": 1.2}, {"goal": "false-alarms", "value": -1}, {"n_consecutive": 0}],
)
def test_a_target_that_cannot_be_is_refused(bad):
    with pytest.raises(NeuriptError):
        AlarmTarget(**bad)


def test_without_seizures_to_choose_on_it_is_said():
    with pytest.raises(NeuriptError, match="no window to choose a threshold for a sensitivity"):
        choose_threshold(scored([0, 0], [0.1, 0.2]), AlarmTarget())
