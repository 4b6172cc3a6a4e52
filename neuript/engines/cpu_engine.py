"""The network on a CPU, on PyTorch alone: constants folded, memory allocated once, work in groups that fit the cache.

Shape suffixes: D channels, T samples, L time tokens, C model width.
"""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neuript.engines.block_steps import BlockInput, BlockSteps, FirstInput, Step
from neuript.engines.contract import EnginePrecision
from neuript.engines.folding import fold_first_layer
from neuript.engines.pooled import Pooled
from neuript.engines.steps import PlainTokens, Scratch
from neuript.network.encoder import EncoderBlock
from neuript.network.network import NeurIPTNetwork

GROUP_BYTES = 2 << 20
"""Size of the widest rows that are worked on at once: a core's share of the last cache; much less costs calls."""


class CpuEngine:
    """The network's forward pass as a list of steps on fixed memory, one window at a time.

    Its answers are those of the network to rounding (about 1e-6 in a probability). The network must not change after
    that.

    Parameters
    ----------
    network : NeurIPTNetwork
        The network, with any switches.
    threads : int, optional
        PyTorch threads to use; None leaves PyTorch's setting alone.
    group_bytes : int
        Size of the rows that are worked on at once.
    """

    name = "cpu"
    device = "cpu"
    precision: EnginePrecision = "float32"

    def __init__(self, network: NeurIPTNetwork, *, threads: int | None = None, group_bytes: int = GROUP_BYTES) -> None:
        self.threads = threads
        with torch.no_grad():
            self._forward = _Forward(network.eval(), group_bytes)

    def __call__(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map windows (batch, n_chans, n_times) in volts to logits (batch, n_outputs)."""
        if self.threads is not None and torch.get_num_threads() != self.threads:
            torch.set_num_threads(self.threads)
        with torch.inference_mode():
            return np.stack([self._forward(window) for window in windows])

    def router_logits(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return what the routers say, (batch, numbers)."""
        rows = []
        for window in windows:
            self(window[None])
            rows.append(np.concatenate([np.zeros(0, np.float32), *(r.numpy().ravel() for r in self._forward.routers)]))
        return np.stack(rows)

    def close(self) -> None:
        """Let the memory go."""
        del self._forward


class _Forward:
    """Buffers and steps of one network; called, it is one forward pass."""

    def __init__(self, network: NeurIPTNetwork, group_bytes: int) -> None:
        self._network, self._group_bytes = network, group_bytes
        n_chans, config = network.n_chans, network.config
        self._signal_1DT = torch.zeros(1, n_chans, config.n_times)
        self._window = self._signal_1DT[0].numpy()
        self._x_DT = torch.zeros(n_chans, config.n_times)
        self._bias: Tensor | None = None
        if network.encoder.spatial_bias is not None:
            self._bias = torch.zeros(config.depth, config.n_heads, n_chans, n_chans)
        self._pooled = Pooled(network)
        self.routers: list[Tensor] = []
        self._steps: list[Step] = []
        self._add_steps()

    def __call__(self, window: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the logits of one window (n_chans, n_times)."""
        if window.shape != self._window.shape:
            raise ValueError(f"window.shape={window.shape}, but the engine takes {self._window.shape}")
        self._window[...] = window
        self._x_DT.copy_(self._network.compand(self._signal_1DT)[0])
        if self._bias is not None and self._network.encoder.spatial_bias is not None:
            self._bias.copy_(self._network.encoder.spatial_bias(self._x_DT[None])[:, 0])
        for step in self._steps:
            step()
        logits: Tensor = self._network.head(self._pooled.features())
        return np.array(logits[0].numpy())

    def _add_steps(self) -> None:
        encoder, config = self._network.encoder, self._network.config
        lengths, n_chans = config.lengths(), self._network.n_chans
        below_DLC = torch.zeros(n_chans, lengths[0], config.d_model)
        layer = fold_first_layer(encoder, lengths[0])
        first = FirstInput(layer, self._x_DT, self._pooled) if config.merges[0] == 1 else None
        if first is None:
            self._steps.append(PlainTokens(layer, self._x_DT, below_DLC))
            self._steps += self._pooled.keeping(0, below_DLC)
        scratch = Scratch()
        for i, block in enumerate(encoder.blocks):
            assert isinstance(block, EncoderBlock)
            h_DLC = below_DLC if block.merge is None else torch.zeros(n_chans, lengths[i + 1], config.d_model)
            given = BlockInput(
                below=below_DLC,
                tokens=h_DLC,
                first=first if i == 0 else None,
                positions=encoder.pe_space() if i == 0 else None,
                bias=None if self._bias is None else self._bias[i],
            )
            steps = BlockSteps(block, given, scratch, self._group_bytes)
            self._steps += [*steps, *self._pooled.keeping(i + 1, h_DLC)]
            self.routers += steps.router_logits
            below_DLC = h_DLC
