"""Lobe pooling (IILP) and its ablations: which channels are averaged together before the head."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from neuript.network.config import Pooling
from neuript.network.positions import channel_grid, check_positions

MIDLINE_M = 0.001
"""Channels so many metres from the midline, or fewer, belong to both hemispheres."""
N_STRIPS = 5
"""Coronal and sagittal groups, as many as the paper has for its 20 bipolar pairs."""

_PAIRS_GRID = (
    (8, 47, 0), (0, 32, 0), (0, 15, 1), (8, 1, 4), (38, 48, 0), (47, 33, 0), (47, 15, 1),
    (38, 1, 4), (1, 24, 11), (14, 25, 28), (33, 25, 27), (46, 25, 11), (11, 49, 8), (6, 35, 19),
    (6, 15, 21), (11, 0, 13), (35, 49, 8), (41, 35, 19), (41, 15, 21), (36, 0, 13),
)  # fmt: skip
_PAIRS_GROUPS: dict[str, tuple[tuple[int, ...], ...]] = {
    "hemispheres": ((0, 1, 2, 3, 8, 9, 12, 13, 14, 15), (4, 5, 6, 7, 10, 11, 16, 17, 18, 19)),
    "sagittal": (
        (0, 1, 2, 3), (4, 5, 6, 7), (8, 9, 10, 11), (12, 13, 14, 15), (16, 17, 18, 19),
    ),
    "coronal": (
        (0, 4, 12, 16), (1, 5, 13, 17), (2, 6, 14, 18), (3, 7, 15, 19), (8, 9, 10, 11),
    ),
}  # fmt: skip


def pooling_groups(pooling: Pooling, pos_m: ArrayLike, lobes: Sequence[Sequence[int]]) -> tuple[tuple[int, ...], ...]:
    """Channel groups of a pooling.

    Parameters
    ----------
    pooling : {'iilp', 'mean', 'hemispheres', 'coronal', 'sagittal', 'channels', 'none'}
        "iilp": the lobes. "mean": all channels. "hemispheres", "coronal", "sagittal": the paper's
        groups for its 20 bipolar pairs; for another montage by position (reading): left and right
        of the midline, five strips from front to back, five strips from left to right.
        "channels": every channel alone, averaged over time (the paper does so for Sleep-EDFx).
        "none": every channel alone, and `Flatten` in place of the average.
    pos_m : array_like, shape (n_chans, 3)
        Channel positions in metres (x right, y front).
    lobes : sequence of sequences of int
        Channel indices of each lobe; lobes may overlap and are never empty.

    Returns
    -------
    tuple of tuples of int
        Indices of each group; empty strips are left out.
    """
    pos = check_positions(pos_m)
    if pooling == "iilp":
        return check_lobes(lobes, len(pos))
    if pooling == "mean":
        return (tuple(range(len(pos))),)
    if pooling in ("channels", "none"):
        return tuple((i,) for i in range(len(pos)))
    if np.array_equal(channel_grid(pos), _PAIRS_GRID):
        return _PAIRS_GROUPS[pooling]
    if pooling == "hemispheres":
        sides = pos[:, 0] <= MIDLINE_M, pos[:, 0] >= -MIDLINE_M
        return tuple(tuple(np.flatnonzero(side).tolist()) for side in sides if side.any())
    return _strips(pos[:, 0] if pooling == "sagittal" else -pos[:, 1])


def check_lobes(lobes: Sequence[Sequence[int]], n_chans: int) -> tuple[tuple[int, ...], ...]:
    """Return the lobes as tuples, or raise ValueError saying which one is wrong."""
    if len(lobes) == 0:
        raise ValueError("there is no lobe; the pooling needs at least one group of channels")
    for i, lobe in enumerate(lobes):
        if len(lobe) == 0:
            raise ValueError(f"lobe {i} is empty; leave it out")
        if len(set(lobe)) < len(lobe) or not all(0 <= c < n_chans for c in lobe):
            raise ValueError(f"lobe {i} is {list(lobe)}; it must hold different channels of 0..{n_chans - 1}")
    return tuple(tuple(int(c) for c in lobe) for lobe in lobes)


class GroupPool(nn.Module):
    """Mean over the channels of each group and over time, for several scales.

    Parameters
    ----------
    groups : sequence of sequences of int
        Channel indices of each group.
    n_chans : int
        Number of channels of the montage.
    """

    group_weights: Tensor

    def __init__(self, groups: Sequence[Sequence[int]], n_chans: int) -> None:
        super().__init__()
        weights = np.zeros((len(groups), n_chans), dtype=np.float32)
        for row, group in zip(weights, groups, strict=True):
            row[list(group)] = 1.0 / len(group)
        self.register_buffer("group_weights", torch.tensor(weights), persistent=False)

    def forward(self, scales: Sequence[Tensor]) -> Tensor:
        """Pool tokens (B, D, L, C) of each scale into (B, scales * groups * C)."""
        means_BDC = torch.stack([h_BDLC.mean(dim=2) for h_BDLC in scales], dim=1)
        return (self.group_weights @ means_BDC).flatten(1)


class Flatten(nn.Module):
    """No pooling: every token of every scale, one after the other."""

    def forward(self, scales: Sequence[Tensor]) -> Tensor:
        """Join (B, D, L, C) of each scale into (B, sum of D * L * C)."""
        return torch.cat([h_BDLC.flatten(1) for h_BDLC in scales], dim=1)


def _strips(coordinate: NDArray[np.float64]) -> tuple[tuple[int, ...], ...]:
    span = np.ptp(coordinate)
    share = (coordinate - coordinate.min()) / (span if span > 0 else 1.0)
    strip = np.minimum((share * N_STRIPS + 1e-9).astype(int), N_STRIPS - 1)
    return tuple(tuple(np.flatnonzero(strip == s).tolist()) for s in range(N_STRIPS) if s in strip)
