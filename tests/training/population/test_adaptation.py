"""From what people say to a person's decoder: whose labels may count for what, and who decides."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from made_up_people import N_FEATURES, alike, flat, learnt_from, preferring, trials_of_person
from scipy.special import log_softmax

from neuript.training.fitting.crossval import blocked_folds, split
from neuript.training.fitting.tangent_readout import Readout
from neuript.training.population import adaptation
from neuript.training.population.adaptation import BranchFit, Masks, PersonFit, adapt
from neuript.training.population.learning import Learnt
from neuript.training.population.prior import CANDIDATES, LEAST_WEIGHT, OWN_SHARE, PersonTrials, fit_person, fit_prior
from neuript.training.population.stacking import STACKS, stacked

N = len(CANDIDATES)
HALF = STACKS.index((0.5, 0.5))
ONLY_TANGENT = STACKS.index((0.0, 1.0))


def blocks_of(person: PersonTrials, n_folds: int = 3) -> list[Masks]:
    folds = blocked_folds(person.labels, np.zeros(len(person.labels), dtype=np.int64), n_folds)
    return list(split(folds, person.trial))


def chosen(branch: BranchFit) -> int:
    """The one candidate that it took."""
    assert (branch.weights > 0).sum() == 1
    return int(branch.weights.argmax())


def some_readout(rng: np.random.Generator) -> Readout:
    return Readout(rng.normal(size=(2, N_FEATURES)), rng.normal(size=2))


def beside(rng: np.random.Generator, person: PersonTrials) -> PersonTrials:
    """Features of the same windows that say nothing."""
    return replace(person, x=rng.normal(size=person.x.shape))


def both(rng: np.random.Generator, person: PersonTrials, **opinions) -> tuple[Learnt, PersonTrials]:
    """A population with two branches, and the person's other features."""
    named = {
        "tangent": flat(len(CANDIDATES)),
        "features": flat(len(CANDIDATES)),
        "stack": flat(len(STACKS)),
        **opinions,
    }
    other = (some_readout(rng), named["features"])
    learnt = learnt_from(some_readout(rng), tangent=named["tangent"], features=other, stack=named["stack"])
    return learnt, beside(rng, person)


@pytest.mark.parametrize("block", [0, 1, 2])
def test_what_is_said_of_a_block_does_not_depend_on_its_labels(rng: np.random.Generator, block: int) -> None:
    """The people prefer one candidate and one stack by far, so that the choice stays; the fits must not see them."""
    person = alike(rng, 1)[0]
    blocks = blocks_of(person)
    test = blocks[block][1]
    learnt, features = both(
        rng, person, tangent=preferring(N, 7), features=preferring(N, 10), stack=preferring(25, HALF)
    )
    hit = np.isin(np.arange(24), person.trial[test])
    labels = np.where(hit, 1 - person.labels, person.labels)
    fit = adapt(learnt, person, features, blocks)
    other = adapt(learnt, replace(person, labels=labels), replace(features, labels=labels), blocks)
    for mine, theirs in (
        (fit.held_out, other.held_out),
        (fit.tangent.held_out, other.tangent.held_out),
        (fit.features.held_out, other.features.held_out),
    ):
        assert np.array_equal(mine[test], theirs[test])
        assert not np.array_equal(mine[~test], theirs[~test])


def test_without_a_trial_the_people_choose(rng: np.random.Generator) -> None:
    person = alike(rng, 1)[0]
    learnt, features = both(
        rng, person, tangent=preferring(N, 9), features=preferring(N, 11), stack=preferring(25, HALF)
    )
    none = np.zeros(48, dtype=bool)
    fit = adapt(learnt, person.windows(none), features.windows(none), [])
    assert (chosen(fit.tangent), chosen(fit.features), fit.weights) == (9, 11, (0.5, 0.5))
    for branch, prior in ((fit.tangent, learnt.tangent), (fit.features, learnt.features)):
        np.testing.assert_array_equal(branch.readout.weight, CANDIDATES[chosen(branch)].share * prior.readout.weight)
    assert (fit.held_out.shape, fit.weights_of_block, fit.tangent.of_block) == ((0, 2), (), ())


def test_without_blocks_nothing_is_chosen_on_the_persons_own_trials(rng: np.random.Generator) -> None:
    """The read-out learns from them all the same."""
    person = alike(rng, 1)[0]
    learnt, features = both(rng, person, tangent=preferring(N, 9), features=preferring(N, 3))
    fit = adapt(learnt, person, features, [])
    assert (chosen(fit.tangent), chosen(fit.features)) == (9, 3)
    expected = fit_person(person, 2, learnt.tangent.readout, CANDIDATES[9])
    np.testing.assert_array_equal(fit.tangent.readout.weight, expected.weight)
    assert not np.array_equal(fit.tangent.readout.weight, learnt.tangent.readout.weight)


def test_the_people_are_asked_at_the_number_of_trials_that_the_person_gave(rng: np.random.Generator) -> None:
    person = alike(rng, 1)[0]  # 12 trials of each class
    nll = {0: np.eye(N)[0] * -9.0, 12: np.eye(N)[7] * -9.0, 20: np.eye(N)[3] * -9.0}
    learnt = learnt_from(some_readout(rng), tangent=type(flat(1))(nll))
    assert chosen(adapt(learnt, person, None, []).tangent) == 7
    nobody = person.windows(np.zeros(48, dtype=bool))
    assert chosen(adapt(learnt, nobody, None, []).tangent) == 0


def test_the_persons_own_trials_move_the_choice_as_far_as_they_can_tell(rng: np.random.Generator) -> None:
    """A prior that says the opposite of the person: the people like it, and lose against enough trials."""
    person = trials_of_person(rng, np.array([[1.0] * N_FEATURES, [-1.0] * N_FEATURES]))
    opposite = Readout(-person.x[person.y == 0].mean(0) * np.array([[1.0], [-1.0]]), np.zeros(2))
    close_to_it = max(range(N), key=lambda k: (CANDIDATES[k].share, -CANDIDATES[k].variance))
    share = {}
    for by_nats in (0.01, 100.0):
        learnt = learnt_from(opposite, tangent=preferring(N, close_to_it, by_nats))
        weights = adapt(learnt, person, None, blocks_of(person)).tangent.weights
        share[by_nats] = float(weights @ [candidate.share for candidate in CANDIDATES])
    assert share[100.0] == 1
    assert share[0.01] < 0.25


def test_each_block_is_decoded_by_the_stack_that_had_not_seen_it(rng: np.random.Generator) -> None:
    person = alike(rng, 1)[0]
    learnt, features = both(rng, person)
    blocks = blocks_of(person)
    fit = adapt(learnt, person, features, blocks)
    assert len(fit.weights_of_block) == len(fit.tangent.of_block) == 3
    for block, (_, test) in enumerate(blocks):
        found = fit.log_proba(person.x, features.x, block)
        np.testing.assert_allclose(found[test], fit.held_out[test], atol=1e-12)
        parts = [
            log_softmax(branch.of_block[block].logits(x[test]), axis=1)
            for branch, x in ((fit.features, features.x), (fit.tangent, person.x))
        ]
        np.testing.assert_allclose(fit.held_out[test], stacked(parts, fit.weights_of_block[block]))
        assert not np.allclose(found, fit.log_proba(person.x, features.x))


def test_the_stack_of_a_block_is_chosen_on_the_other_blocks(rng: np.random.Generator) -> None:
    """In one block alone the network is right and the Riemannian branch wrong."""
    person = alike(rng, 1, noise=1.0)[0]
    blocks = blocks_of(person)
    x = person.x.copy()
    x[blocks[1][1]] *= -1
    learnt, _ = both(rng, person, tangent=preferring(N, 4), features=preferring(N, 4))
    fit = adapt(learnt, replace(person, x=x), person, blocks)

    def network_share(weights: tuple[float, float]) -> float:
        return weights[0] / sum(weights)

    def mean_on(seen: np.ndarray) -> np.ndarray:
        """Mean of the stacks by how well they did on some windows; the people have no opinion of them."""
        scores = []
        for weights in STACKS:
            log_proba = stacked((fit.features.held_out[seen], fit.tangent.held_out[seen]), weights)
            scores.append(-log_proba[np.arange(seen.sum()), person.y[seen]].mean())
        likely = np.exp(OWN_SHARE * len(np.unique(person.trial[seen])) * (min(scores) - np.array(scores)))
        likely[likely < LEAST_WEIGHT] = 0
        return likely @ np.array(STACKS) / likely.sum()

    np.testing.assert_allclose(fit.weights, mean_on(np.ones(48, dtype=bool)))
    for (train, _), weights in zip(blocks, fit.weights_of_block, strict=True):
        np.testing.assert_allclose(weights, mean_on(train))
    assert network_share(fit.weights_of_block[1]) < network_share(fit.weights)  # the block in question was not seen


@pytest.mark.parametrize(("network", "left_out"), [(0.02, True), (0.4, False)])
def test_a_branch_with_next_to_no_weight_is_left_out(network: float, left_out: bool) -> None:
    weights = np.zeros(25)
    weights[[STACKS.index((0.0, 1.0)), STACKS.index((1.0, 0.0))]] = 1 - network, network
    found = adaptation._mean_stack(weights)
    assert (found[0] == 0) == left_out
    assert sum(found) == pytest.approx(1)
    weights[[STACKS.index((0.0, 1.0)), STACKS.index((1.0, 0.0))]] = network, 1 - network
    assert (adaptation._mean_stack(weights)[1] == 0) == left_out


def test_the_decoder_is_the_stack_of_the_readouts(rng: np.random.Generator) -> None:
    person = alike(rng, 1)[0]
    learnt, features = both(rng, person, stack=preferring(25, HALF))
    fit = adapt(learnt, person, features, blocks_of(person))
    parts = [log_softmax(b.readout.logits(x), axis=1) for b, x in ((fit.features, features.x), (fit.tangent, person.x))]
    np.testing.assert_allclose(fit.log_proba(person.x, features.x), stacked(parts, fit.weights))
    np.testing.assert_allclose(np.exp(fit.log_proba(person.x, features.x)).sum(1), 1)


def test_without_a_network_no_stack_needs_one(rng: np.random.Generator) -> None:
    person = alike(rng, 1)[0]
    learnt = learnt_from(some_readout(rng), stack=preferring(25, HALF))  # the people would, if they could
    fit: PersonFit = adapt(learnt, person, None, blocks_of(person))
    assert fit.features is None
    assert {fit.weights[0], *(w[0] for w in fit.weights_of_block)} == {0.0}
    assert adapt(learnt, person, None, []).weights[0] == 0.0


def test_a_person_who_is_like_the_others_is_decoded_by_them(rng: np.random.Generator) -> None:
    people = alike(rng, 5)
    learnt = learnt_from(fit_prior(people[:4], 2, 0.6), tangent=preferring(N, 10), stack=preferring(25, ONLY_TANGENT))
    nobody = people[4].windows(np.zeros(48, dtype=bool))
    fit = adapt(learnt, nobody, None, [])
    right = fit.log_proba(people[4].x, None).argmax(1) == people[4].y
    assert right.mean() > 0.7
