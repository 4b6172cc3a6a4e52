"""People made up for the tests of populations: labelled features, and whole data sets, of several who are alike."""

from __future__ import annotations

from dataclasses import replace

import made_up_windows
import numpy as np

from neuript.network.config import NetworkConfig
from neuript.training.population.learning import BranchPrior, Learnt
from neuript.training.population.network_training import NetworkTraining
from neuript.training.population.prior import CANDIDATES, Opinion, PersonTrials, early_trials
from neuript.training.population.stacking import STACKS
from neuript.training.windows.dataset import Dataset

N_FEATURES = 6
QUICK = NetworkTraining(n_steps=2, n_windows=4)


def trials_of_person(
    rng: np.random.Generator, weight: np.ndarray, *, n_trials: int = 24, per_trial: int = 2, noise: float = 1.0
) -> PersonTrials:
    """Features whose mean is the row of `weight` (n_classes, n_features) of their class."""
    labels = np.arange(n_trials) % len(weight)
    trial = np.repeat(np.arange(n_trials), per_trial)
    x = weight[labels[trial]] + noise * rng.normal(size=(len(trial), weight.shape[1]))
    return PersonTrials(x, trial, labels, early_trials(labels, np.zeros(n_trials, dtype=np.int64)))


def alike(rng: np.random.Generator, n_people: int = 4, **options: float) -> list[PersonTrials]:
    """People in whom two classes differ in the same features."""
    weight = np.zeros((2, N_FEATURES))
    weight[0, 0], weight[1, 0] = 1.0, -1.0
    return [trials_of_person(rng, weight + 0.1 * rng.normal(size=weight.shape), **options) for _ in range(n_people)]


def flat(n: int) -> Opinion:
    """An opinion to which every one of `n` candidates is as good."""
    return Opinion({0: np.ones(n), 20: np.ones(n)})


def preferring(n: int, chosen: int, by_nats: float = 100.0) -> Opinion:
    """An opinion that hardly anything can move from one of `n` candidates."""
    nll = np.full(n, by_nats)
    nll[chosen] = 0.0
    return Opinion({0: nll, 20: nll})


def learnt_from(readout, *, tangent: Opinion | None = None, features=None, stack: Opinion | None = None) -> Learnt:
    """What people might say, with opinions that prefer nothing where none is given."""
    mine = BranchPrior(readout, tangent or flat(len(CANDIDATES)), 0.2)
    other = None if features is None else BranchPrior(features[0], features[1], 0.2)
    return Learnt(mine, other, None, 1.0, stack or flat(len(STACKS)))


def person(rng: np.random.Generator, *, n_trials: int = 24, recordings: int = 1, n_classes: int = 2) -> Dataset:
    """Windows of one person, of one recording or several."""
    data = made_up_windows.dataset(rng, n_classes, n_trials)
    number = np.arange(n_trials) * recordings // n_trials
    trials = tuple(replace(t, recording=int(r)) for t, r in zip(data.trials, number, strict=True))
    return replace(data, trials=trials)


def people(rng: np.random.Generator, aliases: str = "abc", **options: int) -> dict[str, Dataset]:
    """A data set of each person, keyed by alias."""
    return {alias: person(rng, **options) for alias in aliases}


def flipped(data: Dataset, trials: np.ndarray) -> Dataset:
    """The same person with the other of two classes for some trials (a mask)."""
    other = dict(zip(data.classes, reversed(data.classes), strict=True))
    labels = tuple(replace(t, label=other[t.label]) if hit else t for t, hit in zip(data.trials, trials, strict=True))
    return replace(data, trials=labels)


def some_pairs(rng: np.random.Generator, n_trials: int) -> np.ndarray:
    """A mask of about half of the trials that leaves it to the same ones to be early: neighbours swap their classes."""
    return np.repeat(rng.permutation(n_trials // 2) < n_trials // 4, 2)


def small_network(n_outputs: int = 2) -> NetworkConfig:
    """A population's network for the windows of `made_up_windows`, narrower."""
    return NetworkConfig(
        n_outputs=n_outputs,
        n_times=made_up_windows.N_TIMES,
        d_model=16,
        n_heads=2,
        d_ff=16,
        merges=(16,),
        experts=(0,),
        companding="linear",
        pooling="covariance",
        covariance_heads=4,
        class_layers=1,
        pool_embedding=False,
        init="default",
        dropout=0.0,
    )
