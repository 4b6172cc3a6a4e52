"""What many tests need whole and few look at: the manifest of a model, and a small model file."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from neuript.modelfile.manifest import Manifest, provenance
from neuript.montages import Montage, load_montage
from neuript.realtime.chain.preprocess import PreprocessSpec
from neuript.realtime.decoding.policy import PolicySpec

NAMES = ("C3", "Cz", "C4", "Pz")


@cache
def montage_of(*ch_names: str) -> Montage:
    """Electrodes of the 10-20 system."""
    return load_montage("10-20").pick(ch_names)


def make_manifest(**fields: Any) -> Manifest:
    """A manifest of a decoder of two classes in windows of 2 s over C3, Cz, C4 and Pz.

    Parameters
    ----------
    **fields
        Fields of `Manifest` that differ. What has a `to_dict` is taken too: a `Montage` for `montage`, a
        `PreprocessSpec` for `preprocess`, a `NetworkConfig` for `model`.
    """
    values = {
        "task": "test",
        "classes": ("left_hand", "right_hand"),
        "model": {},
        "montage": montage_of(*NAMES),
        "preprocess": PreprocessSpec(),
        "window_s": 2.0,
        "hop_s": 0.125,
    } | fields
    return Manifest(**{k: v.to_dict() if hasattr(v, "to_dict") else v for k, v in values.items()})


def save_power_model(path: Path, **fields: Any) -> Path:
    """Write a small network that decides by how four channels vary in half a second, always the same weights.

    Parameters
    ----------
    path : Path
        Of the file, `.ts`.
    **fields
        As for `make_manifest`.
    """
    import torch

    from neuript.modelfile.deployable import save_model
    from neuript.network.config import preset
    from neuript.network.network import NeurIPTNetwork

    policy = PolicySpec(threshold=0.55, release=0.5, smoothing_s=0.2, refractory_s=0.0)
    shape = {"d_model": 16, "n_heads": 2, "merges": (4,), "experts": (0,), "d_ff": 16, "covariance_heads": 2}
    config = preset("micro", n_outputs=2, n_times=32, pooling="covariance", companding="linear", **shape)
    about = provenance(data=["none"], simulated=True)
    values = {"model": config, "window_s": 0.5, "policy": policy, "provenance": about}
    manifest = make_manifest(**{**values, **fields})
    with torch.random.fork_rng():
        torch.manual_seed(3)
        network = NeurIPTNetwork(config, manifest.montage["pos_m"], list(manifest.montage["lobes"].values()))
    save_model(path, network, manifest)
    return path
