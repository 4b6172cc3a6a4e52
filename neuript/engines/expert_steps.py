"""The feed-forward step: a dense layer, or a shared expert for all tokens and routed ones for those that chose them.

Shape suffixes: N rows, C model width, E experts, K chosen experts of a token, M = N K rows sorted by expert.
"""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from neuript.engines.folding import ExpertMaps, FeedForwardMaps
from neuript.engines.steps import Norm, Scratch
from neuript.network.config import Activation


class AddFeedForward:
    """Adds a feed-forward layer of the tokens h (N, C) to them."""

    def __init__(self, maps: FeedForwardMaps, h_NC: Tensor, scratch: Scratch, logits_NE: Tensor) -> None:
        n_rows, n = len(h_NC), maps.n_hidden
        n_up = len(maps.up.bias)
        up = scratch.rows("up", n_rows, max(n_up, len(maps.down)))
        self._maps, self._h = maps, h_NC
        self._z = scratch.rows("z", *h_NC.shape)
        self._norm = Norm(h_NC, self._z, maps.up.eps)
        self._up, self._hidden, self._one = up[:, :n_up], up[:, : len(maps.down)], up[:, len(maps.down) - 1]
        self._experts = None
        if maps.experts is not None:
            gates = up[:, n : n + maps.n_experts]  # over values that are used up by then
            self._experts = _Experts(maps.experts, maps.activation, h_NC, self._z, gates, logits_NE, scratch)

    def __call__(self) -> None:
        """Add it."""
        maps = self._maps
        self._norm()
        torch.addmm(maps.up.bias, self._z, maps.up.weight, out=self._up)
        _activate(self._up, maps.activation)
        if self._experts is not None:
            self._experts.choose()
        self._one.fill_(1.0)
        self._h.addmm_(self._hidden, maps.down)
        if self._experts is not None:
            self._experts.add()


class _Experts:
    """Tokens sorted by the expert that they chose, so that each expert computes its own and no others."""

    def __init__(
        self,
        maps: ExpertMaps,
        activation: Activation,
        h_NC: Tensor,
        z_NC: Tensor,
        gates_NE: Tensor,
        logits_NE: Tensor,
        scratch: Scratch,
    ) -> None:
        n_rows, width = h_NC.shape
        self._maps, self._activation = maps, activation
        self._h, self._z, self._gates, self._logits = h_NC, z_NC, gates_NE, logits_NE
        n_chosen = n_rows * maps.top_k
        self._top, self._index = torch.empty(n_rows, maps.top_k), torch.zeros(n_rows, maps.top_k, dtype=torch.int64)
        self._experts = self._index.numpy().reshape(-1)
        self._place = np.zeros(n_chosen, np.int64)
        self._places = [torch.from_numpy(self._place)[j :: maps.top_k] for j in range(maps.top_k)]
        self._count = np.arange(n_chosen)
        self._rows = scratch.rows("chosen", n_chosen, width)
        self._up = scratch.rows("chosen up", n_chosen, len(maps.ups[0].bias))
        self._hidden = self._up[:, : len(maps.downs[0])]
        self._o = scratch.rows("o", n_rows, width)

    def choose(self) -> None:
        """Ask the router, and write the gates."""
        maps, top = self._maps, self._top
        torch.addmm(maps.router.bias, self._z, maps.router.weight, out=self._logits)
        torch.topk(self._logits, maps.top_k, out=(top, self._index))
        if maps.gating == "source":
            torch.gather(self._logits.softmax(dim=1), 1, self._index, out=top)
        else:
            torch.softmax(top, 1, out=top)
        self._gates.zero_().scatter_(1, self._index, top)

    def add(self) -> None:
        """Add the experts' outputs to the tokens."""
        maps = self._maps
        order = np.argsort(self._experts.astype(np.uint8), kind="stable")
        ends = np.bincount(self._experts, minlength=len(maps.ups)).cumsum().tolist()
        self._place[order] = self._count
        order_M = torch.from_numpy(order)
        torch.index_select(self._z, 0, order_M // maps.top_k, out=self._rows)
        groups = [slice(start, end) for start, end in zip([0, *ends], ends, strict=False)]
        for up, group in zip(maps.ups, groups, strict=True):
            torch.addmm(up.bias, self._rows[group], up.weight, out=self._up[group])
        _activate(self._up, self._activation)
        self._hidden.mul_(self._top.view(-1).index_select(0, order_M)[:, None])
        for down, group in zip(maps.downs, groups, strict=True):
            torch.mm(self._hidden[group], down, out=self._rows[group])
        for place in self._places:
            torch.index_select(self._rows, 0, place, out=self._o)
            self._h.add_(self._o)


def _activate(up: Tensor, activation: Activation) -> None:
    """Make the first columns, or all, hidden units."""
    if activation == "swiglu":
        gate, value = up.chunk(2, dim=1)
        F.silu(gate, inplace=True)
        torch.mul(gate, value, out=gate)
    elif activation == "gelu":
        torch.ops.aten.gelu.out(up, out=up)
    else:
        torch.relu_(up)
