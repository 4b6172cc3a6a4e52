"""Attention, dense feed-forward layers, merging of time tokens, and initialisation.

Shape suffixes: B batch, D channels, L time tokens, C model width, N independent sequences,
S tokens of a sequence, H heads.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neuript.network.config import Activation, Init

FUSED_FROM, FUSED_FROM_BFLOAT16 = 48, 128
"""Tokens of a sequence from which training on a CPU uses PyTorch's fused attention; plain products below.

Forward and backward over the 80 tokens of a window in bfloat16 take 58 ms as products in pieces, 446 ms
fused, because the backward of the fused kernel is slow there. It has no dropout on a CPU. Inference
always uses it: over the 256 samples of a window it is four times as fast.
"""
FLOAT_UP_TO = 40
"""Sequences up to this long are multiplied in float32 even where the rest is bfloat16: half the time."""
PIECE = 2**21
"""Attention weights (numbers) computed at once in training on a CPU, so that they stay in its cache."""


class Dropout(nn.Module):
    """Inverted dropout with the arithmetic of `torch.nn.Dropout`, quick on a CPU.

    The mask is made of 16-bit slices of 64-bit random numbers: a third of the time of PyTorch's
    Bernoulli mask, which otherwise takes a tenth of a training step. The rate is exact to 1e-5.

    Parameters
    ----------
    p : float
        Share of the entries that are zeroed in training; the others are scaled by 1 / (1 - p).
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Drop entries of `x` in training, else return it."""
        if not self.training or self.p < 2**-16:  # one step of the 16-bit comparison below
            return x
        if x.device.type != "cpu":
            return F.dropout(x, self.p)
        words = torch.empty(-(-x.numel() // 4), dtype=torch.int64).random_(-(2**63), None)
        keep = words.view(torch.int16)[: x.numel()].view(x.shape) < round((0.5 - self.p) * 2**16)
        return x * keep.to(x.dtype).mul_(1 / (1 - self.p))

    def extra_repr(self) -> str:
        """Show the rate."""
        return f"p={self.p}"


class Attention(nn.Module):
    """Multi-head self-attention with biased query, key, value and output maps.

    Parameters
    ----------
    d_model, n_heads : int
        Width of the tokens, and number of heads that share it.
    dropout : float
        Share of the attention weights that are zeroed in training.
    """

    def __init__(self, d_model: int, n_heads: int, dropout: float) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.dropout = Dropout(dropout)
        self.qkv = nn.Linear(d_model, 3 * d_model)
        self.out = nn.Linear(d_model, d_model)

    def forward(self, x_NSC: Tensor, mask: Tensor | None = None, bias: Tensor | None = None) -> Tensor:
        """Attend within each sequence.

        Parameters
        ----------
        x_NSC : Tensor, shape (sequences, tokens, d_model)
            Tokens.
        mask : Tensor of bool, optional
            True where a query (row) may see a key (column), broadcastable to (N, H, S, S); None where
            all see all.
        bias : Tensor, shape (N, H, S, S), optional
            Numbers added to the scores; None adds nothing.
        """
        qkv = self.qkv(x_NSC).unflatten(-1, (3, self.n_heads, -1)).permute(2, 0, 3, 1, 4)
        q_NHSE, k_NHSE, v_NHSE = qkv.unbind(0)
        if bias is not None:
            bias = bias.to(q_NHSE.dtype)
            mask = bias if mask is None else bias.masked_fill(~mask, -torch.inf)
        y_NHSE = attend(q_NHSE, k_NHSE, v_NHSE, mask, self.dropout)
        return self.out(y_NHSE.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]


def attend(q_NHSE: Tensor, k_NHSE: Tensor, v_NHSE: Tensor, mask: Tensor | None, dropout: Dropout) -> Tensor:
    """Scaled dot-product attention of every head, by the quickest way there is.

    Parameters
    ----------
    q_NHSE, k_NHSE, v_NHSE : Tensor, shape (N, H, S, E)
        Queries, keys and values; there may be another number of queries than of keys.
    mask : Tensor, optional
        True where a query (row) may see a key (column), broadcastable to (N, H, S, S); or numbers
        that are added to the scores; None where all see all.
    dropout : Dropout
        Layer that drops attention weights in training.
    """
    if dropout.training and q_NHSE.device.type == "cpu":
        return _attend_cpu(q_NHSE, k_NHSE, v_NHSE, mask, dropout)
    p = dropout.p if dropout.training else 0.0
    return F.scaled_dot_product_attention(q_NHSE, k_NHSE, v_NHSE, mask, p)


def _attend_cpu(q_NHSE: Tensor, k_NHSE: Tensor, v_NHSE: Tensor, mask: Tensor | None, dropout: Dropout) -> Tensor:
    """Attention for training on a CPU: what is fastest there, forward and backward together."""
    heads, n_queries = q_NHSE.shape[1:3]
    n_keys, kind = k_NHSE.shape[2], q_NHSE.dtype
    half = kind == torch.bfloat16
    constant = mask is None or not mask.requires_grad
    if constant and not dropout.p and n_keys >= (FUSED_FROM_BFLOAT16 if half else FUSED_FROM):
        if half:
            return _FusedForward.apply(q_NHSE, k_NHSE, v_NHSE, mask)  # type: ignore[no-any-return, no-untyped-call]
        return F.scaled_dot_product_attention(q_NHSE, k_NHSE, v_NHSE, mask)
    size = max(1, PIECE // (heads * n_queries * n_keys))
    if not half or n_keys > FLOAT_UP_TO:
        return _in_pieces(q_NHSE, k_NHSE, v_NHSE, mask, dropout, size)
    with torch.autocast("cpu", enabled=False):
        q, k, v = q_NHSE.float(), k_NHSE.float(), v_NHSE.float()
        return _in_pieces(q, k, v, mask, dropout, size).to(kind)


def _in_pieces(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, dropout: Dropout, size: int) -> Tensor:
    if len(q) <= size:
        return dropout(_weights(q, k, mask)) @ v  # type: ignore[no-any-return]
    parts = []
    for start in range(0, len(q), size):
        part = slice(start, start + size)
        weights = _weights(q[part], k[part], _rows(mask, part))
        parts.append(dropout(weights) @ v[part])
    return torch.cat(parts)


def _weights(q: Tensor, k: Tensor, mask: Tensor | None) -> Tensor:
    score: Tensor = (q * q.shape[-1] ** -0.5) @ k.transpose(-1, -2)
    if mask is not None and mask.dtype == torch.bool:
        score = score.masked_fill(~mask, -torch.inf)
    elif mask is not None:
        score = score + mask
    return score.softmax(dim=-1)


def _rows(mask: Tensor | None, part: slice) -> Tensor | None:
    """Part of a mask that may be the same for all sequences."""
    return mask if mask is None or mask.dim() < 4 or len(mask) == 1 else mask[part]


class _FusedForward(torch.autograd.Function):
    """Fused attention forward, products in pieces backward: for long sequences in bfloat16."""

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
        ctx.save_for_backward(q, k, v)
        ctx.mask = mask
        return F.scaled_dot_product_attention(q, k, v, mask)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        q, k, v = ctx.saved_tensors
        (grad,) = grads
        scale = q.shape[-1] ** -0.5
        size = max(1, PIECE // (q.shape[1] * q.shape[2] * k.shape[2]))
        dq, dk, dv = torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)
        for start in range(0, len(q), size):
            part = slice(start, start + size)
            p = _weights(q[part], k[part], _rows(ctx.mask, part))
            dv[part] = p.transpose(-1, -2) @ grad[part]
            dp = grad[part] @ v[part].transpose(-1, -2)
            ds = torch.ops.aten._softmax_backward_data(dp, p, -1, p.dtype)
            dq[part] = ds @ k[part] * scale
            dk[part] = ds.transpose(-1, -2) @ q[part] * scale
        return dq, dk, dv, None


class FeedForward(nn.Module):
    """Dense feed-forward layer: W2 (SiLU(Wa z) * Wb z), or W2 act(W1 z).

    Parameters
    ----------
    d_model, d_hidden : int
        Outer and inner width.
    activation : {'swiglu', 'gelu', 'relu'}
        "swiglu" has three matrices, "gelu" and "relu" have two.
    """

    def __init__(self, d_model: int, d_hidden: int, activation: Activation) -> None:
        super().__init__()
        self.activation: Activation = activation
        self.up = nn.Linear(d_model, up_width(d_hidden, activation))
        self.down = nn.Linear(d_hidden, d_model)

    def forward(self, z: Tensor) -> Tensor:
        """Map (..., d_model) to (..., d_model)."""
        return self.down(activate(self.up(z), self.activation))  # type: ignore[no-any-return]


def up_width(d_hidden: int, activation: Activation) -> int:
    """Outputs of the up projection: gate and value for SwiGLU."""
    return 2 * d_hidden if activation == "swiglu" else d_hidden


def activate(up: Tensor, activation: Activation) -> Tensor:
    """Apply the activation to the outputs of an up projection."""
    if activation == "swiglu":
        gate, value = up.chunk(2, dim=-1)
        return F.silu(gate) * value
    return F.gelu(up) if activation == "gelu" else F.relu(up)


class TimeMerge(nn.Module):
    """Join `factor` consecutive time tokens: LayerNorm of their concatenation, then linear.

    A length that `factor` does not divide is filled up with its last tokens once more, as in Crossformer: behind the
    last of L tokens come those from L - pad on, in their order.
    """

    def __init__(self, d_model: int, factor: int) -> None:
        super().__init__()
        self.factor = factor
        self.norm = nn.LayerNorm(factor * d_model)
        self.linear = nn.Linear(factor * d_model, d_model)

    def forward(self, h_BDLC: Tensor, length: int) -> Tensor:
        """Merge; `length` is L, given so that an exported program has no test on a shape."""
        if pad := -length % self.factor:
            h_BDLC = torch.cat([h_BDLC, h_BDLC[:, :, repeated(length, pad)]], dim=2)
        merged = h_BDLC.reshape(*h_BDLC.shape[:2], -1, self.norm.normalized_shape[0])
        return self.linear(self.norm(merged))  # type: ignore[no-any-return]


def repeated(length: int, pad: int) -> slice | list[int]:
    """Which of `length` tokens fill up a group that lacks `pad`: the last ones, round again where there are fewer."""
    return slice(length - pad, length) if pad <= length else [(i - pad) % length for i in range(pad)]


def init_linear(weight: Tensor, bias: Tensor | None, fan_in: int, init: Init) -> None:
    """Initialise one linear map in place.

    Parameters
    ----------
    weight, bias : Tensor
        The parameters, or views of them for one of several maps stored together; `bias` may be None.
    fan_in : int
        Number of inputs of the map.
    init : {'kaiming', 'default'}
        "kaiming": normal weights of variance 2 / fan_in, zero bias (reading of "Kaiming
        initialisation"). "default": uniform within 1 / sqrt(fan_in), as `torch.nn.Linear`.
    """
    bound = fan_in**-0.5
    with torch.no_grad():
        if init == "kaiming":
            weight.normal_(0.0, (2.0 / fan_in) ** 0.5)
            if bias is not None:
                bias.zero_()
            return
        weight.uniform_(-bound, bound)
        if bias is not None:
            bias.uniform_(-bound, bound)
