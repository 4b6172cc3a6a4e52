from __future__ import annotations

import numpy as np
import pytest
from pyriemann.geometry.distance import distance_riemann
from pyriemann.geometry.mean import mean_riemann
from scipy.linalg import fractional_matrix_power
from scipy.signal import butter, sosfilt

from neuript.errors import ArgumentError
from neuript.realtime.chain.alignment import AlignmentSpec
from neuript.training.windows.recentred import LEAD_S, Sessions, seen_from, session_reference

SPEC = AlignmentSpec(bands_hz=((8.0, 12.0),), signal_band_hz=(8.0, 30.0), signal_rms_v=2e-6, max_step=100.0)
SFREQ = 64.0


@pytest.fixture
def x(rng):
    mixing = rng.normal(size=(4, 4))
    return (mixing @ rng.normal(size=(40, 4, 128)) * 1e-5).astype(np.float32)


def filtered(one, band_hz):
    """A window in microvolts behind its odd reflection, filtered as a whole."""
    lead = round(LEAD_S * SFREQ)
    before = 2 * one[:, :1] - one[:, lead:0:-1]
    sos = butter(2, band_hz, "bandpass", fs=SFREQ, output="sos")
    return sosfilt(sos, np.concatenate([before, one], axis=1).astype(float) * 1e6, axis=1)[:, lead:]


def test_the_reference_is_the_riemannian_mean_of_the_windows(x):
    reference = session_reference(x, SPEC, SFREQ)
    for k, band_hz in enumerate(((8.0, 30.0), (8.0, 12.0))):
        covariances = np.array([y @ y.T / y.shape[1] for y in (filtered(one, band_hz) for one in x)])
        apart = distance_riemann(reference.mean[k], mean_riemann(covariances))
        typical = np.mean([distance_riemann(c, mean_riemann(covariances)) for c in covariances])
        assert apart < 0.15 * typical  # means of 40 windows, one in turn after the other


def test_windows_are_whitened_by_it_and_the_rest_stays(x):
    reference = session_reference(x, SPEC, SFREQ)
    signal, tangent = seen_from(reference, x, SPEC, SFREQ)
    whitener = fractional_matrix_power(reference.mean[0], -0.5)
    for one, seen in zip(x[::7], signal[::7], strict=True):
        np.testing.assert_allclose(seen, 2e-6 * whitener @ filtered(one, (8.0, 30.0)), rtol=1e-4, atol=1e-10)
    assert signal.std() == pytest.approx(2e-6, rel=0.1)
    assert tangent.shape == (40, 10)
    backwards = seen_from(reference, x[::-1], SPEC, SFREQ)
    np.testing.assert_array_equal(backwards[0][::-1], signal)
    np.testing.assert_array_equal(backwards[1][::-1], tangent)


def test_a_session_without_enough_signal_for_a_mean_is_refused(x):
    groups = np.repeat([7, 3], 20)
    sessions = Sessions.of(x, groups, SPEC, SFREQ)
    assert list(sessions.references) == [7, 3]
    assert sessions.last is sessions.references[3]
    np.testing.assert_array_equal(sessions.signals(x[20:]), sessions.signals(x, groups)[20:])
    with pytest.raises(ArgumentError, match="session 8 is new and has 14 windows, 28 s of signal; its mean needs 30 s"):
        sessions.signals(x[:14], np.full(14, 8))
    anew = sessions.signals(x[:20], np.full(20, 8))
    np.testing.assert_array_equal(anew, sessions.signals(x[:20], np.full(20, 7)))


@pytest.mark.parametrize("n_times", [2, 5, 20])
def test_short_windows_are_taken(rng, n_times):
    x = rng.normal(size=(30, 3, n_times)).astype(np.float32) * 1e-5
    signal, _ = seen_from(session_reference(x, SPEC, SFREQ), x, SPEC, SFREQ)
    assert signal.shape == x.shape
    assert np.isfinite(signal).all()
