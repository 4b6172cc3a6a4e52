"""How well each of some people would have been decoded by the others: the table that a population comes with.

One person at a time (or one of several groups) is left out whole; from the others everything is learnt and chosen; the
person gives the first trials of the earlier recordings and is judged on the later ones. Beside the published decoder
stand its branches, the plain decoders fitted to the same trials, and two controls that say whether the network has
learnt anything: the same read-out on the plain power of the same aligned windows, and on a network with random weights.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from neuript.training.fitting.build import build_network
from neuript.training.fitting.crossval import blocked_folds, split
from neuript.training.fitting.metrics import balanced_accuracy, confusion
from neuript.training.fitting.plain import BASELINES
from neuript.training.fitting.tangent_readout import F64, feature_scale
from neuript.training.population.adaptation import Masks, adapt
from neuript.training.population.learning import Learning, Learnt, folds_of, tangent_trials, trials_of_features
from neuript.training.population.network_training import features_of
from neuript.training.population.prior import PersonTrials, choose_prior_variance, first_trials, fit_prior, judge_of
from neuript.training.population.stacking import stacked
from neuript.training.windows.dataset import Dataset

COUNTS = (0, 10, 20, 40)
"""Trials per class that the table shows."""
PUBLISHED, TANGENT, NETWORK = "Stack (published)", "Riemannian branch", "NeurIPT"
POWER, RANDOM = "log power, same read-out", "random weights, same read-out"
N_FOLDS = 4
N_BINS = 10
"""Bins of the calibration error."""


@dataclass(frozen=True, eq=False)
class PersonVerdict:
    """What one decoder said of one person's later trials.

    Attributes
    ----------
    proba : ndarray, shape (n_trials, n_classes)
        Mean probability over the windows of each trial.
    labels : ndarray, shape (n_trials,)
        Class of each trial.
    """

    proba: F64
    labels: NDArray[np.int64]

    @property
    def balanced_accuracy(self) -> float:
        """Mean recall of the classes."""
        return balanced_accuracy(confusion(self.labels, self.proba.argmax(1), self.proba.shape[1]))


@dataclass(frozen=True, eq=False)
class Table:
    """Verdicts by decoder, number of trials and person.

    Attributes
    ----------
    verdicts : dict
        Keyed by decoder, number of trials per class, and alias.
    weights : dict
        Weights (network, Riemannian branch) of the published stack, keyed by number of trials and alias.
    """

    verdicts: Mapping[str, Mapping[int, Mapping[str, PersonVerdict]]]
    weights: Mapping[int, Mapping[str, tuple[float, float]]]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values: balanced accuracy of each person and calibration error over all, for each decoder."""
        out: dict[str, Any] = {}
        for decoder, counts in self.verdicts.items():
            out[decoder] = {
                str(count): {
                    "mean": round(float(np.mean([v.balanced_accuracy for v in people.values()])), 4),
                    "people": {alias: round(v.balanced_accuracy, 4) for alias, v in people.items()},
                    "ece": round(calibration_error(list(people.values())), 4),
                }
                for count, people in counts.items()
                if people
            }
        return out


def calibration_error(verdicts: Sequence[PersonVerdict], n_bins: int = N_BINS) -> float:
    """Expected calibration error over trials, in bins of equal mass (Nixon et al. 2019), of the predicted class."""
    proba = np.concatenate([v.proba.max(1) for v in verdicts])
    right = np.concatenate([v.proba.argmax(1) == v.labels for v in verdicts])
    order = np.argsort(proba, kind="stable")
    bins = np.array_split(order, min(n_bins, len(order)))
    return float(sum(len(b) * abs(proba[b].mean() - right[b].mean()) for b in bins) / len(order))


def leave_one_out(learning: Learning) -> Table:
    """Judge every person with what the others say."""
    verdicts: dict[str, dict[int, dict[str, PersonVerdict]]] = {}
    weights: dict[int, dict[str, tuple[float, float]]] = {}
    aliases = list(learning.people)
    for left_out in folds_of(aliases):
        kept = [alias for alias in aliases if alias not in left_out]
        learnt = learning.learn(kept)
        controls = _controls(learning, kept)
        for alias in left_out:
            data = learning.people[alias]
            for count in COUNTS:
                found = _judge(data, learnt, controls, count)
                for decoder, (verdict, chosen) in found.items():
                    verdicts.setdefault(decoder, {}).setdefault(count, {})[alias] = verdict
                    if decoder == PUBLISHED and chosen is not None:
                        weights.setdefault(count, {})[alias] = chosen
    return Table(verdicts, weights)


@dataclass(frozen=True, eq=False)
class _Control:
    """The same read-out on other features."""

    learnt: Learnt
    features: Mapping[str, PersonTrials]


def _controls(learning: Learning, kept: Sequence[str]) -> dict[str, _Control]:
    """Fit the controls on the people that are kept."""
    if learning.config is None:
        return {}
    random = build_network(learning.config, learning.montage, seed=learning.seed)
    readers: dict[str, Callable[[NDArray[np.float32]], NDArray[np.floating]]] = {
        POWER: log_power,
        RANDOM: partial(features_of, random),
    }
    out = {}
    for name, read in readers.items():
        raw = {alias: trials_of_features(data, read) for alias, data in learning.people.items()}
        scale = feature_scale([raw[alias].x for alias in kept])
        trials = {alias: person.scaled(scale) for alias, person in raw.items()}
        out[name] = _Control(learning.learn_features(kept, trials), trials)
    return out


def log_power(signal: NDArray[np.float32]) -> F64:
    """Logarithm of each channel's variance over time, shape (n_windows, n_chans)."""
    return np.asarray(np.log(signal.astype(np.float64).var(axis=-1) + 1e-30))


def _judge(
    data: Dataset, learnt: Learnt, controls: Mapping[str, _Control], count: int
) -> dict[str, tuple[PersonVerdict, tuple[float, float] | None]]:
    """What each decoder says of one person who gave so many trials per class; nothing where there are fewer."""
    from mne import use_log_level

    everything = tangent_trials(data)
    taken = first_trials(everything.labels, count, everything.early)
    if count and np.bincount(everything.labels[taken], minlength=len(data.classes)).min() < count:
        return {}
    own, judge = taken[data.trial], ~everything.early[data.trial]
    blocks = blocks_within(everything, data, taken)
    out: dict[str, tuple[PersonVerdict, tuple[float, float] | None]] = {}

    def note(name: str, log_proba: F64, chosen: tuple[float, float] | None = None) -> None:
        out[name] = _verdict(np.exp(log_proba), data, judge), chosen

    features = None
    if learnt.network is not None:
        features = trials_of_features(data, partial(features_of, learnt.network)).scaled(learnt.scale)
    fit = adapt(learnt, everything.windows(own), None if features is None else features.windows(own), blocks)
    mine = everything.windows(judge)
    branches = {TANGENT: log_softmax(mine.logits(fit.tangent.readout, count), axis=1)}
    if fit.features is not None and features is not None:
        branches[NETWORK] = log_softmax(features.windows(judge).logits(fit.features.readout, count), axis=1)
    note(PUBLISHED, stacked((branches.get(NETWORK, branches[TANGENT]), branches[TANGENT]), fit.weights), fit.weights)
    for name, log_proba in branches.items():
        note(name, log_proba)
    for name, control in controls.items():
        theirs = control.features[_alias(control, data)]
        other = adapt(control.learnt, theirs.windows(own), None, blocks)
        note(name, log_softmax(theirs.windows(judge).logits(other.tangent.readout, count), axis=1))
    if count:
        for name, make in BASELINES.items():
            with use_log_level("ERROR"):
                pipeline = make(data.sfreq).fit(data.x[own].astype(np.float64), data.y[own])
            proba = pipeline.predict_proba(data.x[judge].astype(np.float64))
            note(name, np.log(np.clip(proba, 1e-9, 1)))
    return out


def _alias(control: _Control, data: Dataset) -> str:
    """Whose windows these are among the control's people."""
    return next(alias for alias, trials in control.features.items() if trials.trial is data.trial)


def blocks_within(person: PersonTrials, data: Dataset, taken: NDArray[np.bool_]) -> list[Masks]:
    """Cut the trials that were taken into contiguous blocks; masks over their windows.

    Trials too few to be cut give no blocks: then nothing is chosen on them.
    """
    trials = np.flatnonzero(taken)
    recording = np.array([trial.recording for trial in data.trials], dtype=np.int64)[trials]
    if not len(trials):
        return []
    try:
        folds = blocked_folds(person.labels[trials], recording, N_FOLDS)
    except ValueError:
        return []
    own = data.trial[taken[data.trial]]
    renumbered = np.searchsorted(trials, own)
    return list(split(folds, renumbered))


def _verdict(proba: F64, data: Dataset, judge: NDArray[np.bool_]) -> PersonVerdict:
    """Mean probability of each judging trial."""
    owner = data.trial[judge]
    trials = np.unique(owner)
    means = np.stack([proba[owner == trial].mean(axis=0) for trial in trials])
    return PersonVerdict(means, data.trial_labels[trials])


def people_curve(learning: Learning) -> dict[int, float]:
    """Balanced accuracy without a trial of a person left out, by the number of people that the prior is learnt from.

    The Riemannian branch alone, with the strength that all the others chose; each person is judged with the next ones
    in turn, on the later trials.

    Returns
    -------
    dict of int to float
        Mean over the people left out, keyed by the number of the others.
    """
    aliases = list(learning.people)
    counts = sorted({k for k in (1, 2, 3, 5, 8, 12, 20, 50, 100, len(aliases) - 1) if 1 <= k < len(aliases)})
    found: dict[int, list[float]] = {count: [] for count in counts}
    for i, alias in enumerate(aliases):
        others = aliases[i + 1 :] + aliases[:i]
        variance = choose_prior_variance([learning.tangent[other] for other in others], learning.n_classes)
        judge = judge_of(learning.tangent[alias])
        for count in counts:
            prior = fit_prior([learning.tangent[other] for other in others[:count]], learning.n_classes, variance)
            proba = np.exp(log_softmax(prior.logits(judge.x), axis=1))
            trials = np.unique(judge.trial)
            means = np.stack([proba[judge.trial == trial].mean(axis=0) for trial in trials])
            found[count].append(PersonVerdict(means, judge.labels[trials]).balanced_accuracy)
    return {count: round(float(np.mean(values)), 4) for count, values in found.items()}
