"""Supervised training on labelled windows: NeurIPT classifiers and any other network, alike.

The same batches, schedule, early stopping and choice of the epoch serve NeurIPT (from scratch or
from a pretrained encoder) and the networks that stand beside it, so that a difference between them
is a difference between networks.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import partial
from typing import Literal, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from neuript import specs
from neuript.errors import NeuriptError
from neuript.network.config import Precision
from neuript.network.layers import Dropout
from neuript.network.network import NeurIPTNetwork
from neuript.specs import require
from neuript.training.fitting.augment import AugmentSpec
from neuript.training.fitting.forward import autocast, device_of, pooled_features, predict_logits, probabilities, seeded
from neuript.training.fitting.heads import MAX_PROBE_WINDOWS, HeadStart, probe_head, zero_head
from neuript.training.fitting.losses import BalancedBCE, BalancedCrossEntropy
from neuript.training.fitting.metrics import balanced_accuracy, confusion
from neuript.training.fitting.schedules import OneCycle
from neuript.training.fitting.training_loop import (
    EpochProgress,
    Fitted,
    Forward,
    LoopSpec,
    ParameterGroup,
    Select,
    Stage,
    TrainingLoop,
    window_forward,
)
from neuript.training.windows.labelled import LabelledWindows

Loss = Literal["bal_bce", "ce"]


@dataclass(frozen=True, kw_only=True)
class SupervisedSpec:
    """Hyper-parameters of one supervised training; checked when built.

    The defaults suit the small widths from scratch. Ranges in the field descriptions are the
    paper's grid (its Table 15).

    Raises
    ------
    NeuriptError
        If a value is out of its range, naming the field.
    """

    n_epochs: int = 30
    """Passes over the training windows (10 to 150)."""
    batch_size: int = 16
    """Windows per step (4 to 64)."""
    max_lr: float = 1e-4
    """Peak learning rate (1e-6 to 1e-4); of the head, where a model has `head` and `encoder`."""
    encoder_lr_scale: float = 1.0
    """Learning rate of all but the head, as a share of the head's."""
    div: float = 5.0
    """The schedule starts at max_lr / div (1 to 5)."""
    final_div: float = 1e3
    """It ends at max_lr / div / final_div (1 to 1e5)."""
    warmup: float = 0.15
    """Share of the steps on the way up (0 to 0.3)."""
    weight_decay: float = 5e-3
    dropout: float | None = None
    """Dropout rate of every dropout layer (0 to 0.5); None leaves them as they were built."""
    loss: Loss = "bal_bce"
    """"bal_bce": one against rest with prior-corrected logits (the paper); "ce": softmax."""
    kappa: float = 0.3
    """Strength of the prior correction (0 to 0.3; 1 is the paper's formula)."""
    aux_weight: float = 0.8
    """Weight of the experts' balance loss (0.8 to 1)."""
    freeze_epochs: int = 0
    """So many epochs train the head alone (0 to 50), on features computed once without dropout."""
    head_start: HeadStart | None = None
    """"zero", "probe" (ridge regression on the features) or "random" (as built); None: "zero" for
    a NeurIPT classifier, "random" for other networks."""
    patience: int | None = 3
    """Stop after so many epochs without a better validation loss; None: never. Epochs of the
    frozen encoder do not count."""
    select: Select = "val_ba"
    """Weights to return: of the best validation balanced accuracy (ties: lower validation loss),
    of the lowest validation loss, or the last."""
    precision: Precision = "fp32"
    max_grad_norm: float = 1.0
    augment: AugmentSpec | None = None
    """Augmentation of the training windows; None trains on them as they are."""
    seed: int = 520

    def __post_init__(self) -> None:
        specs.check_types(self)
        for name in ("max_lr", "div", "final_div", "max_grad_norm"):
            require(getattr(self, name) > 0, self, name, "a positive number")
        for name in ("encoder_lr_scale", "weight_decay", "kappa", "aux_weight"):
            require(getattr(self, name) >= 0, self, name, "0 or more")
        require(self.n_epochs >= 0, self, "n_epochs", "0 or more")
        require(self.batch_size >= 1, self, "batch_size", "at least 1")
        require(0 <= self.warmup < 1, self, "warmup", "in [0, 1)")
        require(self.freeze_epochs >= 0, self, "freeze_epochs", "0 or more")
        require(self.dropout is None or 0 <= self.dropout < 1, self, "dropout", "in [0, 1)")
        require(self.patience is None or self.patience >= 1, self, "patience", "at least 1")

    def loop(self) -> LoopSpec:
        """Return what the training loop is told."""
        return LoopSpec(
            batch_size=self.batch_size,
            max_lr=self.max_lr,
            schedule=OneCycle(warmup=self.warmup, div=self.div, final_div=self.final_div),
            weight_decay=self.weight_decay,
            max_grad_norm=self.max_grad_norm,
            aux_weight=self.aux_weight,
            select=self.select,
            patience=self.patience,
        )


def train_supervised(
    model: nn.Module,
    train: LabelledWindows,
    val: LabelledWindows | None,
    spec: SupervisedSpec | None = None,
    progress: EpochProgress | None = None,
) -> Fitted:
    """Train a copy of `model` on labelled windows.

    Parameters
    ----------
    model : nn.Module
        A `NeurIPTNetwork`, or any module from (B, D, T) in volts to logits (B, K), or (B, 1)
        for two classes. A module with `head`, `encoder` and `features` is treated as a
        `NeurIPTNetwork`. Not changed.
    train : LabelledWindows
        Training windows in volts, with their classes.
    val : LabelledWindows, optional
        Validation windows, which choose the epoch. Without them, the last epoch is returned and nothing stops early.
    spec : SupervisedSpec, optional
        Hyper-parameters; None takes the defaults.
    progress : callable, optional
        Called after each epoch with its entry of the history.

    Returns
    -------
    Fitted
        The trained copy and its history. The same arguments give the same weights on one kind of machine and number of
        threads.

    Raises
    ------
    NeuriptError
        If a class has no training window, or the loss is no number before the first epoch ended.
    """
    spec = spec or SupervisedSpec()
    for name, windows in (("training", train), ("validation", val)):
        if windows is not None and not len(windows):
            raise ValueError(f"there are no {name} windows")
    model = copy.deepcopy(model)
    if spec.dropout is not None:
        set_dropout(model, spec.dropout)
    n_logits = predict_logits(model, train.x[:1]).shape[1]
    loss = balanced_loss(train.class_counts(max(2, n_logits)), n_logits, spec).to(device_of(model))
    validate = None if val is None else partial(_validate, model, val, loss, spec.precision)
    generator = torch.Generator().manual_seed(spec.seed)
    y, groups = torch.as_tensor(train.y, dtype=torch.int64), parameter_groups(model, spec.encoder_lr_scale)
    loop = TrainingLoop(model, groups, y, loss, spec.loop(), generator)
    with seeded(spec.seed, device_of(model)):  # dropout and router noise draw from the global generator
        features = _start_head(model, train, loss.bias.cpu(), spec)
        return loop.run(_stages(model, train, features, generator, spec), validate=validate, after_epoch=progress)


def has_head(model: nn.Module) -> bool:
    """Whether a model has a head on an encoder's features, as `NeurIPTNetwork` has."""
    return all(hasattr(model, part) for part in ("head", "encoder", "features"))


def parameter_groups(model: nn.Module, encoder_lr_scale: float) -> list[ParameterGroup]:
    """All parameters of a model, in two groups where it has a head."""
    if not has_head(model):
        return [ParameterGroup(list(model.parameters()))]
    head = list(cast(nn.Module, model.head).parameters())
    of_head = {id(p) for p in head}
    others = [p for p in model.parameters() if id(p) not in of_head]
    return [ParameterGroup(others, encoder_lr_scale), ParameterGroup(head)]


def set_dropout(model: nn.Module, rate: float) -> None:
    """Set the rate of every dropout layer of `model`, also that on attention weights."""
    for module in model.modules():
        if isinstance(module, Dropout | nn.Dropout | nn.Dropout1d | nn.Dropout2d):
            module.p = rate


def balanced_loss(counts: NDArray[np.int64], n_logits: int, spec: SupervisedSpec) -> BalancedBCE | BalancedCrossEntropy:
    """Return the loss that `spec` asks for.

    Parameters
    ----------
    counts : ndarray, shape (n_classes,)
        Number of training windows of each class.
    n_logits : int
        Outputs of the model: one per class, or one for two classes.
    spec : SupervisedSpec
        Kind of the loss and strength of its correction.

    Raises
    ------
    NeuriptError
        If a class has no training window.
    """
    if n_logits == 1 and spec.loss == "ce":
        raise ValueError("loss='ce' needs one logit per class; use 'bal_bce' for a single one")
    if len(counts) > max(2, n_logits):
        raise ValueError(f"classes go up to {len(counts) - 1}, but the model has {max(2, n_logits)} outputs")
    if missing := np.flatnonzero(counts == 0).tolist():
        raise NeuriptError(
            f"no training window of class {', '.join(map(str, missing))}; every class needs "
            "at least one: take a larger share of the data"
        )
    return (BalancedBCE if spec.loss == "bal_bce" else BalancedCrossEntropy)(counts, spec.kappa)


def _start_head(model: nn.Module, train: LabelledWindows, bias: Tensor, spec: SupervisedSpec) -> Tensor | None:
    """Initialise the head; return the features of all training windows if frozen epochs need them."""
    start = spec.head_start or ("zero" if has_head(model) else "random")
    if not has_head(model):
        if spec.freeze_epochs or start != "random":
            raise ValueError(
                f"{type(model).__name__} has no encoder and head; freeze_epochs and head_start are for a NeurIPTNetwork"
            )
        return None
    network = cast(NeurIPTNetwork, model)
    if start == "zero":
        zero_head(network.head)
    features = pooled_features(network, train.x, precision=spec.precision) if spec.freeze_epochs else None
    if start == "probe":
        kept = _thinned(len(train), spec.seed)
        seen = pooled_features(network, train.x[kept], precision=spec.precision) if features is None else features[kept]
        probe_head(network.head, seen, torch.as_tensor(train.y[kept]), bias)
    return features


def _thinned(n: int, seed: int) -> slice | NDArray[np.int64]:
    """Which of `n` windows a closed-form head is started from: all, or as many as it can bear."""
    if n <= MAX_PROBE_WINDOWS:
        return slice(None)
    return np.sort(np.random.default_rng(seed).choice(n, MAX_PROBE_WINDOWS, replace=False))


def _stages(
    model: nn.Module, train: LabelledWindows, features: Tensor | None, generator: torch.Generator, spec: SupervisedSpec
) -> list[Stage]:
    """Epochs of the head alone, where there are features for them, and of the whole model."""
    frozen = 0 if features is None else min(spec.freeze_epochs, spec.n_epochs)
    whole = window_forward(model, train, generator, spec.augment, spec.precision)
    stages = [Stage(whole, spec.n_epochs - frozen)]
    if features is not None:
        stages.insert(0, Stage(_head_forward(model, features, spec.precision), frozen, may_stop=False))
    return stages


def _head_forward(model: nn.Module, features: Tensor, precision: Precision) -> Forward:
    """Return the `Forward` of the head alone, on features that were computed once."""
    head, device = cast(nn.Module, model.head), device_of(model)

    def forward(index: Tensor) -> tuple[Tensor, None]:
        with autocast(device, precision):
            return head(features[index].to(device)), None

    return forward


def _validate(model: nn.Module, val: LabelledWindows, loss: nn.Module, precision: Precision) -> dict[str, float]:
    """Balanced loss and balanced accuracy of the validation windows."""
    logits = predict_logits(model, val.x, precision=precision)
    device = device_of(model)
    value = loss(torch.as_tensor(logits).float().to(device), torch.as_tensor(val.y, dtype=torch.int64).to(device))
    proba = probabilities(logits)
    table = confusion(val.y, proba.argmax(axis=1), proba.shape[1])
    return {"val_loss": value.item(), "val_ba": balanced_accuracy(table)}
