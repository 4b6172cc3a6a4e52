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
    """Write a model that decides by the power of four channels in windows of half a second, always the same weights.

    Parameters
    ----------
    path : Path
        Of the file, `.ts`.
    **fields
        As for `make_manifest`.
    """
    import torch

    from neuript.modelfile.deployable import save_model

    class Power(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            with torch.random.fork_rng():
                torch.manual_seed(3)
                self.linear = torch.nn.Linear(len(NAMES), 2)

        def forward(self, x_BCT: torch.Tensor) -> torch.Tensor:
            return self.linear(torch.log((x_BCT * 1e6).var(dim=-1) + 1e-3))

    policy = PolicySpec(threshold=0.55, release=0.5, smoothing_s=0.2, refractory_s=0.0)
    values = {"model": {"architecture": "power"}, "window_s": 0.5, "policy": policy}
    about = provenance(data=["none"], simulated=True)
    save_model(path, Power(), make_manifest(**{**values, "provenance": about, **fields}))
    return path
