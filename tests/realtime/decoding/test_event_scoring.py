"""Commands against events: hand-made commands, and bounds of rates against SciPy by brute force."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import poisson

from neuript.realtime.decoding.event_scoring import (
    EARLIEST_S,
    GRACE_S,
    Commit,
    EventCard,
    EventScore,
    joined,
    poisson_interval,
    poisson_upper,
    score_events,
)
from neuript.realtime.decoding.scoring import Trial, exact_interval

HOP_S, LAST_S = 0.125, 4.0


def scored(
    commits: list[tuple[float, str]], trials: list[tuple[float, str]], seconds: float = 60.0, idle: str | None = "rest"
) -> EventCard:
    decoded = np.arange(0, seconds, HOP_S)
    return score_events(
        [Commit(t, label) for t, label in commits],
        [Trial(label, t) for t, label in trials],
        decoded,
        HOP_S,
        idle_class=idle,
        duration_s=LAST_S,
    )


def counts(card: EventCard) -> tuple[int, int, int, int]:
    return card.n_hits, card.n_wrong, card.n_missed, card.n_false


@pytest.mark.parametrize(
    ("commits", "expected"),
    [
        ([(11.5, "go")], (1, 0, 0, 0)),
        ([(11.5, "stop")], (0, 1, 0, 0)),
        ([], (0, 0, 1, 0)),
        ([(11.5, "go"), (12.5, "stop")], (1, 0, 0, 0)),
        ([(11.5, "stop"), (12.5, "go")], (0, 1, 0, 0)),
        ([(10.0 + LAST_S + GRACE_S, "go")], (1, 0, 0, 0)),
        ([(10.0 + LAST_S + GRACE_S + 0.125, "go")], (0, 0, 1, 1)),
        ([(10.0 + EARLIEST_S, "go")], (1, 0, 0, 0)),
        ([(10.0 + EARLIEST_S - 0.125, "go")], (0, 0, 1, 1)),
        ([(10.125, "go"), (11.0, "go")], (1, 0, 0, 1)),
        ([(3.0, "go"), (11.0, "go"), (30.0, "stop")], (1, 0, 0, 2)),
    ],
    ids=[
        "hit",
        "wrong",
        "missed",
        "the first counts: right",
        "the first counts: wrong",
        "at the end of the grace",
        "late",
        "as soon as anybody can",
        "sooner than anybody can",
        "too soon, then right",
        "before and after",
    ],
)
def test_one_event(commits: list[tuple[float, str]], expected: tuple[int, ...]) -> None:
    assert counts(scored(commits, [(10.0, "go")])) == expected


def test_the_delay_is_from_the_cue_to_the_first_command_of_a_hit() -> None:
    card = scored([(11.5, "go"), (12.0, "go"), (23.0, "go"), (32.0, "stop")], [(10, "go"), (20, "go"), (30, "go")])
    np.testing.assert_allclose(card.delays_s, [1.5, 3.0])
    assert [event.detected for event in card.events] == ["go", "go", "stop"]
    assert card.events[2].delay_s == 2.0


def test_idle_trials_are_rest_and_commands_in_them_are_false() -> None:
    card = scored([(11.5, "go"), (31.0, "go")], [(10.0, "go"), (30.0, "rest")])
    assert counts(card) == (1, 0, 0, 1)
    assert [event.trial.label for event in card.events] == ["go"]
    np.testing.assert_allclose(card.rest_s, 60.0 - (LAST_S + GRACE_S - EARLIEST_S), atol=2 * HOP_S)
    without_idle = scored([(11.5, "go"), (31.0, "go")], [(10.0, "go"), (30.0, "rest")], idle=None)
    assert counts(without_idle) == (1, 1, 0, 0)
    assert without_idle.rest_s < card.rest_s - 4


def test_events_that_overlap_take_each_command_once() -> None:
    """The later event begins where the earlier one would still be answered."""
    card = scored([(11.0, "go"), (13.0, "go")], [(10.0, "go"), (12.0, "go")])
    assert counts(card) == (2, 0, 0, 0)
    np.testing.assert_allclose(card.delays_s, [1.0, 1.0])
    assert counts(scored([(13.0, "go")], [(10.0, "go"), (12.0, "go")])) == (1, 0, 1, 0)


def test_one_command_answers_no_more_than_one_event_also_on_the_border_of_two() -> None:
    at_the_border = 12.0 + EARLIEST_S
    card = scored([(at_the_border, "go")], [(10.0, "go"), (12.0, "go")])
    assert card.n_hits + card.n_wrong + card.n_false == 1


def test_events_in_any_order_are_scored_in_order_of_time() -> None:
    trials = [(30.0, "go"), (10.0, "stop"), (20.0, "go")]
    commits = [(11.0, "stop"), (21.0, "go"), (31.0, "go")]
    card = scored(commits, trials)
    assert [event.trial.onset_s for event in card.events] == [10.0, 20.0, 30.0]
    assert counts(card) == (3, 0, 0, 0)


def test_every_command_is_counted_once(rng: np.random.Generator) -> None:
    """Brute force: first in an event, later in one, or false."""
    for _ in range(50):
        onsets = np.sort(rng.uniform(5, 50, size=6))
        trials = [(float(t), str(rng.choice(["go", "stop", "rest"]))) for t in onsets]
        commits = sorted((float(t), str(rng.choice(["go", "stop"]))) for t in rng.uniform(0, 60, size=12))
        card = scored(commits, trials)
        acting = [t for t, label in trials if label != "rest"]
        owner = []
        for t, _ in commits:
            mine = [i for i, on in enumerate(acting) if on + EARLIEST_S <= t <= on + LAST_S + GRACE_S]
            owner.append(max(mine) if mine else None)
        assert card.n_false == owner.count(None)
        assert card.n_missed == sum(i not in owner for i in range(len(acting)))
        firsts = [commits[owner.index(i)][1] if i in owner else None for i in range(len(acting))]
        assert [event.detected for event in card.events] == firsts


def test_a_trial_of_several_epochs_lasts_until_the_end_of_the_last() -> None:
    trial = Trial("go", 10.0, epochs_s=(10.0, 12.0, 20.0))
    decoded = np.arange(0, 60, HOP_S)
    end = 20.0 + LAST_S + GRACE_S
    for t, hits in ((10.5, 1), (23.0, 1), (end, 1), (end + HOP_S, 0), (10.0, 0)):
        card = score_events([Commit(t, "go")], [trial], decoded, HOP_S, idle_class="rest", duration_s=LAST_S)
        assert counts(card) == (hits, 0, 1 - hits, 1 - hits)
        assert card.rest_s == pytest.approx(60 - (end - 10.0 - EARLIEST_S) - HOP_S)


def test_rest_is_what_was_decoded_outside_of_events(rng: np.random.Generator) -> None:
    decoded = np.sort(rng.uniform(0, 60, size=300))
    trials = [Trial("go", 10.0), Trial("rest", 20.0), Trial("go", 40.0)]
    card = score_events([], trials, decoded, HOP_S, idle_class="rest", duration_s=LAST_S)
    at_rest = sum(not any(on + EARLIEST_S <= t <= on + LAST_S + GRACE_S for on in (10.0, 40.0)) for t in decoded)
    assert 0 < at_rest < 300
    assert card.rest_s == pytest.approx(at_rest * HOP_S)


def test_rates_are_per_minute_of_rest() -> None:
    card = scored([(1.0, "go"), (30.0, "go"), (50.0, "go")], [], seconds=90.0)
    assert card.false_per_minute == pytest.approx(2.0)
    assert card.false_interval == poisson_interval(3, 1.5)


def test_figures_that_are_not_known_are_none() -> None:
    card = EventCard((), 0, 0.0)
    assert math.isnan(card.hit_rate)
    assert math.isnan(card.false_per_minute)
    assert card.false_interval == (0.0, math.inf)
    figures = card.to_dict()
    json.dumps(figures, allow_nan=False)
    unknown = {name for name, value in figures.items() if value is None}
    times = {f"time_to_detect_{name}_s" for name in ("median", "p90", "median_with_misses")}
    assert unknown == {"hit_rate", "false_per_minute", *times}
    assert figures["hit_rate_interval_95"] == [None, None]
    assert figures["false_per_minute_interval_95"] == [0.0, None]
    assert (figures["events"], figures["rest_minutes"]) == (0, 0.0)


def test_figures_are_the_counts_and_the_spread_of_the_delays() -> None:
    commits = [(11.0, "go"), (22.0, "go"), (33.5, "go"), (41.0, "stop")]
    card = scored(commits, [(10, "go"), (20, "go"), (30, "go"), (40, "go"), (50, "go")], seconds=120.0)
    figures = card.to_dict()
    assert [figures[name] for name in ("events", "hits", "wrong", "missed", "false_activations")] == [5, 3, 1, 1, 0]
    assert figures["hit_rate"] == pytest.approx(0.6)
    assert figures["hit_rate_interval_95"] == list(exact_interval(3, 5))
    assert figures["time_to_detect_median_s"] == pytest.approx(2.0)
    assert figures["time_to_detect_p90_s"] == pytest.approx(np.percentile([1.0, 2.0, 3.5], 90))


def test_recordings_together_are_the_sum_of_each() -> None:
    one = scored([(11.0, "go"), (30.0, "go")], [(10.0, "go")])
    two = scored([(5.0, "stop")], [(20.0, "stop"), (30.0, "rest")], seconds=45.0)
    both = joined([one, two])
    assert both.events == (*one.events, *two.events)
    assert (both.n_false, both.rest_s) == (one.n_false + two.n_false, one.rest_s + two.rest_s)
    assert counts(both) == (1, 0, 1, 2)
    assert joined([]) == EventCard((), 0, 0.0)


@pytest.mark.parametrize("count", [0, 1, 3, 20])
@pytest.mark.parametrize("minutes", [0.5, 10.0])
def test_bounds_of_a_rate_are_where_the_count_becomes_improbable(count: int, minutes: float) -> None:
    """The bound is the rate at which so few (so many) would be seen with the probability that is left over."""

    def rate(probability: float, *, few: bool) -> float:
        def excess(r: float) -> float:
            seen = poisson.cdf(count, r * minutes) if few else poisson.sf(count - 1, r * minutes)
            return float(seen - probability)

        return float(brentq(excess, 1e-9, 1000 / minutes))

    assert poisson_upper(count, minutes) == pytest.approx(rate(0.05, few=True), rel=1e-6)
    low, high = poisson_interval(count, minutes)
    assert high == pytest.approx(rate(0.025, few=True), rel=1e-6)
    assert low == pytest.approx(rate(0.025, few=False) if count else 0.0, rel=1e-6)


def test_bounds_are_tighter_with_more_time_and_with_less_confidence() -> None:
    assert poisson_upper(2, 20.0) == pytest.approx(poisson_upper(2, 10.0) / 2)
    assert poisson_upper(2, 10.0, level=0.8) < poisson_upper(2, 10.0) < poisson_upper(3, 10.0)
    assert poisson_upper(0, 0.0) == math.inf


def test_an_event_is_hit_only_by_its_own_class() -> None:
    trial = Trial("go", 0.0)
    assert EventScore(trial, "go", 1.0).is_hit
    assert not EventScore(trial, "stop", 1.0).is_hit
    assert not EventScore(trial, None, None).is_hit
