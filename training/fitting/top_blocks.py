"""Fine-tuning of the NeurIPT network on labelled windows: few people or one, few trials, two cores.

The head starts from a closed-form read-out of the (pretrained) features, then it is trained together with the encoder
(linear probing first, then fine-tuning: Kumar et al. 2022, ICLR), with a one-cycle schedule as in the paper.

Two ways: `finetune` trains everything; `finetune_top` keeps the lower blocks, where nine tenths of the arithmetic are,
as they are. Their outputs are computed once (`run_trunk`) and serve every fold of a cross-validation and the final fit.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from neuript.network.network import NeurIPTNetwork
from neuript.training.fitting.augment import AugmentSpec, augment

Progress = Callable[[int, int, float], None]
"""Called after each optimiser step with (step, total steps, loss)."""


@dataclass(frozen=True, kw_only=True)
class FinetuneSpec:
    """Hyper-parameters of a fine-tuning run, fixed before any test data is seen.

    The defaults were chosen on one simulated calibration session, for the pretrained encoder.
    """

    n_epochs: int = 8
    """Passes over the windows; 0 trains the closed-form head alone."""
    batch_size: int = 16
    max_lr: float = 3e-4
    """Peak learning rate of the head."""
    encoder_lr_scale: float = 0.5
    """Encoder's learning rate as a share of the head's."""
    weight_decay: float = 0.01
    warmup: float = 0.15
    label_smoothing: float = 0.1
    max_grad_norm: float = 1.0
    aux_weight: float = 0.8
    """Weight of the experts' balancing loss (the paper's 0.8)."""
    probe_penalty: float = 100.0
    """Ridge penalty of the closed-form head on standardised features, per feature."""
    n_frozen: int = 4
    """Blocks that `finetune_top` leaves as they are (with the embedding)."""
    n_copies: int = 3
    """Versions of each window in `run_trunk`: itself and augmented ones."""
    augment: AugmentSpec = field(default_factory=AugmentSpec)
    seed: int = 520


def init_head(head: nn.Linear, features: Tensor, y: Tensor, penalty: float) -> None:
    """Set a head to the ridge regression of the classes on features (closed form, a second).

    Parameters
    ----------
    head : nn.Linear
        Changed in place.
    features : Tensor, shape (n_windows, n_features)
        Standardised inside the solution, which folds back into weight and bias.
    y : Tensor, shape (n_windows,)
    penalty : float
        Ridge, relative to the number of features over 100.
    """
    with torch.no_grad():
        features = features.double()
        mean, std = features.mean(0), features.std(0) + 1e-3
        z = (features - mean) / std
        target = F.one_hot(y, head.out_features).double()
        prior = target.mean(0)
        ridge = penalty * z.shape[1] / 100 + 1e-6
        dual = torch.linalg.solve(z @ z.T + ridge * torch.eye(len(z), dtype=z.dtype), target - prior)
        weight = (z.T @ dual).T / std * 2.0
        head.weight.copy_(weight.float())
        head.bias.copy_((prior.clamp_min(1e-3).log() - weight @ mean).float())


def finetune(
    model: NeurIPTNetwork,
    X: NDArray[np.float32],
    y: NDArray[np.int64],
    spec: FinetuneSpec | None = None,
    *,
    probe: bool = True,
    progress: Progress | None = None,
) -> NeurIPTNetwork:
    """Train a copy of `model` on labelled windows.

    Parameters
    ----------
    model : NeurIPTNetwork
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
    NeurIPTNetwork
        In eval mode. The same arguments give the same weights on one kind of machine.
    """
    spec = spec or FinetuneSpec()
    model = copy.deepcopy(model)
    generator = torch.Generator().manual_seed(spec.seed)
    x_all, y_all = torch.as_tensor(np.ascontiguousarray(X)), torch.as_tensor(y)
    if probe:
        model.eval()
        with torch.inference_mode():
            features = torch.cat([model.features(part) for part in torch.split(x_all, 32)])
        init_head(_linear_head(model), features.clone(), y_all, spec.probe_penalty)
    head = list(model.head.parameters())
    encoder = [p for p in model.encoder.parameters() if p.requires_grad]

    def batch_loss(index: Tensor) -> Tensor:
        x = augment(x_all[index], y_all[index], spec.augment, generator)
        loss = F.cross_entropy(model(x), y_all[index], weight, label_smoothing=spec.label_smoothing)
        return loss + spec.aux_weight * model.aux_loss

    weight = class_weight(y_all, model.config.n_outputs)
    model.train()
    _optimise(batch_loss, head, encoder, len(x_all), spec, generator, progress)
    return model.eval()


@dataclass(frozen=True, slots=True)
class TrunkOutputs:
    """What the lower blocks make of each window and its augmented copies.

    Attributes
    ----------
    tokens : Tensor, shape (n_copies, n_windows, n_chans, L, d_model)
        Output of the last lower block.
    pooled : Tensor, shape (n_copies, n_windows, n_pooled)
        The part of the feature vector that the lower blocks' scales give.
    """

    tokens: Tensor
    pooled: Tensor


def run_trunk(model: NeurIPTNetwork, X: NDArray[np.float32], spec: FinetuneSpec) -> TrunkOutputs:
    """Run windows (n_windows, n_chans, n_times) in volts, and augmented copies, through the lower blocks.

    No label is looked at, so one call may serve all folds of a cross-validation.
    """
    generator = torch.Generator().manual_seed(spec.seed)
    unlabelled = replace(spec.augment, recombine=0.0)
    x_all = torch.as_tensor(np.ascontiguousarray(X))
    tokens, pooled = [], []
    model.eval()
    with torch.inference_mode():
        for copy_index in range(spec.n_copies):
            parts = []
            for x in torch.split(x_all, 32):
                if copy_index:
                    x = augment(x, torch.arange(len(x)), unlabelled, generator)
                parts.append(_lower(model, x, spec.n_frozen))
            tokens.append(torch.cat([p[0] for p in parts]))
            pooled.append(torch.cat([p[1] for p in parts]))
    return TrunkOutputs(torch.stack(tokens).clone(), torch.stack(pooled).clone())


def _lower(model: NeurIPTNetwork, x_BDT: Tensor, n_frozen: int) -> tuple[Tensor, Tensor]:
    scales = model.encoder.lower(model.compand(x_BDT), n_frozen)
    pooled = [scales[i] for i in model.pooled_scales if i <= n_frozen]
    return scales[-1], model.pool(pooled) if pooled else x_BDT.new_empty(len(x_BDT), 0)


def finetune_top(
    model: NeurIPTNetwork,
    trunk: TrunkOutputs,
    index: NDArray[np.int64],
    y: NDArray[np.int64],
    spec: FinetuneSpec,
    *,
    progress: Progress | None = None,
) -> NeurIPTNetwork:
    """Train a copy of `model` above its lower blocks.

    Parameters
    ----------
    model : NeurIPTNetwork
        The one that made `trunk`.
    trunk : TrunkOutputs
        Of all windows.
    index : ndarray, shape (n_train,)
        Which windows to train on.
    y : ndarray, shape (n_train,)
        Their classes.

    Returns
    -------
    NeurIPTNetwork
        In eval mode.
    """
    model = copy.deepcopy(model).eval()
    generator = torch.Generator().manual_seed(spec.seed)
    rows, y_all = torch.as_tensor(index), torch.as_tensor(y)
    top = _Top(model, spec.n_frozen)
    with torch.inference_mode():
        plain = [top.features(trunk.tokens[0, part], trunk.pooled[0, part])[0] for part in torch.split(rows, 64)]
    init_head(_linear_head(model), torch.cat(plain).clone(), y_all, spec.probe_penalty)
    weight = class_weight(y_all, model.config.n_outputs)

    def batch_loss(batch: Tensor) -> Tensor:
        version = torch.randint(len(trunk.tokens), (len(batch),), generator=generator)
        features, aux = top.features(trunk.tokens[version, rows[batch]], trunk.pooled[version, rows[batch]])
        loss = F.cross_entropy(model.head(features), y_all[batch], weight, label_smoothing=spec.label_smoothing)
        return loss if aux is None else loss + spec.aux_weight * aux

    model.train()
    encoder = list(model.encoder.blocks[spec.n_frozen :].parameters())
    _optimise(batch_loss, list(model.head.parameters()), encoder, len(rows), spec, generator, progress)
    return model.eval()


class _Top:
    """The upper blocks of a classifier, from stored tokens to features."""

    def __init__(self, model: NeurIPTNetwork, n_frozen: int) -> None:
        self.model, self.n_frozen = model, n_frozen

    def features(self, tokens: Tensor, pooled: Tensor) -> tuple[Tensor, Tensor | None]:
        scales, aux = self.model.encoder.continue_from(tokens, self.n_frozen)
        upper = [scales[i - self.n_frozen - 1] for i in self.model.pooled_scales if i > self.n_frozen]
        return torch.cat([pooled, self.model.pool(upper)], dim=-1), aux


def _linear_head(model: NeurIPTNetwork) -> nn.Linear:
    if not isinstance(model.head, nn.Linear):
        raise TypeError("a closed-form start needs the linear head; set head='linear' in the configuration")
    return model.head


def class_weight(y: Tensor, n_classes: int) -> Tensor:
    """Weights that make every class count the same, shape (n_classes,); their mean over `y` is 1."""
    counts = torch.bincount(y, minlength=n_classes).float()
    return len(y) / (counts.clamp_min(1) * (counts > 0).sum())


def _optimise(
    batch_loss: Callable[[Tensor], Tensor],
    head: list[nn.Parameter],
    encoder: list[nn.Parameter],
    n_windows: int,
    spec: FinetuneSpec,
    generator: torch.Generator,
    progress: Progress | None,
) -> None:
    """AdamW with a one-cycle schedule over shuffled batches."""
    total = spec.n_epochs * -(-n_windows // spec.batch_size)
    if not total:
        return
    rates = [spec.max_lr, spec.max_lr * spec.encoder_lr_scale]
    optimizer = torch.optim.AdamW(
        [{"params": head}, {"params": encoder}], lr=spec.max_lr, betas=(0.9, 0.98), weight_decay=spec.weight_decay
    )
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rates, total_steps=total, pct_start=spec.warmup)
    step = 0
    with torch.random.fork_rng(devices=[]):  # dropout and router noise draw from the global generator
        torch.manual_seed(spec.seed)
        for _ in range(spec.n_epochs):
            order = torch.randperm(n_windows, generator=generator)
            for batch in torch.split(order, spec.batch_size):
                loss = batch_loss(batch)
                optimizer.zero_grad(set_to_none=True)
                loss.backward()  # type: ignore[no-untyped-call]
                nn.utils.clip_grad_norm_([*head, *encoder], spec.max_grad_norm)
                optimizer.step()
                schedule.step()
                step += 1
                if progress is not None:
                    progress(step, total, loss.item())


def predict_logits(model: nn.Module, X: NDArray[np.float32], batch_size: int = 64) -> NDArray[np.float64]:
    """Logits of windows (n_windows, n_chans, n_times) in volts, shape (n_windows, n_outputs)."""
    with torch.inference_mode():
        x_all = torch.as_tensor(np.ascontiguousarray(X))
        parts = [model(part) for part in torch.split(x_all, batch_size)]
    return torch.cat(parts).double().numpy()
