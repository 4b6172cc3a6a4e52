"""Learning rate and optimiser of pretraining."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import torch

from neuript.training.fitting.schedules import one_cycle

if TYPE_CHECKING:
    from torch import nn

    from neuript.training.pretrain.run_settings import PretrainRun


def learning_rate(step: int, n_steps: int, run: PretrainRun) -> float:
    """Learning rate of optimiser step `step` (0 the first): one cycle with cosine flanks.

    Two phases and no cycle of the betas, which are constant in the paper. A run too short for the warm-up to last a
    step starts at its peak.

    Parameters
    ----------
    step : int
        Index of the optimiser step, 0 for the first.
    n_steps : int
        Number of steps of the run.
    run : PretrainRun
        Settings, which give max_lr, div, final_div and warmup.
    """
    warmup = max(run.warmup, 1 / n_steps)
    return run.max_lr * one_cycle(step, n_steps, warmup=warmup, div=run.div, final_div=run.final_div)


def build_optimizer(parameters: Iterable[nn.Parameter], run: PretrainRun) -> torch.optim.AdamW:
    """AdamW on all parameters, with decay on all of them (the paper names no exception)."""
    return torch.optim.AdamW(
        parameters, lr=run.max_lr / run.div, betas=run.betas, weight_decay=run.weight_decay, fused=True
    )
