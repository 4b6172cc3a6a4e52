"""The one-cycle learning rate (Smith and Topin 2018), for pretraining, supervised training and fine-tuning alike."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch


def one_cycle(step: int, total: int, *, warmup: float, div: float, final_div: float) -> float:
    """Share of the peak learning rate at `step` of `total`.

    A cosine from 1 / div up to 1, then one down to 1 / (div * final_div) in the last step: the values of
    `torch.optim.lr_scheduler.OneCycleLR`, which divides by zero where the way up is one step long. It is a closed
    form of the step, so nothing has to be saved for it.

    Parameters
    ----------
    step : int
        Index of the optimiser step, 0 for the first.
    total : int
        Number of steps of the cycle.
    warmup : float
        Share of the steps on the way up. With fewer than one such step the cycle begins on its way down.
    div, final_div : float
        The first rate is the peak's share 1 / div, the last one is 1 / final_div of the first.

    Returns
    -------
    float
        Factor of the peak rate, at most 1.
    """
    return _flanks(step, total, warmup, first=1 / div, peak=1.0, last=1 / (div * final_div))


@dataclass(frozen=True, kw_only=True)
class OneCycle:
    """One cycle of an optimiser's learning rates; Adam's betas stay as they are, which `OneCycleLR` moves by itself.

    Attributes
    ----------
    warmup : float
        Share of the steps on the way up, as in `one_cycle`.
    div, final_div : float
        Ratio of the peak to the first rate, and of the first to the last rate.
    """

    warmup: float
    div: float
    final_div: float

    def share(self, step: int, total: int) -> float:
        """Share of the peak learning rate at a step."""
        return one_cycle(step, total, warmup=self.warmup, div=self.div, final_div=self.final_div)

    def set(self, optimizer: torch.optim.Optimizer, step: int, total: int) -> float:
        """Set every group's rate (a share of its entry ``max_lr``) for a step; return the share."""
        share = self.share(step, total)
        for group in optimizer.param_groups:
            group["lr"] = group["max_lr"] * share
        return share


def _flanks(step: int, total: int, warmup: float, first: float, peak: float, last: float) -> float:
    """Cosine from `first` to `peak` during the warm-up, then from `peak` to `last`."""
    top, end = warmup * total - 1, total - 1
    if step <= top:
        return peak if top <= 0 else _cosine(first, peak, step / top)
    return _cosine(peak, last, (step - top) / (end - top))


def _cosine(first: float, last: float, share: float) -> float:
    return last + (first - last) / 2 * (1 + math.cos(math.pi * share))
