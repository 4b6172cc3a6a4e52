"""The part of a network that engines compute, and what remains for the CPU: eigenvalues, which no engine has.

Networks with the published pooling are computed whole. Where covariances are pooled, the engine ends with them; their
logarithms and the head are a few small products beside it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from neuript.engines.contract import EnginePrecision, NetworkEngine
from neuript.network.network import NeurIPTNetwork
from neuript.network.second_order import CovariancePool

Tail = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""From an engine's answers (batch, ...) to logits (batch, n_outputs)."""


class ToCovariances(nn.Module):
    """A network up to the covariances that it pools, (B, scales, H, D, D).

    Parameters
    ----------
    network : NeurIPTNetwork
        A network that pools covariances.
    """

    def __init__(self, network: NeurIPTNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, x_BDT: Tensor) -> Tensor:
        """Map windows in volts to covariances."""
        covariances: Tensor = self.network.covariances(x_BDT)
        return covariances


def engine_part(network: NeurIPTNetwork) -> nn.Module:
    """Return the module that an engine computes: the network, or as much of it as can be."""
    return ToCovariances(network) if isinstance(network.pool, CovariancePool) else network


def tail_of(network: NeurIPTNetwork) -> Tail | None:
    """Return what makes logits of the answers of `engine_part`; None where they are the logits."""
    pool, head = network.pool, network.head
    if not isinstance(pool, CovariancePool):
        return None

    def tail(covariances: NDArray[np.float32]) -> NDArray[np.float32]:
        if not np.isfinite(covariances).all():  # LAPACK raises where it should say that there is no answer
            return np.full((len(covariances), network.config.n_logits), np.nan, np.float32)
        with torch.inference_mode():
            return np.array(head(pool.vectors(torch.from_numpy(covariances))).numpy())

    return tail


class FinishedEngine:
    """An engine of `engine_part` with its tail, as one engine.

    Parameters
    ----------
    engine : NetworkEngine
        Computes the part.
    tail : callable
        Makes logits of its answers.
    """

    def __init__(self, engine: NetworkEngine, tail: Tail) -> None:
        self.engine, self._tail = engine, tail

    @property
    def name(self) -> str:
        """Name that a person may ask for."""
        return self.engine.name

    @property
    def precision(self) -> EnginePrecision:
        """Kind of the numbers that the engine computes with; the tail is float32."""
        return self.engine.precision

    @property
    def device(self) -> str:
        """Where the engine computes; the tail is on the CPU."""
        return self.engine.device

    def __call__(self, windows: NDArray[np.float32]) -> NDArray[np.float32]:
        """Map windows (batch, n_chans, n_times) in volts to logits (batch, n_outputs)."""
        return self._tail(self.engine(windows))

    def router_logits(self, windows: NDArray[np.float32]) -> NDArray[np.float32] | None:
        """Return what the routers say, if the engine tells."""
        return self.engine.router_logits(windows)

    def close(self) -> None:
        """Close the engine."""
        self.engine.close()


def finished(engine: NetworkEngine, tail: Tail | None) -> NetworkEngine:
    """Return an engine whose answers are logits."""
    return engine if tail is None else FinishedEngine(engine, tail)
