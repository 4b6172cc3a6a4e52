"""The plain decoders find what is there, repeat themselves, and take what real caps give."""

from __future__ import annotations

import numpy as np
import pytest
from pyriemann.estimation import Covariances
from scipy.signal import firwin

from neuript.training.fitting.plain import BASELINES, held_out_proba
from neuript.training.fitting.plain_features import N_TAPS, BandPass, OasCovariances

SFREQ = 64.0


def make(rng, n_classes, n_chans=4, n_windows=60, n_times=160):
    """Classes that differ by the power of one channel's 10 Hz rhythm; volts."""
    y = np.arange(n_windows) % n_classes
    t = np.arange(n_times) / SFREQ
    x = rng.normal(size=(n_windows, n_chans, n_times)) * 5
    phase = rng.uniform(0, 2 * np.pi, size=n_windows)
    for i, c in enumerate(y):
        x[i, c % n_chans] += 12 * np.sin(2 * np.pi * 10 * t + phase[i])
    return (x * 1e-6).astype(np.float32), y


def test_band_pass_keeps_what_the_whole_filter_covers_in_microvolts(rng):
    x = (rng.normal(size=(2, 3, 130)) * 1e-5).astype(np.float32)
    found = BandPass((8.0, 30.0), SFREQ).fit_transform(x)
    taps = firwin(N_TAPS, (8.0, 30.0), pass_zero=False, fs=SFREQ)
    assert found.shape == (2, 3, 130 - N_TAPS + 1)
    for k in (0, 30, found.shape[-1] - 1):
        slow = (x[..., k : k + N_TAPS].astype(float) * 1e6 * taps[::-1]).sum(-1)
        np.testing.assert_allclose(found[..., k], slow, atol=1e-9)


@pytest.mark.parametrize(("n_chans", "n_times"), [(1, 20), (2, 500), (6, 64), (12, 8)])
def test_shrunk_covariances_are_those_of_pyriemann(rng, n_chans, n_times):
    x = 5 + rng.normal(size=(9, n_chans, n_times)) * np.exp(rng.normal(size=(9, n_chans, 1)))
    x[0] = 3 * np.resize([1.0, -1.0], n_times)  # all channels alike
    expected = Covariances("oas").fit_transform(x)
    np.testing.assert_allclose(OasCovariances().fit_transform(x), expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.parametrize(("n_classes", "n_chans"), [(2, 2), (2, 8), (3, 3), (3, 8)])
def test_baselines_decode_what_is_there(rng, name, n_chans, n_classes):
    """Also with fewer channels than CSP would like to have patterns, and with more than two classes."""
    x, y = make(rng, n_classes, n_chans)
    fresh, truth = make(rng, n_classes, n_chans, n_windows=30)
    pipeline = BASELINES[name](SFREQ).fit(x.astype(float), y)
    proba = pipeline.predict_proba(fresh.astype(float))
    assert proba.shape == (30, n_classes)
    assert (proba.argmax(1) == truth).mean() > 0.9


@pytest.mark.parametrize("name", BASELINES)
def test_baselines_repeat_themselves(rng, name):
    x, y = make(rng, 2)
    first, second = (BASELINES[name](SFREQ).fit(x.astype(float), y) for _ in range(2))
    np.testing.assert_array_equal(first.predict_proba(x.astype(float)), second.predict_proba(x.astype(float)))


@pytest.mark.parametrize("name", BASELINES)
def test_what_is_held_out_is_what_a_decoder_fitted_without_it_says(rng, name):
    x, y = make(rng, 2, 4)
    fold = np.arange(len(y)) * 3 // len(y)
    blocks = [(fold != k, fold == k) for k in range(3)]
    proba = held_out_proba(BASELINES[name](SFREQ), x, y, blocks)
    for train, test in blocks:
        alone = BASELINES[name](SFREQ).fit(x[train].astype(float), y[train])
        np.testing.assert_allclose(proba[test], alone.predict_proba(x[test].astype(float)), atol=1e-9)


def test_rank_deficient_channels_are_no_obstacle(rng):
    """Against the average reference one channel is minus the sum of the others."""
    x, y = make(rng, 2, 6)
    x -= x.mean(axis=1, keepdims=True)
    for make_pipeline in BASELINES.values():
        pipeline = make_pipeline(SFREQ).fit(x.astype(float), y)
        assert (pipeline.predict(x.astype(float)) == y).mean() > 0.9
