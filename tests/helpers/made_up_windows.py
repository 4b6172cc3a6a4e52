"""Labelled windows made up for the tests of calibration, and a network small enough for them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from pyriemann.geometry.base import logm
from pyriemann.geometry.tangentspace import upper
from scipy.signal import butter, sosfilt

from neuript.modelfile.manifest import Manifest
from neuript.montages import load_montage
from neuript.network.config import preset
from neuript.realtime.chain.alignment import AlignmentSpec, Reference
from neuript.realtime.chain.preprocess import PreprocessSpec
from neuript.realtime.decoding.scoring import Trial
from neuript.training.calibration.fitted_decoder import fit_decoder
from neuript.training.calibration.frozen_network import FrozenNetwork
from neuript.training.fitting.build import build_network
from neuript.training.windows.dataset import Dataset

NAMES = ("C3", "Cz", "C4")
N_TIMES = 128
MONTAGE = load_montage("10-20").pick(NAMES)
ALIGNMENT = AlignmentSpec(bands_hz=((8.0, 12.0), (12.0, 30.0)))


def seen(x):
    """What an alignment might make of windows in volts, each by itself: `signal`, `tangent` and a `reference`.

    The signal has another size than the windows, and the tangent vectors are logarithms of the covariances of two
    bands in square microvolts.
    """
    bands = [butter(2, band, "bandpass", fs=64.0, output="sos") for band in ALIGNMENT.bands_hz]
    filtered = [sosfilt(sos, np.asarray(x, float) * 1e6, axis=-1) for sos in bands]
    covariances = [f @ f.swapaxes(-1, -2) / f.shape[-1] + 0.01 * np.eye(f.shape[1]) for f in filtered]
    tangent = np.hstack([upper(logm(c)) for c in covariances]) / 2
    means = np.stack([np.eye(x.shape[1])] + [c.mean(axis=0) for c in covariances])
    return {
        "signal": (1.25 * x).astype(np.float32),
        "tangent": tangent.astype(np.float32),
        "reference": Reference(means, np.full(3, 1.5), 30.0),
    }


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
        preprocess=PreprocessSpec(alignment=ALIGNMENT).to_dict(),
        window_s=n_times / 64,
        hop_s=0.125,
        provenance={"simulated": simulated},
    )
    trials = tuple(Trial(classes[c], 8.0 * i) for i, c in enumerate(y))
    x = (x * 1e-6).astype(np.float32)
    return Dataset(x, trial, trials, MONTAGE, manifest, **seen(x))


def relabel(data, windows):
    """The same data with the other class for the trials of some windows."""
    other = {"left": "right", "right": "left"}
    hit = set(data.trial[windows].tolist())
    trials = tuple(Trial(other[t.label] if i in hit else t.label, t.onset_s) for i, t in enumerate(data.trials))
    return replace(data, trials=trials)


def frozen(data, *, seed=11, simulated=False):
    """A random encoder small enough for a test, and what it makes of the windows."""
    shape = {"merges": (8, 2), "experts": (0, 2), "d_model": 16, "n_heads": 2, "covariance_heads": 2}
    more = {"pooling": "covariance", "pool_embedding": False, "companding": "linear"}
    config = preset("micro", n_outputs=len(data.classes), n_times=data.x.shape[-1], **shape, **more)
    return FrozenNetwork(build_network(config, data.montage, seed=seed).eval(), simulated=simulated)


def fitted(data, *, alone=False, **options):
    """A decoder fitted with three blocks; `alone` leaves the network out."""
    network = None if alone else options.pop("network", None) or frozen(data)
    return fit_decoder(data, network, n_folds=3, **options)
