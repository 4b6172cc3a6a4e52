from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from scipy import signal

from neuript.realtime.chain import filters
from neuript.realtime.chain.filters import (
    ModalResampler,
    as_rate,
    highpass_sos,
    lowpass_modes,
    notch_sos,
    sos_group_delay_s,
)

RATES = [100, 125, 128, 160, 250, 256, 299.99, 300, 500, 512, 1000, 2048, 20000]


def zpk(stop_hz: float = 34.0) -> tuple[np.ndarray, np.ndarray, float]:
    """The low-pass as zeros, poles and gain, for SciPy."""
    modes = lowpass_modes(stop_hz)
    poles = np.concatenate([modes.poles[:1], modes.poles[1:], modes.poles[1:].conj()])
    zeros = 2j * np.pi * stop_hz / np.sqrt(filters._STOP_BAND_ZEROS)
    zeros = np.concatenate([zeros, -zeros])
    return zeros, poles, float((np.prod(-poles) / np.prod(-zeros)).real)


def test_lowpass_modes_are_the_filter_of_these_poles_and_zeros() -> None:
    freq = np.linspace(0, 300, 3001)
    modes = lowpass_modes(34.0)
    assert np.all(modes.poles.real < 0)
    _, expected = signal.freqs_zpk(*zpk(), worN=2 * np.pi * freq)
    np.testing.assert_allclose(modes.response(freq), expected, rtol=0, atol=1e-10)
    t = np.linspace(0, 1.5, 3001)
    _, expected_h = signal.impulse(signal.ZerosPolesGain(*zpk()), T=t)
    np.testing.assert_allclose(modes.impulse_response(t), expected_h, rtol=0, atol=1e-6 * 60)
    assert modes.impulse_response([-1e-3])[0] == 0
    assert abs(modes.impulse_response([0.0])[0]) < 1e-6  # smooth onset: no jump


def test_lowpass_is_flat_then_gone() -> None:
    modes = lowpass_modes(34.0)
    gain_db = 20 * np.log10(np.abs(modes.response(np.arange(0, 5000, 0.05)[1:])))
    freq = np.arange(0, 5000, 0.05)[1:]
    assert np.abs(gain_db[freq <= 25]).max() < 0.01
    assert gain_db[freq <= 30].min() > -1.8
    assert gain_db[freq >= 34].max() < -46.49
    assert gain_db[freq >= 57].max() < -50
    # 18 dB per octave beyond the lobes
    assert abs(modes.response(2000.0) / modes.response(4000.0)) == pytest.approx(8, rel=0.02)
    ripple_tops = gain_db[1:-1][(gain_db[1:-1] > gain_db[2:]) & (gain_db[1:-1] > gain_db[:-2])]
    np.testing.assert_allclose(ripple_tops[-5:], [-46.5, -46.5, -46.5, -52.5, -50.5], atol=0.02)


@pytest.mark.parametrize("freq", [0.5, 5.0, 10.0, 20.0, 30.0])
def test_group_delay_is_the_slope_of_the_phase(freq: float) -> None:
    modes = lowpass_modes(34.0)
    phase = np.unwrap(np.angle(modes.response([freq - 1e-4, freq + 1e-4])))
    assert modes.group_delay_s(freq) == pytest.approx(-np.diff(phase)[0] / (4e-4 * np.pi), rel=1e-5)


@pytest.mark.parametrize("sfreq", RATES)
@pytest.mark.parametrize("mains", [50.0, 60.0])
def test_notch_removes_mains_and_keeps_zero(sfreq: float, mains: float) -> None:
    sos = notch_sos(mains, sfreq)
    folded = abs((mains + sfreq / 2) % sfreq - sfreq / 2)
    for freq, below in [(folded, 1e-12), (folded - 0.05, 2e-3), (folded + 0.05, 2e-3)]:
        _, h = signal.sosfreqz(sos, [min(freq, sfreq / 2)], fs=sfreq)
        assert abs(h[0]) < below
    _, h = signal.sosfreqz(sos, [0.0, 10.0, 30.0], fs=sfreq)
    assert h[0] == pytest.approx(1, abs=1e-9)
    assert abs(h[1]) == pytest.approx(1, abs=0.01)
    assert abs(h[2]) > 0.94
    if 3 * mains < sfreq / 2:
        _, h = signal.sosfreqz(sos, [2 * mains, 3 * mains], fs=sfreq)
        assert np.all(np.abs(h) < 1e-9)


def test_section_delay_equals_scipy() -> None:
    sos = np.vstack([notch_sos(50, 250), highpass_sos(0.1, 250)])
    freq = np.array([1.0, 10.0, 20.0])
    expected = sum(signal.group_delay((s[:3], s[3:]), freq, fs=250)[1] for s in sos) / 250
    for f, e in zip(freq, expected, strict=True):
        assert sos_group_delay_s(sos, f, 250) == pytest.approx(e, rel=1e-6)


@pytest.mark.parametrize("sfreq", RATES)
def test_outputs_come_at_their_exact_instants(sfreq: float) -> None:
    resampler = ModalResampler(lowpass_modes(34.0), sfreq, 64.0, 1)
    n = int(2 * sfreq)
    y, newest = resampler.process(np.zeros((n, 1)))
    rate = as_rate(sfreq)
    assert abs(float(rate) - sfreq) < 1e-6
    due = [k for k in range(300) if Fraction(k, 64) * rate <= n - 1]
    assert len(y) == len(newest) == len(due)
    assert newest.tolist() == [Fraction(k, 64) * rate // 1 for k in due]
    assert resampler.outputs_by(n) == len(due)
    assert resampler.inputs_for(len(due)) == newest[-1] + 1


def test_a_step_from_rest_settles_at_exactly_one() -> None:
    for sfreq in RATES:
        resampler = ModalResampler(lowpass_modes(34.0), sfreq, 64.0, 1)
        y, _ = resampler.process(np.ones((int(3 * sfreq), 1)))
        np.testing.assert_allclose(y[-64:, 0], 1.0, rtol=0, atol=1e-9)


def test_long_after_the_start_the_clock_is_still_exact() -> None:
    resampler = ModalResampler(lowpass_modes(34.0), 299.99, 64.0, 1)
    hours = 10_000 * 3600
    resampler._n_in = int(as_rate(299.99) * hours)
    resampler._n_out = 64 * hours
    _, newest = resampler.process(np.zeros((300, 1)))
    rate = Fraction(29999, 100)
    assert newest.tolist()[:3] == [(Fraction(k, 64) * rate) // 1 for k in range(64 * hours, 64 * hours + 3)]


def test_a_rate_below_the_output_is_refused() -> None:
    with pytest.raises(ValueError, match="must be above"):
        ModalResampler(lowpass_modes(34.0), 60.0, 64.0, 1)
