"""What every setting would have commanded to people left out: on which decisions, by whose labels, added up how."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_up_people import flipped
from twin_people import population_spec, session

from neuript.realtime.decoding.event_scoring import score_events
from neuript.realtime.decoding.policy import PolicySpec
from neuript.training.evaluate.pseudo_online.walks import decided
from neuript.training.fitting.centring import centre_s_of
from neuript.training.fitting.policy_scan import DWELLS_S, RELEASE_SHARE, THRESHOLDS
from neuript.training.population.adaptation import adapt
from neuript.training.population.commanded_people import Cards, cards_of, command_evidence, later_hops
from neuript.training.population.learning import Learning, Learnt, tangent_trials
from neuript.training.windows.dataset import Dataset, build_dataset

TASK_S = 4.0


@pytest.fixture(scope="module")
def people() -> dict[str, Dataset]:
    spec = population_spec()
    first = build_dataset([session(1, trials=12)], spec, keep_hops=True)
    others = {"b": session(2, trials=12), "c": session(3, trials=12)}
    built = {alias: build_dataset([one], spec, first.montage, keep_hops=True) for alias, one in others.items()}
    return {"a": first, **built}


@pytest.fixture(scope="module")
def others(people: dict[str, Dataset]) -> Learnt:
    """What is said by all but the last."""
    learning = Learning(people, None)
    return learning.without(["c"], learning.learn(list(people)))


def n_false(cards: Cards) -> list[list[int]]:
    return [[card.n_false for card in row] for row in cards]


def relabelled(data: Dataset, trials: np.ndarray) -> Dataset:
    """The other class for some trials, in the recording as well."""
    changed = flipped(data, trials)
    (played,) = changed.played
    return replace(changed, played=(replace(played, trials=changed.trials),))


def test_only_what_comes_after_all_that_is_learnt_from_is_judged(people: dict[str, Dataset], others: Learnt) -> None:
    data = people["c"]
    early = tangent_trials(data).early
    (later,) = later_hops(data, early, others, TASK_S)
    hops = data.played[0].hops(data.manifest)
    until = max(t.onset_s for t, is_early in zip(data.trials, early, strict=True) if is_early) + TASK_S + 2.0
    np.testing.assert_array_equal(later.t, hops.t[hops.t > until])
    np.testing.assert_array_equal(later.t[later.row], hops.window_t[hops.window_t > until])
    assert later.trials == tuple(t for t in data.played[0].trials if t.onset_s > until)
    assert len(later.trials) > 5


def test_of_several_recordings_the_later_ones_judge_as_a_whole(others: Learnt) -> None:
    data = build_dataset([session(4, day, trials=4) for day in (0, 1)], population_spec(), keep_hops=True)
    (later,) = later_hops(data, tangent_trials(data).early, others, TASK_S)
    np.testing.assert_array_equal(later.t, data.played[1].hops(data.manifest).t)
    assert later.trials == data.played[1].trials


def test_without_a_trial_the_cards_are_those_of_the_live_policy(people: dict[str, Dataset], others: Learnt) -> None:
    data = people["c"]
    tangent = tangent_trials(data)
    found = cards_of(data, others, TASK_S)
    assert list(found) == [0, 5]
    (later,) = later_hops(data, tangent.early, others, TASK_S)
    nobody = adapt(others, tangent.windows(np.zeros(len(data.trial), dtype=bool)), None, [])
    base = replace(PolicySpec.from_dict(data.manifest.policy), centre_s=centre_s_of(0))
    for threshold, dwell_s in ((0.6, 0.5), (0.76, 0.25)):
        spec = replace(base, threshold=threshold, release=RELEASE_SHARE * threshold, dwell_s=dwell_s)
        walk = decided(later.rows(nobody, 2), spec, data.classes, data.manifest.hop_s)
        card = score_events(walk.commits, walk.trials, walk.t[walk.ok], walk.hop_s, idle_class=None, duration_s=TASK_S)
        assert found[0][DWELLS_S.index(dwell_s)][THRESHOLDS.index(threshold)] == card
        assert card.n_hits > 0


def test_a_persons_labels_count_from_the_first_trial_on_and_never_the_later_ones(
    people: dict[str, Dataset], others: Learnt
) -> None:
    data = people["c"]
    early = tangent_trials(data).early
    plain = cards_of(data, others, TASK_S)
    other_early = cards_of(relabelled(data, early), others, TASK_S)
    other_late = cards_of(relabelled(data, ~early), others, TASK_S)
    assert other_early[0] == plain[0]
    assert other_early[5] != plain[5]
    for count in (0, 5):
        assert n_false(other_late[count]) == n_false(plain[count])
        assert other_late[count] != plain[count]


def test_everybody_is_judged_by_the_others(people: dict[str, Dataset]) -> None:
    learning = Learning(people, None)
    learnt = learning.learn(list(people))
    evidence = command_evidence(learning, learnt, TASK_S)
    assert evidence is not None
    assert list(evidence.counts) == [0, 5]
    found = evidence.counts[0]
    assert found.n_people == 3
    mine = [cards_of(data, learning.without([alias], learnt), TASK_S)[0][0][0] for alias, data in people.items()]
    assert found.minutes == pytest.approx(sum(card.rest_s for card in mine) / 60)
    assert found.rate[0, 0] == pytest.approx(sum(card.n_false for card in mine) / found.minutes)
    assert found.hit_share[0, 0] == pytest.approx(np.mean([(c.n_hits - c.n_wrong) / len(c.events) for c in mine]))
    assert command_evidence(Learning(_unplayed(people), None), learnt, TASK_S) is None


def _unplayed(people: dict[str, Dataset]) -> dict[str, Dataset]:
    return {alias: replace(data, played=()) for alias, data in people.items()}
