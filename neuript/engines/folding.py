"""The network's maps with all constants multiplied out: what an engine computes from, in float64 until the end.

A pre-norm layer is z = gamma (h - mean) / sqrt(var + eps) + beta, then a linear map W z + b. With W' = sqrt(C) W gamma
whose rows have their mean taken away, and b' = b + W beta, it is W' (h s) + b' with s = 1 / sqrt(C var + C eps): no
mean is subtracted and no gamma multiplied at run time.

Shape suffixes: C model width, F hidden width, E experts, T samples.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from neuript.network.config import Activation, Gating
from neuript.network.encoder import Encoder, EncoderBlock
from neuript.network.experts import PMoE
from neuript.network.layers import FeedForward


@dataclass(frozen=True)
class NormedMap:
    """A linear map behind a normalisation: `bias + (h * s) @ weight`."""

    weight: Tensor
    """(n_inputs, n_outputs), float32."""
    bias: Tensor
    """(n_outputs,), float32."""
    eps: float
    """What is added to the variance."""


@dataclass(frozen=True)
class PlainMap:
    """A linear map: `h @ weight + bias`."""

    weight: Tensor
    """(n_inputs, n_outputs), float32."""
    bias: Tensor
    """(n_outputs,), float32."""


def plain_map(linear: nn.Linear) -> PlainMap:
    """Return a linear layer's numbers as matrix products take them."""
    return PlainMap(_columns(linear.weight), linear.bias.detach().float())


def fold_norm(norm: nn.LayerNorm, weight: Tensor, bias: Tensor) -> NormedMap:
    """Fold a normalisation into the linear map behind it, whose weight is (n_outputs, n_inputs)."""
    full = weight.double()
    n_inputs = full.shape[1]
    scaled = full * norm.weight.double() * n_inputs**0.5
    scaled = scaled - scaled.mean(dim=1, keepdim=True)
    return NormedMap(_columns(scaled), (bias.double() + full @ norm.bias.double()).float(), norm.eps)


def fold_queries(maps: NormedMap, block: EncoderBlock) -> NormedMap:
    """Scale the queries of the spatial attention, the first third, as its scores are: by the root of a head's width."""
    scale = torch.ones_like(maps.bias)
    scale[: len(scale) // 3] = (len(scale) // 3 / block.space.n_heads) ** -0.5
    return NormedMap((maps.weight.T * scale[:, None]).T, maps.bias * scale, maps.eps)


@dataclass(frozen=True)
class ExpertMaps:
    """The routed experts behind the same norm as the shared one."""

    router: NormedMap
    """To the logits of E experts."""
    ups: tuple[NormedMap, ...]
    """One for each expert."""
    downs: tuple[Tensor, ...]
    """(hidden of one expert, C) each."""
    top_k: int
    gating: Gating


@dataclass(frozen=True)
class FeedForwardMaps:
    """A dense layer, or the shared expert of a routed one, behind its norm.

    The hidden row of a token is [hidden, gates, 1]: the gates times the down biases of the experts and the bias of the
    layer itself are a part of the one product down.
    """

    up: NormedMap
    """To F gates and F values (SwiGLU), or to F hidden units."""
    down: Tensor
    """(F + E + 1, C)."""
    activation: Activation
    n_hidden: int
    """F."""
    experts: ExpertMaps | None
    """None in a dense layer."""

    @property
    def n_experts(self) -> int:
        """Number of routed experts E."""
        return 0 if self.experts is None else len(self.experts.ups)


def fold_feed_forward(norm: nn.LayerNorm, layer: nn.Module) -> FeedForwardMaps:
    """Fold a `FeedForward` or `PMoE` and the norm before it."""
    shared = layer.shared if isinstance(layer, PMoE) else layer
    assert isinstance(shared, FeedForward)
    down = [shared.down.weight, shared.down.bias[:, None]]
    experts = None
    if isinstance(layer, PMoE):
        down.insert(1, layer.down_bias.T)
        experts = _fold_experts(norm, layer)
    return FeedForwardMaps(
        fold_norm(norm, shared.up.weight, shared.up.bias),
        _columns(torch.cat(down, dim=1)),
        shared.activation,
        shared.down.in_features,
        experts,
    )


def _fold_experts(norm: nn.LayerNorm, layer: PMoE) -> ExpertMaps:
    n = layer.n_experts
    hidden = layer.config.d_expert
    weights = layer.up.weight.view(-1, n, hidden, layer.up.in_features)  # gates and values of all, if there are two
    biases = layer.up.bias.view(-1, n, hidden)
    return ExpertMaps(
        fold_norm(norm, layer.router.weight, layer.router.bias),
        tuple(fold_norm(norm, weights[:, e].flatten(0, 1), biases[:, e].flatten()) for e in range(n)),
        tuple(_columns(part) for part in layer.down.weight.chunk(n, dim=1)),
        layer.k,
        layer.config.gating,
    )


@dataclass(frozen=True)
class FirstLayer:
    """Embedding, positions, norm and Q, K, V of a first block without a merge, as numbers of each sample.

    A point embedding is rank one: a token is h = x w + c_t, with c_t of its time alone. The norm's scale is then
    r = (x^2 quadratic + x linear_t + constant_t)^-1/2, and its query, key and value are
    x r slope + r table_t + offset: no matrix product is left.
    """

    weight: Tensor
    """w, (C,)."""
    constants: Tensor
    """c_t, (T, C)."""
    quadratic: float
    linear: Tensor
    """(T,)."""
    constant: Tensor
    """(T,); with eps."""
    ends: Tensor
    """Slope and offset of query, key and value, (2, 3C)."""
    table: Tensor
    """(T, 3C)."""


def fold_first_layer(encoder: Encoder, n_times: int) -> FirstLayer:
    """Fold the embedding up to the first attention."""
    block: Any = encoder.blocks[0]
    norm: nn.LayerNorm = block.norm_time
    qkv: nn.Linear = block.time.qkv
    w_C = encoder.embed.weight[:, 0].double()
    positions = encoder.pe_time(n_times)
    c_TC = encoder.embed.bias.double().expand(n_times, -1)
    if positions is not None:
        c_TC = c_TC + positions.double()
    weight, gamma = qkv.weight.double(), norm.weight.double()
    apart_C, apart_TC = w_C - w_C.mean(), c_TC - c_TC.mean(dim=1, keepdim=True)
    slope = weight @ (gamma * apart_C)
    offset = qkv.bias.double() + weight @ norm.bias.double()
    return FirstLayer(
        w_C.float(),
        c_TC.float().contiguous(),
        float(apart_C.square().mean()),
        (2 * apart_TC @ apart_C / len(w_C)).float(),
        (apart_TC.square().mean(dim=1) + norm.eps).float(),
        torch.stack([slope, offset]).float(),
        ((gamma * apart_TC) @ weight.T).float().contiguous(),
    )


def _columns(weight: Tensor) -> Tensor:
    """Return the transpose in float32, as a view of contiguous memory: what matrix products like best."""
    return weight.detach().float().contiguous().T
