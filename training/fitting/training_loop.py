"""The one loop that trains a network on labelled windows.

Batches come from a seeded generator, AdamW follows a one-cycle schedule, gradients are clipped, the experts' balance
loss is added, the best epoch may be chosen and the training ended early. What the logits of a batch are made from is
the caller's business: the windows themselves, features for the head alone, or stored tokens for the upper blocks.

Suffixes: B batch, K classes.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn

from neuript.errors import NeuriptError
from neuript.network.config import Precision
from neuript.training.fitting.augment import AugmentSpec, augment
from neuript.training.fitting.forward import autocast, device_of
from neuript.training.fitting.schedules import OneCycle
from neuript.training.windows.labelled import LabelledWindows

Select = Literal["val_ba", "val_loss", "last"]
Forward = Callable[[Tensor], tuple[Tensor, Tensor | None]]
"""From the indices of a batch's windows, (B,), to their logits (B, K) and the experts' balance loss, if any."""
Validate = Callable[[], dict[str, float]]
"""Called after each epoch: val_loss and val_ba of the network as it is."""
EpochProgress = Callable[[dict[str, float]], None]
"""Called after each epoch with its entry of the history."""
StepProgress = Callable[[int, int, float], None]
"""Called after each optimiser step with (step, total steps, loss)."""

BETAS = (0.9, 0.98)


@dataclass(frozen=True, kw_only=True)
class LoopSpec:
    """What the loop does, whatever it trains."""

    batch_size: int
    """Windows per step; the last batch of an epoch may be smaller."""
    max_lr: float
    """Peak learning rate of a group whose scale is 1."""
    schedule: OneCycle
    weight_decay: float
    max_grad_norm: float
    aux_weight: float
    """Weight of the experts' balance loss."""
    select: Select = "last"
    """Which epoch's weights are returned; the last one without validation."""
    patience: int | None = None
    """Stop after so many epochs without a better validation loss; None: never."""


@dataclass(frozen=True)
class ParameterGroup:
    """Parameters that share a learning rate, which is a share of the peak's."""

    parameters: Sequence[nn.Parameter]
    lr_scale: float = 1.0


@dataclass(frozen=True)
class Stage:
    """Some epochs that compute their logits in one way.

    Attributes
    ----------
    forward : callable
        Map from the indices of a batch's windows, (B,), to their logits (B, K) and the auxiliary loss, which may be
        None.
    n_epochs : int
        Passes over the windows.
    may_stop : bool
        Whether these epochs count for `LoopSpec.patience`.
    """

    forward: Forward
    n_epochs: int
    may_stop: bool = True


@dataclass(frozen=True)
class Fitted:
    """A trained network and how it came about.

    Attributes
    ----------
    model : nn.Module
        The network in eval mode, with the weights of `best_epoch`.
    history : list of dict
        One entry per epoch: epoch (from 1), train_loss, train_aux, lr, seconds and, with
        validation data, val_loss and val_ba.
    best_epoch : int
        Number of the epoch that the weights are from; 0 if none was run.
    diverged : bool
        Whether training ended early because the loss was no number any more.
    """

    model: nn.Module
    history: list[dict[str, float]]
    best_epoch: int
    diverged: bool = False


class TrainingLoop:
    """Trains a network in place.

    Parameters
    ----------
    model : nn.Module
        The network that gives the logits; changed in place.
    groups : sequence of ParameterGroup
        The parameters that are trained. A seed's result depends on their order, to the last bit: the norm of the
        gradients is a sum over them.
    y : Tensor, shape (n_windows,)
        Classes 0..K-1 of the windows.
    loss : nn.Module
        Map from logits (B, K) and classes (B,) to the loss, on the model's device.
    spec : LoopSpec
        Batches, learning rates, weights of the losses and the rule for the epoch that is returned.
    generator : torch.Generator
        Source of the order of the windows in each epoch; whoever draws from it too (augmentation) does so batch by
        batch.
    """

    def __init__(
        self,
        model: nn.Module,
        groups: Sequence[ParameterGroup],
        y: Tensor,
        loss: nn.Module,
        spec: LoopSpec,
        generator: torch.Generator,
    ) -> None:
        self.model, self.y, self.loss, self.spec, self.generator = model, y, loss, spec, generator
        self.device = device_of(model)
        self.parameters = [p for group in groups for p in group.parameters]
        self.optimizer = torch.optim.AdamW(
            [{"params": list(group.parameters), "max_lr": spec.max_lr * group.lr_scale} for group in groups],
            lr=spec.max_lr,
            betas=BETAS,
            weight_decay=spec.weight_decay,
        )
        self.step, self.total = 0, 0

    def run(
        self,
        stages: Sequence[Stage],
        *,
        validate: Validate | None = None,
        after_epoch: EpochProgress | None = None,
        after_step: StepProgress | None = None,
    ) -> Fitted:
        """Run the epochs of all stages under one cycle, and return the chosen weights.

        Parameters
        ----------
        stages : sequence of Stage
            Epochs in their order, each with its forward pass.
        validate : callable, optional
            Called after each epoch; returns val_loss and val_ba. None: the last epoch is taken.
        after_epoch : callable, optional
            Called after each epoch with its entry of the history.
        after_step : callable, optional
            Called after each optimiser step with (step, total steps, loss).

        Raises
        ------
        NeuriptError
            If the loss is no number before the first epoch ended.
        """
        best, history, diverged = BestEpoch(self.spec.select), [], False
        epochs = [stage for stage in stages for _ in range(stage.n_epochs)]
        self.step, self.total = 0, len(epochs) * -(-len(self.y) // self.spec.batch_size)
        for epoch, stage in enumerate(epochs, 1):
            started = time.perf_counter()
            try:
                entry = {"epoch": float(epoch), **self._epoch(stage.forward, after_step)}
            except FloatingPointError:
                diverged = True
                break
            entry |= {} if validate is None else validate()
            entry["seconds"] = time.perf_counter() - started
            history.append(entry)
            if after_epoch is not None:
                after_epoch(entry)
            best.offer(self.model, entry)
            if stage.may_stop and best.is_over(entry, self.spec.patience):
                break
        if diverged and not best.state:
            raise NeuriptError(
                f"training diverged in its first epoch at max_lr={self.spec.max_lr:g}; use a smaller "
                "max_lr, head_start='zero', or fp32 in place of bf16"
            )
        if best.state:
            self.model.load_state_dict(best.state)
        self.model.zero_grad(set_to_none=True)
        return Fitted(self.model.eval(), history, best.epoch, diverged)

    def _epoch(self, forward: Forward, after_step: StepProgress | None) -> dict[str, float]:
        """One pass over the windows; FloatingPointError where the loss is no number."""
        self.model.train()
        losses = auxes = rate = 0.0
        for index in self._order():
            loss, aux = self._losses(forward, index)
            total = loss + self.spec.aux_weight * aux
            if not torch.isfinite(total):
                raise FloatingPointError
            rate = self._descend(total)
            losses += loss.item() * len(index)
            auxes += aux.item() * len(index)
            if after_step is not None:
                after_step(self.step, self.total, total.item())
        n = len(self.y)
        return {"train_loss": losses / n, "train_aux": auxes / n, "lr": rate}

    def _order(self) -> Iterable[Tensor]:
        return torch.split(torch.randperm(len(self.y), generator=self.generator), self.spec.batch_size)

    def _losses(self, forward: Forward, index: Tensor) -> tuple[Tensor, Tensor]:
        logits, aux = forward(index)
        loss = self.loss(logits.float(), self.y[index].to(self.device))
        return loss, torch.zeros((), device=self.device) if aux is None else aux.float()

    def _descend(self, total: Tensor) -> float:
        """Take one step of the optimiser; return the learning rate of a group whose scale is 1."""
        self.optimizer.zero_grad(set_to_none=True)
        total.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.parameters, self.spec.max_grad_norm)
        share = self.spec.schedule.set(self.optimizer, self.step, self.total)
        self.optimizer.step()
        self.step += 1
        return self.spec.max_lr * share


def window_forward(
    model: nn.Module,
    windows: LabelledWindows,
    generator: torch.Generator,
    augmentation: AugmentSpec | None = None,
    precision: Precision = "fp32",
) -> Forward:
    """Return the `Forward` that runs the whole model over the windows, augmented anew each time if so wished.

    Parameters
    ----------
    model : nn.Module
        Map from windows (B, D, T) in volts to logits.
    windows : LabelledWindows
        All training windows, in volts.
    generator : torch.Generator
        Source of the draws of the augmentation.
    augmentation : AugmentSpec, optional
        Augmentation of each batch; None runs the windows as they are.
    precision : {"bf16", "fp32"}
        Arithmetic of the forward pass.
    """
    device, y = device_of(model), torch.as_tensor(windows.y)

    def forward(index: Tensor) -> tuple[Tensor, Tensor | None]:
        x = torch.as_tensor(np.ascontiguousarray(windows.x[index.numpy()]))
        if augmentation is not None:
            x = augment(x, y[index], augmentation, generator)
        with autocast(device, precision):
            logits = model(x.to(device))
        aux = getattr(model, "aux_loss", None)
        return logits, aux if isinstance(aux, Tensor) else None

    return forward


@dataclass
class BestEpoch:
    """The weights to return, and the validation losses that stop the training."""

    select: Select
    epoch: int = 0
    state: dict[str, Tensor] = field(default_factory=dict)
    key: tuple[float, ...] | None = None
    lowest: float = math.inf
    waited: int = 0

    def offer(self, model: nn.Module, entry: dict[str, float]) -> None:
        """Keep the weights of an epoch if there are no better ones."""
        key = self._key(entry)
        if self.key is None or key >= self.key:
            self.key, self.epoch = key, int(entry["epoch"])
            self.state = {k: v.detach().clone() for k, v in model.state_dict().items()}

    def is_over(self, entry: dict[str, float], patience: int | None) -> bool:
        """Whether the validation loss has not fallen for `patience` epochs; never without validation."""
        if patience is None or "val_loss" not in entry:
            return False
        self.waited = 0 if entry["val_loss"] < self.lowest else self.waited + 1
        self.lowest = min(self.lowest, entry["val_loss"])
        return self.waited >= patience

    def _key(self, entry: dict[str, float]) -> tuple[float, ...]:
        if self.select == "last" or "val_loss" not in entry:
            return (entry["epoch"],)
        if self.select == "val_loss":
            return (-entry["val_loss"],)
        return (entry["val_ba"], -entry["val_loss"])
