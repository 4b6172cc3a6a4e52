"""Blocked cross-validation: what every decoder says of blocks of trials that it had not seen.

Every number of a calibration's report comes from here, for the network, the Riemannian branch and the plain baselines
alike (`docs/method.md`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax

from neuript.errors import NeuriptError
from neuript.realtime.decoding.scoring import ScoreCard, TrialScore
from neuript.training.fitting.crossval import blocked_folds, overlaps, split
from neuript.training.fitting.encoder_readout import fit_own_readout
from neuript.training.fitting.plain import BASELINES, held_out_proba
from neuript.training.fitting.tangent_readout import Readout
from neuript.training.population.prior import PersonTrials
from neuript.training.windows.dataset import Dataset

NETWORK, TANGENT = "NeurIPT", "Riemannian branch"
"""Names of the two branches that may enter the stack."""

Masks = tuple[NDArray[np.bool_], NDArray[np.bool_]]
"""Windows to train on and windows to test on."""
Logits = Callable[[NDArray[np.float32], NDArray[np.float32]], NDArray[np.float64]]
"""From signals (n, n_chans, n_times) and tangent vectors (n, n_tangent) to logits (n, n_classes)."""
ReportStep = Callable[[str, int, int], None]
"""Progress: what is being done, steps done, steps in all."""


def blocks_of(data: Dataset, n_folds: int) -> list[Masks]:
    """Cut the trials into contiguous blocks; training windows that share samples with a held-out block leave with it.

    Parameters
    ----------
    data : Dataset
        Windows with their trials, in order of time.
    n_folds : int
        Number of blocks, at least 2.

    Returns
    -------
    list of (ndarray of bool, ndarray of bool), each of shape (n_windows,)
        Windows to train on and windows to test on, for each block.

    Raises
    ------
    NeuriptError
        If there are too few trials, or some class has no training trial beside one of the blocks.
    """
    recording = np.array([t.recording for t in data.trials])
    try:
        folds = blocked_folds(data.trial_labels, recording, n_folds)
    except ValueError as error:
        names = ", ".join(f"{i} is {name}" for i, name in enumerate(data.classes))
        raise NeuriptError(f"{error} (class {names})") from error
    out = []
    for train, test in split(folds, data.trial):
        if data.end_s is not None:
            shared = overlaps(test, recording[data.trial], data.end_s, data.manifest.window_s)
            train = train & ~shared
        if len(np.unique(data.y[train])) < len(data.classes):
            raise NeuriptError(
                "the trials follow each other so fast that windows of different trials share samples, and no training "
                "trial of some class is left beside a block that is held out; use a shorter --window or more trials"
            )
        out.append((train, test))
    return out


def branch_readout(person: PersonTrials, n_classes: int, train: NDArray[np.bool_]) -> Readout:
    """Fit the read-out of a branch to the windows of a mask; each trial counts the same.

    Parameters
    ----------
    person : PersonTrials
        What the branch reads of the windows.
    n_classes : int
        Number of classes.
    train : ndarray of bool, shape (n_windows,)
        Windows to fit to.
    """
    mine = person.windows(train)
    return fit_own_readout(mine.x, mine.y, n_classes, mine.weight)


def held_out_log_proba(
    data: Dataset, features: NDArray[np.floating], fits: Sequence[Readout], blocks: Sequence[Masks]
) -> NDArray[np.float64]:
    """Log-probabilities of every window from read-outs that did not see its block, shape (n_windows, n_classes).

    Parameters
    ----------
    data : Dataset
        Windows with their trials.
    features : ndarray, shape (n_windows, n_features)
        What the branch reads of them.
    fits : sequence of Readout
        Read-outs fitted without each of the blocks.
    blocks : sequence of (ndarray of bool, ndarray of bool), each of shape (n_windows,)
        Windows to train on and windows to test on, for each block.
    """
    out = np.zeros((len(data.x), len(data.classes)))
    for readout, (_, test) in zip(fits, blocks, strict=True):
        out[test] = log_softmax(readout.logits(features[test]), axis=1)
    return out


def baseline_log_proba(data: Dataset, blocks: Sequence[Masks]) -> dict[str, NDArray[np.float64]]:
    """Log-probabilities of every window from plain decoders that did not see its block, keyed by their name.

    Parameters
    ----------
    data : Dataset
        Windows with their trials.
    blocks : sequence of (ndarray of bool, ndarray of bool), each of shape (n_windows,)
        Windows to train on and windows to test on, for each block.
    """
    from mne import use_log_level

    out = {}
    for name, make in BASELINES.items():
        with use_log_level("ERROR"):
            proba = held_out_proba(make(data.sfreq), data.x, data.y, blocks)
        out[name] = np.log(np.clip(proba, 1e-9, 1))
    return out


def trial_log_proba(log_proba: NDArray[np.float64], data: Dataset) -> NDArray[np.float64]:
    """Log of the mean probability over the windows of each trial, shape (n_trials, n_classes); NaN without windows.

    Parameters
    ----------
    log_proba : ndarray, shape (n_windows, n_classes)
        Natural logarithms of the windows' class probabilities.
    data : Dataset
        The windows with their trials.
    """
    mean = np.full((len(data.trials), log_proba.shape[1]), np.nan)
    for i in range(len(data.trials)):
        mine = data.trial == i
        if mine.any():
            mean[i] = np.exp(log_proba[mine]).mean(axis=0)
    return np.asarray(np.log(np.clip(mean, 1e-9, 1)))


def score_held_out(log_proba: NDArray[np.float64], data: Dataset) -> ScoreCard:
    """Score each trial by the mean probability over its windows, as the published decisions are scored.

    Parameters
    ----------
    log_proba : ndarray, shape (n_windows, n_classes)
        Natural logarithms of the windows' held-out class probabilities.
    data : Dataset
        The windows with their trials.
    """
    rows = trial_log_proba(log_proba, data)
    scored = []
    for i, trial in enumerate(data.trials):
        n_windows = int((data.trial == i).sum())
        predicted = data.classes[int(np.argmax(rows[i]))] if n_windows else None
        scored.append(TrialScore(trial, predicted, n_windows, ()))
    return ScoreCard(tuple(scored), data.classes)


def nll_per_trial(log_proba: NDArray[np.float64], data: Dataset) -> float:
    """Mean over trials of the mean negative log-likelihood of their windows, in nats.

    Parameters
    ----------
    log_proba : ndarray, shape (n_windows, n_classes)
        Natural logarithms of the windows' class probabilities.
    data : Dataset
        The windows with their classes and trials.
    """
    per_window = -log_proba[np.arange(len(data.x)), data.y]
    return float(np.mean([per_window[data.trial == i].mean() for i in np.unique(data.trial)]))
