"""Plain decoders on the same windows: tangent space, common spatial patterns, band power.

Each comes as a handful of candidates (bands, strength of the penalty); the validation people choose
one, and nothing else does. All classes weigh the same, since balanced accuracy is what is compared.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from neuript.errors import NeuriptError
from neuript.network.tangent import MICROVOLTS_PER_VOLT
from neuript.training.fitting.metrics import balanced_accuracy, confusion
from neuript.training.fitting.plain import BandPass

RHYTHMS_HZ = ((1.0, 4.0), (4.0, 8.0), (8.0, 13.0), (13.0, 30.0))
"""Delta, theta, alpha, beta."""
BANDS: dict[str, tuple[tuple[float, float], ...]] = {
    "8-30": ((8.0, 30.0),),
    "1-30": ((1.0, 30.0),),
    "rhythms": RHYTHMS_HZ,
}
PENALTIES = (1e-3, 1e-2, 1e-1, 1.0)
"""Inverse strengths C of logistic regression."""
RANK_TOLERANCE = 1e-5
"""Directions with less than this share of the strongest one's power are not signal."""

_Windows = tuple[NDArray[np.float32], NDArray[np.int64]]


@dataclass(frozen=True)
class BaselineFit:
    """A fitted baseline.

    Attributes
    ----------
    predict_proba
        From windows (n, n_chans, n_times) in volts to class probabilities (n, K).
    chosen
        The candidate: bands, C.
    val_score
        Its balanced accuracy on the validation windows; NaN without any.
    """

    predict_proba: Callable[[NDArray[np.float32]], NDArray[np.float64]]
    chosen: dict[str, Any]
    val_score: float


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
        from pyriemann.estimation import Covariances
        from pyriemann.tangentspace import TangentSpace

        self.parts_ = [
            make_pipeline(BandPass(band, self.sfreq), FullRank(), Covariances("oas"), TangentSpace()).fit(X)
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


Candidate = tuple[dict[str, Any], BaseEstimator, BaseEstimator]
"""What it is, how features are made, and how they are classified."""


def fit_baseline(name: str, train: _Windows, val: _Windows | None, *, sfreq: float, n_outputs: int) -> BaselineFit:
    """Fit every candidate of a baseline on the training windows, keep the best on validation.

    Parameters
    ----------
    name
        One of `BASELINES`.
    train, val
        Windows in volts and classes. Without validation the first candidate is taken.
    sfreq, n_outputs
        Rate of the windows in Hz; classes.

    Raises
    ------
    NeuriptError
        If there is no such baseline, or no candidate could be fitted.
    """
    if name not in BASELINES:
        raise NeuriptError(f"there is no baseline {name!r}; choose {', '.join(BASELINES)}")
    best: tuple[float, dict[str, Any], Any, Any] | None = None
    failures: list[str] = []
    ready: dict[int, tuple[Any, Any]] = {}
    for about, maker, machine in BASELINES[name](sfreq, n_outputs):
        try:
            if id(maker) not in ready:  # candidates share the features
                ready[id(maker)] = _features(maker, train, val)
            own, other = ready[id(maker)]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of convergence: validation judges
                fitted = machine.fit(own, train[1])
        except (ValueError, np.linalg.LinAlgError) as error:
            failures.append(str(error).splitlines()[0])
            continue
        score = float("nan")
        if val is not None:
            guess = fitted.predict(other)
            score = balanced_accuracy(confusion(val[1], guess, n_outputs))
        if best is None or score > best[0]:
            best = score, about, maker, fitted
        if val is None:
            break
    if best is None:
        raise NeuriptError(f"the baseline {name} could not be fitted: {failures[0]}")
    score, about, maker, fitted = best
    return BaselineFit(_predictor(maker, fitted, n_outputs), about, score)


def _features(maker: Any, train: _Windows, val: _Windows | None) -> tuple[Any, Any]:
    own = maker.fit(*train).transform(train[0])
    return own, None if val is None else maker.transform(val[0])


def _predictor(maker: Any, machine: Any, n_outputs: int) -> Callable[[NDArray[np.float32]], NDArray[np.float64]]:
    def predict_proba(x: NDArray[np.float32]) -> NDArray[np.float64]:
        proba = np.zeros((len(x), n_outputs))
        proba[:, machine.classes_] = machine.predict_proba(maker.transform(x))
        return proba

    return predict_proba


def _logistic(C: float) -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression(C=C, class_weight="balanced", max_iter=1000))


def _tangent(sfreq: float, n_outputs: int) -> Iterator[Candidate]:
    for bands, bands_hz in BANDS.items():
        maker = BandTangent(bands_hz, sfreq)
        for C in PENALTIES:
            yield {"bands": bands, "C": C}, maker, _logistic(C)


def _csp(sfreq: float, n_outputs: int) -> Iterator[Candidate]:
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    for bands, bands_hz in BANDS.items():
        lda = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=[1 / n_outputs] * n_outputs)
        yield {"bands": bands}, CspPower(bands_hz, sfreq), lda


def _band_power(sfreq: float, n_outputs: int) -> Iterator[Candidate]:
    maker = LogBandPower(RHYTHMS_HZ, sfreq)
    for C in PENALTIES:
        yield {"bands": "rhythms", "C": C}, maker, _logistic(C)


BASELINES: Mapping[str, Callable[[float, int], Iterator[Candidate]]] = {
    "ts-lr": _tangent,
    "csp-lda": _csp,
    "band-power": _band_power,
}
"""Tangent space and logistic regression; CSP and shrinkage LDA; log band power and logistic regression."""
