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
from neuript.training.population.prior import CANDIDATES, Opinion, PersonTrials, fit_person, nll_per_trial
from neuript.training.population.stacking import STACKS, stacked

Masks = tuple[NDArray[np.bool_], NDArray[np.bool_]]
"""Windows to train on and windows to test on."""


@dataclass(frozen=True, eq=False)
class BranchFit:
    """A person's read-out of one branch.

    Attributes
    ----------
    readout : Readout
        Fitted on all of the person's trials.
    chosen : int
        Which of `CANDIDATES` it took.
    held_out : ndarray, shape (n_windows, n_classes)
        Log-probabilities of each window from read-outs, chosen and fitted, that had not seen its block; without trials
        there is nothing in it.
    of_block : tuple of Readout
        The read-outs that had not seen each of the blocks.
    """

    readout: Readout
    chosen: int
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
    picks = _choose_in_blocks(opinion, said, tangent, blocks)
    chosen = _choose(opinion, said, tangent, np.ones(len(tangent.trial), dtype=bool), blocks)
    held_out = _picked(said, picks, blocks)
    learnable = [np.unique(tangent.trial[train]) for train, _ in blocks]
    own = fit_gate(gate, learnable, learnt.gate)
    return PersonFit(mine, other, STACKS[chosen], held_out, tuple(STACKS[k] for k in picks), own)


def _adapt_branch(prior: BranchPrior, person: PersonTrials, blocks: Sequence[Masks], n_classes: int) -> BranchFit:
    """Fit one branch: every candidate on every block, then the best one on everything."""
    said = [np.zeros((len(person.trial), n_classes)) for _ in CANDIDATES]
    fits: list[list[Readout]] = []
    for train, test in blocks:
        part = person.windows(train)
        fits.append([fit_person(part, n_classes, prior.readout, candidate) for candidate in CANDIDATES])
        for log_p, fitted in zip(said, fits[-1], strict=True):
            log_p[test] = log_softmax(fitted.logits(person.x[test]), axis=1)
    picks = _choose_in_blocks(prior.opinion, said, person, blocks)
    chosen = _choose(prior.opinion, said, person, np.ones(len(person.trial), dtype=bool), blocks)
    readout = fit_person(person, n_classes, prior.readout, CANDIDATES[chosen])
    of_block = tuple(mine[k] for mine, k in zip(fits, picks, strict=True))
    return BranchFit(readout, chosen, _picked(said, picks, blocks), of_block)


def _log_proba(branch: BranchFit, x: NDArray[np.floating], block: int | None) -> F64:
    readout = branch.readout if block is None else branch.of_block[block]
    return np.asarray(log_softmax(readout.logits(x), axis=1))


def _choose_in_blocks(
    opinion: Opinion, said: Sequence[F64], person: PersonTrials, blocks: Sequence[Masks]
) -> list[int]:
    """Which candidate is best without each of the blocks."""
    return [_choose(opinion, said, person, train, blocks) for train, _ in blocks]


def _picked(said: Sequence[F64], picks: Sequence[int], blocks: Sequence[Masks]) -> F64:
    """Log-probabilities of each block from the candidate that was picked without it."""
    out = np.zeros_like(said[0])
    for k, (_, test) in zip(picks, blocks, strict=True):
        out[test] = said[k][test]
    return out


def _choose(
    opinion: Opinion, said: Sequence[F64], person: PersonTrials, seen: NDArray[np.bool_], blocks: Sequence[Masks]
) -> int:
    """Best candidate for the people and for what it said of some of the person's windows."""
    part = person.windows(seen)
    trials = np.unique(part.trial)
    if not blocks or not len(trials):
        return opinion.choose(0 if not len(trials) else _per_class(part))
    own = np.array([nll_per_trial(log_p[seen], part) for log_p in said])
    return opinion.choose(_per_class(part), own, len(trials))


def _per_class(person: PersonTrials) -> float:
    """Trials of the class that has the fewest."""
    trials = np.unique(person.trial)
    return float(np.bincount(person.labels[trials], minlength=int(person.labels.max()) + 1).min())


def _allowed(opinion: Opinion, *, has_network: bool) -> Opinion:
    """Leave out the stacks that need a branch that is not there."""
    there = np.array([has_network or network == 0 for network, _ in STACKS])
    return Opinion({count: np.where(there, nll, np.inf) for count, nll in opinion.nll.items()})
