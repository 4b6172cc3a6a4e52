"""Noise that could be EEG, for what is measured without a person."""

from __future__ import annotations

import numpy as np


def eeg_noise(n_times: int, n_chans: int, sfreq: float) -> np.ndarray:
    """Return microvolts (n_times, n_chans): 15 of red noise, and a rhythm of 10 Hz."""
    from scipy.signal import lfilter

    pole = np.exp(-2 * np.pi * 5 / sfreq)
    red = lfilter([1], [1, -pole], np.random.default_rng(0).normal(size=(n_times, n_chans)), axis=0)
    alpha = np.sin(2 * np.pi * 10 * np.arange(n_times) / sfreq)[:, None]
    return (15 * red / red.std() + 8 * alpha).astype(np.float32)
