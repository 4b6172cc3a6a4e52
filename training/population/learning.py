"""From the aligned windows of several people to what they say of the next one.

Three things are learnt: a read-out of the tangent vectors, a network with a read-out of its features, and how much each
counts. Whatever is chosen is chosen on people left out: every opinion comes from people who had no part in what they
judge.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from neuript.network.config import NetworkConfig
from neuript.network.network import NeurIPTNetwork
from neuript.training.fitting.centring import running_centre
from neuript.training.fitting.gate import GateWindows, fit_people_gate
from neuript.training.fitting.tangent_readout import F64, Readout, feature_scale
from neuript.training.population.command_evidence import CommandEvidence
from neuript.training.population.network_training import GroupedWindows, NetworkTraining, features_of, train_network
from neuript.training.population.prior import (
    Opinion,
    PersonTrials,
    choose_prior_variance,
    early_trials,
    fit_prior,
    held_out,
    judge_of,
    mean_log_proba,
    opinion_of,
)
from neuript.training.population.stacking import STACKS, stacked
from neuript.training.windows.dataset import Dataset

MOST_FOLDS = 6
"""With more people than this, several are left out at a time."""

Report = Callable[[str, int, int], None]
"""Progress: what is being done, steps done, steps in all."""


@dataclass(frozen=True, eq=False)
class BranchPrior:
    """What people say of one branch.

    Attributes
    ----------
    readout : Readout
        Mean of the prior on the next person's weights.
    opinion : Opinion
        How well each of `CANDIDATES` served people left out.
    variance : float
        With which the read-out was fitted.
    """

    readout: Readout
    opinion: Opinion
    variance: float


@dataclass(frozen=True, eq=False)
class Learnt:
    """All that some people say of the next one.

    Attributes
    ----------
    tangent : BranchPrior
        Of the Riemannian branch.
    features : BranchPrior or None
        Of the network's features, times `scale`.
    network : NeurIPTNetwork or None
        What makes the features.
    scale : float
        Factor of the features.
    stack : Opinion
        How well each of `STACKS` served people left out.
    gate : Readout or None
        Of the tangent vectors, parting tasks from everything else; None without a class of no command.
    commands : CommandEvidence or None
        What was commanded to people left out, at every setting of the policy; None where nobody was asked.
    """

    tangent: BranchPrior
    features: BranchPrior | None
    network: NeurIPTNetwork | None
    scale: float
    stack: Opinion
    gate: Readout | None = None
    commands: CommandEvidence | None = None


def person_trials(data: Dataset, x: NDArray[np.floating], between: NDArray[np.floating] | None = None) -> PersonTrials:
    """Return features of a person's windows with their trials.

    Parameters
    ----------
    data : Dataset
        The windows.
    x : ndarray, shape (n_windows, n_features)
        Their features.
    between : ndarray, shape (n_pauses, n_features), optional
        Features of `data.pauses`, without which nothing is known of the features' running mean.
    """
    recording = np.array([trial.recording for trial in data.trials], dtype=np.int64)
    centre = None
    if between is not None and data.end_s is not None and len(x):
        centre = running_centre(data, x, between)
    return PersonTrials(x, data.trial, data.trial_labels, early_trials(data.trial_labels, recording), centre)


def tangent_trials(data: Dataset) -> PersonTrials:
    """Return the tangent vectors of a person's windows with their trials."""
    return person_trials(data, data.tangent, None if data.pauses is None else data.pauses.tangent)


def trials_of_features(data: Dataset, features: Callable[[NDArray[np.float32]], NDArray[np.floating]]) -> PersonTrials:
    """Return the features of a person's signals with their trials.

    Parameters
    ----------
    data : Dataset
        The windows.
    features : callable
        From signals (n, n_chans, n_times) to features (n, n_features).
    """
    between = None
    if data.pauses is not None and len(data.pauses.signal):
        between = features(data.pauses.signal)
    return person_trials(data, features(data.signal), between)


def groups_of(data: Dataset) -> list[GroupedWindows]:
    """Return the windows of each recording of a person that has every class."""
    recording = np.array([trial.recording for trial in data.trials])[data.trial]
    parts = [recording == r for r in np.unique(recording)]
    whole = [part for part in parts if len(np.unique(data.y[part])) == len(data.classes)]
    parts = whole or [np.ones(len(data.x), dtype=bool)]
    return [GroupedWindows(data.signal[part], data.tangent[part], data.y[part]) for part in parts]


class Learning:
    """Learns from any part of some people; what was fitted once is kept.

    Parameters
    ----------
    people : mapping of str to Dataset
        Windows of each person, keyed by alias; all of the same classes and channels.
    config : NetworkConfig, optional
        Shape of the network; None leaves the network out.
    training : NetworkTraining, optional
        How it is trained.
    seed : int
        Seed of its weights and batches.
    report : callable, optional
        Called with what is being done, steps done, and steps in all.
    """

    def __init__(
        self,
        people: Mapping[str, Dataset],
        config: NetworkConfig | None,
        training: NetworkTraining | None = None,
        *,
        seed: int = 520,
        report: Report | None = None,
    ) -> None:
        self.people = dict(people)
        first = next(iter(self.people.values()))
        self.n_classes, self.montage = len(first.classes), first.montage
        self.config, self.training, self.seed = config, training or NetworkTraining(), seed
        self.report = report or (lambda _what, _done, _all: None)
        self._networks: dict[frozenset[str], _Trained] = {}

    @cached_property
    def tangent(self) -> dict[str, PersonTrials]:
        """Tangent vectors of each person."""
        return {alias: tangent_trials(data) for alias, data in self.people.items()}

    def learn(self, aliases: Sequence[str]) -> Learnt:
        """Learn from some of the people, at least two."""
        if self.config is None:
            return replace(self.learn_features(aliases, self.tangent), gate=self._gate(aliases))
        folds = folds_of(aliases)
        tangent, tangent_rows = self._branch(aliases, folds, lambda _kept: self.tangent)
        judges = [judge_of(self.tangent[alias]) for alias in aliases]
        trained = self._trained(frozenset(aliases))
        features, feature_rows = self._branch(aliases, folds, lambda kept: self._trained(kept).features)
        rows = [
            _stack_rows(network, mine, features.opinion, tangent.opinion)
            for network, mine in zip(feature_rows, tangent_rows, strict=True)
        ]
        gate = self._gate(aliases)
        return Learnt(tangent, features, trained.network, trained.scale, opinion_of(rows, judges), gate)

    def without(self, left_out: Collection[str], learnt: Learnt) -> Learnt:
        """Return what is said by all but a few of the people, with the opinions that everybody has of the candidates.

        Parameters
        ----------
        left_out : collection of str
            Aliases of those who have no part in it.
        learnt : Learnt
            What all of them say.
        """
        kept = [alias for alias in self.people if alias not in left_out]
        tangent = self._said_by(kept, learnt.tangent, self.tangent)
        gate = self._gate(kept)
        if learnt.features is None:
            return replace(learnt, tangent=tangent, gate=gate)
        trained = self._trained(frozenset(kept))
        features = self._said_by(kept, learnt.features, trained.features)
        return replace(
            learnt, tangent=tangent, features=features, network=trained.network, scale=trained.scale, gate=gate
        )

    def _said_by(self, kept: Sequence[str], prior: BranchPrior, trials: Mapping[str, PersonTrials]) -> BranchPrior:
        readout = fit_prior([trials[alias] for alias in kept], self.n_classes, prior.variance)
        return replace(prior, readout=readout)

    def learn_features(self, aliases: Sequence[str], features: Mapping[str, PersonTrials]) -> Learnt:
        """Learn a read-out of other features in the place of the tangent vectors, without a network."""
        branch, rows = self._branch(aliases, folds_of(aliases), lambda _kept: features)
        judges = [judge_of(features[alias]) for alias in aliases]
        stacks = [_stack_rows(None, mine, branch.opinion, branch.opinion) for mine in rows]
        return Learnt(branch, None, None, 1.0, opinion_of(stacks, judges))

    def _gate(self, aliases: Sequence[str]) -> Readout | None:
        """Fit the gate of some of the people."""
        return fit_people_gate([GateWindows.of(self.people[alias]) for alias in aliases])

    def _branch(
        self,
        aliases: Sequence[str],
        folds: Sequence[Sequence[str]],
        features: Callable[[frozenset[str]], Mapping[str, PersonTrials]],
    ) -> tuple[BranchPrior, list[dict[int, list[F64]]]]:
        """Fit the prior of a branch, and what each candidate says of each person with the prior of the others."""
        everybody = features(frozenset(aliases))
        variance = choose_prior_variance([everybody[alias] for alias in aliases], self.n_classes)
        rows: dict[str, dict[int, list[F64]]] = {}
        for left_out in folds:
            kept = [alias for alias in aliases if alias not in left_out]
            found = features(frozenset(kept))
            prior = fit_prior([found[alias] for alias in kept], self.n_classes, variance)
            for alias in left_out:
                rows[alias] = held_out(found[alias], prior, self.n_classes)
        ordered = [rows[alias] for alias in aliases]
        opinion = opinion_of(ordered, [judge_of(everybody[alias]) for alias in aliases])
        readout = fit_prior([everybody[alias] for alias in aliases], self.n_classes, variance)
        return BranchPrior(readout, opinion, variance), ordered

    def _trained(self, aliases: frozenset[str]) -> _Trained:
        """Train the network on some of the people, and run it over everybody."""
        if aliases not in self._networks:
            assert self.config is not None
            what = f"network on {len(aliases)} people (no. {len(self._networks) + 1})"
            groups = [g for alias in self.people if alias in aliases for g in groups_of(self.people[alias])]
            network = train_network(
                groups,
                self.config,
                self.montage,
                self.training,
                seed=self.seed,
                report=lambda done, total: self.report(what, done, total),
            )
            self._networks[aliases] = self.run(network, aliases)
        return self._networks[aliases]

    def run(self, network: NeurIPTNetwork, aliases: Collection[str]) -> _Trained:
        """Everybody's features of a network, in the size that those of some people have."""
        raw = {a: trials_of_features(data, partial(features_of, network)) for a, data in self.people.items()}
        scale = feature_scale([raw[alias].x for alias in self.people if alias in aliases])
        return _Trained(network, scale, {alias: person.scaled(scale) for alias, person in raw.items()})


@dataclass(frozen=True, eq=False)
class _Trained:
    """A network trained on some people, and everybody's features."""

    network: NeurIPTNetwork
    scale: float
    features: Mapping[str, PersonTrials]


def folds_of(aliases: Sequence[str]) -> list[list[str]]:
    """Cut people into those that are left out together: one each, or as many folds as `MOST_FOLDS`."""
    n_folds = min(len(aliases), MOST_FOLDS)
    return [list(aliases[k::n_folds]) for k in range(n_folds)]


def _stack_rows(
    network: Mapping[int, Sequence[F64]] | None,
    tangent: Mapping[int, Sequence[F64]],
    network_opinion: Opinion,
    tangent_opinion: Opinion,
) -> dict[int, list[F64]]:
    """What each stack says of a person, from what the candidates of each branch say."""
    out = {}
    for count, candidates in tangent.items():
        mine = mean_log_proba(candidates, tangent_opinion.weigh(count))
        other = mine if network is None else mean_log_proba(network[count], network_opinion.weigh(count))
        out[count] = [stacked((other, mine), weights) for weights in STACKS]
    return out
