"""Reading a pretrained encoder that stays as it is: what its windows have to look like, and a read-out of its features.

Covariances of the network's tokens between channels (`neuript.network.second_order`) say what its averages do not:
power. A read-out of them needs no gradient and no epochs, and a few dozen trials do not move what many people taught.
"""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuript.modelfile.manifest import Manifest
from neuript.network.config import NetworkConfig
from neuript.realtime.chain.alignment import AlignmentSpec
from neuript.realtime.chain.preprocess import PreprocessSpec
from neuript.training.fitting.tangent_readout import STRENGTH, Readout, feature_scale, fit_readout

COVARIANCE_HEADS = 8
"""Groups of token components that second-order pooling reads, or as many as divide the width."""
SIGNAL_BAND_HZ = (8.0, 30.0)
"""Band of the signal that a network of patches reads: mu and beta, without the drifts that are most of the power."""
SIGNAL_RMS_V = 1.6e-6
"""Size of that signal; the network's linear scale makes 0.3 of it."""
PATCHES: dict[str, Any] = {
    "d_model": 32,
    "n_heads": 4,
    "d_ff": 32,
    "merges": (16,),
    "experts": (0,),
    "companding": "linear",
    "pooling": "covariance",
    "covariance_heads": COVARIANCE_HEADS,
    "class_layers": 1,
    "pool_embedding": False,
    "init": "default",
    "dropout": 0.0,
}
"""Fields of `NetworkConfig`: one block on patches of 1/4 s, read out by second-order pooling."""
UNALIGNED_RMS_V = 1e-5
"""Size of the aligned signal for an encoder that was pretrained on EEG as it comes."""


def alignment_of_rhythms() -> AlignmentSpec:
    """Return how windows are recentred for a network of the shape `PATCHES`."""
    return AlignmentSpec(signal_band_hz=SIGNAL_BAND_HZ, signal_rms_v=SIGNAL_RMS_V)


def alignment_for(manifest: Manifest | None) -> AlignmentSpec:
    """Return how windows are recentred for an encoder: as in its training, or broadband where it saw no alignment."""
    theirs = None if manifest is None else PreprocessSpec.from_dict(manifest.preprocess).alignment
    return theirs or AlignmentSpec(signal_band_hz=None, signal_rms_v=UNALIGNED_RMS_V)


def second_order(d_model: int) -> dict[str, Any]:
    """Return the fields of `NetworkConfig` with which a linear head reads covariances of the last blocks."""
    heads = math.gcd(COVARIANCE_HEADS, d_model)
    return {"pooling": "covariance", "covariance_heads": heads, "pool_embedding": False, "head": "linear"}


def read_by_covariance(config: NetworkConfig, n_outputs: int, n_times: int) -> NetworkConfig:
    """Return the configuration of an encoder with a read-out of second order for some windows.

    Parameters
    ----------
    config : NetworkConfig
        Of the encoder.
    n_outputs : int
        Number of classes.
    n_times : int
        Samples of a window.
    """
    shape: dict[str, Any] = {"n_outputs": n_outputs, "n_times": n_times, "binary_single_logit": False}
    return replace(config, **second_order(config.d_model), **shape)


def fit_own_readout(
    x: NDArray[np.floating], y: NDArray[np.int64], n_classes: int, weight: NDArray[np.float64] | None = None
) -> Readout:
    """Fit a read-out to a person's features, penalised as if they had the size of tangent vectors.

    Parameters
    ----------
    x : ndarray, shape (n_windows, n_features)
        Features.
    y : ndarray, shape (n_windows,)
        Class indices in 0..n_classes-1.
    n_classes : int
        Number of classes.
    weight : ndarray, shape (n_windows,), optional
        How much each window counts; those of one trial should sum to 1. None counts each as 1.
    """
    variance = STRENGTH * feature_scale([x]) ** 2
    return fit_readout(x, y, n_classes, sample_weight=weight, variance=variance)
