"""One training loop for labelled windows: NeurIPT classifiers and any other network, alike.

The same batches, schedule, early stopping and choice of the epoch serve NeurIPT (from scratch or
from a pretrained encoder) and the networks that stand beside it, so that a difference between them
is a difference between networks.

Suffixes: B batch, D channels, T samples, K classes.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal, cast, get_args

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from neuript.errors import NeuriptError
from neuript.network.layers import Dropout
from neuript.training.fitting.augment import AugmentSpec, augment
from neuript.training.fitting.heads import MAX_PROBE_WINDOWS, HeadStart, probe_head, zero_head
from neuript.training.fitting.losses import BalancedBCE, BalancedCrossEntropy
from neuript.training.fitting.metrics import balanced_accuracy, confusion

Loss = Literal["bal_bce", "ce"]
Precision = Literal["bf16", "fp32"]
Select = Literal["val_ba", "val_loss", "last"]
Windows = tuple[NDArray[np.float32], NDArray[np.int64]]
"""Windows in volts, (n, n_chans, n_times), and their classes, (n,)."""
Progress = Callable[[dict[str, float]], None]
"""Called after each epoch with its entry of the history."""

BETAS = (0.9, 0.98)


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
        for name, kind in (("loss", Loss), ("precision", Precision), ("select", Select)):
            allowed = get_args(kind)
            _require(getattr(self, name) in allowed, self, name, f"one of {', '.join(allowed)}")
        starts = get_args(HeadStart)
        _require(self.head_start in (None, *starts), self, "head_start", f"one of {', '.join(starts)}")
        for name in ("max_lr", "div", "final_div", "max_grad_norm"):
            _require(0 < getattr(self, name) < math.inf, self, name, "a positive number")
        for name in ("encoder_lr_scale", "weight_decay", "kappa", "aux_weight"):
            _require(0 <= getattr(self, name) < math.inf, self, name, "0 or more")
        _require(self.n_epochs >= 0, self, "n_epochs", "0 or more")
        _require(self.batch_size >= 1, self, "batch_size", "at least 1")
        _require(0 <= self.warmup < 1, self, "warmup", "in [0, 1)")
        _require(self.freeze_epochs >= 0, self, "freeze_epochs", "0 or more")
        _require(self.dropout is None or 0 <= self.dropout < 1, self, "dropout", "in [0, 1)")
        _require(self.patience is None or self.patience >= 1, self, "patience", "at least 1")


@dataclass(frozen=True)
class Fitted:
    """A trained network and how it came about.

    Attributes
    ----------
    model
        In eval mode, with the weights of `best_epoch`.
    history
        One entry per epoch: epoch (from 1), train_loss, train_aux, lr, seconds and, with
        validation data, val_loss and val_ba.
    best_epoch
        The epoch of the weights; 0 if none was run.
    diverged
        Whether training ended early because the loss was no number any more.
    """

    model: nn.Module
    history: list[dict[str, float]]
    best_epoch: int
    diverged: bool = False


def train_supervised(
    model: nn.Module,
    train: Windows,
    val: Windows | None,
    spec: SupervisedSpec | None = None,
    progress: Progress | None = None,
) -> Fitted:
    """Train a copy of `model` on labelled windows.

    Parameters
    ----------
    model
        A `NeurIPTNetwork`, or any module from (B, D, T) in volts to logits (B, K), or (B, 1)
        for two classes. A module with `head`, `encoder` and `features` is treated as a
        `NeurIPTNetwork`. Not changed.
    train, val
        Windows and classes. Without `val`, the last epoch is returned and nothing stops early.
    spec
        Hyper-parameters.
    progress
        Called after each epoch.

    Returns
    -------
    Fitted
        The same arguments give the same weights on one kind of machine and number of threads.

    Raises
    ------
    NeuriptError
        If a class has no training window, or the loss is no number before the first epoch ended.
    """
    spec = spec or SupervisedSpec()
    model = copy.deepcopy(model)
    if spec.dropout is not None:
        set_dropout(model, spec.dropout)
    device = _device(model)
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices):  # dropout, router noise: from the global generator
        torch.manual_seed(spec.seed)
        return _Training(model, train, val, spec).run(progress)


def predict(
    model: nn.Module, x_BDT: NDArray[np.float32], *, batch_size: int = 64, precision: Precision = "fp32"
) -> NDArray[np.float64]:
    """Class probabilities (n, K) of windows (n, n_chans, n_times) in volts, in eval mode."""
    logits = predict_logits(model, x_BDT, batch_size=batch_size, precision=precision)
    return probabilities(logits).numpy()


def predict_logits(
    model: nn.Module, x_BDT: NDArray[np.float32], *, batch_size: int = 64, precision: Precision = "fp32"
) -> Tensor:
    """Logits of windows, float64 on the CPU, (n, K) or (n, 1); the mode of the model is kept."""
    was_training = model.training
    device = _device(model)
    model.eval()
    parts = []
    try:
        with torch.inference_mode():
            for x in _batches(x_BDT, np.arange(len(x_BDT)), batch_size):
                with _autocast(device, precision):
                    parts.append(model(x.to(device)).double().cpu())
    finally:
        model.train(was_training)
    return torch.cat(parts).clone()


def probabilities(logits_BK: Tensor) -> Tensor:
    """Softmax of logits (B, K), or both class probabilities of a single logit (B, 1)."""
    if logits_BK.shape[1] == 1:
        logits_BK = torch.cat([torch.zeros_like(logits_BK), logits_BK], dim=1)
    return logits_BK.softmax(dim=1)


def one_cycle(step: int, total: int, *, warmup: float, div: float, final_div: float) -> float:
    """Share of the peak learning rate at `step` of `total` (Smith and Topin 2018).

    A cosine from 1 / div up to 1, then one down to 1 / (div * final_div) in the last step: the
    values of `torch.optim.lr_scheduler.OneCycleLR`, which divides by zero where the way up is one
    step long.
    """
    start, end = 1 / div, 1 / (div * final_div)
    peak, last = warmup * total - 1, total - 1
    if step <= peak:
        return 1.0 if peak <= 0 else _cosine(start, 1.0, step / peak)
    return _cosine(1.0, end, (step - peak) / (last - peak))


def _cosine(first: float, last: float, share: float) -> float:
    return last + (first - last) / 2 * (1 + math.cos(math.pi * share))


def set_dropout(model: nn.Module, rate: float) -> None:
    """Set the rate of every dropout layer of `model`, also that on attention weights."""
    for module in model.modules():
        if isinstance(module, Dropout | nn.Dropout | nn.Dropout1d | nn.Dropout2d):
            module.p = rate


@dataclass
class _Best:
    """The weights to return, and the validation losses that stop the training."""

    select: Select
    epoch: int = 0
    state: dict[str, Tensor] = field(default_factory=dict)
    key: tuple[float, ...] | None = None
    lowest: float = math.inf
    waited: int = 0

    def offer(self, model: nn.Module, entry: dict[str, float]) -> None:
        key = self._key(entry)
        if self.key is None or key >= self.key:
            self.key, self.epoch = key, int(entry["epoch"])
            self.state = {k: v.detach().clone() for k, v in model.state_dict().items()}

    def count(self, val_loss: float) -> int:
        """Return the epochs since the lowest validation loss."""
        self.waited = 0 if val_loss < self.lowest else self.waited + 1
        self.lowest = min(self.lowest, val_loss)
        return self.waited

    def _key(self, entry: dict[str, float]) -> tuple[float, ...]:
        if self.select == "last" or "val_loss" not in entry:
            return (entry["epoch"],)
        if self.select == "val_loss":
            return (-entry["val_loss"],)
        return (entry["val_ba"], -entry["val_loss"])


class _Training:
    """State of one run of `train_supervised`."""

    def __init__(self, model: nn.Module, train: Windows, val: Windows | None, spec: SupervisedSpec) -> None:
        self.model, self.spec = model, spec
        self.device = _device(model)
        self.x = _check(train, "training")
        self.y = torch.as_tensor(train[1], dtype=torch.int64)
        self.val = None if val is None else (_check(val, "validation"), torch.as_tensor(val[1]))
        self.n_outputs = self._count_outputs()
        self.loss = self._criterion().to(self.device)
        self.generator = torch.Generator().manual_seed(spec.seed)
        self.is_split = all(hasattr(model, part) for part in ("head", "encoder", "features"))
        self.head = cast(nn.Module, model.head) if self.is_split else model
        self.step, self.total = 0, spec.n_epochs * -(-len(self.x) // spec.batch_size)
        self.optimizer = torch.optim.AdamW(self._groups(), lr=spec.max_lr, betas=BETAS, weight_decay=spec.weight_decay)

    def run(self, progress: Progress | None) -> Fitted:
        """Start the head, run the epochs, and return the chosen weights."""
        spec, best = self.spec, _Best(self.spec.select)
        features = self._start_head()
        history: list[dict[str, float]] = []
        diverged = False
        for epoch in range(1, spec.n_epochs + 1):
            started = time.perf_counter()
            frozen = epoch <= spec.freeze_epochs
            try:
                entry = {"epoch": float(epoch), **self._epoch(features if frozen else None)}
            except FloatingPointError:
                diverged = True
                break
            entry |= self._validate()
            entry["seconds"] = time.perf_counter() - started
            history.append(entry)
            if progress is not None:
                progress(entry)
            best.offer(self.model, entry)
            if frozen or self.val is None or spec.patience is None:
                continue
            if best.count(entry["val_loss"]) >= spec.patience:
                break
        if diverged and not best.state:
            raise NeuriptError(
                f"training diverged in its first epoch at max_lr={spec.max_lr:g}; use a smaller "
                "max_lr, head_start='zero', or fp32 in place of bf16"
            )
        if best.state:
            self.model.load_state_dict(best.state)
        self.model.zero_grad(set_to_none=True)
        return Fitted(self.model.eval(), history, best.epoch, diverged)

    def _count_outputs(self) -> int:
        n_logits = predict_logits(self.model, self.x[:1]).shape[1]
        if n_logits == 1 and self.spec.loss == "ce":
            raise ValueError("loss='ce' needs one logit per class; use 'bal_bce' for a single one")
        return max(2, n_logits)

    def _criterion(self) -> nn.Module:
        counts = np.bincount(self.y.numpy(), minlength=self.n_outputs)
        if len(counts) > self.n_outputs:
            raise ValueError(f"classes go up to {len(counts) - 1}, but the model has {self.n_outputs} outputs")
        if missing := np.flatnonzero(counts == 0).tolist():
            raise NeuriptError(
                f"no training window of class {', '.join(map(str, missing))}; every class needs "
                "at least one: take a larger share of the data"
            )
        if self.spec.loss == "bal_bce":
            return BalancedBCE(counts, self.spec.kappa)
        return BalancedCrossEntropy(counts, self.spec.kappa)

    def _groups(self) -> list[dict[str, Any]]:
        if not self.is_split:
            return [{"params": list(self.model.parameters()), "scale": 1.0}]
        head = list(self.head.parameters())
        of_head = {id(p) for p in head}
        others = [p for p in self.model.parameters() if id(p) not in of_head]
        return [{"params": head, "scale": 1.0}, {"params": others, "scale": self.spec.encoder_lr_scale}]

    def _start_head(self) -> Tensor | None:
        """Initialise the head; return the features if the frozen epochs need them."""
        start = self.spec.head_start or ("zero" if self.is_split else "random")
        if not self.is_split:
            if self.spec.freeze_epochs or start != "random":
                raise ValueError(
                    f"{type(self.model).__name__} has no encoder and head; freeze_epochs and "
                    "head_start are for a NeurIPTNetwork"
                )
            return None
        if start == "zero":
            zero_head(self.head)
        if self.spec.freeze_epochs:
            features = self._features(np.arange(len(self.x)))
            kept = self._thin()
            if start == "probe":
                probe_head(self.head, features[kept], self.y[kept], self._loss_bias())
            return features
        if start == "probe":
            kept = self._thin()
            probe_head(self.head, self._features(kept), self.y[torch.as_tensor(kept)], self._loss_bias())
        return None

    def _thin(self) -> NDArray[np.int64]:
        if len(self.x) <= MAX_PROBE_WINDOWS:
            return np.arange(len(self.x))
        rng = np.random.default_rng(self.spec.seed)
        return np.sort(rng.choice(len(self.x), MAX_PROBE_WINDOWS, replace=False))

    def _loss_bias(self) -> Tensor:
        return cast(Tensor, self.loss.bias).cpu()

    def _features(self, index: NDArray[np.int64]) -> Tensor:
        """Feature vectors of training windows in eval mode, on the CPU."""
        self.model.eval()
        features = cast(Callable[[Tensor], Tensor], self.model.features)
        parts = []
        with torch.no_grad():
            for x in _batches(self.x, index, 64):
                with _autocast(self.device, self.spec.precision):
                    parts.append(features(x.to(self.device)).float().cpu())
        return torch.cat(parts)

    def _epoch(self, features: Tensor | None) -> dict[str, float]:
        """One pass; with `features`, of the head alone."""
        self.model.train()
        order = torch.randperm(len(self.x), generator=self.generator)
        losses, auxes, rate = 0.0, 0.0, 0.0
        for index in torch.split(order, self.spec.batch_size):
            loss, aux = self._losses(index, features)
            total = loss + self.spec.aux_weight * aux
            if not torch.isfinite(total):
                raise FloatingPointError
            self.optimizer.zero_grad(set_to_none=True)
            total.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(self.model.parameters(), self.spec.max_grad_norm)
            rate = self._set_rate()
            self.optimizer.step()
            losses += loss.item() * len(index)
            auxes += aux.item() * len(index)
        n = len(self.x)
        return {"train_loss": losses / n, "train_aux": auxes / n, "lr": rate}

    def _losses(self, index: Tensor, features: Tensor | None) -> tuple[Tensor, Tensor]:
        y = self.y[index].to(self.device)
        with _autocast(self.device, self.spec.precision):
            if features is not None:
                logits = self.head(features[index].to(self.device))
                return self.loss(logits.float(), y), torch.zeros((), device=self.device)
            logits = self.model(self._inputs(index))
        aux = getattr(self.model, "aux_loss", None)
        if not isinstance(aux, Tensor):
            aux = torch.zeros((), device=self.device)
        return self.loss(logits.float(), y), aux.float()

    def _inputs(self, index: Tensor) -> Tensor:
        x = torch.as_tensor(self.x[index.numpy()])
        if self.spec.augment is not None:
            x = augment(x, self.y[index], self.spec.augment, self.generator)
        return x.to(self.device)

    def _set_rate(self) -> float:
        spec = self.spec
        share = one_cycle(self.step, self.total, warmup=spec.warmup, div=spec.div, final_div=spec.final_div)
        for group in self.optimizer.param_groups:
            group["lr"] = spec.max_lr * share * group["scale"]
        self.step += 1
        return spec.max_lr * share

    def _validate(self) -> dict[str, float]:
        if self.val is None:
            return {}
        x, y = self.val
        logits = predict_logits(self.model, x, precision=self.spec.precision)
        loss = self.loss(logits.float().to(self.device), y.to(self.device))
        guess = probabilities(logits).argmax(dim=1).numpy()
        table = confusion(y.numpy(), guess, self.n_outputs)
        return {"val_loss": loss.item(), "val_ba": balanced_accuracy(table)}


def _batches(x: NDArray[np.float32], index: NDArray[np.int64], batch_size: int) -> Iterator[Tensor]:
    for start in range(0, len(index), batch_size):
        yield torch.as_tensor(x[index[start : start + batch_size]])


def _check(windows: Windows, name: str) -> NDArray[np.float32]:
    x, y = windows
    if x.ndim != 3 or len(x) != len(y) or not len(x):
        raise ValueError(f"{name} windows have shape {x.shape} and {len(y)} classes; needs (n, n_chans, n_times) and n")
    return x


def _device(model: nn.Module) -> torch.device:
    return next((p.device for p in model.parameters()), torch.device("cpu"))


def _autocast(device: torch.device, precision: Precision) -> torch.autocast:
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=precision == "bf16")


def _require(ok: bool, spec: SupervisedSpec, name: str, allowed: str) -> None:
    if not ok:
        raise NeuriptError(f"{name}={getattr(spec, name)!r} must be {allowed}")
