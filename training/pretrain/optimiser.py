"""Learning rate and optimiser of pretraining."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import nn

    from neuript.training.pretrain.run_settings import PretrainRun


def one_cycle(step: int, n_steps: int, run: PretrainRun) -> float:
    """Learning rate of optimiser step `step` (0 the first): one cycle with cosine flanks.

    A closed form of the step, equal to PyTorch's `OneCycleLR` (two phases, no cycle of momentum:
    the paper's betas are constant). Nothing has to be saved for it.

    Parameters
    ----------
    step, n_steps
        Which step, of how many.
    run
        Gives max_lr, div, final_div and warmup.
    """
    low = run.max_lr / run.div
    top = max(run.warmup * n_steps - 1, 0.0)  # a very short run has no rise
    if step <= top:
        return _cosine(low, run.max_lr, step / top if top > 0 else 1.0)
    end = n_steps - 1
    share = (step - top) / (end - top) if end > top else 1.0
    return _cosine(run.max_lr, low / run.final_div, share)


def build_optimizer(parameters: Iterable[nn.Parameter], run: PretrainRun) -> torch.optim.AdamW:
    """AdamW on all parameters, with decay on all of them (the paper names no exception)."""
    return torch.optim.AdamW(
        parameters, lr=run.max_lr / run.div, betas=run.betas, weight_decay=run.weight_decay, fused=True
    )


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) / 2 * (1 + math.cos(math.pi * share))
