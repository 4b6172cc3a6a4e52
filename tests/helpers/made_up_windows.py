"""Labelled windows made up for the tests of calibration, and a network small enough for them."""

from __future__ import annotations

import numpy as np
import torch

from neuript.modelfile.manifest import Manifest
from neuript.montages import load_montage
from neuript.network.config import preset
from neuript.network.network import NeurIPTNetwork
from neuript.realtime.chain.preprocess import PreprocessSpec
from neuript.realtime.decoding.scoring import Trial
from neuript.training.calibration.dataset import Dataset
from neuript.training.calibration.fitted_decoder import fit_decoder
from neuript.training.calibration.starting_point import StartingPoint
from neuript.training.fitting.top_blocks import FinetuneSpec

NAMES = ("C3", "Cz", "C4")
N_TIMES = 128
MONTAGE = load_montage("10-20").pick(NAMES)


def dataset(rng, n_classes=2, n_trials=24, *, per_trial=2, n_times=N_TIMES, simulated=False):
    """Trials whose class is the channel with the strongest 10 Hz rhythm."""
    y = np.arange(n_trials) % n_classes
    trial = np.repeat(np.arange(n_trials), per_trial)
    t = np.arange(n_times) / 64
    x = rng.normal(size=(len(trial), 3, n_times)) * 6
    for i, c in enumerate(y[trial]):
        x[i, c] += 14 * np.sin(2 * np.pi * 10 * t + rng.uniform(0, 7))
    classes = ("left", "right", "rest")[:n_classes]
    manifest = Manifest(
        task="test",
        classes=classes,
        model={},
        montage=MONTAGE.to_dict(),
        preprocess=PreprocessSpec().to_dict(),
        window_s=n_times / 64,
        hop_s=0.125,
        provenance={"simulated": simulated},
    )
    trials = tuple(Trial(classes[c], 8.0 * i) for i, c in enumerate(y))
    return Dataset((x * 1e-6).astype(np.float32), trial, trials, MONTAGE, manifest)


def relabel(data, windows):
    """The same data with the other class for the trials of some windows."""
    other = {"left": "right", "right": "left"}
    hit = set(data.trial[windows].tolist())
    trials = tuple(Trial(other[t.label] if i in hit else t.label, t.onset_s) for i, t in enumerate(data.trials))
    return Dataset(data.x, data.trial, trials, data.montage, data.manifest)


def tiny(n_outputs=2):
    """A random starting point."""
    shape = {"merges": (8, 2), "experts": (0, 2), "d_model": 16, "n_heads": 2}
    return StartingPoint(preset("micro", n_outputs=n_outputs, n_times=N_TIMES, **shape))


def pretrained(n_outputs=2):
    """The same shape with an encoder to start from, which knows simulated people."""
    config = tiny(n_outputs).config
    torch.manual_seed(11)
    model = NeurIPTNetwork(config, MONTAGE.pos_m, MONTAGE.lobe_groups())
    return StartingPoint(config, model.state_dict(), simulated=True)


def short(seed=520):
    """A training of one epoch."""
    return FinetuneSpec(n_epochs=1, n_frozen=1, n_copies=2, seed=seed)


def fitted(data, *, start=None, seed=520, **options):
    """A decoder fitted with all of these, three blocks."""
    return fit_decoder(data, start or tiny(len(data.classes)), short(seed), n_folds=3, **options)
