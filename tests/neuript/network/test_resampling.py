from __future__ import annotations

import numpy as np
import pytest

from neuript.errors import NeuriptError
from neuript.network.resampling import resample, resampled_length, resampling_matrix

RATES = [100.0, 128.0, 160.0, 250.0, 512.0, 2048.0, 50.0]


@pytest.mark.parametrize("sfreq", RATES)
def test_sines_below_the_band_edge_come_back_at_the_new_instants(sfreq, rng):
    t, t_out = np.arange(round(4 * sfreq)) / sfreq, np.arange(256) / 64
    for freq_hz in (0.5, 3.0, 10.0, min(20.0, 0.3 * sfreq)):
        phase = rng.uniform(0, 2 * np.pi, size=(6, 1))
        y = resample(np.sin(2 * np.pi * freq_hz * t + phase), sfreq)
        assert y.shape == (6, 256)
        error = np.abs(y - np.sin(2 * np.pi * freq_hz * t_out + phase))
        assert error[:, 15:-15].max() < 2e-3
        assert np.sqrt((error**2).mean(axis=0)).max() < 0.25  # at the very ends


@pytest.mark.parametrize("sfreq", RATES)
def test_offset_and_drift_do_not_ring_at_the_ends(sfreq):
    t, t_out = np.arange(round(2 * sfreq)) / sfreq, np.arange(128) / 64
    np.testing.assert_allclose(resample(50 - 7 * t, sfreq), 50 - 7 * t_out, atol=0.02)
    np.testing.assert_allclose(resample(0 * t + 50, sfreq), 50, atol=1e-12)


def test_what_would_fold_is_removed():
    t = np.arange(1000) / 250
    y = resample(np.sin(2 * np.pi * 50 * t + 0.3), 250)
    assert np.abs(y[15:-15]).max() < 1e-3


def test_same_rate_is_left_alone(rng):
    x = rng.normal(size=(2, 3, 50))
    assert resample(x, 64.0) is x


def test_epochs_of_mne_with_their_additional_sample():
    assert resampled_length(3 * 128 + 1, 128) == 192
    assert resampled_length(1001, 250) == 256
    assert resampled_length(1000, 250) == 256
    assert resampled_length(999, 250) == 255


@pytest.mark.parametrize("sfreq", [128.0, 250.0, 50.0])
def test_matrix_does_the_same(sfreq, rng):
    x = rng.normal(size=(2, 3, 90))
    np.testing.assert_allclose(x @ resampling_matrix(90, sfreq), resample(x, sfreq), atol=1e-12)


@pytest.mark.parametrize("sfreq", [0.0, -250.0, np.nan, np.inf])
def test_no_rate(sfreq):
    with pytest.raises(NeuriptError, match="no sampling rate"):
        resampled_length(100, sfreq)


def test_too_short():
    with pytest.raises(NeuriptError, match="holds no sample"):
        resample(np.zeros((1, 3)), 250.0)
