"""What earlier people say of when to command: closed forms, made-up people, and the way to a manifest and back."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import nbinom

from neuript.errors import NeuriptError
from neuript.realtime.decoding.event_scoring import EventCard, EventScore, poisson_upper
from neuript.realtime.decoding.scoring import Trial
from neuript.training.fitting.policy_scan import DWELLS_S, THRESHOLDS
from neuript.training.population.command_evidence import (
    HIT_TRIALS,
    LEAST_SPREAD,
    CommandCounts,
    CommandEvidence,
    SettingPrior,
    spread_of,
)

SHAPE = len(DWELLS_S), len(THRESHOLDS)


def card(n_false: int, minutes: float, n_hits: int, n_events: int = 20) -> EventCard:
    hit, missed = (EventScore(Trial("go", 0.0), said, None) for said in ("go", None))
    return EventCard((hit,) * n_hits + (missed,) * (n_events - n_hits), n_false, 60 * minutes)


def cards(n_false: int, minutes: float = 10.0, n_hits: int = 5) -> list[list[EventCard]]:
    """The same at every setting but the last, where nothing is commanded."""
    found = [[card(n_false, minutes, n_hits)] * SHAPE[1] for _ in range(SHAPE[0])]
    found[-1] = [*found[-1][:-1], card(0, minutes, 0)]
    return found


def counts(*n_false: int, **options: float) -> CommandCounts:
    found = CommandCounts.of([cards(n, **options) for n in n_false])
    assert found is not None
    return found


def test_counts_are_those_of_everybody_together() -> None:
    found = CommandCounts.of([cards(2, 10.0, 5), cards(6, 30.0, 15)])
    assert found is not None
    assert found.rate[0, 0] == pytest.approx(8 / 40)
    assert found.hit_share[0, 0] == pytest.approx((5 / 20 + 15 / 20) / 2)
    assert (found.minutes, found.n_people) == (40.0, 2)
    assert (found.rate[-1, -1], found.hit_share[-1, -1]) == (0.0, 0.0)


def test_who_has_no_rest_or_no_task_says_nothing() -> None:
    resting = [[card(0, 10.0, 0, n_events=0)] * SHAPE[1]] * SHAPE[0]
    assert CommandCounts.of([cards(1), cards(1, minutes=0.0), resting]) is None
    found = CommandCounts.of([cards(1), cards(1, minutes=0.0), resting, cards(3)])
    assert found is not None
    assert found.n_people == 2


def test_the_spread_is_that_of_the_people_and_not_of_chance() -> None:
    rng = np.random.default_rng(1)
    minutes, n_people, mean = np.full(4000, 10.0), 4000, 0.6
    alike = rng.poisson(mean * 10.0, size=(n_people, 1, 1)) * np.ones((1, *SHAPE))
    assert spread_of(alike, minutes) < 0.02
    shape = 1 / 0.4  # a Gamma distribution with a squared coefficient of variation of 0.4
    unlike = nbinom.rvs(shape, shape / (shape + mean * 10.0), size=(n_people, 1, 1), random_state=2) * np.ones(SHAPE)
    assert spread_of(unlike, minutes) == pytest.approx(0.4, abs=0.04)
    assert spread_of(np.zeros((3, *SHAPE)), np.full(3, 10.0)) == 0.0


def test_few_people_who_look_alike_are_not_taken_for_certain() -> None:
    found = counts(5, 5, 5, 5)
    assert found.spread == 0.0
    prior = found.prior().of(0, 0)
    spread = LEAST_SPREAD * (1 + 1 / 4)
    assert 1 / prior.n_false == pytest.approx(spread + 1 / 20.5)
    assert prior.n_false / prior.minutes == pytest.approx(20.5 / 40)
    assert counts(0, 10, 0, 10).spread > LEAST_SPREAD
    assert counts(0, 10, 0, 10).prior().of(0, 0).n_false < prior.n_false


def test_own_rest_counts_the_more_the_more_of_it_there_is() -> None:
    prior = counts(5, 5, 5).prior().of(0, 0)
    alone = prior.upper(0, 0.0, 0.95)
    assert prior.upper(0, 3.0, 0.95) < alone < poisson_upper(0, 1.0)
    assert prior.upper(0, 3.0, 0.95) < poisson_upper(0, 3.0)
    assert prior.upper(9, 3.0, 0.95) > alone
    assert prior.upper(600, 1000.0, 0.95) == pytest.approx(poisson_upper(600, 1000.0), rel=0.01)


def test_hits_are_the_peoples_and_ones_own() -> None:
    prior = SettingPrior(1.0, 5.0, 0.25)
    assert prior.hits(card(0, 1.0, 0, n_events=0)) == pytest.approx(0.25)
    assert prior.hits(card(0, 1.0, 20, n_events=20)) == pytest.approx((20 + 0.25 * HIT_TRIALS) / (20 + HIT_TRIALS))


def test_between_two_numbers_of_trials_both_count() -> None:
    evidence = CommandEvidence({0: counts(10, 10, n_hits=2), 10: counts(2, 2, n_hits=10)})
    for asked, same in ((0, 0), (10, 10), (80, 10)):
        expected = evidence.counts[same].prior()
        np.testing.assert_allclose(evidence.at(asked).n_false, expected.n_false)
        np.testing.assert_allclose(evidence.at(asked).minutes, expected.minutes)
    assert evidence.at(4).of(0, 0).hit_share == pytest.approx(0.6 * 0.1 + 0.4 * 0.5)


def test_a_manifest_gives_it_back() -> None:
    evidence = CommandEvidence({0: counts(10, 4), 20: counts(2, 7)})
    values = json.loads(json.dumps(evidence.to_dict(), allow_nan=False))
    again = CommandEvidence.from_dict(values)
    assert again.to_dict() == values
    np.testing.assert_allclose(again.at(20).minutes, evidence.at(20).minutes, rtol=1e-3)
    with pytest.raises(NeuriptError, match="not those of this version"):
        CommandEvidence.from_dict({**values, "thresholds": [0.5, 0.6]})
    short = {**values["counts"]["0"], "hit_share": [[0.1]]}
    with pytest.raises(ValueError, match="reshape"):
        CommandEvidence.from_dict({**values, "counts": {"0": short}})


def test_a_setting_that_nobody_was_commanded_at_may_still_command() -> None:
    prior = counts(5, 5, 5).prior().of(-1, -1)
    assert 0 < prior.n_false / prior.minutes == pytest.approx(0.5 / 30)
    assert replace(prior, hit_share=0.5).hits(card(0, 1.0, 0)) > prior.hits(card(0, 1.0, 0))
