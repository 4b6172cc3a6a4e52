"""Augmentations that keep the class: they change what a decoder of band power must not care about.

All take and return windows of shape (B, D, T) in volts and draw from the generator they are given.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from neuript.specs import check_types, require


@dataclass(frozen=True, kw_only=True)
class AugmentSpec:
    """How far each augmentation goes; zero switches one off."""

    polarity: float = 0.5
    """Probability of turning the sign of a whole window: oscillatory power has none."""
    gain_log_sd: float = 0.15
    """Standard deviation of the log gain of a whole window: skin and gel change from day to day."""
    channel_gain_log_sd: float = 0.1
    """Standard deviation of the log gain of each channel: contacts differ."""
    recombine: float = 0.5
    """Probability of replacing a stretch by that of another window of its class (Lotte 2015, Proc. IEEE 103:871)."""
    noise_v: float = 0.5e-6
    """Standard deviation of added white noise, volts."""
    channel_dropout: float = 0.05
    """Probability of silencing a channel."""

    def __post_init__(self) -> None:
        check_types(self)
        for name in ("polarity", "recombine", "channel_dropout"):
            require(0 <= getattr(self, name) <= 1, self, name, "a probability")
        for name in ("gain_log_sd", "channel_gain_log_sd", "noise_v"):
            require(getattr(self, name) >= 0, self, name, "0 or more")


def recombine(x: Tensor, y: Tensor, probability: float, generator: torch.Generator) -> Tensor:
    """Swap in a contiguous stretch (a quarter to half of the window) from another window of the same class.

    Each of the windows `x` (B, D, T) with classes `y` (B,) is changed with that probability, in a copy.
    """
    n_times = x.shape[-1]
    out = x.clone()
    for i in range(len(x)):
        if torch.rand((), generator=generator) >= probability:
            continue
        same = torch.nonzero(y == y[i])[:, 0]
        j = int(same[int(torch.randint(len(same), (), generator=generator))])
        length = int(torch.randint(n_times // 4, n_times // 2 + 1, (), generator=generator))
        start = int(torch.randint(n_times - length + 1, (), generator=generator))
        out[i, :, start : start + length] = x[j, :, start : start + length]
    return out


def augment(x: Tensor, y: Tensor, spec: AugmentSpec, generator: torch.Generator) -> Tensor:
    """Apply all augmentations of `spec` to windows `x` (B, D, T) with classes `y` (B,).

    Parameters
    ----------
    x : Tensor, shape (B, D, T)
        Windows in volts; not changed.
    y : Tensor, shape (B,)
        Classes of the windows.
    spec : AugmentSpec
        Kinds and strengths of the changes.
    generator : torch.Generator
        Source of the draws.
    """
    n_batch, n_chans = x.shape[:2]

    def rand(*shape: int) -> Tensor:
        return torch.rand(shape, generator=generator)

    def randn(*shape: int) -> Tensor:
        return torch.randn(shape, generator=generator)

    x = recombine(x, y, spec.recombine, generator)
    sign = 1.0 - 2.0 * (rand(n_batch, 1, 1) < spec.polarity).float()
    gain = (spec.gain_log_sd * randn(n_batch, 1, 1) + spec.channel_gain_log_sd * randn(n_batch, n_chans, 1)).exp()
    keep = (rand(n_batch, n_chans, 1) >= spec.channel_dropout).float()
    return x * sign * gain * keep + spec.noise_v * randn(*x.shape)
