"""What can be compared in an evaluation: NeurIPT in several ways, and what stands beside it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuript.errors import NeuriptError
from neuript.modelfile.checkpoint import load_checkpoint
from neuript.network.config import PRESETS, NetworkConfig, PresetName
from neuript.network.network import NeurIPTNetwork
from neuript.training.evaluate.nets import NETS, build_net
from neuript.training.evaluate.plain_methods import fit_baseline
from neuript.training.evaluate.svm_probe import ProbeSpec, draw, extract, probe
from neuript.training.fitting.build import build_network, network_config
from neuript.training.fitting.forward import predict
from neuript.training.fitting.plain import CANDIDATES
from neuript.training.fitting.supervised import SupervisedSpec, train_supervised
from neuript.training.fitting.training_loop import Fitted

if TYPE_CHECKING:
    from torch import Tensor, nn

    from neuript.modelfile.manifest import Manifest
    from neuript.training.evaluate.protocols.eval_data import EvalData

METHODS: dict[str, str] = {
    "ts-lr": "tangent space of covariances, logistic regression",
    "csp-lda": "common spatial patterns, shrinkage LDA",
    "band-power": "log power of four rhythms per channel, logistic regression",
    "eegnet": "EEGNet of braindecode",
    "shallow": "ShallowFBCSPNet of braindecode",
    "scratch": "NeurIPT from random weights",
    "finetune": "NeurIPT from a pretrained encoder (--checkpoint)",
    "reinit": "NeurIPT from random weights, where fine-tuning saturated early",
    "probe": "SVM on frozen features of the pretrained encoder (--checkpoint)",
    "probe-random": "SVM on frozen features of an encoder of random weights",
}
"""Description of every method, keyed by its name."""
DETERMINISTIC = frozenset(CANDIDATES)
"""Methods that need one seed, given all training windows."""
PRETRAINED = frozenset({"finetune", "probe"})
SPLITS = ("val", "test")
_DEFAULT_SIZE: PresetName = "tiny"
_NOT_SHAPE = ("architecture", "dropout", "attention_dropout")
_WIDTHS = tuple(dict.fromkeys(name for widths in PRESETS.values() for name in widths))

NET_SPECS: dict[str, SupervisedSpec] = {
    "eegnet": SupervisedSpec(n_epochs=40, batch_size=32, max_lr=3e-3, loss="ce", kappa=1.0, patience=10),
    "shallow": SupervisedSpec(n_epochs=15, batch_size=32, max_lr=3e-4, loss="ce", kappa=1.0, patience=5),
}
"""Trained with prior-corrected softmax: the same balance that the others get by weights. The learning
rates come from one look at the validation people of mental arithmetic."""


def default_methods(*, pretrained: bool) -> tuple[str, ...]:
    """Names of all methods that can run with, or without, a pretrained encoder (`reinit` is asked for apart)."""
    return tuple(name for name in METHODS if name != "reinit" and (pretrained or name not in PRETRAINED))


@dataclass(frozen=True, kw_only=True)
class MethodSpec:
    """How the methods are trained; the seeds in here are overruled by the run's."""

    size: PresetName | None = None
    """Width of NeurIPT without an encoder to start from (None: "tiny"); with one it must not say otherwise."""
    model: dict[str, Any] = field(default_factory=dict)
    """Further fields of `NetworkConfig`; with a checkpoint such as change no encoder weight."""
    scratch: SupervisedSpec = field(default_factory=SupervisedSpec)
    finetune: SupervisedSpec = field(default_factory=SupervisedSpec)
    nets: dict[str, SupervisedSpec] = field(default_factory=lambda: dict(NET_SPECS))
    probe: ProbeSpec = field(default_factory=ProbeSpec)
    device: str = "cpu"


@dataclass(frozen=True)
class Pretrained:
    """An encoder to start from."""

    path: Path
    manifest: Manifest
    state: dict[str, Tensor]

    @classmethod
    def load(cls, path: str | Path) -> Pretrained:
        """Read a checkpoint of an encoder or classifier."""
        manifest, state = load_checkpoint(path)
        return cls(Path(path), manifest, state)


@dataclass(frozen=True)
class Outcome:
    """What a method says about validation and test windows.

    Attributes
    ----------
    proba : dict of str to ndarray, shape (n, K)
        Class probabilities of the windows of each split, "val" and "test".
    about : dict
        What was chosen or happened, as JSON values.
    """

    proba: dict[str, NDArray[np.float64]]
    about: dict[str, Any]


Progress = Callable[[str], None]


def settings_of(method: str, spec: MethodSpec, start: Pretrained | None) -> dict[str, Any]:
    """Return what decides a method's result beside data, seed and fraction, as JSON values.

    Raises
    ------
    NeuriptError
        If the method needs a pretrained encoder and none is given.
    """
    from dataclasses import asdict

    network: dict[str, Any] = {"size": spec.size or _DEFAULT_SIZE, "model": spec.model}
    if method in CANDIDATES:
        return {}
    if method in NETS:
        return {"train": _plain(asdict(spec.nets[method]))}
    if method in PRETRAINED:
        if start is None:
            raise NeuriptError(f"the method {method!r} needs a pretrained encoder: --checkpoint")
        network = {"encoder": start.manifest.weights_sha256, "model": spec.model}
    elif start is not None:
        network = {"shape": _shape(start), "model": spec.model}
    if method in ("probe", "probe-random"):
        return network | {"probe": _plain(asdict(spec.probe))}
    train = spec.finetune if method in ("finetune", "reinit") else spec.scratch
    return network | {"train": _plain(asdict(train))}


def run_method(
    method: str,
    data: EvalData,
    kept: NDArray[np.int64],
    seed: int,
    spec: MethodSpec,
    start: Pretrained | None = None,
    say: Progress = lambda _: None,
) -> Outcome:
    """Fit a method on some training windows and let it judge validation and test windows.

    Parameters
    ----------
    method : str
        Name of the method, one of `METHODS`.
    data : EvalData
        Windows in volts with their people and split.
    kept : ndarray, shape (n_train,)
        Indices of the training windows to use.
    seed : int
        Seed of the initial weights, the batches, the draws and the folds.
    spec : MethodSpec
        Settings of all methods.
    start : Pretrained, optional
        The pretrained encoder, for the methods that need one.
    say : callable
        Called with a line of text after each epoch.

    Returns
    -------
    Outcome
        Class probabilities of the validation and test windows, and what was chosen.

    Raises
    ------
    NeuriptError
        If the method does not exist, lacks its encoder or package, or cannot be fitted.
    """
    if method not in METHODS:
        raise NeuriptError(f"there is no method {method!r}; choose {', '.join(METHODS)}")
    train = data.select(kept)
    if method in CANDIDATES:
        fit = fit_baseline(method, train, _windows(data, "val"), sfreq=data.sfreq, n_outputs=data.n_outputs)
        proba = {split: fit.predict_proba(data.of(split).x) for split in SPLITS}
        return Outcome(proba, fit.chosen)
    if method in ("probe", "probe-random"):
        encoder = _encoder(method, data, spec, start, seed)
        return _probe(encoder, data, train, replace(spec.probe, seed=seed))
    if method in NETS:
        net = build_net(method, train.x, n_outputs=data.n_outputs, sfreq=data.sfreq, seed=seed).to(spec.device)
        return _supervised(net, data, train, replace(spec.nets[method], seed=seed), say)
    how = spec.finetune if method in ("finetune", "reinit") else spec.scratch
    encoder = _encoder(method, data, spec, start, seed)
    return _supervised(encoder, data, train, replace(how, seed=seed), say)


def build_classifier(
    data: EvalData, spec: MethodSpec, start: Pretrained | None, seed: int, *, pretrained: bool = True
) -> NeurIPTNetwork:
    """Return an untrained classifier for the windows, around a pretrained encoder if one is given.

    Two classes get one logit, as in the paper, unless `spec.model` says otherwise. `pretrained=False`
    takes the shape of the encoder and random weights.

    Parameters
    ----------
    data : EvalData
        Windows with their montage and classes.
    spec : MethodSpec
        Settings of the network.
    start : Pretrained, optional
        The pretrained encoder; None builds the network of `spec.size`.
    seed : int
        Seed of the initial weights.
    pretrained : bool
        Whether the weights of `start` are taken over.
    """
    config = model_config(data, spec, start)
    if start is None or not pretrained:
        return build_network(config, data.montage, seed=seed)
    names = start.manifest.ch_names
    return build_network(config, data.montage, seed=seed, encoder=start.state, encoder_channels=names)


def model_config(data: EvalData, spec: MethodSpec, start: Pretrained | None) -> NetworkConfig:
    """Return the configuration of `build_classifier`'s model, or refuse it.

    It has the shape of the encoder where there is one, so that what was pretrained and what was not
    differ in nothing else; the dropout of the pretraining is not taken over.

    Raises
    ------
    NeuriptError
        A field is not known or its value not allowed, or `spec.size` is not the encoder's.
    """

    def config(shape: str | Mapping[str, Any]) -> NetworkConfig:
        return network_config(shape, n_outputs=data.n_outputs, n_times=data.n_times, options=spec.model)

    if start is None:
        return config(spec.size or _DEFAULT_SIZE)
    of_encoder = config(_shape(start))
    if spec.size is not None:
        _require_same_widths(start.path, of_encoder, spec.size, config(spec.size))
    return of_encoder


def _shape(start: Pretrained) -> dict[str, Any]:
    return {k: v for k, v in start.manifest.model.items() if k not in _NOT_SHAPE}


def _require_same_widths(path: Path, encoder: NetworkConfig, size: PresetName, wanted: NetworkConfig) -> None:
    differ = [n for n in _WIDTHS if getattr(encoder, n) != getattr(wanted, n)]
    if differ:
        theirs = ", ".join(f"{n} {getattr(encoder, n)}" for n in differ)
        ours = ", ".join(f"{n} {getattr(wanted, n)}" for n in differ)
        raise NeuriptError(
            f"the encoder {path} has {theirs}, and --size {size} means {ours}; leave --size out (all networks "
            "then have the encoder's shape), or give an encoder of that size"
        )


def check_methods(methods: Sequence[str], data: EvalData, spec: MethodSpec, start: Pretrained | None) -> None:
    """Refuse before hours of work what cannot be built.

    Raises
    ------
    NeuriptError
        If a method lacks its encoder, the encoder does not fit, or a model option is wrong.
    """
    needy = sorted(PRETRAINED.intersection(methods))
    if needy and start is None:
        raise NeuriptError(f"{', '.join(needy)} needs a pretrained encoder: --checkpoint")
    if needy:
        build_classifier(data, spec, start, 0)
    if {"scratch", "probe-random"}.intersection(methods):
        model_config(data, spec, start)


def saturated(fitted: Fitted, spec: SupervisedSpec) -> bool:
    """Whether validation was best within the first tenth of the epochs.

    A reading of "validation saturates early", after which the paper starts again from random weights.
    """
    return fitted.best_epoch <= max(1, spec.n_epochs // 10)


def _encoder(method: str, data: EvalData, spec: MethodSpec, start: Pretrained | None, seed: int) -> NeurIPTNetwork:
    if method in PRETRAINED and start is None:
        raise NeuriptError(f"the method {method!r} needs a pretrained encoder: --checkpoint")
    return build_classifier(data, spec, start, seed, pretrained=method in PRETRAINED).to(spec.device)


def _supervised(model: nn.Module, data: EvalData, train: EvalData, spec: SupervisedSpec, say: Progress) -> Outcome:
    def progress(entry: dict[str, float]) -> None:
        text = ", ".join(f"{k} {v:.4g}" for k, v in entry.items() if k != "epoch")
        say(f"epoch {entry['epoch']:.0f}/{spec.n_epochs}: {text}")

    fitted = train_supervised(model, train, _windows(data, "val"), spec, progress)
    proba = {split: predict(fitted.model, data.of(split).x, precision=spec.precision) for split in SPLITS}
    about = {
        "best_epoch": fitted.best_epoch,
        "n_epochs": len(fitted.history),
        "diverged": fitted.diverged,
        "saturated": saturated(fitted, spec),
        "history": fitted.history,
        "parameters": sum(p.numel() for p in fitted.model.parameters()),
    }
    return Outcome(proba, about)


def _probe(model: NeurIPTNetwork, data: EvalData, train: EvalData, spec: ProbeSpec) -> Outcome:
    features = extract(model, train.x, spec.features)
    judged = [extract(model, data.of(split).x, spec.features) for split in SPLITS]
    results = probe(features, train.y, train.subject, judged, spec)
    proba = {split: result.proba for split, result in zip(SPLITS, results, strict=True)}
    about = {
        **results[0].chosen,
        "cv_score": results[0].cv_score,
        "folds": results[0].folds,
        "n_features": features.shape[1],
    }
    if spec.n_test is not None:
        about["test_rows"] = draw(data.of("test").y, spec.n_test, spec.seed).tolist()
    return Outcome(proba, about)


def _windows(data: EvalData, split: str) -> EvalData | None:
    windows = data.of(split)
    return windows if len(windows) else None


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """Return the values without the seed, which is the run's."""
    return {k: v for k, v in values.items() if k != "seed"}
