"""Fine-tuning of the NeurIPT network on labelled windows: few people or one, few trials, two cores.

The head starts from a closed-form read-out of the (pretrained) features, then it is trained together with the encoder
(linear probing first, then fine-tuning: Kumar et al. 2022, ICLR), with a one-cycle schedule as in the paper. The demo's
model is made so, from hundreds of simulated trials; a calibration on few real ones trains a read-out alone.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from neuript.errors import NeuriptError
from neuript.network.network import NeurIPTNetwork
from neuript.training.fitting.augment import AugmentSpec
from neuript.training.fitting.forward import pooled_features, seeded
from neuript.training.fitting.heads import PROBE_PENALTY, init_head
from neuript.training.fitting.losses import WeightedCrossEntropy
from neuript.training.fitting.schedules import OneCycle
from neuript.training.fitting.training_loop import (
    Forward,
    LoopSpec,
    ParameterGroup,
    Stage,
    StepProgress,
    TrainingLoop,
    window_forward,
)
from neuript.training.windows.labelled import LabelledWindows


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
    probe_penalty: float = PROBE_PENALTY
    """Ridge penalty of the closed-form head on standardised features, per feature."""
    augment: AugmentSpec = field(default_factory=AugmentSpec)
    seed: int = 520

    def loop(self) -> LoopSpec:
        """Return what the training loop is told."""
        return LoopSpec(
            batch_size=self.batch_size,
            max_lr=self.max_lr,
            schedule=OneCycle(warmup=self.warmup, div=25.0, final_div=1e4),
            weight_decay=self.weight_decay,
            max_grad_norm=self.max_grad_norm,
            aux_weight=self.aux_weight,
        )


def finetune(
    model: NeurIPTNetwork,
    X: NDArray[np.float32],
    y: NDArray[np.int64],
    spec: FinetuneSpec | None = None,
    *,
    probe: bool = True,
    progress: StepProgress | None = None,
) -> NeurIPTNetwork:
    """Train a copy of `model` on labelled windows.

    Parameters
    ----------
    model : NeurIPTNetwork
        Starting point; not changed.
    X : ndarray, shape (n_windows, n_chans, n_times)
        Windows in volts, at the model's rate, out of the causal chain.
    y : ndarray, shape (n_windows,)
        Classes 0..K-1 of the windows.
    spec : FinetuneSpec, optional
        Hyper-parameters; None takes the defaults.
    probe : bool
        Start the head in closed form; sensible when the encoder is pretrained.
    progress : callable, optional
        Called after each optimiser step with (step, total steps, loss).

    Returns
    -------
    NeurIPTNetwork
        The trained copy, in eval mode. The same arguments give the same weights on one kind of machine.

    Raises
    ------
    NeuriptError
        If the loss was no number any more.
    """
    spec = spec or FinetuneSpec()
    model = copy.deepcopy(model)
    windows = LabelledWindows(np.asarray(X), np.asarray(y))
    if probe:
        init_head(model.head, pooled_features(model, windows.x), torch.as_tensor(windows.y), spec.probe_penalty)
    generator = torch.Generator().manual_seed(spec.seed)
    forward = window_forward(model, windows, generator, spec.augment)
    _train(model, model.encoder, windows.y, forward, spec, generator, progress)
    return model


def _train(
    model: NeurIPTNetwork,
    encoder: nn.Module,
    y: NDArray[np.int64],
    forward: Forward,
    spec: FinetuneSpec,
    generator: torch.Generator,
    progress: StepProgress | None,
) -> None:
    """Run the loop on the head and the part of the encoder that is trained, and refuse what did not end in numbers."""
    groups = [
        ParameterGroup(list(model.head.parameters())),
        ParameterGroup(list(encoder.parameters()), spec.encoder_lr_scale),
    ]
    loss = WeightedCrossEntropy(np.bincount(y, minlength=model.config.n_outputs), spec.label_smoothing)
    with seeded(spec.seed):
        loop = TrainingLoop(model, groups, torch.as_tensor(y), loss, spec.loop(), generator)
        fitted = loop.run([Stage(forward, spec.n_epochs)], after_step=progress)
    if fitted.diverged:
        raise NeuriptError(
            f"fine-tuning diverged after epoch {fitted.best_epoch} at max_lr={spec.max_lr:g}; use a smaller max_lr"
        )
