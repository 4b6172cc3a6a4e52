"""What earlier people say of a read-out: equal say, exact ends, honest choices, and weighing by numbers of trials."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_up_people import N_FEATURES, alike, trials_of_person
from scipy.special import log_softmax

from neuript.training.fitting.tangent_readout import Readout, fit_readout
from neuript.training.population.prior import (
    CANDIDATES,
    COUNTS,
    LEAST_WEIGHT,
    OWN_SHARE,
    PRIOR_VARIANCES,
    WORTH_TRIALS,
    Candidate,
    Opinion,
    PersonTrials,
    choose_prior_variance,
    early_trials,
    first_trials,
    fit_person,
    fit_prior,
    held_out,
    judge_of,
    judged,
    mean_log_proba,
    mean_readout,
    nll_per_trial,
    opinion_of,
)

TWO = np.array([[1.0, 0, 0, 0, 0, 0], [-1.0, 0, 0, 0, 0, 0]])


def some_prior(rng: np.random.Generator) -> Readout:
    return Readout(rng.normal(size=(2, N_FEATURES)), rng.normal(size=2))


def repeated(person: PersonTrials, times: int, *, other_class: bool) -> PersonTrials:
    """The same person with every trial several times, and with the classes swapped where asked."""
    n = len(person.labels)
    labels = 1 - person.labels if other_class else person.labels
    trial = np.concatenate([person.trial + k * n for k in range(times)])
    return PersonTrials(
        np.tile(person.x, (times, 1)), trial, np.tile(labels, times), np.zeros(times * n, dtype=np.bool_)
    )


def same(a: Readout, b: Readout) -> bool:
    return np.array_equal(a.weight, b.weight) and np.array_equal(a.bias, b.bias)


def test_people_have_an_equal_say_whatever_their_number_of_trials(rng: np.random.Generator) -> None:
    """One says the opposite of the other, ten times as often: together they say nothing."""
    one = trials_of_person(rng, TWO)
    prior = fit_prior([one, repeated(one, 10, other_class=True)], 2, 0.6)
    alone = fit_prior([one], 2, 0.6)
    apart = float(np.abs(prior.weight[0] - prior.weight[1]).max())
    assert apart < 1e-3 < 0.3 < np.abs(alone.weight[0] - alone.weight[1]).max()


def test_trials_count_the_same_whatever_their_number_of_windows(rng: np.random.Generator) -> None:
    one = trials_of_person(rng, TWO, per_trial=1)
    which = np.repeat(np.arange(24), np.where(np.arange(24) < 12, 5, 1))
    longer = PersonTrials(one.x[which], one.trial[which], one.labels, one.early)
    np.testing.assert_allclose(longer.weight, 1 / np.bincount(which)[which])
    found, expected = (fit_prior([p], 2, 0.2) for p in (longer, one))
    np.testing.assert_allclose(found.weight, expected.weight, atol=1e-4)


def test_a_share_of_nothing_ignores_the_prior_to_the_bit(rng: np.random.Generator) -> None:
    one = trials_of_person(rng, TWO)
    candidate = Candidate(0.0, 0.5)
    found = fit_person(one, 2, some_prior(rng), candidate)
    assert same(found, fit_person(one, 2, None, candidate))
    assert same(found, fit_readout(one.x, one.y, 2, sample_weight=one.weight, variance=0.5))


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_without_a_trial_a_person_gets_the_share_of_the_prior(rng: np.random.Generator, share: float) -> None:
    nobody = trials_of_person(rng, TWO).windows(np.zeros(48, dtype=bool))
    prior = some_prior(rng)
    assert same(fit_person(nobody, 2, prior, Candidate(share, 0.5)), prior.scaled(share))
    assert same(prior.scaled(1.0), prior)


def test_a_small_variance_stays_with_the_prior_and_a_large_one_leaves_it(rng: np.random.Generator) -> None:
    one, prior = trials_of_person(rng, TWO), some_prior(rng)
    near, far = (fit_person(one, 2, prior, Candidate(1.0, v)) for v in (1e-6, 100.0))
    np.testing.assert_allclose(near.weight, prior.weight, atol=1e-3)
    assert np.abs(far.weight - prior.weight).max() > 0.5


def test_the_likelihood_is_a_mean_over_trials_of_means_over_windows(rng: np.random.Generator) -> None:
    one = trials_of_person(rng, TWO).windows(rng.uniform(size=48) < 0.7)
    log_proba = log_softmax(rng.normal(size=(len(one.trial), 2)), axis=1)
    by_trial = [
        np.mean([-log_proba[i, one.labels[t]] for i in np.flatnonzero(one.trial == t)]) for t in np.unique(one.trial)
    ]
    assert nll_per_trial(log_proba, one) == pytest.approx(np.mean(by_trial))


def test_the_first_trials_are_those_of_each_class_in_order_of_time() -> None:
    labels = np.array([0, 0, 1, 0, 1, 1, 0])
    assert np.flatnonzero(first_trials(labels, 2)).tolist() == [0, 1, 2, 4]
    among = np.array([False, True, True, False, True, True, True])
    assert np.flatnonzero(first_trials(labels, 2, among)).tolist() == [1, 2, 4, 6]
    assert not first_trials(labels, 0).any()
    assert first_trials(labels, 99).all()


def test_early_trials_are_the_earlier_recordings() -> None:
    labels, recording = np.arange(9) % 2, np.array([0, 0, 0, 2, 2, 2, 5, 5, 5])
    assert early_trials(labels, recording).tolist() == [True] * 6 + [False] * 3
    assert early_trials(labels[:6], recording[:6]).tolist() == [True] * 3 + [False] * 3


def test_early_trials_of_one_recording_are_the_first_half_of_each_class() -> None:
    labels = np.array([0, 0, 0, 0, 1, 0, 1, 1])
    early = early_trials(labels, np.zeros(8, dtype=np.int64))
    assert np.flatnonzero(early).tolist() == [0, 1, 2, 4, 6]


def test_a_person_learns_from_early_trials_only_and_from_as_many_as_there_are(rng: np.random.Generator) -> None:
    one = trials_of_person(rng, TWO, n_trials=44)
    parts = judged(one, 2)
    assert list(parts) == [0, 5, 10]  # 11 of each class are early
    for count, part in parts.items():
        trials = np.unique(part.trial)
        assert np.bincount(one.labels[trials], minlength=2).tolist() == [count, count]
        assert one.early[trials].all()
    assert not one.early[judge_of(one).trial].any()
    assert len(judge_of(one).trial) + sum(one.early[one.trial]) == len(one.trial)


def test_nothing_that_judges_is_learnt_from(rng: np.random.Generator) -> None:
    """Other features and labels of the later trials: what learnt from the early ones stays, to the bit."""
    one, prior = trials_of_person(rng, TWO, n_trials=44), some_prior(rng)
    late = ~one.early[one.trial]
    changed = np.flatnonzero(late)[::2]  # every other window that judges is another one
    x = one.x.copy()
    x[changed] = 5 * rng.normal(size=(len(changed), N_FEATURES))
    other = replace(one, x=x, labels=np.where(one.early, one.labels, 1 - one.labels))
    found, expected = held_out(other, prior, 2), held_out(one, prior, 2)
    unchanged = ~np.isin(np.flatnonzero(late), changed)
    assert list(found) == list(expected) == [0, 5, 10]
    for count in found:
        for mine, theirs in zip(found[count], expected[count], strict=True):
            assert np.array_equal(mine[unchanged], theirs[unchanged])
    learnt = [fit_person(judged(p, 2)[10], 2, prior, CANDIDATES[-1]) for p in (one, other)]
    assert same(*learnt)


def test_an_opinion_lies_between_the_numbers_that_were_asked() -> None:
    opinion = Opinion({0: np.array([0.8, 0.2]), 10: np.array([0.4, 0.6]), 5: np.array([0.7, 0.3])})
    np.testing.assert_allclose(opinion.at(5), [0.7, 0.3])
    np.testing.assert_allclose(opinion.at(2.5), [0.75, 0.25])
    np.testing.assert_allclose(opinion.at(7.5), [0.55, 0.45])
    np.testing.assert_allclose(opinion.at(99), [0.4, 0.6])
    assert opinion.weigh(0).argmax() == 1
    assert opinion.weigh(99).argmax() == 0


@pytest.mark.parametrize("n_trials", [20, 40, 60])
def test_people_and_person_count_by_their_trials(n_trials: int) -> None:
    """The people prefer the first by 0.1 nats, the person the second by 0.2, but a trial of one's own counts half."""
    assert (WORTH_TRIALS, OWN_SHARE) == (40, 0.5)
    opinion = Opinion({0: np.array([0.5, 0.6])})
    first, second = opinion.weigh(10, np.array([0.7, 0.5]), n_trials)
    assert first / second == pytest.approx(np.exp(40 * 0.1 - n_trials * 0.1))


def test_candidates_that_are_unlikely_are_left_out() -> None:
    opinion = Opinion({0: np.array([0.5, 0.51, 0.5 - np.log(0.9 * LEAST_WEIGHT) / 40, np.inf])})
    found = opinion.weigh(0)
    assert found.sum() == pytest.approx(1)
    np.testing.assert_allclose(found[:2] / found[0], [1, np.exp(-0.4)])
    assert found[2:].tolist() == [0.0, 0.0]


def test_the_mean_of_read_outs_says_the_mean_of_what_they_say(rng: np.random.Generator) -> None:
    readouts = [Readout(rng.normal(size=(3, 5)), rng.normal(size=3)) for _ in range(3)]
    weights, x = np.array([0.2, 0.0, 0.8]), rng.normal(size=(7, 5))
    mean = mean_readout([readouts[0], None, readouts[2]], weights)
    said = [log_softmax(readout.logits(x), axis=1) for readout in readouts]
    np.testing.assert_allclose(log_softmax(mean.logits(x), axis=1), mean_log_proba(said, weights))
    alone = mean_readout(readouts, np.array([0.0, 1.0, 0.0]))
    assert same(alone, readouts[1])


@pytest.mark.parametrize(("n_per_class", "relative"), [(0, True), (9, True), (10, False), (40, False)])
def test_with_few_trials_a_read_out_is_taken_relative_to_its_running_mean(
    rng: np.random.Generator, n_per_class: int, relative: bool
) -> None:
    one = trials_of_person(rng, TWO)
    centre = rng.normal(size=one.x.shape)
    readout = Readout(rng.normal(size=(2, N_FEATURES)), rng.normal(size=2))
    found = replace(one, centre=centre).scaled(2.0).windows(one.trial < 9).logits(readout, n_per_class)
    kept = one.trial < 9
    plain = readout.logits(2.0 * one.x[kept])
    expected = plain - readout.logits(2.0 * centre[kept]) if relative else plain
    np.testing.assert_allclose(found, expected)
    np.testing.assert_array_equal(one.logits(readout, n_per_class), readout.logits(one.x))


def test_an_opinion_is_read_from_a_manifest_to_the_bit(rng: np.random.Generator) -> None:
    opinion = Opinion({count: rng.uniform(size=4) for count in COUNTS})
    read = Opinion.from_dict(opinion.to_dict())
    assert list(read.nll) == list(COUNTS)
    for count in COUNTS:
        np.testing.assert_array_equal(read.nll[count], opinion.nll[count])


def test_an_opinion_is_the_mean_over_the_people_who_gave_so_many_trials(rng: np.random.Generator) -> None:
    judges = [judge_of(person) for person in alike(rng, 3)]
    said = [[log_softmax(rng.normal(size=(len(j.trial), 2)), axis=1) for _ in range(2)] for j in judges]
    rows = [{0: said[0], 5: said[0]}, {0: said[1]}, {0: said[2], 5: said[2]}]
    opinion = opinion_of(rows, judges)
    for count, asked in ((0, (0, 1, 2)), (5, (0, 2))):
        expected = [np.mean([nll_per_trial(said[i][c], judges[i]) for i in asked]) for c in range(2)]
        np.testing.assert_allclose(opinion.nll[count], expected)


def test_the_variance_of_the_prior_is_that_which_serves_people_left_out_best(rng: np.random.Generator) -> None:
    people = alike(rng, 4, noise=2.0)
    scores = []
    for variance in PRIOR_VARIANCES:
        total = 0.0
        for left in range(4):
            others = [p for i, p in enumerate(people) if i != left]
            logits = fit_prior(others, 2, variance).logits(people[left].x)
            total += nll_per_trial(log_softmax(logits, axis=1), people[left])
        scores.append(total)
    assert choose_prior_variance(people, 2) == PRIOR_VARIANCES[int(np.argmin(scores))]
    chance = [replace(p, labels=rng.permutation(p.labels)) for p in people]
    assert choose_prior_variance(chance, 2) == PRIOR_VARIANCES[0]  # who has nothing in common should say little


def test_people_who_are_alike_help_with_few_trials_and_less_with_many(rng: np.random.Generator) -> None:
    people = alike(rng, 6, n_trials=88, noise=1.5)
    prior = fit_prior(people[:5], 2, 0.6)
    rows = held_out(people[5], prior, 2)
    judge = judge_of(people[5])
    alone, helped = (
        {
            count: min(nll_per_trial(p, judge) for p, c in zip(said, CANDIDATES, strict=True) if c.share == share)
            for count, said in rows.items()
        }
        for share in (0.0, 1.0)
    )
    assert alone[0] == pytest.approx(np.log(2))
    assert helped[0] < 0.9 * alone[0]
    assert alone[0] - helped[0] > alone[20] - helped[20]
