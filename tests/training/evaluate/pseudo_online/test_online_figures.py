"""The figures against scikit-learn, SciPy, brute force, and cases that one can do by hand."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from scipy import stats
from sklearn.calibration import calibration_curve
from sklearn.metrics import cohen_kappa_score, matthews_corrcoef, mutual_info_score

from neuript.realtime.decoding.event_scoring import Commit, poisson_interval, score_events
from neuript.realtime.decoding.scoring import Trial
from neuript.training.evaluate.pseudo_online.online_figures import (
    decision_table,
    expected_calibration_error,
    kappa_course,
    matthews,
    mutual_information_bits,
    normalised_mcc,
    risk_at,
    risk_coverage,
    task_at,
    wolpaw_bits,
)
from neuript.training.fitting.metrics import confusion

CLASSES = ("go", "rest")


@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_mcc_and_mutual_information_are_those_of_scikit_learn(rng, n_classes):
    for _ in range(20):
        y = rng.integers(n_classes, size=60)
        guess = np.where(rng.random(60) < 0.5, y, rng.integers(n_classes, size=60))
        table = confusion(y, guess, n_classes)
        assert matthews(table) == pytest.approx(matthews_corrcoef(y, guess))
        assert normalised_mcc(table) == pytest.approx((matthews_corrcoef(y, guess) + 1) / 2)
        assert mutual_information_bits(table) == pytest.approx(mutual_info_score(y, guess) / math.log(2))


def test_mcc_of_one_answer_for_all_is_guessing_however_rare_the_class_is():
    assert normalised_mcc(np.array([[0, 5], [0, 995]])) == 0.5
    assert normalised_mcc(np.diag([5, 995])) == 1
    assert normalised_mcc(np.array([[0, 7], [7, 0]])) == 0


def test_mutual_information_of_tables_that_are_not_square():
    assert mutual_information_bits(np.array([[8, 0, 0], [0, 4, 4]])) == pytest.approx(1)
    assert mutual_information_bits(np.array([[3, 3, 3], [3, 3, 3]])) == pytest.approx(0)
    assert math.isnan(mutual_information_bits(np.zeros((2, 3))))


@pytest.mark.parametrize(
    ("accuracy", "n_classes", "bits"),
    [(0.6, 4, 0.40), (0.7, 4, 0.64), (0.8, 4, 0.96), (0.9, 4, 1.37), (0.7, 2, 0.12), (0.8, 2, 0.28), (0.9, 2, 0.53)],
)
def test_wolpaws_bits_of_published_tables(accuracy, n_classes, bits):
    assert wolpaw_bits(accuracy, n_classes) == pytest.approx(bits, abs=0.006)


@pytest.mark.parametrize("n_classes", [2, 3, 4])
def test_wolpaws_bits_are_the_information_of_a_channel_with_even_errors(n_classes):
    for accuracy in (0.55, 0.75, 0.99, 1.0):
        joint = np.full((n_classes, n_classes), (1 - accuracy) / (n_classes - 1) / n_classes)
        np.fill_diagonal(joint, accuracy / n_classes)
        even = 1 / n_classes
        brute = sum(p * math.log2(p / (even * even)) for p in joint.ravel() if p > 0)
        assert wolpaw_bits(accuracy, n_classes) == pytest.approx(brute)
    assert wolpaw_bits(1 / n_classes, n_classes) == wolpaw_bits(0.0, n_classes) == 0


def test_calibration_error_by_a_slow_loop_and_by_hand(rng):
    proba = np.array([[0.9, 0.1], [0.8, 0.2], [0.3, 0.7], [0.4, 0.6]])
    y = np.array([0, 1, 1, 0])
    # one bin: mean certainty 0.75, half of them right
    assert expected_calibration_error(proba, y, 1) == pytest.approx(0.25)
    assert expected_calibration_error(proba, y, 2) == pytest.approx((abs(0.65 - 0.5) + abs(0.85 - 0.5)) / 2)
    p = rng.random(150)
    proba, y = np.stack([1 - p, p], axis=1), (rng.random(150) < p**2).astype(int)
    certain, right = proba.max(1), proba.argmax(1) == y
    accuracy, mean = calibration_curve(right, certain, n_bins=15, strategy="quantile")
    assert expected_calibration_error(proba, y, 15) == pytest.approx(np.abs(accuracy - mean).mean())


def test_risk_is_that_of_the_most_certain_ones(rng):
    certain = np.array([0.6, 0.99, 0.7, 0.8])
    right = np.array([False, True, False, True])
    coverage, risk = risk_coverage(certain, right)
    assert coverage.tolist() == [0.25, 0.5, 0.75, 1]
    assert risk == pytest.approx([0, 0, 1 / 3, 1 / 2])
    certain, right = rng.random(37), rng.random(37) < 0.7
    found = risk_at(certain, right)
    for share, value in zip(found["coverage"], found["risk"], strict=True):
        n_kept = math.ceil(share * 37 - 1e-9)
        kept = sorted(range(37), key=lambda i: -certain[i])[:n_kept]
        assert value == pytest.approx(np.mean([not right[i] for i in kept]))
    assert risk_at(np.empty(0), np.empty(0, dtype=bool))["aurc"] is None


def test_the_task_at_a_time_is_idle_outside_of_trials():
    trials = [Trial("go", 10.0), Trial("rest", 20.0), Trial("go", 30.0, 0, (30.0, 33.0))]
    t = np.array([9.9, 10.0, 14.0, 14.1, 21.0, 30.5, 36.9, 37.1])
    assert task_at(t, trials, CLASSES, 1, 4.0).tolist() == [1, 0, 0, 1, 1, 0, 0, 1]


def test_the_course_of_kappa_is_scikit_learns_at_each_time(rng):
    hop, cues = 0.125, [(20.0 * k + 7.03, int(k % 2)) for k in range(12)]
    t = np.arange(0, 260, hop)
    said = rng.integers(2, size=len(t))
    for cue, label in cues:
        said[(t > cue + 1) & (t < cue + 4)] = label
    course = kappa_course([(t, said, cues[:5]), (t, said, cues[5:])], hop, 2)
    assert [point["t"] for point in course] == [k / 4 for k in range(-8, 25)]
    for point in course:
        places = [int(np.abs(t - cue - point["t"]).argmin()) for cue, _ in cues]
        labels = [label for _, label in cues]
        assert point["n"] == 12
        assert point["kappa"] == pytest.approx(cohen_kappa_score(labels, said[places]))
    assert next(point for point in course if point["t"] == 2)["kappa"] == 1


def test_the_course_leaves_out_what_was_not_decoded():
    t = np.array([10.0, 11.0])
    course = kappa_course([(t, np.array([0, 1]), [(10.0, 0), (50.0, 1)])], 1.0, 2)
    assert [point["t"] for point in course] == list(range(-2, 7))
    assert [point["n"] for point in course] == [0, 0, 1, 1, 0, 0, 0, 0, 0]
    assert course[0]["kappa"] is None


def test_false_activations_have_the_interval_of_poisson():
    for count, minutes in itertools.product((0, 1, 7, 40), (0.5, 3.0)):
        low, high = poisson_interval(count, minutes)
        # the bounds are the rates at which so many, or so few, are seen in 2.5 % of the cases
        assert stats.poisson.cdf(count, high * minutes) == pytest.approx(0.025)
        assert low == 0 if count == 0 else stats.poisson.sf(count - 1, low * minutes) == pytest.approx(0.025)
    assert poisson_interval(0, 0.0) == (0.0, math.inf)


def test_decisions_are_the_first_commands_of_trials():
    trials = [Trial("go", 10.0), Trial("rest", 20.0), Trial("go", 30.0), Trial("rest", 40.0)]
    commits = [Commit(10.1, "go"), Commit(12.0, "go"), Commit(13.0, "go"), Commit(22.0, "go"), Commit(70.0, "go")]
    t = np.arange(0, 80, 0.5)
    card = score_events(commits, trials, t, 0.5, idle_class="rest", duration_s=4.0)
    table = decision_table(card, commits, [trials[1], trials[3]], CLASSES, "rest", 4.0)
    assert table.tolist() == [[1, 1], [1, 1]]
    assert (card.n_hits, card.n_missed, card.n_false) == (1, 1, 3)
    assert card.delays_s.tolist() == [2.0]
    assert card.median_with_misses_s == 2.0
    two = decision_table(card, commits, [], ("go", "left"), None, 4.0)
    assert two.tolist() == [[1, 0, 1], [0, 0, 0]]


def test_a_rest_that_the_next_cue_ends_is_not_judged_by_what_comes_then():
    trials = [Trial("rest", 10.0), Trial("go", 13.0)]
    commits = [Commit(14.0, "go")]
    card = score_events(commits, trials, np.arange(0, 30, 0.5), 0.5, idle_class="rest", duration_s=4.0)
    assert decision_table(card, commits, trials[:1], CLASSES, "rest", 4.0).tolist() == [[1, 0], [0, 1]]


def test_an_event_of_several_epochs_lasts_until_its_last_one_is_over():
    trial = Trial("go", 10.0, 0, (10.0, 12.0, 14.0))
    t = np.arange(0, 30, 0.5)
    card = score_events([Commit(17.5, "go")], [trial], t, 0.5, idle_class="rest", duration_s=3.0)
    assert card.n_hits == 1
    assert card.n_false == 0
    assert card.rest_s == pytest.approx(0.5 * np.sum((t < 10.25) | (t > 18)))
    late = score_events([Commit(17.5, "go")], [Trial("go", 10.0)], t, 0.5, idle_class="rest", duration_s=3.0)
    assert (late.n_missed, late.n_false) == (1, 1)


def test_misses_count_as_later_than_every_hit():
    trials = [Trial("go", 10.0 * k) for k in range(1, 6)]
    commits = [Commit(11.0, "go"), Commit(22.0, "go"), Commit(33.0, "go")]
    t = np.arange(0, 60, 0.5)
    card = score_events(commits, trials, t, 0.5, idle_class=None, duration_s=4.0)
    assert card.median_with_misses_s == 3.0
    few = score_events(commits[:2], trials, t, 0.5, idle_class=None, duration_s=4.0)
    assert few.median_with_misses_s == math.inf
    assert few.to_dict()["time_to_detect_median_with_misses_s"] is None
    nobody = score_events([], [], t, 0.5, idle_class=None, duration_s=4.0)
    assert math.isnan(nobody.median_with_misses_s)
