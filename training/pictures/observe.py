"""Watch an encoder at work: spatial attention weights, gates of the experts, pooled features.

Hooks read what the layers get and compute the weights again from it; the model is not changed.

Shape suffixes: B batch, D channels, L time tokens, C width, N sequences, H heads, E experts,
K classes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from neuript.network.experts import PMoE

if TYPE_CHECKING:
    from neuript.network.layers import Attention
    from neuript.network.network import NeurIPTNetwork
    from neuript.training.pictures.samples import PictureWindows

CHUNK = 1 << 24
"""Largest number of attention weights in memory at once."""


@dataclass(frozen=True, eq=False)
class Observation:
    """What the layers did on some windows.

    Attributes
    ----------
    attention : ndarray, shape (n_classes, n_blocks, n_heads, n_chans, n_chans)
        Spatial attention weights of queries (rows) on keys, averaged over windows of a class and
        time tokens; a row sums to 1. One class where the windows have no labels. NaN for a class
        without windows.
    gates : dict of str to ndarray, shape (n_windows, n_experts)
        Per expert layer ("block 3 time"): gate of each expert, averaged over a window's tokens; a
        row sums to 1 with the paper's gating.
    features : ndarray, shape (n_windows, n_features)
        Pooled scales, the input of the head.
    logits : ndarray, shape (n_windows, n_logits)
        Outputs of the head for each window.
    """

    attention: NDArray[np.float64]
    gates: dict[str, NDArray[np.float64]]
    features: NDArray[np.float32]
    logits: NDArray[np.float32]


def observe(
    model: NeurIPTNetwork,
    windows: PictureWindows,
    *,
    batch_size: int = 16,
    progress: Callable[[int, int], None] | None = None,
) -> Observation:
    """Run the model over the windows and return what its layers did.

    Parameters
    ----------
    model : NeurIPTNetwork
        Network in eval mode, for the windows' montage.
    windows : PictureWindows
        Windows to look at.
    batch_size : int
        Windows per forward pass.
    progress : callable, optional
        Called with (windows done, all).

    Raises
    ------
    ValueError
        If the model is not in eval mode.
    """
    if model.training:
        raise ValueError("the model must be in eval mode")
    device = next(model.parameters()).device
    n_classes = max(len(windows.classes), 1)
    tally = _Tally(n_classes, model.config.depth, model.config.n_heads, model.n_chans)
    features, logits = [], []
    with watching(model, tally), torch.inference_mode():
        for start in range(0, len(windows), batch_size):
            tally.y = windows.y[start : start + batch_size]
            x_BDT = torch.as_tensor(windows.x[start : start + batch_size]).to(device)
            found = model.features(x_BDT)
            features.append(found.float().cpu().numpy())
            logits.append(model.head(found).float().cpu().numpy())
            if progress is not None:
                progress(min(start + batch_size, len(windows)), len(windows))
    counts = np.bincount(windows.y, minlength=n_classes).astype(np.float64)
    counts[counts == 0] = np.nan
    return Observation(
        attention=tally.attention / counts[:, None, None, None, None],
        gates={name: np.concatenate(parts) for name, parts in tally.gates.items()},
        features=np.concatenate(features),
        logits=np.concatenate(logits),
    )


def attention_weights(layer: Attention, x_NDC: Tensor, bias: Tensor | None = None) -> Tensor:
    """Return the softmax weights of an attention layer, (N, H, D, D); rows are queries.

    Parameters
    ----------
    layer : Attention
        Layer whose query, key and value map is used.
    x_NDC : Tensor, shape (N, D, C)
        Input of the layer: N sequences of D tokens with C features.
    bias : Tensor, optional
        Added to the scores, broadcastable to the result; None adds nothing.
    """
    qkv = layer.qkv(x_NDC).unflatten(-1, (3, layer.n_heads, -1)).permute(2, 0, 3, 1, 4)
    q_NHDE, k_NHDE = qkv[0].float(), qkv[1].float()
    scores = (q_NHDE * q_NHDE.shape[-1] ** -0.5) @ k_NHDE.transpose(-1, -2)
    weights: Tensor = (scores if bias is None else scores + bias).softmax(dim=-1)
    return weights


def expert_gates(layer: PMoE, z: Tensor) -> Tensor:
    """Return the gates of a mixture of experts without noise, (..., E); 0 for those not chosen."""
    logits = nn.functional.linear(z.float(), layer.router.weight, layer.router.bias)
    top, index = logits.topk(layer.k, dim=-1)
    if layer.config.gating == "source":
        top = logits.softmax(dim=-1).gather(-1, index)
    else:
        top = top.softmax(dim=-1)
    return torch.zeros_like(logits).scatter(-1, index, top)


class _Tally:
    """Sums over the windows seen so far; `y` holds the classes of the present batch."""

    def __init__(self, n_classes: int, n_blocks: int, n_heads: int, n_chans: int) -> None:
        self.attention = np.zeros((n_classes, n_blocks, n_heads, n_chans, n_chans))
        self.gates: dict[str, list[NDArray[np.float64]]] = {}
        self.y: NDArray[np.int64] = np.zeros(0, dtype=np.int64)

    def add_attention(self, block: int, layer: Attention, x_NDC: Tensor, bias: Any) -> None:
        n_windows = len(self.y)
        by_window = x_NDC.reshape(n_windows, -1, *x_NDC.shape[1:])
        per_window = by_window.shape[1] * layer.n_heads * x_NDC.shape[1] ** 2
        step = max(1, CHUNK // per_window)
        for start in range(0, n_windows, step):
            part = by_window[start : start + step]
            some = bias if bias is None or len(bias) == 1 else _rows(bias, n_windows, start, step)
            weights = attention_weights(layer, part.flatten(0, 1), some)
            means = weights.reshape(len(part), -1, *weights.shape[1:]).mean(1).double().cpu().numpy()
            np.add.at(self.attention[:, block], self.y[start : start + step], means)

    def add_gates(self, name: str, layer: PMoE, z_BDLC: Tensor) -> None:
        gates = expert_gates(layer, z_BDLC).flatten(1, -2).mean(1)
        self.gates.setdefault(name, []).append(gates.double().cpu().numpy())


def _rows(bias: Tensor, n_windows: int, start: int, step: int) -> Tensor:
    by_window = bias.reshape(n_windows, -1, *bias.shape[1:])
    return by_window[start : start + step].flatten(0, 1)


@contextmanager
def watching(model: NeurIPTNetwork, tally: _Tally) -> Iterator[None]:
    """Let `tally` see every spatial attention and expert layer while the block lasts."""
    handles = []
    block: Any
    for i, block in enumerate(model.encoder.blocks):
        handles.append(block.space.register_forward_hook(_attention_hook(tally, i), with_kwargs=True))
        for stage in ("time", "space"):
            layer = getattr(block, f"ffn_{stage}")
            if isinstance(layer, PMoE):
                name = f"block {i + 1} {stage}"
                handles.append(layer.register_forward_pre_hook(_gates_hook(tally, name)))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _attention_hook(tally: _Tally, block: int) -> Callable[..., None]:
    def hook(layer: Any, args: tuple[Any, ...], kwargs: dict[str, Any], output: Any) -> None:
        tally.add_attention(block, layer, args[0], kwargs.get("bias"))

    return hook


def _gates_hook(tally: _Tally, name: str) -> Callable[..., None]:
    def hook(layer: Any, args: tuple[Any, ...]) -> None:
        tally.add_gates(name, layer, args[0])

    return hook
