"""What earlier people say of a read-out: its mean, and which strength of it served each of them best.

Every choice is made on people whom the choice has not seen: the candidates are scored on one person with the prior of
the others, at several numbers of trials (nested leave-one-person-out). A new person's own trials move the choice only
as far as they can tell: both count by their number of trials.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from neuript.training.fitting.centring import centre_s_of
from neuript.training.fitting.tangent_readout import F64, Readout, fit_readout

PRIOR_VARIANCES = (0.02, 0.06, 0.2, 0.6)
"""Variances of the weights among which the people choose when the prior itself is fitted."""
SHARES = (0.0, 0.5, 1.0)
"""How much of the prior's weights a person begins with; 0 ignores the prior."""
VARIANCES = (0.05, 0.15, 0.5, 1.5)
"""Variances of a person's weights around the prior."""
COUNTS = (0, 5, 10, 20, 40)
"""Numbers of trials per class at which the people are asked."""
WORTH_TRIALS = 40.0
"""The people's opinion of a candidate counts as much as so many trials of the new person."""
OWN_SHARE = 0.5
"""What a person's own held-out trials say of a candidate counts for so much of a trial each. They are of the same hour
as those that were learnt from, so they flatter what adapts most and is surest; the people were judged on later
recordings."""
LEAST_WEIGHT = 0.05
"""Candidates that are less likely than this share of the best one are left out of the mean."""


@dataclass(frozen=True, eq=False)
class PersonTrials:
    """Labelled features of one person, in order of time.

    Attributes
    ----------
    x : ndarray, shape (n_windows, n_features)
        Features of the windows.
    trial : ndarray, shape (n_windows,)
        Index of each window's trial.
    labels : ndarray, shape (n_trials,)
        Class of each trial.
    early : ndarray of bool, shape (n_trials,)
        Trials that may be learnt from when the later ones judge (`early_trials`).
    centre : ndarray, shape (n_windows, n_features), or None
        Running mean of the features at each window (`neuript.training.fitting.centring`).
    """

    x: NDArray[np.floating]
    trial: NDArray[np.int64]
    labels: NDArray[np.int64]
    early: NDArray[np.bool_]
    centre: NDArray[np.floating] | None = None

    @property
    def y(self) -> NDArray[np.int64]:
        """Class of each window, shape (n_windows,)."""
        return self.labels[self.trial]

    @property
    def weight(self) -> F64:
        """Weight of each window so that every trial counts 1, shape (n_windows,)."""
        return 1.0 / np.bincount(self.trial, minlength=len(self.labels))[self.trial]

    def windows(self, which: NDArray[np.bool_]) -> PersonTrials:
        """Return the person with some windows only."""
        centre = None if self.centre is None else self.centre[which]
        return replace(self, x=self.x[which], trial=self.trial[which], centre=centre)

    def scaled(self, factor: float) -> PersonTrials:
        """Return the person with all features times a factor."""
        centre = None if self.centre is None else factor * self.centre
        return replace(self, x=factor * self.x, centre=centre)

    def logits(self, readout: Readout, n_per_class: float) -> F64:
        """Return what a read-out says of the windows, shape (n_windows, n_classes), as live after so many trials."""
        said = readout.logits(self.x)
        if self.centre is None or not centre_s_of(n_per_class):
            return said
        return np.asarray(said - readout.logits(self.centre))

    def windows_of(self, trials: NDArray[np.bool_]) -> PersonTrials:
        """Return the person with the windows of some trials only."""
        return self.windows(trials[self.trial])


def first_trials(
    labels: NDArray[np.int64], n_per_class: int, among: NDArray[np.bool_] | None = None
) -> NDArray[np.bool_]:
    """Mark the first `n_per_class` trials of each class, in order of time; `among` says which may be taken."""
    allowed = np.ones(len(labels), dtype=bool) if among is None else among
    out = np.zeros(len(labels), dtype=bool)
    for c in np.unique(labels):
        out[np.flatnonzero((labels == c) & allowed)[:n_per_class]] = True
    return out


def early_trials(labels: NDArray[np.int64], recording: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Mark what may be learnt from when the rest judges: the earlier recordings, or else the earlier trials.

    Parameters
    ----------
    labels : ndarray, shape (n_trials,)
        Class of each trial, in order of time.
    recording : ndarray, shape (n_trials,)
        Index of each trial's recording.
    """
    found = np.unique(recording)
    if len(found) > 1:
        out: NDArray[np.bool_] = np.isin(recording, found[: (len(found) + 1) // 2])
        return out
    out = np.zeros(len(labels), dtype=bool)
    for c in np.unique(labels):
        mine = np.flatnonzero(labels == c)
        out[mine[: (len(mine) + 1) // 2]] = True
    return out


@dataclass(frozen=True, slots=True)
class Candidate:
    """One way to use a prior."""

    share: float
    """How much of the prior's weights the person begins with."""
    variance: float
    """Variance of the person's weights around them."""


CANDIDATES = tuple(Candidate(share, variance) for share in SHARES for variance in VARIANCES)


def fit_prior(people: Sequence[PersonTrials], n_classes: int, variance: float) -> Readout:
    """Fit one read-out to all people; every person counts the same, whatever the number of trials.

    Parameters
    ----------
    people : sequence of PersonTrials
        Features of each person, aligned.
    n_classes : int
        Number of classes.
    variance : float
        Variance of the weights around 0.
    """
    typical = float(np.mean([len(np.unique(p.trial)) for p in people]))
    shares = [typical / max(1, len(np.unique(person.trial))) for person in people]
    return fit_readout(
        np.concatenate([person.x for person in people]),
        np.concatenate([person.y for person in people]),
        n_classes,
        sample_weight=np.concatenate([share * person.weight for share, person in zip(shares, people, strict=True)]),
        variance=variance,
    )


def fit_person(person: PersonTrials, n_classes: int, prior: Readout | None, candidate: Candidate) -> Readout:
    """Fit a person's read-out from the prior, in one of the ways.

    A person without windows gets the share of the prior itself.
    """
    start = None if prior is None or candidate.share == 0 else prior.scaled(candidate.share)
    return fit_readout(
        person.x, person.y, n_classes, sample_weight=person.weight, variance=candidate.variance, prior=start
    )


def mean_readout(readouts: Sequence[Readout | None], weights: F64) -> Readout:
    """Return the weighted mean of read-outs; one that is None must have no weight."""
    kept = [(w, readout) for w, readout in zip(weights, readouts, strict=True) if w > 0 and readout is not None]
    return Readout(
        np.asarray(sum(w * readout.weight for w, readout in kept)),
        np.asarray(sum(w * readout.bias for w, readout in kept)),
    )


def mean_log_proba(said: Sequence[F64], weights: F64) -> F64:
    """Return what the weighted mean of linear read-outs says, from the log-probabilities (n, n_classes) of each."""
    total = sum(w * one for w, one in zip(weights, said, strict=True) if w > 0)
    return np.asarray(log_softmax(total, axis=1))


def nll_per_trial(log_proba: F64, person: PersonTrials) -> float:
    """Mean over trials of the mean negative log-likelihood of their windows, in nats."""
    per_window = -log_proba[np.arange(len(person.y)), person.y]
    total = np.bincount(person.trial, per_window * person.weight, minlength=len(person.labels))
    return float(total.sum() / max(1, len(np.unique(person.trial))))


@dataclass(frozen=True, eq=False)
class Opinion:
    """What the people say of some candidates.

    Attributes
    ----------
    nll : dict of int to ndarray, each of shape (n_candidates,)
        Mean negative log-likelihood per trial, in nats, of people who gave so many trials per class; keyed by that
        number.
    """

    nll: Mapping[int, F64]

    def at(self, n_per_class: float) -> F64:
        """Return the scores for a number of trials per class, between the nearest that were asked."""
        counts = np.array(sorted(self.nll))
        rows = np.stack([self.nll[int(c)] for c in counts])
        return np.array([np.interp(n_per_class, counts, column) for column in rows.T])

    def weigh(self, n_per_class: float, own_nll: F64 | None = None, n_trials: int = 0) -> F64:
        """Return how likely each candidate is the best for a person, shape (n_candidates,), sum 1.

        The choice is not made by the best score alone: few trials cannot tell neighbours apart, and the mean of several
        candidates is steadier than the one that happened to win (Bayesian model averaging, Hoeting et al. 1999, Stat.
        Sci. 14:382). Those that are less likely than `LEAST_WEIGHT` of the best are left out.

        Parameters
        ----------
        n_per_class : float
            Trials per class that the person gave.
        own_nll : ndarray, shape (n_candidates,), optional
            What the person's own held-out trials say, in nats per trial.
        n_trials : int
            Number of these trials.
        """
        score = WORTH_TRIALS * self.at(n_per_class)
        if own_nll is not None:
            score = score + OWN_SHARE * n_trials * own_nll
        likely = np.exp(score.min() - score)
        likely[likely < LEAST_WEIGHT] = 0.0
        return np.asarray(likely / likely.sum())

    def to_dict(self) -> dict[str, list[float]]:
        """Return plain values for a manifest."""
        return {str(count): [float(v) for v in nll] for count, nll in self.nll.items()}

    @classmethod
    def from_dict(cls, values: Mapping[str, Sequence[float]]) -> Opinion:
        """Build from `to_dict`."""
        return cls({int(count): np.array(nll, dtype=np.float64) for count, nll in values.items()})


def judged(person: PersonTrials, n_classes: int) -> dict[int, PersonTrials]:
    """Return what a person may learn from at each number of trials per class that there is: the first early ones."""
    out = {}
    for count in COUNTS:
        taken = first_trials(person.labels, count, person.early)
        if np.bincount(person.labels[taken], minlength=n_classes).min() >= count:
            out[count] = person.windows_of(taken)
    return out


def judge_of(person: PersonTrials) -> PersonTrials:
    """Return the person with the later trials, which judge."""
    return person.windows_of(~person.early)


def held_out(person: PersonTrials, prior: Readout, n_classes: int) -> dict[int, list[F64]]:
    """Return each candidate's log-probabilities of a person's later trials, at each number of trials per class.

    Returns
    -------
    dict of int to list of ndarray, each of shape (n_judging_windows, n_classes)
        One array for each of `CANDIDATES`, keyed by the number of trials.
    """
    out, judge = {}, judge_of(person)
    for count, learnt in judged(person, n_classes).items():
        fits = (fit_person(learnt, n_classes, prior, candidate) for candidate in CANDIDATES)
        out[count] = [log_softmax(judge.logits(fit, count), axis=1) for fit in fits]
    return out


def opinion_of(rows: Sequence[Mapping[int, Sequence[F64]]], judges: Sequence[PersonTrials]) -> Opinion:
    """Return the mean scores of candidates over people.

    Parameters
    ----------
    rows : sequence of mapping of int to sequence of ndarray
        For each person the log-probabilities of each candidate, as `held_out` gives them.
    judges : sequence of PersonTrials
        What each of them was judged on.
    """
    nll: dict[int, list[F64]] = {}
    for row, judge in zip(rows, judges, strict=True):
        for count, candidates in row.items():
            nll.setdefault(count, []).append(np.array([nll_per_trial(log_p, judge) for log_p in candidates]))
    return Opinion({count: np.mean(found, axis=0) for count, found in nll.items()})


def choose_prior_variance(people: Sequence[PersonTrials], n_classes: int) -> float:
    """Return the variance with which the people's common read-out fits a person whom it has not seen best."""
    scores = []
    for variance in PRIOR_VARIANCES:
        total = 0.0
        for i, person in enumerate(people):
            prior = fit_prior([*people[:i], *people[i + 1 :]], n_classes, variance)
            total += nll_per_trial(log_softmax(prior.logits(person.x), axis=1), person)
        scores.append(total)
    return PRIOR_VARIANCES[int(np.argmin(scores))]
