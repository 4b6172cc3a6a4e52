"""Attention, dense feed-forward layers, merging of time tokens, and initialisation.

Shape suffixes: B batch, D channels, L time tokens, C model width, N independent sequences,
S tokens of a sequence, H heads.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from neuript.config import Activation, Init


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
        self.dropout = dropout
        self.qkv = nn.Linear(d_model, 3 * d_model)
        self.out = nn.Linear(d_model, d_model)

    def forward(self, x_NSC: Tensor, mask: Tensor | None = None) -> Tensor:
        """Attend within each sequence; `mask` as in `scaled_dot_product_attention`."""
        qkv_NSC = self.qkv(x_NSC)
        qkv = qkv_NSC.unflatten(-1, (3, self.n_heads, -1)).permute(2, 0, 3, 1, 4)
        q_NHSE, k_NHSE, v_NHSE = qkv.unbind(0)
        y_NHSE = F.scaled_dot_product_attention(
            q_NHSE, k_NHSE, v_NHSE, mask, self.dropout if self.training else 0.0
        )
        return self.out(y_NHSE.transpose(1, 2).flatten(2))  # type: ignore[no-any-return]


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
        merged = h_BDLC.unflatten(2, (-1, self.factor)).flatten(3)
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
