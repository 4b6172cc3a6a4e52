"""A small network over eight electrodes and what a calibration puts beside it, as models that can be saved."""

from __future__ import annotations

from typing import Any

import builders
import numpy as np
import torch

from neuript.modelfile.manifest import Manifest
from neuript.network.config import preset
from neuript.network.network import NeurIPTNetwork
from neuript.network.stack import HybridClassifier
from neuript.network.tangent import TangentBranch
from neuript.realtime.chain.alignment import AlignmentSpec, Reference
from neuript.realtime.chain.preprocess import PreprocessSpec
from neuript.realtime.decoding.policy import PolicySpec

CH_NAMES = ["F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2"]
LOBES = {"frontal": [0, 1], "central": [2, 3], "parietal": [4, 5], "occipital": [6, 7]}
POS_M = [[x, 0.04 * y, 0.06] for y in (1.5, 0.5, -0.5, -1.5) for x in (-0.05, 0.05)]
CONFIG = preset("micro", n_outputs=3, n_times=128, merges=(1, 4, 2), experts=(0, 0, 2))


def make_manifest(**changes: Any) -> Manifest:
    values: dict[str, Any] = {
        "task": "motor-imagery",
        "classes": ("left_hand", "right_hand", "rest"),
        "model": CONFIG.to_dict(),
        "montage": {"name": "eight", "ch_names": CH_NAMES, "lobes": LOBES, "pos_m": POS_M},
        "preprocess": {"sfreq": 64.0},
        "window_s": 2.0,
        "hop_s": 0.125,
    }
    return builders.make_manifest(**(values | changes))


ALIGNED = PreprocessSpec(alignment=AlignmentSpec(bands_hz=((8.0, 12.0), (12.0, 30.0)), signal_band_hz=(4.0, 30.0)))
N_TANGENT = 2 * 8 * 9 // 2


def tangent_branch() -> TangentBranch:
    generator = torch.Generator().manual_seed(2)
    return TangentBranch(torch.randn(3, N_TANGENT, generator=generator), torch.zeros(3)).eval()


def gate_branch() -> TangentBranch:
    generator = torch.Generator().manual_seed(3)
    return TangentBranch(torch.randn(2, N_TANGENT, generator=generator), torch.tensor([0.3, -0.3])).eval()


def calibrated_reference() -> Reference:
    """Of the signal and two bands; its numbers have all the bits of doubles."""
    draw = np.random.default_rng(12)
    factors = draw.normal(size=(3, 8, 8))
    return Reference(factors @ factors.swapaxes(-1, -2) / 3, draw.uniform(1, 2, size=3), 100 / 3)


def hybrid_of(network: NeurIPTNetwork, parts: str) -> tuple[HybridClassifier, Manifest]:
    """A calibrated model of both branches or one, or of both and a gate, with the reference of its alignment."""
    arrays = calibrated_reference().to_arrays()
    module = HybridClassifier(
        network if parts != "tangent" else None,
        tangent_branch() if parts != "network" else None,
        (0.4, 0.9),
        torch.tensor([0.1, -0.1, 0.0]),
        {name: torch.tensor(values) for name, values in arrays.items()},
        gate_branch() if parts == "gated" else None,
    ).eval()
    config = CONFIG.to_dict() if parts != "tangent" else None
    model = {"architecture": "hybrid", "network": config, "weights": [0.4, 0.9]}
    if parts != "gated":
        return module, make_manifest(model=model, preprocess=ALIGNED)
    policy = PolicySpec(idle_class="rest", gate=True).to_dict()
    return module, make_manifest(model=model, preprocess=ALIGNED, policy=policy, idle_class="rest")


def eeg(rng: np.random.Generator) -> np.ndarray:
    return (rng.normal(size=(128, len(CH_NAMES))) * 2e-5).astype(np.float32)
