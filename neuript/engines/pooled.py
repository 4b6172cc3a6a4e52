"""What the head reads of every scale, gathered while the tokens are there: a later step writes over them.

Shape suffixes: D channels, L time tokens, C model width, N rows (channels times tokens), S scales, G groups.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from neuript.network.network import NeurIPTNetwork
from neuript.network.pooling import GroupPool


class Pooled:
    """Means over time of the scales that are pooled, or their tokens where the pooling needs all of them."""

    def __init__(self, network: NeurIPTNetwork) -> None:
        self._pool = network.pool
        self._chosen = {scale: place for place, scale in enumerate(network.pooled_scales)}
        self._n_chans, width = network.n_chans, network.config.d_model
        self._only_means = isinstance(network.pool, GroupPool)
        self._means_SDC = torch.zeros(len(self._chosen), self._n_chans, width)
        lengths = network.config.lengths()
        self._tokens: list[Tensor] = []
        if not self._only_means:
            self._tokens = [torch.zeros(1, self._n_chans, lengths[s], width) for s in self._chosen]

    def keeping(self, scale: int, h: Tensor, chans: slice = slice(None)) -> Iterator[Callable[[], None]]:
        """Return the step that keeps some channels of a scale, or none where the head does not read it."""
        if scale not in self._chosen:
            return
        place, n_chans = self._chosen[scale], len(range(self._n_chans)[chans])
        h_DLC = h.view(n_chans, -1, h.shape[-1])
        if self._only_means:
            yield _Mean(h_DLC, self._means_SDC[place, chans])
        else:
            yield _Copy(h_DLC, self._tokens[place][0, chans])

    def features(self) -> Tensor:
        """Return what the head takes, (1, n_features)."""
        if isinstance(self._pool, GroupPool):
            return (self._pool.group_weights @ self._means_SDC).view(1, -1)
        features: Tensor = self._pool(self._tokens)
        return features


class _Mean:
    def __init__(self, h_DLC: Tensor, out_DC: Tensor) -> None:
        self._h, self._out = h_DLC, out_DC

    def __call__(self) -> None:
        torch.mean(self._h, 1, out=self._out)


class _Copy:
    def __init__(self, h_DLC: Tensor, out_DLC: Tensor) -> None:
        self._h, self._out = h_DLC, out_DLC

    def __call__(self) -> None:
        self._out.copy_(self._h)
