"""Pretraining decoder: fixed queries read the encoder's scales one after the other.

Shape suffixes: B batch, D channels, T samples, L time tokens, C model width.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor, nn

from neuript.network.config import NetworkConfig
from neuript.network.encoder import EncoderBlock, init_modules
from neuript.network.layers import Dropout, FeedForward, attend


class CrossAttention(nn.Module):
    """Multi-head attention of one sequence to another, with biased maps.

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
        self.query = nn.Linear(d_model, d_model)
        self.key_value = nn.Linear(d_model, 2 * d_model)
        self.out = nn.Linear(d_model, d_model)

    def forward(self, q_BDSC: Tensor, k_BDLC: Tensor) -> Tensor:
        """Attend from `q_BDSC` to `k_BDLC`, (B, D, S, C); a query batch of 1 serves all of B."""
        q = self.query(q_BDSC).unflatten(-1, (self.n_heads, -1)).transpose(2, 3)
        kv = self.key_value(k_BDLC).unflatten(-1, (2, self.n_heads, -1))
        k, v = kv.permute(3, 0, 1, 4, 2, 5).unbind(0)
        q = q.expand(len(k), -1, -1, -1, -1)
        flat_q, flat_k, flat_v = (t.flatten(0, 1) for t in (q, k, v))
        y = attend(flat_q, flat_k, flat_v, None, self.dropout).view(q.shape)
        return self.out(y.transpose(2, 3).flatten(3))  # type: ignore[no-any-return]


class ReconstructorLayer(nn.Module):
    """Two-stage self-attention, attention in time to one scale of the encoder, and a prediction.

    S = block(Q); q = LN(S); y = q + attention(q, LN'(H)); u = LN(y); Q' = u + FFN(u). As in the
    paper, the residuals start from the normalised q and u.

    Parameters
    ----------
    config : NetworkConfig
        Widths and dropout; experts are never used.
    step : int
        Number of samples predicted by a token.
    """

    def __init__(self, config: NetworkConfig, step: int) -> None:
        super().__init__()
        width = config.d_model
        drop = config.dropout if config.attention_dropout is None else config.attention_dropout
        self.block = EncoderBlock(config, merge=1, n_experts=0)
        self.norm_query = nn.LayerNorm(width)
        self.norm_key = nn.LayerNorm(width)
        self.cross = CrossAttention(width, config.n_heads, drop)
        self.norm_ffn = nn.LayerNorm(width)
        self.ffn = FeedForward(width, config.d_ff, config.activation)
        self.predict = nn.Linear(width, step)
        self.dropout = Dropout(config.dropout)

    def forward(self, q_BDLC: Tensor, h_BDLC: Tensor, points_BDn: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Refine the queries.

        Parameters
        ----------
        q_BDLC : Tensor, shape (B or 1, D, L, C)
            Queries; a batch of 1 serves all windows of `h_BDLC`.
        h_BDLC : Tensor, shape (B, D, L of the scale, C)
            Tokens of one scale of the encoder.
        points_BDn : Tensor of int64, shape (B, D, n), optional
            Indices of the tokens to go on with after the self-attention; None for all.

        Returns
        -------
        tuple of two Tensor
            Queries of the next layer (or of the points), and predictions, shape (B, D, L or n, step).
        """
        s, _ = self.block(q_BDLC, q_BDLC.shape[2])
        if points_BDn is not None:
            index = points_BDn.unsqueeze(-1).expand(-1, -1, -1, s.shape[-1])
            s = s.expand(len(index), -1, -1, -1).gather(2, index)
        q = self.norm_query(s)
        y = q + self.dropout(self.cross(q, self.norm_key(h_BDLC)))
        u = self.norm_ffn(y)
        q = u + self.ffn(u)
        return q, self.predict(q)


class Reconstructor(nn.Module):
    """One layer per scale; the sum of their predictions is the signal.

    Parameters
    ----------
    config : NetworkConfig
        Widths, and dropout of the encoder.
    scales : sequence of int, optional
        Encoder scales to read, finest first: 0 is the embedding. None means all.
    step : int
        Number of samples predicted by a token; 1 in the paper.
    dropout : float, optional
        Dropout in this decoder; None means `config.dropout`.
    """

    def __init__(
        self, config: NetworkConfig, scales: Sequence[int] | None = None, step: int = 1, dropout: float | None = None
    ) -> None:
        super().__init__()
        self.scales = tuple(range(config.depth + 1) if scales is None else scales)
        self.step = step
        if dropout is not None:
            config = replace(config, dropout=dropout, attention_dropout=None)
        self.dropout = max(config.dropout, config.attention_dropout or 0.0)
        self.layers = nn.ModuleList(ReconstructorLayer(config, step) for _ in self.scales)
        init_modules(self, config)
        self._predict_nothing()

    def _predict_nothing(self) -> None:
        """Start at a constant 0: summed Kaiming maps start at 20 to 75 times the variance of the target."""
        for layer in self.layers:
            if isinstance(layer, ReconstructorLayer):
                nn.init.zeros_(layer.predict.weight)
                nn.init.zeros_(layer.predict.bias)

    def forward(self, q_BDLC: Tensor, scales: Sequence[Tensor], points_BDn: Tensor | None = None) -> Tensor:
        """Predict the signal.

        Parameters
        ----------
        q_BDLC : Tensor, shape (B or 1, D, L, C)
            Queries; a batch of 1 where they are the same for every window, which lets the first layer's
            self-attention be computed once (without dropout).
        scales : sequence of Tensor
            All outputs of the encoder, H_0 first.
        points_BDn : Tensor of int64, shape (B, D, n), optional
            Times wanted of every channel, for a step of 1; None for all.

        Returns
        -------
        Tensor of float32 or float64, shape (B, D, n) or (B, D, L * step)
            Predicted signal, companded: at the points, or everywhere without `points_BDn`.

        Raises
        ------
        ValueError
            If the decoder has no scale to read.
        """
        if self.training and self.dropout > 0:
            q_BDLC = q_BDLC.expand(len(scales[0]), -1, -1, -1)
        total: Tensor | None = None
        for i, (layer, scale) in enumerate(zip(self.layers, self.scales, strict=True)):
            last = i + 1 == len(self.layers)
            q_BDLC, p = layer(q_BDLC, scales[scale], points_BDn if last else None)
            p = p.to(torch.promote_types(p.dtype, torch.float32)).flatten(2)
            if points_BDn is not None and not last:
                p = p.gather(2, points_BDn)
            total = p if total is None else total + p
        if total is None:
            raise ValueError("a decoder needs at least one scale")
        return total
