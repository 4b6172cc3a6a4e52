"""A-law companding of EEG amplitudes, as the source of NeurIPT applies it before the embedding.

With A = 0.25 per microvolt the map is linear up to 4 uV and logarithmic above. The constant is
e + ln A, where the textbook has 1 + ln A, which would be negative for A < 1/e.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

A_PER_UV = 0.25
DELTA = math.e + math.log(A_PER_UV)
"""Denominator of the companding, 1.331987."""
UV_PER_V = 1e6


def compand(x_uv: Tensor) -> Tensor:
    """Compress microvolts; odd, increasing, once continuously differentiable.

    sgn(x) A|x| / DELTA below the knee at 4 uV, sgn(x) (1 + ln A|x|) / DELTA above it.

    Parameters
    ----------
    x_uv : Tensor
        Amplitudes in microvolts, any shape.

    Returns
    -------
    Tensor, shape of `x_uv`
        Companded values, without a unit: 1 uV gives 0.188, 10 uV 1.439, 100 uV 3.167.
    """
    scaled = (A_PER_UV * x_uv).abs()
    # One of the two terms is constant on either side of the knee: no branch, no log of 0.
    magnitude = scaled.clamp(max=1.0) + scaled.clamp(min=1.0).log()
    return torch.sign(x_uv) * magnitude / DELTA


def expand(y: Tensor) -> Tensor:
    """Return the microvolts of companded values; the inverse of `compand`."""
    scaled = DELTA * y.abs()
    magnitude = torch.where(scaled < 1.0, scaled, torch.exp(scaled.clamp(min=1.0) - 1.0))
    return torch.sign(y) * magnitude / A_PER_UV


def compand_volts(x: Tensor) -> Tensor:
    """Compress volts; see `compand`."""
    return compand(UV_PER_V * x)


def scale_volts(x: Tensor) -> Tensor:
    """Scale volts by the slope that `compand` has at zero, without compressing."""
    return (UV_PER_V * A_PER_UV / DELTA) * x
