"""Second-order pooling: how a window's channels vary together in the network's own terms, as tangent vectors.

The tokens of a channel are what the network makes of its signal; groups of their components ("heads") are read as
signals of their own. The covariance of the channels in each head goes through the matrix logarithm, whose image is a
vector space (Huang & Van Gool 2017, AAAI, SPDNet), so a linear head can read it. A mean over time, the published
pooling, cannot see power: a rhythm has mean zero.

Shapes: B batch, D channels, L time tokens, C width of a token, H heads.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

SHRINKAGE = 1e-2
"""Share of the mean variance that is added to every variance."""
SMALLEST = 1e-10
"""Eigenvalues below this are taken for it."""


class CovariancePool(nn.Module):
    """Logarithms of the channels' covariances, one for each head of each scale.

    Parameters
    ----------
    n_heads : int
        Groups of token components; must divide their number.
    n_chans : int
        Number of channels.
    """

    rows: Tensor
    columns: Tensor
    stretch: Tensor

    def __init__(self, n_heads: int, n_chans: int) -> None:
        super().__init__()
        self.n_heads = n_heads
        rows, columns = np.triu_indices(n_chans)
        stretch = np.where(rows == columns, 1.0, np.sqrt(2.0)).astype(np.float32)
        self.register_buffer("rows", torch.tensor(rows), persistent=False)
        self.register_buffer("columns", torch.tensor(columns), persistent=False)
        self.register_buffer("stretch", torch.tensor(stretch), persistent=False)

    @staticmethod
    def n_features(n_scales: int, n_heads: int, n_chans: int) -> int:
        """Length of the pooled vector."""
        return n_scales * n_heads * n_chans * (n_chans + 1) // 2

    def forward(self, scales: Sequence[Tensor]) -> Tensor:
        """Pool tokens (B, D, L, C) of each scale into (B, scales * H * D (D + 1) / 2)."""
        return self.vectors(self.covariances(scales))

    def covariances(self, scales: Sequence[Tensor]) -> Tensor:
        """Return the covariances of each head of each scale, (B, scales, H, D, D)."""
        parts = []
        for h_BDLC in scales:
            centred = (h_BDLC - h_BDLC.mean(dim=2, keepdim=True)).float()
            heads_BDLHc = centred.view(*centred.shape[:-1], self.n_heads, -1)
            z_BHDn = heads_BDLHc.permute(0, 3, 1, 2, 4).flatten(-2)
            cov = z_BHDn @ z_BHDn.transpose(-1, -2) / z_BHDn.shape[-1]
            mean = cov.diagonal(dim1=-2, dim2=-1).mean(dim=-1)[..., None, None]
            eye = torch.eye(cov.shape[-1], dtype=cov.dtype, device=cov.device)
            parts.append(cov + (SHRINKAGE * mean + SMALLEST) * eye)
        return torch.stack(parts, dim=1)

    def vectors(self, covariances: Tensor) -> Tensor:
        """Return the logarithms of covariances (B, scales, H, D, D) as vectors (B, scales * H * D (D + 1) / 2)."""
        log = log_matrix(covariances)
        return (log[..., self.rows, self.columns] * self.stretch).flatten(1)


def log_matrix(matrices: Tensor) -> Tensor:
    """Return the logarithm of symmetric positive definite matrices (..., n, n), with a gradient that stays finite."""
    if torch.is_grad_enabled() and matrices.requires_grad:
        return _LogMatrix.apply(matrices)  # type: ignore[no-untyped-call, no-any-return]
    return _log(*torch.linalg.eigh(matrices))


def _log(values: Tensor, vectors: Tensor) -> Tensor:
    log: Tensor = (vectors * values.clamp_min(SMALLEST).log()[..., None, :]) @ vectors.transpose(-1, -2)
    return log


class _LogMatrix(torch.autograd.Function):
    """The logarithm with the derivative of Daleckii and Krein, which equal eigenvalues do not blow up."""

    @staticmethod
    def forward(ctx: Any, matrices: Tensor) -> Tensor:
        values, vectors = torch.linalg.eigh(matrices)
        ctx.save_for_backward(values.clamp_min(SMALLEST), vectors)
        return _log(values, vectors)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> Tensor:
        values, vectors = ctx.saved_tensors
        (gradient,) = gradients
        gradient = (gradient + gradient.transpose(-1, -2)) / 2
        apart = values[..., :, None] - values[..., None, :]
        total = values[..., :, None] + values[..., None, :]
        logs = values.log()
        close = apart.abs() < 1e-5 * total
        difference = logs[..., :, None] - logs[..., None, :]
        slope = torch.where(close, 2 / total, difference / torch.where(close, torch.ones_like(apart), apart))
        inner = vectors.transpose(-1, -2) @ gradient @ vectors
        out: Tensor = vectors @ (slope * inner) @ vectors.transpose(-1, -2)
        return out
