"""Attention, dense feed-forward layers, merging of time tokens, and initialisation.

Shape suffixes: B batch, D channels, L time tokens, C model width, N independent sequences,
S tokens of a sequence, H heads.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neuript.config import Activation, Init

SHORT = 32
"""Sequences up to this long are trained on a CPU with plain matrix products.

PyTorch's fused kernel works in blocks of 32 queries: forward and backward over the 16 channels of a
cap take it twice the time of plain products. Forward alone it is as fast or faster, over the 256
samples of a window four times, so inference always uses it. It has no dropout on a CPU.
"""


class Dropout(nn.Module):
    """Inverted dropout with the arithmetic of `torch.nn.Dropout`, quick on a CPU.

    The mask is made of 16-bit slices of 64-bit random numbers: a third of the time of PyTorch's
    Bernoulli mask, which otherwise takes a tenth of a training step. The rate is exact to 1e-5.

    Parameters
    ----------
    p
        Share of the entries that are zeroed in training; the others are scaled by 1 / (1 - p).
    """

    def __init__(self, p: float) -> None:
        super().__init__()
        self.p = p

    def forward(self, x: Tensor) -> Tensor:
        """Drop entries of `x` in training, else return it."""
        if not self.training or self.p == 0:
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
    d_model, n_heads
        Width, and number of heads that share it.
    dropout
        Dropout on the attention weights, in training.
    """

    def __init__(self, d_model: int, n_heads: int, dropout: float) -> None:
        super().__init__()
        self.n_heads = n_heads
        self.dropout = Dropout(dropout)
        self.qkv = nn.Linear(d_model, 3 * d_model)
        self.out = nn.Linear(d_model, d_model)

    def forward(self, x_NSC: Tensor, mask: Tensor | None = None) -> Tensor:
        """Attend within each sequence.

        Parameters
        ----------
        x_NSC
            Tokens, (sequences, tokens, d_model).
        mask
            True where a query (row) may see a key (column), broadcastable to (N, H, S, S); None
            where all see all.
        """
        qkv = self.qkv(x_NSC).unflatten(-1, (3, self.n_heads, -1)).permute(2, 0, 3, 1, 4)
        q_NHSE, k_NHSE, v_NHSE = qkv.unbind(0)
        if self._use_products(x_NSC):
            score_NHSS = (q_NHSE * q_NHSE.shape[-1] ** -0.5) @ k_NHSE.transpose(-1, -2)
            if mask is not None:
                score_NHSS = score_NHSS.masked_fill(~mask, -torch.inf)
            y_NHSE = self.dropout(score_NHSS.softmax(dim=-1)) @ v_NHSE
        else:
            p = self.dropout.p if self.training else 0.0
            y_NHSE = F.scaled_dot_product_attention(q_NHSE, k_NHSE, v_NHSE, mask, p)
        return self.out(y_NHSE.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]

    def _use_products(self, x_NSC: Tensor) -> bool:
        if not self.training or x_NSC.device.type != "cpu":
            return False
        return self.dropout.p > 0 or x_NSC.shape[1] <= SHORT


class FeedForward(nn.Module):
    """Dense feed-forward layer: W2 (SiLU(Wa z) * Wb z), or W2 act(W1 z).

    Parameters
    ----------
    d_model, d_hidden
        Outer and inner width.
    activation
        "swiglu", or "gelu" or "relu" with two matrices.
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

    A length that `factor` does not divide is filled up with copies of the last token.
    """

    def __init__(self, d_model: int, factor: int) -> None:
        super().__init__()
        self.factor = factor
        self.norm = nn.LayerNorm(factor * d_model)
        self.linear = nn.Linear(factor * d_model, d_model)

    def forward(self, h_BDLC: Tensor, length: int) -> Tensor:
        """Merge; `length` is L, given so that a traced program has no test on a shape."""
        if pad := -length % self.factor:
            h_BDLC = torch.cat([h_BDLC, h_BDLC[:, :, -1:].expand(-1, -1, pad, -1)], dim=2)
        merged = h_BDLC.reshape(*h_BDLC.shape[:2], -1, self.norm.normalized_shape[0])
        return self.linear(self.norm(merged))  # type: ignore[no-any-return]


def init_linear(weight: Tensor, bias: Tensor | None, fan_in: int, init: Init) -> None:
    """Initialise one linear map in place.

    Parameters
    ----------
    weight, bias
        The parameters, or views of them for one of several maps stored together.
    fan_in
        Inputs of the map.
    init
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
