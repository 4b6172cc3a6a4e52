"""An engine in the place of the network, inside what else decides."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from neuript.engines.contract import NetworkEngine


class EngineModule(nn.Module):
    """A module whose forward is an engine's: it stands where the network stood, as in `HybridClassifier`.

    Parameters
    ----------
    engine : NetworkEngine
        The engine.
    """

    def __init__(self, engine: NetworkEngine) -> None:
        super().__init__()
        self.engine = engine

    def forward(self, x_BDT: Tensor) -> Tensor:
        """Map windows (B, D, T) in volts to logits (B, n_outputs)."""
        return torch.from_numpy(self.engine(x_BDT.detach().numpy()))
