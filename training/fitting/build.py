"""The network for given windows: its configuration, and its weights before training."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, cast

from torch import Tensor

from neuript.montages import Montage
from neuript.network.config import NetworkConfig, PresetName, preset
from neuript.network.network import NeurIPTNetwork
from neuript.training.fitting.forward import seeded

_log = logging.getLogger(__name__)


def network_config(
    shape: str | Mapping[str, Any], *, n_outputs: int, n_times: int, options: Mapping[str, Any] | None = None
) -> NetworkConfig:
    """Return the configuration of a network for some windows.

    Parameters
    ----------
    shape : str or mapping
        Name of a preset, or the fields of a configuration such as that of a pretrained encoder.
    n_outputs : int
        Number of classes.
    n_times : int
        Samples of a window.
    options : mapping, optional
        Further fields of `NetworkConfig`. Two classes get one logit, as in the paper, unless these say otherwise.

    Returns
    -------
    NetworkConfig
        The checked configuration.

    Raises
    ------
    NeuriptError
        If a field is not known or its value not allowed.
    """
    fixed = {"n_times": n_times, "binary_single_logit": n_outputs == 2, **(options or {}), "n_outputs": n_outputs}
    if isinstance(shape, str):
        return preset(cast(PresetName, shape), **fixed)
    return NetworkConfig.from_dict({**shape, **fixed})


def build_network(
    config: NetworkConfig,
    montage: Montage,
    *,
    seed: int,
    encoder: Mapping[str, Tensor] | None = None,
    encoder_channels: Sequence[str] | None = None,
) -> NeurIPTNetwork:
    """Return an untrained network for the channels of a montage.

    Its head is as random as the rest; how it starts is decided where training windows are at hand (`fitting.heads`).

    Parameters
    ----------
    config : NetworkConfig
        Shape of the network, length of the windows and number of classes.
    montage : Montage
        Positions (metres) and lobes of the channels.
    seed : int
        Seed of the initial weights; the global generator is left as it was.
    encoder : mapping of str to Tensor, optional
        Pretrained weights to start from (see `NeurIPTNetwork.load_encoder`); None keeps the random ones.
    encoder_channels : sequence of str, optional
        Names of the channels that `encoder` was trained on: learned positions go to the channels of the same name,
        and the log says what stays new. None leaves all learned positions new.

    Returns
    -------
    NeurIPTNetwork
        The network, with random weights or those of `encoder`.

    Raises
    ------
    NeuriptError
        If the pretrained weights do not fit.
    """
    with seeded(seed):
        network = NeurIPTNetwork(config, montage.pos_m, montage.lobe_groups())
    if encoder is not None:
        names = None if encoder_channels is None else list(encoder_channels)
        rows = None if names is None else [names.index(n) if n in names else None for n in montage.ch_names]
        if new := network.load_encoder(encoder, rows):
            _log.warning("the pretrained encoder's learned positions do not cover all: new are %s", "; ".join(new))
    return network
