"""Encodings of time and channel that the encoder adds: computed from positions, learned, or none.

Computed tables are no part of the state dict, so that the same weights serve every montage.
Shape suffixes: D channels, T samples, C model width.
"""

from __future__ import annotations

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from neuript.network.config import NetworkConfig
from neuript.network.positions import GRID_MAX, channel_grid, check_positions, grid_encoding, shared_grid, sinusoid

LEARNED_STD = 0.02
"""Standard deviation of freshly initialised learned positions."""


class TimePositions(nn.Module):
    """Encoding of the sample index: a fixed table, a learned one, or none."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.kind = config.temporal_pe
        self.n_times, self.width = shape = config.n_times, config.d_model
        if self.kind == "sinusoid":
            self.register_buffer("table", sinusoid(range(shape[0]), shape[1]), persistent=False)
        elif self.kind == "learned":
            self.table = nn.Parameter(torch.empty(shape))
            nn.init.normal_(self.table, std=LEARNED_STD)

    def forward(self, n_times: int) -> Tensor | None:
        """Table for `n_times` samples, (T, C).

        Raises
        ------
        ValueError
            If positions are learned and the window is longer than their table.
        """
        if self.kind == "none":
            return None
        if n_times <= self.n_times:
            return self.table[:n_times]
        if self.kind == "learned":
            raise ValueError(
                f"a window of {n_times} samples is longer than the {self.n_times} learned "
                "positions in time; build the model with a larger n_times"
            )
        return sinusoid(range(n_times), self.width).to(self.table)


class ChannelPositions(nn.Module):
    """Encoding of the channel: its place on the head, its index, or none."""

    def __init__(self, config: NetworkConfig, pos_m: ArrayLike) -> None:
        super().__init__()
        self.kind = config.spatial_pe
        self.width = width = config.d_model
        self.n_chans = len(check_positions(pos_m))
        if self.kind == "learned_1d":
            self.table = nn.Parameter(torch.empty(self.n_chans, width))
            nn.init.normal_(self.table, std=LEARNED_STD)
        elif self.kind == "learned_2d":
            # Half the width for the column (x), half for the row (y) of the grid.
            self.columns = nn.Parameter(torch.empty(GRID_MAX + 1, width // 2))
            self.rows = nn.Parameter(torch.empty(GRID_MAX + 1, width // 2))
            nn.init.normal_(self.columns, std=LEARNED_STD)
            nn.init.normal_(self.rows, std=LEARNED_STD)
            self.register_buffer("grid", self._computed(pos_m), persistent=False)
        elif self.kind != "none":
            self.register_buffer("table", self._computed(pos_m), persistent=False)

    def set_montage(self, pos_m: ArrayLike) -> None:
        """Take the positions of another montage; see `Encoder.set_montage`.

        Raises
        ------
        ValueError
            If positions are learned by index and there are fewer than channels.
        """
        n_chans = len(check_positions(pos_m))
        if self.kind == "learned_1d":
            if n_chans > len(self.table):
                raise ValueError(
                    f"the montage has {n_chans} channels, and spatial_pe='learned_1d' learned "
                    f"{len(self.table)} positions; build the model for the largest montage, or "
                    "use a spatial_pe that is computed"
                )
        elif self.kind == "learned_2d":
            self.grid = self._computed(pos_m).to(self.columns.device)
        elif self.kind != "none":
            self.register_buffer("table", self._computed(pos_m).to(self.table), persistent=False)
        self.n_chans = n_chans

    def _computed(self, pos_m: ArrayLike) -> Tensor:
        grid = channel_grid(pos_m)
        if self.kind == "3d":
            return grid_encoding(grid, self.width)
        if self.kind == "3d_shared":
            return grid_encoding(shared_grid(pos_m), self.width)
        if self.kind == "trigonometric":
            return sinusoid(range(len(grid)), self.width)
        return torch.tensor(grid[:, :2])

    def forward(self) -> Tensor | None:
        """Table of the montage, (D, C)."""
        if self.kind == "none":
            return None
        if self.kind == "learned_2d":
            grid: Tensor = self.grid
            return torch.cat([self.columns[grid[:, 0]], self.rows[grid[:, 1]]], dim=1)
        return self.table[: self.n_chans] if self.kind == "learned_1d" else self.table
