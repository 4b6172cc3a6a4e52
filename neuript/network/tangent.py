"""The Riemannian branch: filter bank, covariance, tangent space and a linear read-out, as one tensor graph.

Barachant et al. 2012 (IEEE TBME 59:920) as filter bank. Everything is a buffer or parameter, so that the branch travels
inside the same deployable as the network and runs on the same windows: with little data it is what the network has to
beat, and the two are stacked (`neuript.network.stack`).

Shapes: B batch, D channels, T samples, K bands, F = D(D+1)/2 tangent features, C outputs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from scipy.signal import firwin
from torch import Tensor, nn

MICROVOLTS_PER_VOLT = 1e6


def filter_bank(bands_hz: Sequence[tuple[float, float]], sfreq: float, n_taps: int) -> Tensor:
    """Linear-phase FIR band-pass filters; they are applied inside a window, so they see nothing later.

    Parameters
    ----------
    bands_hz : sequence of tuple of two floats
        Lower and upper edge of each of K bands in Hz.
    sfreq : float
        Sampling rate in Hz.
    n_taps : int
        Number of coefficients of a filter.

    Returns
    -------
    Tensor of float32, shape (K, n_taps)
        Coefficients, one row per band.
    """
    taps = [firwin(n_taps, band, pass_zero=False, fs=sfreq) for band in bands_hz]
    return torch.tensor(np.stack(taps), dtype=torch.float32)


def oas_covariance(x: Tensor) -> Tensor:
    """Covariance with oracle-approximating shrinkage (Chen et al. 2010, IEEE TSP 58:5016, Eq. 23).

    Parameters
    ----------
    x : Tensor, shape (..., D, T)
        Signals; the mean over time is removed.

    Returns
    -------
    Tensor, shape (..., D, D)
        Symmetric positive definite for non-constant signals.
    """
    n_chans, n_times = x.shape[-2], x.shape[-1]
    x = x - x.mean(dim=-1, keepdim=True)
    cov = x @ x.transpose(-1, -2) / n_times
    mu = cov.diagonal(dim1=-2, dim2=-1).mean(dim=-1)[..., None, None]
    alpha = (cov * cov).mean(dim=(-2, -1), keepdim=True)
    shrinkage = (alpha + mu**2) / ((n_times + 1.0) * (alpha - mu**2 / n_chans)).clamp_min(1e-30)
    shrinkage = shrinkage.clamp(max=1.0)
    eye = torch.eye(n_chans, dtype=x.dtype, device=x.device)
    return (1.0 - shrinkage) * cov + shrinkage * mu * eye


class TangentBranch(nn.Module):
    """Window in volts to class logits by way of the tangent space of its band covariances.

    Parameters
    ----------
    filters : Tensor, shape (K, n_taps)
        FIR filter bank (`filter_bank`).
    whiteners : Tensor, shape (K, D, D)
        Inverse square roots of the reference covariances (Riemannian means of the training windows, in µV²).
    weight : Tensor, shape (C, K * F)
        Read-out of the tangent vectors (upper triangle, off-diagonal entries times the square root of 2).
    bias : Tensor, shape (C,)
        Numbers added to the logits of the classes.
    """

    def __init__(self, filters: Tensor, whiteners: Tensor, weight: Tensor, bias: Tensor) -> None:
        super().__init__()
        n_bands, n_chans = whiteners.shape[0], whiteners.shape[1]
        n_features = n_bands * n_chans * (n_chans + 1) // 2
        if filters.shape[0] != n_bands or tuple(weight.shape) != (len(bias), n_features):
            raise ValueError(
                f"{filters.shape[0]} filters, {n_bands} whiteners and a read-out of shape "
                f"{tuple(weight.shape)} do not belong together; expected ({len(bias)}, {n_features})"
            )
        rows, cols = np.triu_indices(n_chans)
        scale = np.where(rows == cols, 1.0, math.sqrt(2.0))
        self.filters: Tensor
        self.whiteners: Tensor
        self.upper: Tensor
        self.scale: Tensor
        self.register_buffer("filters", filters.float())
        self.register_buffer("whiteners", whiteners.double())
        self.register_buffer("upper", torch.tensor(rows * n_chans + cols))
        self.register_buffer("scale", torch.tensor(scale, dtype=torch.float64))
        self.weight = nn.Parameter(weight.double(), requires_grad=False)
        self.bias = nn.Parameter(bias.double(), requires_grad=False)

    def covariances(self, x_BDT: Tensor) -> Tensor:
        """Shrunk covariances per band in µV², shape (B, K, D, D), float64."""
        n_chans = x_BDT.shape[1]
        n_bands = self.filters.shape[0]
        kernel = self.filters.flip(-1).repeat(n_chans, 1)[:, None]  # (D*K, 1, n_taps)
        bands = F.conv1d(x_BDT * MICROVOLTS_PER_VOLT, kernel, groups=n_chans)
        bands = bands.reshape(-1, n_chans, n_bands, bands.shape[-1]).transpose(1, 2)
        return oas_covariance(bands.double())

    def tangent(self, x_BDT: Tensor) -> Tensor:
        """Tangent vectors at the reference, shape (B, K * F), float64."""
        cov = self.whiteners @ self.covariances(x_BDT) @ self.whiteners
        values, vectors = torch.linalg.eigh(cov)
        log_values = values.clamp_min(1e-12).log()
        log_cov = (vectors * log_values[..., None, :]) @ vectors.transpose(-1, -2)
        upper: Tensor = log_cov.flatten(-2)[..., self.upper] * self.scale
        return upper.flatten(1)

    def forward(self, x_BDT: Tensor) -> Tensor:
        """Return logits, shape (B, C), float32."""
        return F.linear(self.tangent(x_BDT), self.weight, self.bias).float()


def reference_whitener(mean_cov: NDArray[np.float64]) -> NDArray[np.float64]:
    """Inverse square root of a covariance, shape (D, D)."""
    values, vectors = np.linalg.eigh(mean_cov)
    return np.asarray((vectors / np.sqrt(values)) @ vectors.T)
