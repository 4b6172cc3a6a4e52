"""Chance bounds, exact intervals and trial scores against published tables, closed forms and hand counts."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest

from neuript.realtime.decoding.scoring import (
    PublishedRow,
    ScoreCard,
    Trial,
    TrialScore,
    chance_bound,
    exact_interval,
    score_trials,
)

# percent at 5 % / 1 %, one-sided binomial (Mueller-Putz et al. 2008; Combrisson & Jerbi 2015)
TABLE = {
    40: {2: (65.0, 70.0), 3: (47.5, 52.5), 4: (40.0, 45.0), 5: (32.5, 37.5)},
    80: {2: (60.0, 63.7), 3: (43.8, 47.5), 4: (33.8, 37.5), 5: (28.7, 32.5)},
    100: {2: (59.0, 63.0), 3: (42.0, 46.0), 4: (33.0, 36.0), 5: (28.0, 31.0)},
    160: {2: (56.9, 60.0), 3: (40.0, 42.5), 4: (31.2, 33.8), 5: (25.6, 28.1)},
    288: {2: (55.2, 57.3), 3: (38.2, 40.3), 4: (29.5, 31.2), 5: (24.3, 26.0)},
}


def tail(n_hits, n_trials, p):
    """P(X >= n_hits), term by term."""
    return sum(comb(n_trials, k) * p**k * (1 - p) ** (n_trials - k) for k in range(n_hits, n_trials + 1))


@pytest.mark.parametrize("n_trials", TABLE)
@pytest.mark.parametrize("n_classes", [2, 3, 4, 5])
def test_bounds_are_the_published_ones(n_trials, n_classes):
    for alpha, percent in zip((0.05, 0.01), TABLE[n_trials][n_classes], strict=True):
        published = round(percent / 100 * n_trials)  # a whole number of hits
        assert chance_bound(n_trials, n_classes, alpha) == published / n_trials


@pytest.mark.parametrize("alpha", [0.05, 0.01])
@pytest.mark.parametrize("n_classes", [2, 3, 5])
def test_bound_is_the_first_accuracy_that_guessing_rarely_reaches(n_classes, alpha):
    for n_trials in range(1, 70):
        n_hits = round(chance_bound(n_trials, n_classes, alpha) * n_trials)
        assert tail(n_hits, n_trials, 1 / n_classes) <= alpha
        assert tail(n_hits - 1, n_trials, 1 / n_classes) > alpha


def test_too_few_trials_cannot_show_anything():
    assert chance_bound(4, 2) > 1


@pytest.mark.parametrize(("n_trials", "n_classes"), [(0, 2), (10, 1)])
def test_bound_of_nothing_is_refused(n_trials, n_classes):
    with pytest.raises(ValueError, match=f"n_trials={n_trials} and n_classes={n_classes}"):
        chance_bound(n_trials, n_classes)


def solve(f, low=0.0, high=1.0):
    """Bisection of an ascending function."""
    for _ in range(80):
        middle = (low + high) / 2
        low, high = (middle, high) if f(middle) < 0 else (low, middle)
    return low


@pytest.mark.parametrize(("n_hits", "n_trials"), [(0, 12), (12, 12), (7, 12), (23, 30), (1, 80)])
@pytest.mark.parametrize("level", [0.95, 0.9])
def test_interval_holds_the_proportions_that_both_tails_allow(n_hits, n_trials, level):
    out = (1 - level) / 2
    low = 0.0 if n_hits == 0 else solve(lambda p: tail(n_hits, n_trials, p) - out)
    high = 1.0 if n_hits == n_trials else solve(lambda p: out - (1 - tail(n_hits + 1, n_trials, p)))
    assert exact_interval(n_hits, n_trials, level) == pytest.approx((low, high), abs=1e-9)


# --- trials -----------------------------------------------------------------------------------

CLASSES = ("left", "right")


def row(t, p_left=None, *, state="OK", decision=None):
    proba = None if p_left is None else {"left": p_left, "right": 1 - p_left}
    return PublishedRow(t, proba, decision, state)


def score(rows, trials, window_end_s=(4.0, 4.5)):
    return score_trials(rows, trials, CLASSES, window_end_s=window_end_s)


def test_the_class_with_the_highest_mean_probability_wins():
    rows = [row(14.0, 0.9), row(14.25, 0.4), row(14.5, 0.4)]  # two of three vote right, the mean left
    (trial,) = score(rows, [Trial("left", 10.0)]).trials
    assert trial.predicted == "left"
    assert trial.n_windows == 3


def test_window_ends_are_included_and_nothing_beyond_them():
    rows = [row(13.99, 0.0), row(14.0, 0.6), row(14.5, 0.6), row(14.51, 0.0)]
    (trial,) = score(rows, [Trial("left", 10.0)]).trials
    assert (trial.predicted, trial.n_windows) == ("left", 2)


def test_windows_in_another_state_than_ok_do_not_count():
    rows = [row(14.0, 0.6), row(14.1, 0.0, state="OVERLOAD"), row(14.2, state="GAP")]
    (trial,) = score(rows, [Trial("left", 10.0)]).trials
    assert (trial.predicted, trial.n_windows) == ("left", 1)


@pytest.mark.parametrize("rows", [[], [row(3.0, 0.9)], [row(14.2, state="GAP")]])
def test_a_trial_without_a_published_window_counts_as_wrong(rows):
    card = score(rows, [Trial("left", 10.0)])
    assert card.trials[0].predicted is None
    assert (card.n_trials, card.n_hits, card.accuracy) == (1, 0, 0.0)
    assert card.confusion().tolist() == [[0, 0, 1], [0, 0, 0]]


def test_all_events_of_a_trial_speak_and_a_shared_window_speaks_once():
    trial = Trial("right", 10.0, epochs_s=(10.0, 10.25, 20.0))
    rows = [row(14.0, 0.1), row(14.3, 0.8), row(14.6, 0.9), row(24.0, 0.1), row(19.0, 1.0)]
    (scored,) = score(rows, [trial]).trials
    assert scored.n_windows == 4  # 14.3 lies behind two events
    assert scored.predicted == "right"  # mean 0.475; counted twice, 14.3 would turn it to left


def test_commands_are_listed_in_order():
    rows = [row(14.0, 0.6, decision="left"), row(14.1, 0.4, decision="right"), row(15, 0.5, decision="left")]
    assert score(rows, [Trial("left", 10.0)]).trials[0].commands == ("left", "right")


def test_a_clock_that_steps_back_hides_no_window():
    rows = [row(100.0, 0.2), row(14.0, 0.9), row(14.25, 0.9)]
    assert score(rows, [Trial("left", 10.0)]).trials[0].n_windows == 2


def card_of(*pairs, classes=CLASSES):
    scores = [TrialScore(Trial(cued, float(i)), said, 1, ()) for i, (cued, said) in enumerate(pairs)]
    return ScoreCard(tuple(scores), classes)


def test_figures_of_a_card():
    card = card_of(*[("left", "left")] * 3, ("left", "right"), ("right", "right"), ("right", None))
    assert card.accuracy == pytest.approx(4 / 6)
    assert card.balanced_accuracy == pytest.approx((3 / 4 + 1 / 2) / 2)
    assert card.confusion().tolist() == [[3, 1, 0], [0, 1, 1]]
    assert card.interval == exact_interval(4, 6)


def test_always_saying_the_larger_class_is_guessing():
    card = card_of(*[("left", "left")] * 30, *[("right", "left")] * 10)
    assert card.accuracy > chance_bound(40, 2)
    assert card.accuracy < card.bound
    assert card.bound == chance_bound(40, 2, p_guess=0.75)


def test_bound_of_equal_classes_is_that_of_their_number():
    card = card_of(*[(c, "a") for c in "abc" * 20], classes=("a", "b", "c"))
    assert card.bound == chance_bound(60, 3)


def test_a_class_that_is_never_cued_does_not_lower_the_bound():
    card = card_of(*[(c, "a") for c in "ab" * 20], classes=("a", "b", "c"))
    assert card.bound == chance_bound(40, 2)


def test_guessing_passes_the_bound_about_as_often_as_it_says(rng):
    passed = 0
    for _ in range(2000):
        said = rng.integers(2, size=50)
        hits = (said == np.arange(50) % 2).sum()
        passed += hits / 50 >= chance_bound(50, 2)
    assert 0.015 < passed / 2000 < 0.05  # discrete: P(X >= 32) is 3.2 %
