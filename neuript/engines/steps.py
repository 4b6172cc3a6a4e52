"""The steps of one forward pass on the CPU, each on fixed memory: nothing is allocated but what attention returns.

Tokens are rows, channel after channel, time within a channel. A step works on a group of rows that fits the cache.

Shape suffixes: N rows, D channels of a group, L time tokens, C model width, H heads, E width of a head.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from neuript.engines.folding import FirstLayer, NormedMap, PlainMap
from neuript.network.layers import repeated


class Scratch:
    """Memory that steps share, one piece for each role; a step must not expect what another left there."""

    def __init__(self) -> None:
        self._pieces: dict[str, Tensor] = {}

    def rows(self, role: str, n_rows: int, width: int) -> Tensor:
        """Return the first numbers of a role as (n_rows, width); ask for the largest size first."""
        piece = self._pieces.get(role)
        if piece is None or piece.numel() < n_rows * width:
            piece = self._pieces[role] = torch.zeros(n_rows * width)
        return piece[: n_rows * width].view(n_rows, width)


class RowScales:
    """1 / sqrt(C var + C eps) of rows h (N, C); the mean is taken away by the maps behind (see `folding`)."""

    def __init__(self, h_NC: Tensor, scale_N: Tensor, eps: float) -> None:
        n_rows, width = h_NC.shape
        self._h, self._scale = h_NC, scale_N
        self._average, self._mean = torch.full((width,), width**-0.5), torch.empty(n_rows)
        self._eps = width * eps

    def __call__(self) -> None:
        """Write the scales."""
        mean, scale = self._mean, self._scale
        torch.mv(self._h, self._average, out=mean)
        torch.linalg.vector_norm(self._h, dim=1, out=scale)
        scale.mul_(scale).addcmul_(mean, mean, value=-1.0).clamp_(min=0.0).add_(self._eps).rsqrt_()


class Norm:
    """Rows h (N, C) times their scales."""

    def __init__(self, h_NC: Tensor, z_NC: Tensor, eps: float) -> None:
        scale_N = torch.empty(len(h_NC))
        self._h, self._z, self._column = h_NC, z_NC, scale_N[:, None]
        self._scales = RowScales(h_NC, scale_N, eps)

    def __call__(self) -> None:
        """Write the rows."""
        self._scales()
        torch.mul(self._h, self._column, out=self._z)


class Mapped:
    """A map behind a norm, of rows h (N, C) to (N, n_outputs)."""

    def __init__(self, maps: NormedMap, h_NC: Tensor, out: Tensor, scratch: Scratch) -> None:
        self._z = scratch.rows("z", *h_NC.shape)
        self._norm = Norm(h_NC, self._z, maps.eps)
        self._maps, self._out = maps, out

    def __call__(self) -> None:
        """Write the outputs."""
        self._norm()
        torch.addmm(self._maps.bias, self._z, self._maps.weight, out=self._out)


class Merge:
    """Joins time tokens (D, L below, C) to rows (D L, C); a length that does not divide repeats its last tokens."""

    def __init__(self, maps: NormedMap, h_DLC: Tensor, out: Tensor, scratch: Scratch) -> None:
        self._h, self._joined, self._padded = h_DLC, h_DLC, None
        n_chans, length, width = h_DLC.shape
        whole = len(out) // n_chans * (len(maps.weight) // width)
        if whole > length:
            self._joined = self._padded = torch.empty(n_chans, whole, width)
            self._again = repeated(length, whole - length)
        self._length = length
        self._mapped = Mapped(maps, self._joined.reshape(len(out), -1), out, scratch)

    def __call__(self) -> None:
        """Write the rows."""
        if self._padded is not None:
            self._padded[:, : self._length].copy_(self._h)
            self._padded[:, self._length :].copy_(self._h[:, self._again])
        self._mapped()


class PlainTokens:
    """Samples (D, L) to tokens of the embedding, for a first block that merges."""

    def __init__(self, first: FirstLayer, x_DL: Tensor, h_DLC: Tensor) -> None:
        self._first, self._columns, self._h = first, x_DL[:, :, None], h_DLC

    def __call__(self) -> None:
        """Write the tokens."""
        torch.addcmul(self._first.constants, self._columns, self._first.weight, out=self._h)


class FirstTokens:
    """Samples of a group of channels (D, L) to tokens of the embedding and their queries, keys and values."""

    def __init__(self, first: FirstLayer, x_DL: Tensor, h_NC: Tensor, qkv_N3C: Tensor) -> None:
        self._first, self._x = first, x_DL
        n_chans, n_times = x_DL.shape
        self._h = h_NC.view(n_chans, n_times, -1)
        self._qkv, self._qkv_DLK = qkv_N3C, qkv_N3C.view(n_chans, n_times, -1)
        self._scale, self._ends = torch.empty(n_chans, n_times), torch.ones(n_chans * n_times, 2)
        self._slope, self._columns = self._ends[:, 0].view(n_chans, n_times), x_DL[:, :, None]

    def __call__(self) -> None:
        """Write both."""
        first, scale = self._first, self._scale
        torch.mul(self._x, first.quadratic, out=scale)
        scale.add_(first.linear).mul_(self._x).add_(first.constant).rsqrt_()
        torch.mul(self._x, scale, out=self._slope)
        torch.mul(first.table, scale[:, :, None], out=self._qkv_DLK)
        self._qkv.addmm_(self._ends, first.ends)
        torch.addcmul(first.constants, self._columns, first.weight, out=self._h)


class TimeAttention:
    """Attention within each channel of a group, added to the tokens, from queries, keys and values that are there."""

    def __init__(self, h_NC: Tensor, qkv_N3C: Tensor, length: int, n_heads: int, out: PlainMap) -> None:
        self._h, self._out = h_NC, out
        parts = qkv_N3C.view(-1, length, 3, n_heads, h_NC.shape[1] // n_heads)
        self._q, self._k, self._v = (part.transpose(1, 2) for part in parts.unbind(2))

    def __call__(self) -> None:
        """Add it."""
        y_DHLE = F.scaled_dot_product_attention(self._q, self._k, self._v)
        y_NC = y_DHLE.transpose(1, 2).reshape(self._h.shape)
        self._h.addmm_(y_NC, self._out.weight).add_(self._out.bias)


class AddSpaceAttention:
    """Attention over the channels at each time of a group of times, added to the tokens.

    Sequences are as long as there are channels, too short for the fused attention to be quick: the products are made
    head by head, and the softmax runs down the columns of the transposed scores.

    Parameters
    ----------
    h_DLC : Tensor
        Tokens of the group's times.
    scale_DL : Tensor
        Their scales; see `RowScales`.
    maps : tuple of NormedMap and PlainMap
        To queries (scaled), keys and values; and from what the heads say.
    n_heads : int
        Number of heads.
    bias_HDD : Tensor, optional
        Numbers added to the scores, the query's channel first.
    scratch : Scratch
        Shared memory.
    """

    def __init__(
        self,
        h_DLC: Tensor,
        scale_DL: Tensor,
        maps: tuple[NormedMap, PlainMap],
        n_heads: int,
        bias_HDD: Tensor | None,
        scratch: Scratch,
    ) -> None:
        n_chans, length, width = h_DLC.shape
        n_rows, each = n_chans * length, width // n_heads
        self._h, self._scale = h_DLC, scale_DL[:, :, None]
        self._maps, self._out = maps
        self._z = scratch.rows("z", n_rows, width)
        self._z_DLC = self._z.view(length, n_chans, width).transpose(0, 1)
        self._qkv = scratch.rows("qkv", n_rows, 3 * width)
        parts = self._qkv.view(length, n_chans, 3, n_heads, each)
        self._queries = [parts[:, :, 0, h].transpose(1, 2) for h in range(n_heads)]
        self._keys, self._values = ([parts[:, :, i, h] for h in range(n_heads)] for i in (1, 2))
        self._scores = scratch.rows("scores", n_heads * length * n_chans, n_chans).view(-1, n_chans, n_chans)
        self._columns = list(self._scores.view(n_heads, length, n_chans, n_chans))
        self._weights = [column.transpose(1, 2) for column in self._columns]
        self._bias = None if bias_HDD is None else bias_HDD.transpose(1, 2)[:, None]
        self._heads = scratch.rows("heads", n_heads * n_rows, each).view(n_heads, length, n_chans, each)
        self._heads_LDHE, self._y_LDHE = self._heads.permute(1, 2, 0, 3), self._z.view(length, n_chans, n_heads, each)
        self._o = scratch.rows("o", n_rows, width)
        self._o_DLC = self._o.view(length, n_chans, width).transpose(0, 1)

    def __call__(self) -> None:
        """Add it."""
        torch.mul(self._h, self._scale, out=self._z_DLC)
        torch.addmm(self._maps.bias, self._z, self._maps.weight, out=self._qkv)
        for query, key, column in zip(self._queries, self._keys, self._columns, strict=True):
            torch.bmm(key, query, out=column)
        if self._bias is not None:
            self._scores.view(len(self._columns), *self._columns[0].shape).add_(self._bias)
        torch.softmax(self._scores, 1, out=self._scores)
        for weights, value, head in zip(self._weights, self._values, self._heads, strict=True):
            torch.bmm(weights, value, out=head)
        self._y_LDHE.copy_(self._heads_LDHE)
        torch.addmm(self._out.bias, self._z, self._out.weight, out=self._o)
        self._h.add_(self._o_DLC)


class AddPositions:
    """Adds the positions of a group of channels to its tokens."""

    def __init__(self, h_NC: Tensor, positions_DC: Tensor) -> None:
        self._h = h_NC.view(len(positions_DC), -1, h_NC.shape[1])
        self._positions = positions_DC[:, None]

    def __call__(self) -> None:
        """Add them."""
        self._h.add_(self._positions)
