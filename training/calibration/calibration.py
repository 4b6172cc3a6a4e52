"""Calibration from recordings: events, windows through the causal chain, blocked cross-validation, a model file.

What is reported is what was held out: every number of the report comes from blocks of trials that the decoder in
question had not seen, for the network and for the plain baselines alike (`docs/method.md`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import log_softmax

import neuript.weights
from neuript.errors import NeuriptError
from neuript.modelfile.checkpoint import load_checkpoint
from neuript.network.config import NetworkConfig, PresetName, preset
from neuript.network.network import NeurIPTNetwork
from neuript.network.stack import HybridClassifier
from neuript.realtime.decoding.scoring import ScoreCard, TrialScore
from neuript.training.calibration.dataset import Dataset
from neuript.training.fitting.build import build_network
from neuript.training.fitting.crossval import blocked_folds, overlaps, split
from neuript.training.fitting.forward import predict_logits
from neuript.training.fitting.plain import BASELINES, fit_tangent_branch
from neuript.training.fitting.plain_features import N_TAPS
from neuript.training.fitting.top_blocks import FinetuneSpec, TrunkOutputs, finetune, finetune_top, run_trunk

NETWORK, TANGENT, STACK = "NeurIPT", "Riemannian branch", "Stack (published)"
MIN_BRANCH_WEIGHT = 0.05
"""A branch with less weight than this in the stack is left out of the model."""
MIN_GAIN_NATS = 0.01
"""Smallest improvement of the held-out log-likelihood per trial for which a second branch is worth its time."""

PRETRAINED = Path(next(iter(neuript.weights.__path__))) / "twin-micro.safetensors"
"""The encoder shipped with the package."""
EARLY_MERGES = (4, 1, 1, 2, 1, 2)
"""The published merges with the first one moved to the front: half the arithmetic, tokens of 62 ms from the start."""

Masks = tuple[NDArray[np.bool_], NDArray[np.bool_]]
"""Windows to train on and windows to test on."""
MIN_N_TIMES = N_TAPS + 31
"""Half a second of the window is left when the filters of the Riemannian branch have settled (1.5 s at 64 Hz)."""

Report = Callable[[str, int, int], None]
"""Progress: what is being done, steps done, steps in all."""


@dataclass(frozen=True, kw_only=True)
class CalibrationSpec:
    """Settings of a calibration, fixed before any data are seen."""

    config: NetworkConfig
    """Shape of the network."""
    n_folds: int = 4
    finetune: FinetuneSpec = field(default_factory=FinetuneSpec)
    encoder: dict[str, torch.Tensor] | None = None
    """Pretrained weights to start from; None starts at random and trains all blocks."""
    encoder_simulated: bool = False
    """Whether these were trained on simulated people; the model then says so."""
    branches: tuple[str, ...] = (NETWORK, TANGENT)
    """Branches that may enter the stack."""


@dataclass(frozen=True, slots=True)
class CalibrationResult:
    """A fitted model and what blocked cross-validation says of it.

    Attributes
    ----------
    module : HybridClassifier
        Windows in volts (B, D, T) to logits, in eval mode.
    scores : dict of str to ScoreCard
        Held-out trial scores of each decoder, on the same trials.
    weights : tuple of two floats
        Network and Riemannian branch in the stack.
    nll : dict of str to float
        Held-out negative log-likelihood per trial of each branch and of the stack, in nats.
    simulated : bool
        Whether the model rests on the digital twin: the recordings, or the weights that its network started from.
    """

    module: HybridClassifier
    scores: dict[str, ScoreCard]
    weights: tuple[float, float]
    nll: dict[str, float]
    simulated: bool = False

    def describe(self) -> dict[str, Any]:
        """How to build the module again, for the manifest."""
        network = self.module.network
        config = network.config.to_dict() if isinstance(network, NeurIPTNetwork) else None
        return {"architecture": "hybrid", "network": config, "weights": list(self.weights)}


@dataclass(frozen=True, slots=True)
class StartingPoint:
    """Where the network of a calibration starts from.

    Attributes
    ----------
    config : NetworkConfig
        Its shape, with the read-out for the person's classes.
    encoder : dict of Tensor, or None
        Pretrained weights; None for random ones.
    simulated : bool
        Whether these were trained on simulated people.
    """

    config: NetworkConfig
    encoder: dict[str, torch.Tensor] | None = None
    simulated: bool = False


def starting_point(network: str, n_outputs: int, n_times: int) -> StartingPoint:
    """Shape of a network and the weights it starts from.

    Parameters
    ----------
    network : str
        "pretrained": the encoder shipped with the package (its model card says on what it was trained); "micro",
        "tiny": random weights of that size; "none": the shape of micro; else a checkpoint of `neuript-train pretrain`.
    n_outputs, n_times : int
        Classes and samples of a window.

    Raises
    ------
    NeuriptError
        Where there is no such checkpoint, or it is damaged.
    """
    if network in ("micro", "tiny", "none"):
        name: PresetName = "tiny" if network == "tiny" else "micro"
        return StartingPoint(preset(name, n_outputs=n_outputs, n_times=n_times, merges=EARLY_MERGES))
    path = PRETRAINED if network == "pretrained" else Path(network)
    if not path.is_file():
        raise NeuriptError(
            f"this installation has no pretrained encoder ({path.name}); choose --network micro, tiny or none"
            if network == "pretrained"
            else f"--network {network} is no checkpoint file; give one of `neuript-train pretrain`, or pretrained, "
            "micro, tiny or none"
        )
    manifest, state = load_checkpoint(path)
    config = for_calibration(NetworkConfig.from_dict(manifest.model), n_outputs, n_times)
    return StartingPoint(config, state, manifest.simulated)


def for_calibration(config: NetworkConfig, n_outputs: int, n_times: int) -> NetworkConfig:
    """Return a pretrained encoder's configuration with the head that few trials can bear.

    The last two blocks are pooled over time for each channel alone (as the paper does for Sleep-EDFx), because the
    lobes of a small cap average the two hand areas into one.
    """
    return replace(
        config, n_outputs=n_outputs, n_times=n_times, pooling="channels", class_layers=2, pool_embedding=False
    )


def calibrate(data: Dataset, spec: CalibrationSpec, report: Report | None = None) -> CalibrationResult:
    """Cross-validate, stack, and fit the final model on everything.

    Raises
    ------
    NeuriptError
        When the trials cannot be cut into blocks (too few, or a class in one block only), or the windows are too short.
    """
    n_times = data.x.shape[-1]
    if n_times < MIN_N_TIMES:
        raise NeuriptError(
            f"windows of {n_times / data.sfreq:g} s are too short for rhythms of 8 Hz and more; use at least "
            f"--window {MIN_N_TIMES / data.sfreq:g}"
        )
    folds = _masks(data, spec.n_folds)
    network_fit = _NetworkFit(data, spec, report) if NETWORK in spec.branches else None
    held_out = _held_out_log_proba(data, spec, folds, network_fit)
    scores = {name: _score(log_proba, data) for name, log_proba in held_out.items()}
    branches = [held_out[name] for name in spec.branches]
    stacked = _nested_stack(branches, data, folds)
    scores[STACK] = _score(stacked, data)
    nll = {name: _nll(held_out[name], data) for name in spec.branches}
    nll[STACK] = _nll(stacked, data)

    weights = dict(zip(spec.branches, _fit_stack(branches, data).tolist(), strict=True))
    pair = (weights.get(NETWORK, 0.0), weights.get(TANGENT, 0.0))
    network = tangent = None
    if network_fit is not None and pair[0] > 0:
        network = network_fit(np.ones(len(data.x), dtype=bool), "final network")
    if pair[1] > 0:
        tangent = fit_tangent_branch(data.x, data.y, sfreq=data.sfreq, n_outputs=len(data.classes))
    module = HybridClassifier(network, tangent, pair, torch.zeros(len(data.classes))).eval()
    twin_weights = network is not None and spec.encoder is not None and spec.encoder_simulated
    return CalibrationResult(module, scores, pair, nll, simulated=twin_weights or data.manifest.simulated)


def _masks(data: Dataset, n_folds: int) -> list[Masks]:
    """Blocks of trials; training windows that share samples with a block that is held out are left out with it."""
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


class _NetworkFit:
    """Fits the network to parts of the data; the lower blocks run once for all parts."""

    def __init__(self, data: Dataset, spec: CalibrationSpec, report: Report | None) -> None:
        self._data, self._spec, self._report = data, spec, report
        self._start = build_network(spec.config, data.montage, seed=spec.finetune.seed, encoder=spec.encoder)
        self._trunk: TrunkOutputs | None = None
        if spec.encoder is not None:
            self._trunk = run_trunk(self._start, data.x, spec.finetune)

    def __call__(self, train: NDArray[np.bool_], what: str) -> NeurIPTNetwork:
        """Fit to the windows of a mask."""

        def progress(step: int, total: int, _loss: float) -> None:
            if self._report is not None:
                self._report(what, step, total)

        y, spec = self._data.y[train], self._spec.finetune
        if self._trunk is None:
            return finetune(self._start, self._data.x[train], y, spec, probe=False, progress=progress)
        return finetune_top(self._start, self._trunk, np.flatnonzero(train), y, spec, progress=progress)


def _held_out_log_proba(
    data: Dataset, spec: CalibrationSpec, folds: Sequence[Masks], network_fit: _NetworkFit | None
) -> dict[str, NDArray[np.float64]]:
    """Log-probabilities of every window from decoders that did not see its block, shape (n_windows, n_classes)."""
    from mne import use_log_level

    n_classes = len(data.classes)
    out = {name: np.zeros((len(data.x), n_classes)) for name in [*BASELINES, *spec.branches]}
    for fold, (train, test) in enumerate(folds):
        x_train, x_test = data.x[train], data.x[test]
        for name, make in BASELINES.items():
            with use_log_level("ERROR"):
                pipeline = make(data.sfreq).fit(x_train.astype(np.float64), data.y[train])
            proba = pipeline.predict_proba(x_test.astype(np.float64))
            out[name][test] = np.log(np.clip(proba, 1e-9, 1))
        if TANGENT in spec.branches:
            branch = fit_tangent_branch(x_train, data.y[train], sfreq=data.sfreq, n_outputs=n_classes)
            out[TANGENT][test] = log_softmax(predict_logits(branch, x_test), axis=1)
        if network_fit is not None:
            network = network_fit(train, f"network, block {fold + 1} of {len(folds)}")
            out[NETWORK][test] = log_softmax(predict_logits(network, x_test), axis=1)
    return out


def _trial_log_proba(log_proba: NDArray[np.float64], data: Dataset) -> NDArray[np.float64]:
    """Log of the mean probability over the windows of each trial, shape (n_trials, n_classes); NaN without windows."""
    mean = np.full((len(data.trials), log_proba.shape[1]), np.nan)
    for i in range(len(data.trials)):
        mine = data.trial == i
        if mine.any():
            mean[i] = np.exp(log_proba[mine]).mean(axis=0)
    return np.asarray(np.log(np.clip(mean, 1e-9, 1)))


def _score(log_proba: NDArray[np.float64], data: Dataset) -> ScoreCard:
    rows = _trial_log_proba(log_proba, data)
    scored = []
    for i, trial in enumerate(data.trials):
        n_windows = int((data.trial == i).sum())
        predicted = data.classes[int(np.argmax(rows[i]))] if n_windows else None
        scored.append(TrialScore(trial, predicted, n_windows, ()))
    return ScoreCard(tuple(scored), data.classes)


def _nll(log_proba: NDArray[np.float64], data: Dataset) -> float:
    per_window = -log_proba[np.arange(len(data.x)), data.y]
    return float(np.mean([per_window[data.trial == i].mean() for i in np.unique(data.trial)]))


def _fit_stack(
    branches: Sequence[NDArray[np.float64]], data: Dataset, train: NDArray[np.bool_] | None = None
) -> NDArray[np.float64]:
    """Weights >= 0 of the branches' log-probabilities that fit held-out windows best; they hold the temperature.

    A weak pull towards an untempered mixture of equal parts keeps few trials from running away. One branch alone is
    kept when the others improve on it by less than `MIN_GAIN_NATS` per trial: what adds nothing should cost nothing
    live. Where no branch helps, the best one gets the smallest weight, so that the model stays close to "nothing
    known".
    """
    keep = np.ones(len(data.x), dtype=bool) if train is None else train
    stacked = np.stack([b[keep] for b in branches])  # (n_branches, n_windows, n_classes)
    y = data.y[keep]
    per_trial = 1.0 / np.bincount(data.trial[keep], minlength=len(data.trials))[data.trial[keep]]
    n_trials = per_trial.sum()

    def misfit(w: NDArray[np.float64]) -> float:
        log_p = log_softmax(np.tensordot(w, stacked, axes=1), axis=1)
        return -float((per_trial * log_p[np.arange(len(y)), y]).sum())

    def fit(allowed: NDArray[np.float64]) -> NDArray[np.float64]:
        prior = allowed / allowed.sum()

        def loss(w: NDArray[np.float64]) -> float:
            return misfit(w) + 0.5 * float(((w - prior) ** 2).sum())

        best = minimize(loss, prior, method="L-BFGS-B", bounds=[(0.0, 5.0 * a) for a in allowed])
        return np.where(best.x < MIN_BRANCH_WEIGHT, 0.0, best.x)

    candidates = [fit(unit) for unit in np.eye(len(branches))]
    alone = min(candidates, key=misfit)
    together = fit(np.ones(len(branches)))
    weights = together if misfit(together) < misfit(alone) - MIN_GAIN_NATS * n_trials else alone
    if not weights.any():
        floor = [misfit(MIN_BRANCH_WEIGHT * unit) for unit in np.eye(len(branches))]
        weights[int(np.argmin(floor))] = MIN_BRANCH_WEIGHT
    return weights


def _nested_stack(
    branches: Sequence[NDArray[np.float64]], data: Dataset, folds: Sequence[Masks]
) -> NDArray[np.float64]:
    """Held-out log-probabilities of the stack: its weights, too, never see the block they are applied to."""
    out = np.zeros_like(branches[0])
    for train, test in folds:
        weights = _fit_stack(branches, data, train)
        out[test] = log_softmax(np.tensordot(weights, np.stack([b[test] for b in branches]), axes=1), axis=1)
    return out


def summary(result: CalibrationResult) -> dict[str, Any]:
    """Figures of a calibration for the manifest and the report, JSON-safe."""
    figures: dict[str, Any] = {}
    for name, card in result.scores.items():
        low, high = card.interval
        figures[name] = {
            "accuracy": round(card.accuracy, 4),
            "balanced_accuracy": round(card.balanced_accuracy, 4),
            "interval_95": [round(low, 4), round(high, 4)],
            "n_trials": card.n_trials,
            "chance_bound_5": round(card.bound, 4),
        }
        if name in result.nll:
            figures[name]["nll_per_trial"] = round(result.nll[name], 4)
    return {
        "protocol": "blocked cross-validation over contiguous blocks of trials; unit: trial",
        "decoders": figures,
        "stack_weights": {"network": round(result.weights[0], 4), "riemannian": round(result.weights[1], 4)},
    }
