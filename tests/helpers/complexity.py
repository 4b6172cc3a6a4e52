"""What a NeurIPT model costs: parameters used per window, and floating-point operations."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from neuript.network.config import NetworkConfig
from neuript.network.experts import PMoE


@dataclass(frozen=True, kw_only=True)
class ParameterCount:
    """Parameters of a module."""

    total: int
    """All of them."""
    activated: int
    """Those that take part in the output of one token: without the experts not chosen."""


def count_parameters(module: nn.Module) -> ParameterCount:
    """Count the parameters of a classifier, an encoder or any part (also on device "meta")."""
    total = sum(p.numel() for p in module.parameters())
    idle = 0
    for part in module.modules():
        if isinstance(part, PMoE):
            routed = (*part.up.parameters(), *part.down.parameters(), part.down_bias)
            expert = sum(p.numel() for p in routed) // part.n_experts
            idle += (part.n_experts - part.k) * expert
    return ParameterCount(total=total, activated=total - idle)


def block_flops(
    config: NetworkConfig, n_chans: int, n_times: int | None = None, *, dense_experts: bool = False
) -> tuple[int, ...]:
    """Floating-point operations of every encoder block for one window.

    A multiply-add is two; LayerNorm, softmax, biases and the embedding are not counted.

    Parameters
    ----------
    config
        The model.
    n_chans, n_times
        Size of the window; `n_times` None means the configured one.
    dense_experts
        Count all experts, as this implementation computes them, and not only those chosen.
    """
    width = config.d_model
    matrices = 3 if config.activation == "swiglu" else 2
    lengths = config.lengths(n_times)[1:]
    flops = []
    for length, merge, n_experts in zip(lengths, config.merges, config.experts, strict=True):
        hidden = config.d_ff
        if n_experts:
            used = n_experts if dense_experts else config.top_k(n_experts)
            hidden = used * config.d_expert + config.d_shared
        per_token = 2 * 8 * width**2 + 4 * (length + n_chans) * width
        per_token += 2 * (2 * matrices * width * hidden + 2 * width * n_experts)
        if merge > 1:
            per_token += 2 * merge * width**2
        flops.append(n_chans * length * per_token)
    return tuple(flops)


def decoder_flops(
    config: NetworkConfig,
    n_chans: int,
    n_times: int | None = None,
    *,
    scales: Sequence[int] | None = None,
    step: int = 1,
) -> tuple[int, ...]:
    """Floating-point operations of every layer of the pretraining decoder for one window.

    Parameters
    ----------
    config
        The model.
    n_chans, n_times
        Size of the window; `n_times` None means the configured one.
    scales, step
        As of `neuript.network.pretext.reconstructor.Decoder`. What it saves on masked points is not subtracted.
    """
    width = config.d_model
    matrices = 3 if config.activation == "swiglu" else 2
    lengths = config.lengths(n_times)
    n_queries = -(-lengths[0] // step)
    flops = []
    for scale in range(config.depth + 1) if scales is None else scales:
        # Self-attention in time and space, attention to the scale, and three feed-forward layers.
        per_query = 2 * (8 + 2) * width**2 + 4 * (n_queries + n_chans + lengths[scale]) * width
        per_query += 2 * 3 * matrices * width * config.d_ff + 2 * width * step
        flops.append(n_chans * (n_queries * per_query + lengths[scale] * 4 * width**2))
    return tuple(flops)
