"""Positions of channels and samples: the paper's integer grid on the head, and sinusoids."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

GRID_MAX = 49
"""Grid coordinates run from 0 to this."""
SHARED_ORIGIN_M = (-0.0783, -0.09562, -0.01074)
"""Per-axis minimum of the pretraining montage (20 bipolar pairs), metres."""
SHARED_STEPS_PER_M = 296.58
"""Grid steps per metre of the pretraining montage."""


def check_positions(pos_m: ArrayLike) -> NDArray[np.float64]:
    """Return positions as a new float64 array of shape (n_chans, 3), or raise ValueError."""
    pos = np.array(pos_m, dtype=np.float64)
    if pos.ndim != 2 or pos.shape[1] != 3 or len(pos) == 0:
        raise ValueError(f"pos_m has shape {pos.shape}; it must be (n_chans, 3), in metres")
    if not np.isfinite(pos).all():
        bad = np.flatnonzero(~np.isfinite(pos).all(axis=1)).tolist()
        raise ValueError(f"pos_m is not finite for channels {bad}; every channel needs a position")
    return pos


def channel_grid(pos_m: ArrayLike) -> NDArray[np.int64]:
    """Integer grid of one montage, as in the source of NeurIPT.

    The montage's own minimum is subtracted on each axis, then all axes are scaled by one factor so
    that the largest extent is 49, and rounded half to even. The result depends on the set of
    channels: grids of different montages are not aligned (see `shared_grid`).

    Parameters
    ----------
    pos_m : array_like, shape (n_chans, 3)
        Channel positions; the unit cancels. A bipolar channel is the midpoint.

    Returns
    -------
    ndarray of int64, shape (n_chans, 3)
        Grid coordinates 0..49. A single channel sits at the origin.
    """
    pos = check_positions(pos_m)
    pos -= pos.min(axis=0)
    extent = pos.max()
    scale = GRID_MAX / extent if extent > 0 else 0.0
    # Nine digits: the last bits of a unit conversion must not decide a half.
    grid: NDArray[np.int64] = np.rint(np.round(pos * scale, 9)).astype(np.int64)
    return grid


def shared_grid(pos_m: ArrayLike) -> NDArray[np.int64]:
    """Integer grid in the frame of the pretraining montage, clipped to 0..49.

    The same electrode has the same coordinates in every montage.

    Parameters
    ----------
    pos_m : array_like, shape (n_chans, 3)
        Channel positions in metres, head frame.
    """
    pos = (check_positions(pos_m) - SHARED_ORIGIN_M) * SHARED_STEPS_PER_M
    grid: NDArray[np.int64] = np.clip(np.rint(pos), 0, GRID_MAX).astype(np.int64)
    return grid


def axis_widths(d_model: int) -> tuple[int, int, int]:
    """Widths of the x, y and z parts of a 3-D encoding: even, equal for x and y, rest for z."""
    side = d_model // 3
    side -= side % 2
    return side, side, d_model - 2 * side


def sinusoid(positions: ArrayLike, width: int) -> Tensor:
    """Sinusoidal encoding: entry 2j is sin(p 10000^(-2j/width)), 2j+1 the cosine.

    Parameters
    ----------
    positions : array_like, shape (n,)
        Positions to encode.
    width : int
        Number of entries of a code; even.

    Returns
    -------
    Tensor of float32, shape (n, width)
        Codes, computed in float64.
    """
    position = np.asarray(positions, dtype=np.float64)
    frequency = 10000.0 ** (-np.arange(0, width, 2) / width)
    angle = position[:, None] * frequency
    table = np.stack([np.sin(angle), np.cos(angle)], axis=-1).reshape(len(position), width)
    return torch.tensor(table, dtype=torch.float32)


def grid_encoding(grid: NDArray[np.int64], d_model: int) -> Tensor:
    """Concatenate the sinusoids of the three grid axes, (n_chans, d_model)."""
    parts = [sinusoid(grid[:, i], width) for i, width in enumerate(axis_widths(d_model))]
    return torch.cat(parts, dim=1)
