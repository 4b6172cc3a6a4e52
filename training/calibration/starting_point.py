"""Where the network of a calibration starts from: the shipped encoder, random weights, or a checkpoint."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch

from neuript.modelfile.checkpoint import load_checkpoint
from neuript.network.config import NetworkConfig, PresetName, preset
from neuript.training.calibration.calibration_spec import encoder_file

EARLY_MERGES = (4, 1, 1, 2, 1, 2)
"""The published merges with the first one moved to the front: half the arithmetic, tokens of 62 ms from the start."""


@dataclass(frozen=True, slots=True)
class StartingPoint:
    """Where the network of a calibration starts from.

    Attributes
    ----------
    config : NetworkConfig
        Shape of the network, with the read-out for the person's classes.
    encoder : dict of Tensor, or None
        Pretrained weights; None for random ones.
    simulated : bool
        Whether the pretrained weights come from simulated people.
    """

    config: NetworkConfig
    encoder: dict[str, torch.Tensor] | None = None
    simulated: bool = False


def starting_point(network: str, n_outputs: int, n_times: int) -> StartingPoint:
    """Shape of a network and the weights it starts from.

    Parameters
    ----------
    network : str
        "pretrained": the encoder shipped with the package (its model card says on what it was trained); "micro",
        "tiny": random weights of that size; "none": the shape of micro; else a checkpoint of `neuript-train pretrain`.
    n_outputs, n_times : int
        Classes and samples of a window.

    Raises
    ------
    NeuriptError
        Where there is no such checkpoint, or it is damaged.
    """
    path = encoder_file(network)
    if path is None:
        name: PresetName = "tiny" if network == "tiny" else "micro"
        return StartingPoint(preset(name, n_outputs=n_outputs, n_times=n_times, merges=EARLY_MERGES))
    manifest, state = load_checkpoint(path)
    config = for_calibration(NetworkConfig.from_dict(manifest.model), n_outputs, n_times)
    return StartingPoint(config, state, manifest.simulated)


def for_calibration(config: NetworkConfig, n_outputs: int, n_times: int) -> NetworkConfig:
    """Return a pretrained encoder's configuration with the head that few trials can bear.

    The last two blocks are pooled over time for each channel alone (as the paper does for Sleep-EDFx), because the
    lobes of a small cap average the two hand areas into one.
    """
    return replace(
        config, n_outputs=n_outputs, n_times=n_times, pooling="channels", class_layers=2, pool_embedding=False
    )
