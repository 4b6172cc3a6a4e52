"""The plain decoders that always stand beside the network, on the same trials and the same windows.

`BASELINES` are those that a calibration reports, each one pipeline. `CANDIDATES` are those of an evaluation: the same
families in several bands and with several penalties, for the validation people to choose from; all classes weigh the
same there, since balanced accuracy is what is compared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, clone
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from neuript.training.fitting.plain_features import (
    MOTOR_BAND_HZ,
    RHYTHMS_HZ,
    BandPass,
    BandTangent,
    CspPower,
    LogBandPower,
    OasCovariances,
)

BANDS: dict[str, tuple[tuple[float, float], ...]] = {
    "8-30": (MOTOR_BAND_HZ,),
    "1-30": ((1.0, 30.0),),
    "rhythms": RHYTHMS_HZ,
}
PENALTIES = (1e-3, 1e-2, 1e-1, 1.0)
"""Inverse strengths C of logistic regression."""

Mask = NDArray[np.bool_]
Candidate = tuple[dict[str, Any], BaseEstimator, BaseEstimator]
"""Settings of a candidate, its unfitted feature extractor, and its unfitted classifier."""


def csp_lda(sfreq: float) -> Pipeline:
    """Common spatial patterns (6 at the most) and shrinkage LDA (Blankertz et al. 2008)."""
    from mne.decoding import CSP
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    return make_pipeline(
        BandPass(sfreq=sfreq),
        CSP(n_components=6, reg="oas", log=True),
        LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto"),
    )


def tangent_lr(sfreq: float) -> Pipeline:
    """Tangent space of the covariance and logistic regression (Barachant et al. 2012)."""
    from pyriemann.tangentspace import TangentSpace

    return make_pipeline(BandPass(sfreq=sfreq), OasCovariances(), TangentSpace(), LogisticRegression(max_iter=2000))


def held_out_proba(
    pipeline: Pipeline, x: NDArray[np.floating], y: NDArray[np.int64], blocks: Sequence[tuple[Mask, Mask]]
) -> NDArray[np.float64]:
    """Return probabilities of the windows of each block by a plain decoder that did not see it; 0 for all others.

    What learns nothing (band-pass, covariances) is done once and not for each block.

    Parameters
    ----------
    pipeline : Pipeline
        The decoder, not fitted.
    x : ndarray, shape (n_windows, n_chans, n_times)
        Windows in volts.
    y : ndarray, shape (n_windows,)
        Their classes.
    blocks : sequence of (ndarray of bool, ndarray of bool), each of shape (n_windows,)
        Windows to train on and windows to test on, for each block.
    """
    kinds = [isinstance(step, BandPass | OasCovariances) for _, step in pipeline.steps]
    before = pipeline[: kinds.index(False)]
    learning, seen = pipeline[len(before) :], before.fit_transform(x.astype(np.float64))
    out = np.zeros((len(x), len(np.unique(y))))
    for train, test in blocks:
        out[test] = clone(learning).fit(seen[train], y[train]).predict_proba(seen[test])
    return out


BASELINES: dict[str, Callable[[float], Pipeline]] = {"CSP+LDA": csp_lda, "TS+LR": tangent_lr}
"""Decoders of a calibration: from the windows' rate to an unfitted pipeline."""


def _logistic(C: float) -> Any:
    return make_pipeline(StandardScaler(), LogisticRegression(C=C, class_weight="balanced", max_iter=1000))


def tangent_candidates(sfreq: float, n_outputs: int) -> Iterator[Candidate]:
    """Tangent space of the covariances and logistic regression, in several bands and with several penalties."""
    for bands, bands_hz in BANDS.items():
        maker = BandTangent(bands_hz, sfreq)
        for C in PENALTIES:
            yield {"bands": bands, "C": C}, maker, _logistic(C)


def csp_candidates(sfreq: float, n_outputs: int) -> Iterator[Candidate]:
    """Common spatial patterns and shrinkage LDA, in several bands."""
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

    for bands, bands_hz in BANDS.items():
        lda = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto", priors=[1 / n_outputs] * n_outputs)
        yield {"bands": bands}, CspPower(bands_hz, sfreq), lda


def band_power_candidates(sfreq: float, n_outputs: int) -> Iterator[Candidate]:
    """Log power of the rhythms in each channel and logistic regression, with several penalties."""
    maker = LogBandPower(RHYTHMS_HZ, sfreq)
    for C in PENALTIES:
        yield {"bands": "rhythms", "C": C}, maker, _logistic(C)


CANDIDATES: Mapping[str, Callable[[float, int], Iterator[Candidate]]] = {
    "ts-lr": tangent_candidates,
    "csp-lda": csp_candidates,
    "band-power": band_power_candidates,
}
"""Decoders of an evaluation: from the windows' rate and the number of classes to what can be chosen."""
