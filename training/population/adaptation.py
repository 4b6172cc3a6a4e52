"""From what people say, and a person's own trials, to this person's decoder.

Each choice (how a branch uses its prior, how much each branch counts) is a list of candidates. The people's opinion of
them comes with the population; the person's own comes from blocked cross-validation inside the person's trials. The
two are added, each by its number of trials, so with few trials the people decide and with many the person does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from neuript.training.fitting.gate import Gate, GateWindows, fit_gate, with_gate
from neuript.training.fitting.tangent_readout import F64, Readout
from neuript.training.population.learning import BranchPrior, Learnt
from neuript.training.population.prior import CANDIDATES, Opinion, PersonTrials, fit_person, mean_readout, nll_per_trial
from neuript.training.population.stacking import STACKS, stacked

LEAST_SHARE = 0.1
"""A branch with less of the stack than this is left out: it would cost its time live and change nothing."""

Masks = tuple[NDArray[np.bool_], NDArray[np.bool_]]
"""Windows to train on and windows to test on."""


@dataclass(frozen=True, eq=False)
class BranchFit:
    """A person's read-out of one branch.

    Attributes
    ----------
    readout : Readout
        Fitted on all of the person's trials.
    weights : ndarray, shape (n_candidates,)
        How much of it each of `CANDIDATES` is.
    held_out : ndarray, shape (n_windows, n_classes)
        Log-probabilities of each window from read-outs, chosen and fitted, that had not seen its block; without trials
        there is nothing in it.
    of_block : tuple of Readout
        The read-outs that had not seen each of the blocks.
    """

    readout: Readout
    weights: F64
    held_out: F64
    of_block: tuple[Readout, ...]


@dataclass(frozen=True, eq=False)
class PersonFit:
    """A person's decoder.

    Attributes
    ----------
    tangent : BranchFit
        Of the Riemannian branch.
    features : BranchFit or None
        Of the network's features.
    weights : tuple of two floats
        Of the network and of the Riemannian branch in the stack.
    held_out : ndarray, shape (n_windows, n_classes)
        Log-probabilities of each window from stacks that had not seen its block.
    weights_of_block : tuple of pairs of floats
        Weights of the stacks that had not seen each of the blocks.
    gate : Gate or None
        What parts tasks from everything else; None without a class of no command.
    """

    tangent: BranchFit
    features: BranchFit | None
    weights: tuple[float, float]
    held_out: F64
    weights_of_block: tuple[tuple[float, float], ...]
    gate: Gate | None = None

    def log_proba(
        self, tangent: NDArray[np.floating], features: NDArray[np.floating] | None, block: int | None = None
    ) -> F64:
        """Return the log-probabilities of windows, shape (n_windows, n_classes).

        Parameters
        ----------
        tangent, features : ndarray, shape (n_windows, ...)
            Tangent vectors and features of the windows.
        block : int, optional
            Decode as if this block had never been; None takes the decoder of all trials.
        """
        mine = _log_proba(self.tangent, tangent, block)
        other = mine
        if self.features is not None and features is not None:
            other = _log_proba(self.features, features, block)
        return stacked((other, mine), self.weights if block is None else self.weights_of_block[block])

    def outputs(
        self, tangent: NDArray[np.floating], features: NDArray[np.floating] | None, block: int | None = None
    ) -> F64:
        """Return what the module of the decoder gives: `log_proba`, and the gate's log-odds where there is one."""
        said = self.log_proba(tangent, features, block)
        return with_gate(said, self.gate, tangent, block)


def adapt(
    learnt: Learnt,
    tangent: PersonTrials,
    features: PersonTrials | None,
    blocks: Sequence[Masks],
    *,
    gate: GateWindows | None = None,
) -> PersonFit:
    """Fit a person's decoder.

    Parameters
    ----------
    learnt : Learnt
        What the people say.
    tangent : PersonTrials
        Tangent vectors of the person's windows; none for somebody who has given no trial yet.
    features : PersonTrials or None
        Features of the same windows, times the population's scale; None where there is no network.
    blocks : sequence of (ndarray of bool, ndarray of bool), each of shape (n_windows,)
        Blocks of the cross-validation; none leaves every choice to the people.
    gate : GateWindows or None
        Windows of the person's tasks and of everything else; None takes the people's gate as it is.
    """
    n_classes = len(learnt.tangent.readout.bias)
    mine = _adapt_branch(learnt.tangent, tangent, blocks, n_classes)
    other = None
    if learnt.features is not None and features is not None:
        other = _adapt_branch(learnt.features, features, blocks, n_classes)
    said = [stacked(((other or mine).held_out, mine.held_out), weights) for weights in STACKS]
    opinion = _allowed(learnt.stack, has_network=other is not None)
    of_block = [_mean_stack(_weigh(opinion, said, tangent, train, blocks)) for train, _ in blocks]
    chosen = _mean_stack(_weigh(opinion, said, tangent, np.ones(len(tangent.trial), dtype=bool), blocks))
    held_out = np.zeros_like(mine.held_out)
    for pair, (_, test) in zip(of_block, blocks, strict=True):
        held_out[test] = stacked(((other or mine).held_out[test], mine.held_out[test]), pair)
    learnable = [np.unique(tangent.trial[train]) for train, _ in blocks]
    own = fit_gate(gate, learnable, learnt.gate)
    return PersonFit(mine, other, chosen, held_out, tuple(of_block), own)


def _adapt_branch(prior: BranchPrior, person: PersonTrials, blocks: Sequence[Masks], n_classes: int) -> BranchFit:
    """Fit one branch: every candidate on every block, then the mean of the likely ones on everything."""
    said = [np.zeros((len(person.trial), n_classes)) for _ in CANDIDATES]
    fits: list[list[Readout]] = []
    for train, test in blocks:
        part = person.windows(train)
        fits.append([fit_person(part, n_classes, prior.readout, candidate) for candidate in CANDIDATES])
        for log_p, fitted in zip(said, fits[-1], strict=True):
            log_p[test] = log_softmax(fitted.logits(person.x[test]), axis=1)
    shares = [_weigh(prior.opinion, said, person, train, blocks) for train, _ in blocks]
    of_block = tuple(mean_readout(mine, share) for mine, share in zip(fits, shares, strict=True))
    held_out = np.zeros((len(person.trial), n_classes))
    for readout, (_, test) in zip(of_block, blocks, strict=True):
        held_out[test] = log_softmax(readout.logits(person.x[test]), axis=1)
    weights = _weigh(prior.opinion, said, person, np.ones(len(person.trial), dtype=bool), blocks)
    whole = [
        fit_person(person, n_classes, prior.readout, candidate) if weight > 0 else None
        for candidate, weight in zip(CANDIDATES, weights, strict=True)
    ]
    return BranchFit(mean_readout(whole, weights), weights, held_out, of_block)


def _log_proba(branch: BranchFit, x: NDArray[np.floating], block: int | None) -> F64:
    readout = branch.readout if block is None else branch.of_block[block]
    return np.asarray(log_softmax(readout.logits(x), axis=1))


def _mean_stack(weights: F64) -> tuple[float, float]:
    """Mean of the stacks; a network that has less than `LEAST_SHARE` of it is left out."""
    network, tangent = (float(v) for v in weights @ np.array(STACKS))
    if network < LEAST_SHARE * (network + tangent):
        return 0.0, network + tangent
    return (network, tangent) if tangent >= LEAST_SHARE * (network + tangent) else (network + tangent, 0.0)


def _weigh(
    opinion: Opinion, said: Sequence[F64], person: PersonTrials, seen: NDArray[np.bool_], blocks: Sequence[Masks]
) -> F64:
    """How likely each candidate is the best, for the people and for what it said of some of the person's windows."""
    part = person.windows(seen)
    trials = np.unique(part.trial)
    if not blocks or not len(trials):
        return opinion.weigh(0 if not len(trials) else _per_class(part))
    own = np.array([nll_per_trial(log_p[seen], part) for log_p in said])
    return opinion.weigh(_per_class(part), own, len(trials))


def _per_class(person: PersonTrials) -> float:
    """Trials of the class that has the fewest."""
    trials = np.unique(person.trial)
    return float(np.bincount(person.labels[trials], minlength=int(person.labels.max()) + 1).min())


def _allowed(opinion: Opinion, *, has_network: bool) -> Opinion:
    """Leave out the stacks that need a branch that is not there."""
    there = np.array([has_network or network == 0 for network, _ in STACKS])
    return Opinion({count: np.where(there, nll, np.inf) for count, nll in opinion.nll.items()})
