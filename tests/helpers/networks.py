"""Networks whose every number is made up, biases and norms as well, and windows for them."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from neuript.network.config import PresetName, preset
from neuript.network.network import NeurIPTNetwork

N_CHANS, N_TIMES = 6, 64


def made_up_network(size: PresetName = "micro", n_chans: int = N_CHANS, seed: int = 0, **fields: Any) -> NeurIPTNetwork:
    """A network of three classes, as training could leave it: no bias is zero and no norm is plain.

    Parameters
    ----------
    size : str
        Preset.
    n_chans : int
        Channels, on a sphere.
    seed : int
        Of all numbers.
    **fields
        Fields of `NetworkConfig` that differ.
    """
    rng = np.random.default_rng(seed)
    pos = rng.normal(size=(n_chans, 3))
    pos *= 0.09 / np.linalg.norm(pos, axis=1, keepdims=True)
    lobes = [list(range(i, n_chans, 3)) for i in range(3)]
    torch.manual_seed(seed)
    config = preset(size, **({"n_outputs": 3, "n_times": N_TIMES} | fields))
    network = NeurIPTNetwork(config, pos, lobes).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.dim() == 1:
                parameter.add_(0.2 * torch.randn_like(parameter))
    return network


def eeg_windows(n: int, n_chans: int = N_CHANS, n_times: int = N_TIMES, seed: int = 1) -> np.ndarray:
    """Windows (n, n_chans, n_times) in volts: brown noise of some 15 microvolts with an offset a channel, float32."""
    rng = np.random.default_rng(seed)
    noise = rng.normal(size=(n, n_chans, n_times)).cumsum(axis=-1)
    noise -= noise.mean(axis=-1, keepdims=True)
    offset = rng.normal(size=(n, n_chans, 1))
    return (15e-6 * noise / noise.std() + 5e-6 * offset).astype(np.float32)
