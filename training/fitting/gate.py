"""The gate: is anything asked for at all? What parts tasks from everything else that a person does.

Trials of rest on command are one kind of doing nothing; a decoder that knows no other takes the pauses between trials
for a task. A second read-out of the tangent vectors parts tasks from both, and a command needs the two to agree: the
evidence for a task is never larger than what the gate gives it (`neuript.realtime.decoding.policy`). What is said of
the classes stays as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuript.training.fitting.tangent_readout import F64, Readout, fit_readout
from neuript.training.windows.dataset import Dataset

NOTHING, TASK = 0, 1
"""Classes of the gate."""
REST_SHARE = 0.5
"""Share of the trials of rest in the weight of doing nothing; the pauses have the other half."""
PEOPLE_VARIANCE = 0.06
"""Variance of the weights around 0 when several people are fitted."""
OWN_VARIANCE = 0.5
"""Variance of a person's weights around those of the people, or around 0."""


@dataclass(frozen=True, eq=False, slots=True)
class GateWindows:
    """Windows of tasks, of rest on command and of pauses.

    Attributes
    ----------
    x : ndarray, shape (n_windows, n_tangent)
        Their tangent vectors.
    y : ndarray, shape (n_windows,)
        `TASK` or `NOTHING`.
    weight : ndarray, shape (n_windows,)
        How much each counts: every trial of a task 1, and all that is no task together as much as all tasks.
    trial : ndarray, shape (n_windows,)
        Trial that each belongs to, or that is nearest.
    """

    x: NDArray[np.floating]
    y: NDArray[np.int64]
    weight: F64
    trial: NDArray[np.int64]

    @classmethod
    def of(cls, data: Dataset) -> GateWindows | None:
        """Return them for a person; None where there is no class of no command, or one of the three is missing."""
        if data.idle is None or data.pauses is None or not data.tangent.shape[1]:
            return None
        resting = data.y == data.idle
        n_pauses = len(data.pauses.trial)
        if not n_pauses or not resting.any() or resting.all():
            return None
        per_trial = np.bincount(data.trial, minlength=len(data.trials))
        weight = 1.0 / per_trial[data.trial]
        mass = float(weight[~resting].sum())
        rest = REST_SHARE * mass / float(weight[resting].sum())
        pause = (1 - REST_SHARE) * mass / n_pauses
        return cls(
            np.concatenate([data.tangent, data.pauses.tangent]),
            np.concatenate([np.where(resting, NOTHING, TASK), np.full(n_pauses, NOTHING)]),
            np.concatenate([np.where(resting, rest, 1.0) * weight, np.full(n_pauses, pause)]),
            np.concatenate([data.trial, data.pauses.trial]),
        )

    def of_trials(self, trials: NDArray[np.int64]) -> GateWindows:
        """Return the windows of some trials with the pauses around them."""
        mine = np.isin(self.trial, trials)
        return GateWindows(self.x[mine], self.y[mine], self.weight[mine], self.trial[mine])


def fit_people_gate(people: Sequence[GateWindows | None]) -> Readout | None:
    """Fit one gate to those people who have windows for it, each of whom counts the same; None if nobody has."""
    known = [person for person in people if person is not None]
    if not known:
        return None
    mass = [float(person.weight.sum()) for person in known]
    return fit_readout(
        np.concatenate([person.x for person in known]),
        np.concatenate([person.y for person in known]),
        2,
        sample_weight=np.concatenate(
            [person.weight * float(np.mean(mass)) / mine for person, mine in zip(known, mass, strict=True)]
        ),
        variance=PEOPLE_VARIANCE,
    )


@dataclass(frozen=True, eq=False)
class Gate:
    """A person's gate.

    Attributes
    ----------
    readout : Readout
        Fitted on all that there is.
    of_block : tuple of Readout
        Fitted without each block of the cross-validation.
    """

    readout: Readout
    of_block: tuple[Readout, ...]

    def log_odds(self, tangent: NDArray[np.floating], block: int | None = None) -> F64:
        """Return the log-odds of a task against doing nothing, shape (n_windows,).

        Parameters
        ----------
        tangent : ndarray, shape (n_windows, n_tangent)
            Tangent vectors of the windows.
        block : int, optional
            Take the gate that had not seen this block; None takes that of everything.
        """
        said = (self.readout if block is None else self.of_block[block]).logits(tangent)
        return np.asarray(said[:, TASK] - said[:, NOTHING])


def fit_gate(own: GateWindows | None, blocks: Sequence[NDArray[np.int64]], prior: Readout | None = None) -> Gate | None:
    """Fit a person's gate.

    Parameters
    ----------
    own : GateWindows or None
        The person's windows; None for somebody who has not given enough.
    blocks : sequence of ndarray
        Trials that may be learnt from when each block of the cross-validation is judged.
    prior : Readout, optional
        Gate of earlier people: the person's begins there.

    Returns
    -------
    Gate or None
        The people's, where the person has no windows; None where there is neither.
    """

    def fit(windows: GateWindows | None) -> Readout | None:
        if windows is None or len(np.unique(windows.y)) < 2:
            return prior
        return fit_readout(windows.x, windows.y, 2, sample_weight=windows.weight, variance=OWN_VARIANCE, prior=prior)

    whole = fit(own)
    of_block = [fit(None if own is None else own.of_trials(trials)) for trials in blocks]
    found = [readout for readout in of_block if readout is not None]
    if whole is None or len(found) < len(of_block):
        return None
    return Gate(whole, tuple(found))


def with_gate(logits: F64, gate: Gate | None, tangent: NDArray[np.floating], block: int | None = None) -> F64:
    """Return logits (n_windows, n_classes) with the gate's log-odds as a last column; as they are without a gate."""
    if gate is None:
        return logits
    return np.column_stack([logits, gate.log_odds(tangent, block)])
