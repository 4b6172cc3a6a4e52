"""The steps of one encoder block, in groups of channels and of times that fit the cache.

Shape suffixes: D channels, L time tokens, C model width, H heads, N rows (channels times tokens).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from neuript.engines.expert_steps import AddFeedForward
from neuript.engines.folding import FirstLayer, fold_feed_forward, fold_norm, fold_queries, plain_map
from neuript.engines.pooled import Pooled
from neuript.engines.steps import (
    AddPositions,
    AddSpaceAttention,
    FirstTokens,
    Mapped,
    Merge,
    RowScales,
    Scratch,
    TimeAttention,
)
from neuript.network.encoder import EncoderBlock

Step = Callable[[], None]


@dataclass(frozen=True)
class FirstInput:
    """What the first block takes where it does not merge."""

    layer: FirstLayer
    samples: Tensor
    """Companded samples, (D, L)."""
    pooled: Pooled
    """Keeps the embedding, over which the block writes."""


@dataclass(frozen=True, kw_only=True)
class BlockInput:
    """Tokens below a block, and what else it sees."""

    below: Tensor
    """Tokens of the scale below, (D, L below, C)."""
    tokens: Tensor
    """Where the block writes, (D, L, C): the same memory if it does not merge."""
    first: FirstInput | None = None
    positions: Tensor | None = None
    """Encoded positions of the channels, (D, C)."""
    bias: Tensor | None = None
    """Numbers added to the scores of the spatial attention, (H, D, D)."""


class BlockSteps:
    """The steps of a block on fixed memory.

    Parameters
    ----------
    block : EncoderBlock
        The block.
    given : BlockInput
        What it works on.
    scratch : Scratch
        Memory shared by all blocks.
    group_bytes : int
        Size of the widest rows that are worked on at once.

    Attributes
    ----------
    router_logits : list of Tensor, each (N, experts)
        What the routers of the block said, in their order.
    """

    def __init__(self, block: EncoderBlock, given: BlockInput, scratch: Scratch, group_bytes: int) -> None:
        self._block, self._given, self._scratch = block, given, scratch
        self._n_chans, self._length, self._width = given.tokens.shape
        self._rows_NC = given.tokens.view(-1, self._width)
        self._time_ffn = fold_feed_forward(block.norm_ffn_time, block.ffn_time)
        self._space_ffn = fold_feed_forward(block.norm_ffn_space, block.ffn_space)
        self._time_qkv = fold_norm(block.norm_time, block.time.qkv.weight, block.time.qkv.bias)
        self._space_qkv = fold_queries(fold_norm(block.norm_space, block.space.qkv.weight, block.space.qkv.bias), block)
        self._time_out, self._space_out = plain_map(block.time.out), plain_map(block.space.out)
        self._scale_N = torch.empty(len(self._rows_NC))
        ffns = self._time_ffn, self._space_ffn
        self._logits = [torch.zeros(len(self._rows_NC), ffn.n_experts) for ffn in ffns]
        self.router_logits = [logits for logits in self._logits if logits.shape[1]]
        widest = max(3 * self._width, *(max(len(ffn.up.bias), len(ffn.down)) for ffn in ffns))
        self._chans_at_once = _at_once(group_bytes, widest * self._length, self._n_chans)
        self._times_at_once = _at_once(group_bytes, 3 * self._width * self._n_chans, self._length)
        self._reserve(widest)

    def __iter__(self) -> Iterator[Step]:
        """Return the steps in their order."""
        for start in range(0, self._n_chans, self._chans_at_once):
            yield from self._time_steps(slice(start, min(start + self._chans_at_once, self._n_chans)))
        for start in range(0, self._length, self._times_at_once):
            yield self._space_attention(slice(start, start + self._times_at_once))
        for start in range(0, self._n_chans, self._chans_at_once):
            rows = self._rows(slice(start, min(start + self._chans_at_once, self._n_chans)))
            yield AddFeedForward(self._space_ffn, self._rows_NC[rows], self._scratch, self._logits[1][rows])

    def _reserve(self, widest: int) -> None:
        """Ask for the largest sizes first, so that every step shares the same memory."""
        n_rows = max(self._chans_at_once * self._length, self._times_at_once * self._n_chans)
        merged = self._width if self._block.merge is None else self._block.merge.norm.normalized_shape[0]
        for role, width in {"z": merged, "qkv": 3 * self._width, "up": widest}.items():
            self._scratch.rows(role, n_rows, width)

    def _rows(self, chans: slice) -> slice:
        return slice(chans.start * self._length, chans.stop * self._length)

    def _time_steps(self, chans: slice) -> Iterator[Step]:
        rows = self._rows(chans)
        h_NC = self._rows_NC[rows]
        qkv = self._scratch.rows("qkv", len(h_NC), 3 * self._width)
        yield from self._queries(chans, h_NC, qkv)
        yield TimeAttention(h_NC, qkv, self._length, self._block.time.n_heads, self._time_out)
        yield AddFeedForward(self._time_ffn, h_NC, self._scratch, self._logits[0][rows])
        if self._given.positions is not None:
            yield AddPositions(h_NC, self._given.positions[chans])
        yield RowScales(h_NC, self._scale_N[rows], self._space_qkv.eps)

    def _queries(self, chans: slice, h_NC: Tensor, qkv: Tensor) -> Iterator[Step]:
        merge, first = self._block.merge, self._given.first
        if first is not None:
            yield FirstTokens(first.layer, first.samples[chans], h_NC, qkv)
            yield from first.pooled.keeping(0, h_NC, chans)
            return
        if merge is not None:
            maps = fold_norm(merge.norm, merge.linear.weight, merge.linear.bias)
            yield Merge(maps, self._given.below[chans], h_NC, self._scratch)
        yield Mapped(self._time_qkv, h_NC, qkv, self._scratch)

    def _space_attention(self, times: slice) -> Step:
        scale_DL = self._scale_N.view(self._n_chans, self._length)[:, times]
        maps = self._space_qkv, self._space_out
        h_DLC, n_heads = self._given.tokens[:, times], self._block.space.n_heads
        return AddSpaceAttention(h_DLC, scale_DL, maps, n_heads, self._given.bias, self._scratch)


def _at_once(group_bytes: int, numbers: int, n: int) -> int:
    return max(1, min(n, group_bytes // (4 * numbers)))
