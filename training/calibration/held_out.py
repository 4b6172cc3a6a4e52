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
from neuript.network.network import NeurIPTNetwork
from neuript.realtime.decoding.scoring import ScoreCard, TrialScore
from neuript.training.calibration.dataset import Dataset
from neuript.training.calibration.starting_point import StartingPoint
from neuript.training.fitting.build import build_network
from neuript.training.fitting.crossval import blocked_folds, overlaps, split
from neuript.training.fitting.forward import predict_logits
from neuript.training.fitting.plain import BASELINES, fit_tangent_branch
from neuript.training.fitting.top_blocks import FinetuneSpec, TrunkOutputs, finetune, finetune_top, run_trunk

NETWORK, TANGENT = "NeurIPT", "Riemannian branch"
"""Names of the two branches that may enter the stack."""

Masks = tuple[NDArray[np.bool_], NDArray[np.bool_]]
"""Windows to train on and windows to test on."""
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


class NetworkFit:
    """Fits the network to parts of the data; the lower blocks run once for all parts."""

    def __init__(
        self, data: Dataset, start: StartingPoint, spec: FinetuneSpec, report: ReportStep | None = None
    ) -> None:
        self._data, self._spec, self._report = data, spec, report
        self._start = build_network(start.config, data.montage, seed=spec.seed, encoder=start.encoder)
        self._trunk: TrunkOutputs | None = None
        if start.encoder is not None:
            self._trunk = run_trunk(self._start, data.x, spec)

    def __call__(self, train: NDArray[np.bool_], what: str) -> NeurIPTNetwork:
        """Fit to the windows of a mask."""

        def progress(step: int, total: int, _loss: float) -> None:
            if self._report is not None:
                self._report(what, step, total)

        y, spec = self._data.y[train], self._spec
        if self._trunk is None:
            return finetune(self._start, self._data.x[train], y, spec, probe=False, progress=progress)
        return finetune_top(self._start, self._trunk, np.flatnonzero(train), y, spec, progress=progress)


def held_out_log_proba(
    data: Dataset, blocks: Sequence[Masks], branches: Sequence[str], network_fit: NetworkFit | None
) -> dict[str, NDArray[np.float64]]:
    """Log-probabilities of every window from decoders that did not see its block, shape (n_windows, n_classes).

    Parameters
    ----------
    data : Dataset
        Windows with their trials.
    blocks : sequence of (ndarray of bool, ndarray of bool), each of shape (n_windows,)
        Windows to train on and windows to test on, for each block.
    branches : sequence of str
        Names of the branches to fit: `NETWORK`, `TANGENT`.
    network_fit : callable, optional
        Fits the network to the windows of a mask; None leaves the network out.

    Returns
    -------
    dict of str to ndarray, each of shape (n_windows, n_classes)
        Natural logarithms of the probabilities, keyed by baseline or branch.
    """
    from mne import use_log_level

    n_classes = len(data.classes)
    out = {name: np.zeros((len(data.x), n_classes)) for name in [*BASELINES, *branches]}
    for fold, (train, test) in enumerate(blocks):
        x_train, x_test = data.x[train], data.x[test]
        for name, make in BASELINES.items():
            with use_log_level("ERROR"):
                pipeline = make(data.sfreq).fit(x_train.astype(np.float64), data.y[train])
            proba = pipeline.predict_proba(x_test.astype(np.float64))
            out[name][test] = np.log(np.clip(proba, 1e-9, 1))
        if TANGENT in branches:
            branch = fit_tangent_branch(x_train, data.y[train], sfreq=data.sfreq, n_outputs=n_classes)
            out[TANGENT][test] = log_softmax(predict_logits(branch, x_test), axis=1)
        if network_fit is not None:
            network = network_fit(train, f"network, block {fold + 1} of {len(blocks)}")
            out[NETWORK][test] = log_softmax(predict_logits(network, x_test), axis=1)
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
