"""What the plain decoders look at: band-passed signal, its power, its spatial patterns and covariances.

Windows come from the causal chain at the model's rate, shape (n_windows, n_chans, n_times), in volts. The band-pass is
a FIR applied inside the window, so plain decoders see exactly what the network sees and nothing later.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.signal import fftconvolve, firwin
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.pipeline import make_pipeline

from neuript.realtime.chain.alignment import MICROVOLTS_PER_VOLT

MOTOR_BAND_HZ = (8.0, 30.0)
RHYTHMS_HZ = ((1.0, 4.0), (4.0, 8.0), (8.0, 13.0), (13.0, 30.0))
"""Edges of the delta, theta, alpha and beta bands in Hz."""
N_TAPS = 65
"""Length of the band-pass filters, in samples."""
RANK_TOLERANCE = 1e-5
"""Directions with less than this share of the strongest one's power are not signal."""


class BandPass(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """FIR band-pass inside the window, keeping only samples that the whole filter covers; volts to microvolts."""

    def __init__(self, band_hz: tuple[float, float] = MOTOR_BAND_HZ, sfreq: float = 64.0) -> None:
        self.band_hz = band_hz
        self.sfreq = sfreq

    def fit(self, X: NDArray[Any], y: object = None) -> BandPass:
        """Nothing to learn."""
        return self

    def transform(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Filter windows of shape (n_windows, n_chans, n_times)."""
        taps = firwin(N_TAPS, self.band_hz, pass_zero=False, fs=self.sfreq)
        x = np.asarray(X, dtype=np.float64) * MICROVOLTS_PER_VOLT
        return np.asarray(fftconvolve(x, taps[None, None], mode="valid", axes=-1))


class FullRank(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Project channels onto the directions that carry signal.

    The paper's 20 bipolar pairs span 16 dimensions (two chains join the same two electrodes on each
    side), so their covariances have no logarithm; shrinkage alone would fill the rest with noise.
    """

    def fit(self, X: NDArray[Any], y: object = None) -> FullRank:
        """Find the directions from windows (n, n_chans, n_times)."""
        power = np.einsum("nct,ndt->cd", X, X)
        values, vectors = np.linalg.eigh(power)
        self.directions_ = vectors[:, values > RANK_TOLERANCE * values[-1]].T
        return self

    def transform(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Project windows (n, n_chans, n_times) to (n, rank, n_times)."""
        return np.asarray(self.directions_ @ X)


class OasCovariances(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Covariances with oracle approximating shrinkage (Chen et al. 2010), of all windows at once.

    The numbers of `pyriemann.estimation.Covariances("oas")`, which asks scikit-learn window by window: that was a
    quarter of the time of a calibration.
    """

    def fit(self, X: NDArray[Any], y: object = None) -> OasCovariances:
        """Nothing to learn."""
        return self

    def transform(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Covariances (n, n_chans, n_chans) of windows (n, n_chans, n_times)."""
        n_chans, n_times = X.shape[1:]
        x = X - X.mean(axis=-1, keepdims=True)
        raw = x @ x.swapaxes(-1, -2) / n_times
        size = np.mean(raw**2, axis=(-2, -1))
        power = np.trace(raw, axis1=-2, axis2=-1) / n_chans
        above = (n_times + 1) * (size - power**2 / n_chans)
        share = np.where(above > size + power**2, (size + power**2) / np.where(above > 0, above, 1.0), 1.0)
        return np.asarray((1 - share)[:, None, None] * raw + (share * power)[:, None, None] * np.eye(n_chans))


class LogBandPower(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Logarithm of each channel's power in some bands, from the Hann-windowed spectrum."""

    def __init__(self, bands_hz: tuple[tuple[float, float], ...] = RHYTHMS_HZ, sfreq: float = 64.0) -> None:
        self.bands_hz = bands_hz
        self.sfreq = sfreq

    def fit(self, X: NDArray[Any], y: object = None) -> LogBandPower:
        """Nothing to learn."""
        return self

    def transform(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Log power in microvolts squared, (n, bands * n_chans)."""
        x = np.asarray(X, dtype=np.float64) * MICROVOLTS_PER_VOLT
        n_times = x.shape[-1]
        spectrum = np.fft.rfft((x - x.mean(axis=-1, keepdims=True)) * np.hanning(n_times))
        frequency = np.fft.rfftfreq(n_times, 1 / self.sfreq)
        power = np.abs(spectrum) ** 2 / n_times**2
        parts = []
        for low, high in self.bands_hz:
            inside = (frequency >= low) & (frequency < high)
            if not inside.any():  # a short window has no line there: the nearest one
                inside = frequency == frequency[np.abs(frequency - (low + high) / 2).argmin()]
            parts.append(np.log(power[..., inside].sum(axis=-1) + 1e-6))
        return np.concatenate(parts, axis=1)


class BandTangent(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Tangent space of the covariance in each band (Barachant et al. 2012), one after the other."""

    def __init__(self, bands_hz: tuple[tuple[float, float], ...], sfreq: float) -> None:
        self.bands_hz = bands_hz
        self.sfreq = sfreq

    def fit(self, X: NDArray[Any], y: object = None) -> BandTangent:
        """Find rank and Riemannian mean of each band."""
        from pyriemann.tangentspace import TangentSpace

        self.parts_ = [
            make_pipeline(BandPass(band, self.sfreq), FullRank(), OasCovariances(), TangentSpace()).fit(X)
            for band in self.bands_hz
        ]
        return self

    def transform(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Tangent vectors (n, n_features)."""
        return np.concatenate([part.transform(X) for part in self.parts_], axis=1)


class CspPower(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Log power of common spatial patterns in each band (Blankertz et al. 2008; Ang et al. 2008)."""

    def __init__(self, bands_hz: tuple[tuple[float, float], ...], sfreq: float) -> None:
        self.bands_hz = bands_hz
        self.sfreq = sfreq

    def fit(self, X: NDArray[Any], y: NDArray[Any]) -> CspPower:
        """Find the patterns of each band."""
        from mne.decoding import CSP
        from mne.utils import use_log_level

        with use_log_level("ERROR"):
            self.parts_ = [
                make_pipeline(
                    BandPass(band, self.sfreq), FullRank(), CSP(n_components=6, reg="oas", log=True, rank="full")
                ).fit(X, y)
                for band in self.bands_hz
            ]
        return self

    def transform(self, X: NDArray[Any]) -> NDArray[np.float64]:
        """Log powers (n, bands * components)."""
        return np.concatenate([part.transform(X) for part in self.parts_], axis=1)
