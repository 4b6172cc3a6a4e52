"""Fine-tuning of the NeurIPT network on labelled windows: few people or one, few trials, two cores.

The head starts from a closed-form read-out of the (pretrained) features, then everything is trained with a lower rate for
the encoder (linear probing first, then fine-tuning: Kumar et al. 2022, ICLR), with a one-cycle schedule as in the paper
(section 10 of the appendix).
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from neuript.classifier import NeuriptClassifier
from neuript.training.augment import AugmentSpec, augment

Progress = Callable[[int, int, float], None]
"""Called after each optimiser step with (step, total steps, loss)."""


@dataclass(frozen=True, kw_only=True)
class FinetuneSpec:
    """Hyper-parameters of a fine-tuning run, fixed before any test data is seen."""

    n_epochs: int = 12
    """Passes over the windows; 0 trains the closed-form head alone."""
    batch_size: int = 16
    max_lr: float = 1e-3
    """Peak learning rate of the head."""
    encoder_lr_scale: float = 0.5
    """Encoder's learning rate as a share of the head's."""
    weight_decay: float = 0.01
    warmup: float = 0.15
    label_smoothing: float = 0.1
    max_grad_norm: float = 1.0
    aux_weight: float = 0.8
    """Weight of the experts' balancing loss (the paper's 0.8)."""
    probe_penalty: float = 10.0
    """Ridge penalty of the closed-form head on standardised features, per feature."""
    augment: AugmentSpec = field(default_factory=AugmentSpec)
    seed: int = 520


def init_head(
    model: NeuriptClassifier, head: nn.Linear, X: Tensor, y: Tensor, penalty: float
) -> None:
    """Set the head to the ridge regression of the classes on the model's features (closed form, a second).

    Features of the training windows are standardised inside the solution, which folds back into weight and bias.
    """
    with torch.no_grad():
        features = torch.cat([model.features(part) for part in X.split(32)]).double()
        mean, std = features.mean(0), features.std(0) + 1e-3
        z = (features - mean) / std
        target = F.one_hot(y, head.out_features).double()
        prior = target.mean(0)
        gram = z @ z.T
        ridge = penalty * z.shape[1] / 100 + 1e-6
        dual = torch.linalg.solve(gram + ridge * torch.eye(len(z), dtype=z.dtype), target - prior)
        weight = (z.T @ dual).T / std * 2.0
        head.weight.copy_(weight.float())
        head.bias.copy_((prior.clamp_min(1e-3).log() - weight @ mean).float())


def finetune(
    model: NeuriptClassifier,
    X: NDArray[np.float32],
    y: NDArray[np.int64],
    spec: FinetuneSpec | None = None,
    *,
    probe: bool = True,
    progress: Progress | None = None,
) -> NeuriptClassifier:
    """Train a copy of `model` on labelled windows.

    Parameters
    ----------
    model : NeuriptClassifier
        Starting point; not changed.
    X : ndarray, shape (n_windows, n_chans, n_times)
        Volts, at the model's rate, out of the causal chain.
    y : ndarray, shape (n_windows,)
        Class indices.
    spec : FinetuneSpec, optional
    probe : bool
        Start the head in closed form; sensible when the encoder is pretrained.
    progress : callable, optional

    Returns
    -------
    NeuriptClassifier
        In eval mode. The same arguments give the same weights on one kind of machine.
    """
    spec = spec or FinetuneSpec()
    model = copy.deepcopy(model)
    generator = torch.Generator().manual_seed(spec.seed)
    x_all, y_all = torch.as_tensor(np.ascontiguousarray(X)), torch.as_tensor(y)
    if probe:
        model.eval()
        init_head(model, model.head, x_all, y_all, spec.probe_penalty)
    head = set(model.head.parameters())
    encoder = [p for p in model.parameters() if p.requires_grad and p not in head]
    steps_per_epoch = -(-len(x_all) // spec.batch_size)
    total = spec.n_epochs * steps_per_epoch
    if total:
        _train(model, list(head), encoder, x_all, y_all, spec, steps_per_epoch, generator, progress)
    return model.eval()


def _train(
    model: NeuriptClassifier,
    head: list[nn.Parameter],
    encoder: list[nn.Parameter],
    x_all: Tensor,
    y_all: Tensor,
    spec: FinetuneSpec,
    steps_per_epoch: int,
    generator: torch.Generator,
    progress: Progress | None,
) -> None:
    rates = [spec.max_lr, spec.max_lr * spec.encoder_lr_scale]
    optimizer = torch.optim.AdamW(
        [{"params": head}, {"params": encoder}],
        lr=spec.max_lr,
        betas=(0.9, 0.98),
        weight_decay=spec.weight_decay,
    )
    total = spec.n_epochs * steps_per_epoch
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, rates, total_steps=total, pct_start=spec.warmup
    )
    class_weight = (
        len(y_all) / torch.bincount(y_all).float().clamp_min(1) / len(torch.unique(y_all))
    )
    model.train()
    torch.manual_seed(spec.seed)  # dropout and router noise draw from the global generator
    step = 0
    for _ in range(spec.n_epochs):
        order = torch.randperm(len(x_all), generator=generator)
        for batch in order.split(spec.batch_size):
            x = augment(x_all[batch], y_all[batch], spec.augment, generator)
            logits = model(x)
            loss = F.cross_entropy(
                logits, y_all[batch], class_weight, label_smoothing=spec.label_smoothing
            )
            total_loss = loss + spec.aux_weight * model.aux_loss
            optimizer.zero_grad(set_to_none=True)
            total_loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), spec.max_grad_norm)
            optimizer.step()
            schedule.step()
            step += 1
            if progress is not None:
                progress(step, total, loss.item())


def predict_logits(
    model: nn.Module, X: NDArray[np.float32], batch_size: int = 64
) -> NDArray[np.float64]:
    """Logits of windows (n_windows, n_chans, n_times) in volts, shape (n_windows, n_outputs)."""
    with torch.inference_mode():
        parts = [model(part) for part in torch.as_tensor(np.ascontiguousarray(X)).split(batch_size)]
    return torch.cat(parts).double().numpy()
