"""The plain decoders that always stand beside the network, on the same trials and the same windows.

Windows come from the causal chain at the model's rate, shape (n_windows, n_chans, n_times), in volts. The band-pass of
the baselines is a FIR applied inside the window, so they see exactly what the network sees and nothing later.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.signal import fftconvolve, firwin
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline

from neuript.network.tangent import MICROVOLTS_PER_VOLT, TangentBranch, filter_bank, reference_whitener

MOTOR_BAND_HZ = (8.0, 30.0)
FILTER_BANK_HZ = ((8.0, 12.0), (12.0, 18.0), (18.0, 30.0))
N_TAPS = 65


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
    from pyriemann.estimation import Covariances
    from pyriemann.tangentspace import TangentSpace

    return make_pipeline(BandPass(sfreq=sfreq), Covariances("oas"), TangentSpace(), LogisticRegression(max_iter=2000))


BASELINES: dict[str, Callable[[float], Pipeline]] = {"CSP+LDA": csp_lda, "TS+LR": tangent_lr}


def fit_tangent_branch(
    X: NDArray[np.float32],
    y: NDArray[np.int64],
    *,
    sfreq: float,
    n_outputs: int,
    bands_hz: Sequence[tuple[float, float]] = FILTER_BANK_HZ,
    C: float = 0.1,
) -> TangentBranch:
    """Fit the Riemannian branch of the deployable.

    Parameters
    ----------
    X : ndarray, shape (n_windows, n_chans, n_times)
        Windows in volts at `sfreq`.
    y : ndarray, shape (n_windows,)
        Class indices in 0..n_outputs-1; every class must occur.
    C : float
        Inverse strength of the L2 penalty of the logistic regression.

    Returns
    -------
    TangentBranch
        In eval mode, with the Riemannian mean of each band as its reference.
    """
    from pyriemann.tangentspace import TangentSpace

    filters = filter_bank(bands_hz, sfreq, N_TAPS)
    n_bands, n_chans = len(filters), X.shape[1]
    n_features = n_bands * n_chans * (n_chans + 1) // 2
    blank = TangentBranch(
        filters, torch.eye(n_chans).repeat(n_bands, 1, 1), torch.zeros(n_outputs, n_features), torch.zeros(n_outputs)
    )
    x = torch.as_tensor(np.ascontiguousarray(X))
    covs = blank.covariances(x).numpy()
    whiteners = torch.tensor(
        np.stack([reference_whitener(TangentSpace().fit(covs[:, k]).reference_) for k in range(n_bands)])
    )
    space = TangentBranch(filters, whiteners, blank.weight, blank.bias)
    lr = LogisticRegression(C=C, max_iter=5000).fit(space.tangent(x).numpy(), y)
    weight, bias = lr.coef_, lr.intercept_
    if n_outputs == 2:  # one row for the second class; the first is the origin
        weight, bias = np.vstack([0 * weight, weight]), np.hstack([0.0, bias])
    return TangentBranch(filters, whiteners, torch.tensor(weight), torch.tensor(bias)).eval()
