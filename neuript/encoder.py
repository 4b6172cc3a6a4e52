"""NeurIPT encoder: point embedding, positions, and two-stage attention blocks that shrink time.

Shape suffixes: B batch, D channels, T samples, L time tokens, C model width.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from numpy.typing import ArrayLike
from torch import Tensor, nn

from neuript.config import NeuriptConfig
from neuript.layers import Attention, Dropout, FeedForward, TimeMerge, init_linear
from neuript.moe import PMoE
from neuript.positions import (
    GRID_MAX,
    channel_grid,
    check_positions,
    grid_encoding,
    shared_grid,
    sinusoid,
)

LEARNED_STD = 0.02
"""Standard deviation of freshly initialised learned positions."""


class EncoderBlock(nn.Module):
    """Merge, then attention over time within each channel, then over channels at each time.

    Pre-norm residual stages with separate feed-forward layers F1 and F2, which are dense or, with
    experts, each a mixture with its own router.

    Parameters
    ----------
    config
        Widths and switches.
    merge
        Time tokens merged at the entry; 1 for none.
    n_experts
        Routed experts of F1 and of F2; 0 for dense layers.
    """

    def __init__(self, config: NeuriptConfig, merge: int, n_experts: int) -> None:
        super().__init__()
        width = config.d_model
        drop = config.dropout if config.attention_dropout is None else config.attention_dropout
        self.merge = TimeMerge(width, merge) if merge > 1 else None
        self.norm_time = nn.LayerNorm(width)
        self.time = Attention(width, config.n_heads, drop)
        self.norm_ffn_time = nn.LayerNorm(width)
        self.ffn_time = _feed_forward(config, n_experts)
        self.norm_space = nn.LayerNorm(width)
        self.space = Attention(width, config.n_heads, drop)
        self.norm_ffn_space = nn.LayerNorm(width)
        self.ffn_space = _feed_forward(config, n_experts)
        self.dropout = Dropout(config.dropout)

    def forward(
        self, h_BDLC: Tensor, length: int, pe_space_DC: Tensor | None = None
    ) -> tuple[Tensor, Tensor | None]:
        """Encode one scale further.

        Parameters
        ----------
        h_BDLC
            Tokens of the scale below.
        length
            Their number in time, L (a plain number also while tracing).
        pe_space_DC
            Channel positions to add between the two stages, in the first block.

        Returns
        -------
        tuple[Tensor, Tensor | None]
            Tokens of this scale, and in training the auxiliary loss of its experts, if any.
        """
        h = h_BDLC if self.merge is None else self.merge(h_BDLC, length)
        sizes = h.shape
        a = self.time(self.norm_time(h).flatten(0, 1)).view(sizes)
        h = h + self.dropout(a)
        f, aux_time = _apply(self.ffn_time, self.norm_ffn_time(h))
        h = h + self.dropout(f)
        if pe_space_DC is not None:
            h = h + pe_space_DC[:, None, :]
        h_BLDC = h.transpose(1, 2).contiguous()
        c = self.space(self.norm_space(h_BLDC).flatten(0, 1)).view(h_BLDC.shape)
        h = h + self.dropout(c).transpose(1, 2)
        f, aux_space = _apply(self.ffn_space, self.norm_ffn_space(h))
        h = h + self.dropout(f)
        if aux_time is None or aux_space is None:
            return h, None
        return h, aux_time + aux_space


class TimePositions(nn.Module):
    """Encoding of the sample index: a fixed table, a learned one, or none."""

    def __init__(self, config: NeuriptConfig) -> None:
        super().__init__()
        self.kind = config.temporal_pe
        self.n_times, self.width = shape = config.n_times, config.d_model
        if self.kind == "sinusoid":
            self.register_buffer("table", sinusoid(range(shape[0]), shape[1]), persistent=False)
        elif self.kind == "learned":
            self.table = nn.Parameter(torch.empty(shape))
            nn.init.normal_(self.table, std=LEARNED_STD)

    def forward(self, n_times: int) -> Tensor | None:
        """Table for `n_times` samples, (T, C)."""
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

    def __init__(self, config: NeuriptConfig, pos_m: ArrayLike) -> None:
        super().__init__()
        self.kind = config.spatial_pe
        width, grid = config.d_model, channel_grid(pos_m)
        if self.kind == "3d":
            self.register_buffer("table", grid_encoding(grid, width), persistent=False)
        elif self.kind == "3d_shared":
            table = grid_encoding(shared_grid(pos_m), width)
            self.register_buffer("table", table, persistent=False)
        elif self.kind == "trigonometric":
            self.register_buffer("table", sinusoid(range(len(grid)), width), persistent=False)
        elif self.kind == "learned_1d":
            self.table = nn.Parameter(torch.empty(len(grid), width))
            nn.init.normal_(self.table, std=LEARNED_STD)
        elif self.kind == "learned_2d":
            # Half the width for the column (x), half for the row (y) of the grid.
            self.columns = nn.Parameter(torch.empty(GRID_MAX + 1, width // 2))
            self.rows = nn.Parameter(torch.empty(GRID_MAX + 1, width // 2))
            nn.init.normal_(self.columns, std=LEARNED_STD)
            nn.init.normal_(self.rows, std=LEARNED_STD)
            self.register_buffer("grid", torch.tensor(grid[:, :2]), persistent=False)

    def forward(self) -> Tensor | None:
        """Table of the montage, (D, C)."""
        if self.kind == "none":
            return None
        if self.kind == "learned_2d":
            grid: Tensor = self.grid  # type: ignore[assignment]
            return torch.cat([self.columns[grid[:, 0]], self.rows[grid[:, 1]]], dim=1)
        return self.table


class Encoder(nn.Module):
    """NeurIPT encoder for one montage.

    Parameters
    ----------
    config
        Widths and switches; its output part is not used here.
    pos_m
        Channel positions in metres, (n_chans, 3); the midpoint for a bipolar channel.

    Notes
    -----
    Position tables that are computed and not learned are no part of the state dict: the same
    weights serve every montage and window length.
    """

    def __init__(self, config: NeuriptConfig, pos_m: ArrayLike) -> None:
        super().__init__()
        self.config = config
        self.n_chans = len(check_positions(pos_m))
        self.embed = nn.Linear(1, config.d_model)
        self.pe_time = TimePositions(config)
        self.pe_space = ChannelPositions(config, pos_m)
        self.blocks = nn.ModuleList(
            EncoderBlock(config, m, e) for m, e in zip(config.merges, config.experts, strict=True)
        )
        init_modules(self, config)

    def forward(self, x_BDT: Tensor) -> tuple[list[Tensor], Tensor | None]:
        """Encode companded windows.

        Parameters
        ----------
        x_BDT
            Companded signal, (batch, n_chans, n_times). While tracing, n_times must be the
            configured one.

        Returns
        -------
        scales
            H_0 (embedding with positions in time) and the output of every block, each
            (batch, n_chans, L_l, d_model).
        aux
            In training the auxiliary loss summed over all expert layers; None in evaluation or
            without experts.
        """
        return self._run(x_BDT, len(self.blocks))

    def lower(self, x_BDT: Tensor, n_blocks: int) -> list[Tensor]:
        """Return H_0 and the outputs of the first `n_blocks` blocks, for training the others alone."""
        return self._run(x_BDT, n_blocks)[0]

    def continue_from(self, h_BDLC: Tensor, n_blocks: int) -> tuple[list[Tensor], Tensor | None]:
        """Run the blocks above the first `n_blocks` on the output of these.

        Parameters
        ----------
        h_BDLC
            Last output of `lower(x, n_blocks)`, (batch, n_chans, L, d_model), n_blocks at least 1.

        Returns
        -------
        scales
            Outputs of the upper blocks.
        aux
            As of `forward`, of these blocks.
        """
        return self._upper(h_BDLC, n_blocks, self.config.lengths(), None, len(self.blocks))

    def _run(self, x_BDT: Tensor, stop: int) -> tuple[list[Tensor], Tensor | None]:
        n_times = self._check(x_BDT)
        # Positions are added before a merge in block 1, where the samples still exist (reading:
        # the published block 1 does not merge).
        h = self.embed(x_BDT.unsqueeze(-1))
        pe_time = self.pe_time(n_times)
        if pe_time is not None:
            h = h + pe_time
        scales, aux = self._upper(h, 0, self.config.lengths(n_times), self.pe_space(), stop)
        return [h, *scales], aux

    def _upper(
        self, h: Tensor, start: int, lengths: Sequence[int], pe_space: Tensor | None, stop: int
    ) -> tuple[list[Tensor], Tensor | None]:
        scales = []
        losses = []
        for i, block in enumerate(self.blocks):
            if not start <= i < stop:
                continue
            h, aux = block(h, lengths[i], pe_space)
            pe_space = None
            scales.append(h)
            if aux is not None:
                losses.append(aux)
        return scales, torch.stack(losses).sum() if losses else None

    def _check(self, x_BDT: Tensor) -> int:
        if _is_tracing():  # a test on a shape would be frozen into the program
            return self.config.n_times
        if x_BDT.dim() != 3 or x_BDT.shape[1] != self.n_chans or x_BDT.shape[2] < 1:
            raise ValueError(
                f"the model takes (batch, {self.n_chans} channels, samples), "
                f"not {tuple(x_BDT.shape)}"
            )
        return x_BDT.shape[2]


def init_modules(root: nn.Module, config: NeuriptConfig) -> None:
    """Initialise every linear map below `root` as `config.init` says."""
    for module in root.modules():
        if isinstance(module, nn.Linear):
            init_linear(module.weight, module.bias, module.in_features, config.init)
    for module in root.modules():
        if isinstance(module, PMoE):
            module.init_down()


def _feed_forward(config: NeuriptConfig, n_experts: int) -> nn.Module:
    if n_experts:
        return PMoE(config, n_experts)
    return FeedForward(config.d_model, config.d_ff, config.activation)


def _apply(layer: nn.Module, z: Tensor) -> tuple[Tensor, Tensor | None]:
    if isinstance(layer, PMoE):
        y, aux = layer(z)
        return y, aux
    return layer(z), None


def _is_tracing() -> bool:
    return bool(torch.jit.is_tracing())  # type: ignore[attr-defined,no-untyped-call]
