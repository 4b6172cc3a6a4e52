"""Learning from people: what is learnt from some does not know the others, and noise gets no say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from made_up_people import QUICK, flipped, people, person, small_network, some_pairs

from neuript.training.population import learning as learning_module
from neuript.training.population.learning import MOST_FOLDS, Learning, Learnt, folds_of, person_trials
from neuript.training.population.prior import PersonTrials, judge_of
from neuript.training.population.stacking import STACKS
from neuript.training.windows.dataset import Dataset


def arrays_of(learnt: Learnt) -> dict[str, np.ndarray]:
    """All that was learnt, by name."""
    out = {"scale": np.array(learnt.scale)}
    for name, branch in (("tangent", learnt.tangent), ("features", learnt.features)):
        if branch is not None:
            out |= {f"{name}.weight": branch.readout.weight, f"{name}.bias": branch.readout.bias}
            out[f"{name}.variance"] = np.array(branch.variance)
            out |= {f"{name}.opinion.{count}": nll for count, nll in branch.opinion.nll.items()}
    out |= {f"stack.{count}": nll for count, nll in learnt.stack.nll.items()}
    if learnt.network is not None:
        out |= {f"network.{k}": v.numpy() for k, v in learnt.network.state_dict().items()}
    return out


def assert_same(a: Learnt, b: Learnt) -> None:
    one, two = arrays_of(a), arrays_of(b)
    assert list(one) == list(two)
    for name, values in one.items():
        np.testing.assert_array_equal(values, two[name], err_msg=name)


def other_signal(rng: np.random.Generator, data: Dataset) -> Dataset:
    """The same trials with quite other windows."""
    values = {name: getattr(data, name) for name in ("x", "signal", "tangent")}
    new = {name: (v.std() * rng.normal(size=v.shape)).astype(np.float32) for name, v in values.items()}
    return replace(data, **new)


@pytest.mark.parametrize("with_network", [False, True])
def test_what_is_learnt_from_some_does_not_know_the_others(rng: np.random.Generator, with_network: bool) -> None:
    """To the bit: other windows and other labels of the person left out change nothing."""
    config = small_network() if with_network else None
    everybody = people(rng, "abcd")
    everything = np.ones(24, dtype=bool)
    changed = {**everybody, "d": flipped(other_signal(rng, everybody["d"]), everything)}
    one, two = (Learning(data, config, QUICK).learn(["a", "b", "c"]) for data in (everybody, changed))
    assert_same(one, two)
    three = Learning(everybody, config, QUICK).learn(["a", "b", "d"])
    assert not np.array_equal(three.tangent.readout.weight, one.tangent.readout.weight)


def test_labels_of_a_person_left_out_play_no_part_in_the_network(rng: np.random.Generator) -> None:
    everybody = people(rng, "abc")
    changed = {**everybody, "c": flipped(everybody["c"], np.arange(24) < 9)}
    networks = [Learning(data, small_network(), QUICK)._trained(frozenset("ab")) for data in (everybody, changed)]
    for name, values in networks[0].network.state_dict().items():
        assert torch.equal(values, networks[1].network.state_dict()[name])
    np.testing.assert_array_equal(networks[0].features["c"].x, networks[1].features["c"].x)
    assert networks[0].scale == networks[1].scale


def test_a_person_has_no_part_in_the_prior_that_judges_them(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With no trial of their own, what is said of a person's windows does not know their labels.

    The variance with which priors are fitted is one number for everybody, and held here.
    """
    monkeypatch.setattr(learning_module, "choose_prior_variance", lambda _people, _n_classes: 0.2)
    everybody = people(rng, "abc")
    changed = {**everybody, "b": flipped(everybody["b"], some_pairs(rng, 24))}
    rows = []
    for data in (everybody, changed):
        learning = Learning(data, None)
        _, ordered = learning._branch("abc", folds_of("abc"), lambda _kept, of=learning: of.tangent)
        rows.append(ordered[1][0])
    for one, two in zip(*rows, strict=True):
        np.testing.assert_array_equal(one, two)


def test_a_network_that_says_nothing_gets_little_say(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    def noise(_network: object, signal: np.ndarray) -> np.ndarray:
        return np.random.default_rng(abs(int(signal.sum() * 1e9))).normal(size=(len(signal), 12))

    monkeypatch.setattr(learning_module, "features_of", noise)
    learnt = Learning(people(rng, "abcde", n_trials=44), small_network(), QUICK).learn("abcde")
    for count in (0, 5, 10):
        network, tangent = learnt.stack.weigh(count) @ np.array(STACKS)
        assert network <= 0.25 * (network + tangent)


def test_a_network_that_knows_the_classes_gets_a_say(rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch) -> None:
    everybody = people(rng, "abcde", n_trials=44)
    noisy = {alias: replace(d, tangent=rng.normal(size=d.tangent.shape).astype("f")) for alias, d in everybody.items()}
    labels = {id(d.signal): d.y for d in noisy.values()}

    def knowing(_network: object, signal: np.ndarray) -> np.ndarray:
        return np.eye(2)[labels[id(signal)]] + 0.2 * rng.normal(size=(len(signal), 2))

    monkeypatch.setattr(learning_module, "features_of", knowing)
    learnt = Learning(noisy, small_network(), QUICK).learn("abcde")
    network, tangent = learnt.stack.weigh(0) @ np.array(STACKS)
    assert network >= 0.75 * (network + tangent)


def test_a_network_is_trained_once_for_the_same_people(rng: np.random.Generator) -> None:
    told: list[str] = []
    learning = Learning(people(rng), small_network(), QUICK, report=lambda what, _done, _all: told.append(what))
    learning.learn(["a", "b", "c"])
    first = set(told)
    assert len(first) == 4  # without each of three, and with all
    learning.learn(["c", "a", "b"])
    learning.learn(["a", "b"])
    assert len(set(told)) == 4 + 2  # without each of the two; both together were there


def test_the_same_arguments_learn_the_same_bits(rng: np.random.Generator) -> None:
    everybody = people(rng)
    assert_same(*(Learning(everybody, small_network(), QUICK, seed=7).learn("abc") for _ in range(2)))
    one, two = (Learning(everybody, small_network(), QUICK, seed=seed).learn("abc") for seed in (7, 8))
    assert not np.array_equal(one.features.readout.weight, two.features.readout.weight)
    np.testing.assert_array_equal(one.tangent.readout.weight, two.tangent.readout.weight)


@pytest.mark.parametrize("n_people", [2, 3, 6, 7, 13])
def test_everybody_is_left_out_once(n_people: int) -> None:
    aliases = [f"p{k}" for k in range(n_people)]
    folds = folds_of(aliases)
    assert sorted(alias for fold in folds for alias in fold) == sorted(aliases)
    assert len(folds) == min(n_people, MOST_FOLDS)
    sizes = {len(fold) for fold in folds}
    assert max(sizes) - min(sizes) <= 1


def test_people_left_out_together_are_judged_each_by_those_who_are_kept(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(learning_module, "MOST_FOLDS", 2)
    seen: list[frozenset[str]] = []
    learning = Learning(people(rng, "abcd"), None)

    def features(kept: frozenset[str]) -> dict[str, PersonTrials]:
        seen.append(kept)
        return learning.tangent

    learning._branch("abcd", folds_of("abcd"), features)
    assert set(seen) == {frozenset("abcd"), frozenset("bd"), frozenset("ac")}


def test_trials_of_a_person_say_which_are_early(rng: np.random.Generator) -> None:
    data = person(rng, recordings=3)
    found = person_trials(data, data.tangent)
    number = np.array([trial.recording for trial in data.trials])
    np.testing.assert_array_equal(found.early, number < 2)
    np.testing.assert_array_equal(found.y, data.y)
    assert not found.early[np.unique(judge_of(found).trial)].any()
