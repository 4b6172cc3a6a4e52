"""Signals that no scalp sends are told from those that one does, whatever the chunks and the montage."""

from __future__ import annotations

import numpy as np
import pytest

from neuript.realtime.chain.plausibility import SPAN_S, PlausibilityMonitor, seconds_judged, wrong_with_all
from neuript.realtime.chain.quality import Verdict

SFREQ, N_CHANS = 64.0, 8
T = np.arange(round(20 * SFREQ)) / SFREQ


def eeg(rng: np.random.Generator, n_chans: int = N_CHANS, rms_v: float = 10e-6) -> np.ndarray:
    """1/f noise that neighbours share, with an alpha rhythm: volts, 20 s."""
    spectrum = rng.standard_normal((len(T) // 2 + 1, n_chans)) + 1j * rng.standard_normal((len(T) // 2 + 1, n_chans))
    frequency = np.fft.rfftfreq(len(T), 1 / SFREQ)
    spectrum /= np.sqrt(np.maximum(frequency, 0.3))[:, None]
    sources = np.fft.irfft(spectrum, len(T), axis=0)
    place = np.arange(n_chans)
    x = sources @ np.exp(-np.abs(place[:, None] - place) / 2.0)
    x = rms_v * x / x.std(axis=0)
    return x + 0.4 * rms_v * np.sin(2 * np.pi * 10 * T)[:, None] * (place / n_chans)


def verdicts(x: np.ndarray, matrix: np.ndarray | None = None, usual_v: float | None = None) -> np.ndarray:
    weights = np.eye(x.shape[1]) if matrix is None else matrix
    monitor = PlausibilityMonitor(weights, SFREQ, usual_v)
    monitor.update(x @ weights.T)
    return monitor.verdicts


@pytest.mark.parametrize("n_chans", [1, 2, 4, 8, 32])
def test_what_looks_like_eeg_passes(rng, n_chans):
    assert not verdicts(eeg(rng, n_chans), usual_v=8e-6).any()


ONE_WIRE = {
    "the same on all": lambda x, rng: 0 * x + x[:, :1],
    "the same, and the noise of the amplifier": lambda x, rng: 0 * x + x[:, :1] + rng.normal(scale=2e-7, size=x.shape),
    "a calibration signal of one phase": lambda x, rng: 0 * x + 1e-4 * np.sin(2 * np.pi * 10 * T)[:, None],
}
NO_BRAIN = {
    **{name: (Verdict.SAME, fault) for name, fault in ONE_WIRE.items()},
    "a tone of its own phase on each": (
        Verdict.TONE,
        lambda x, rng: 5e-5 * np.sin(2 * np.pi * 11 * T[:, None] + np.arange(x.shape[1])),
    ),
    "noise of 1 uV": (Verdict.NOISE, lambda x, rng: rng.normal(scale=1.5e-6, size=x.shape)),
    "noise as large as EEG": (Verdict.NOISE, lambda x, rng: rng.normal(scale=1e-5, size=x.shape)),
    "a hundredth of EEG": (Verdict.SMALL, lambda x, rng: 0.01 * x),
    "ten times EEG": (Verdict.LARGE, lambda x, rng: 12 * x),
}


@pytest.mark.parametrize("name", NO_BRAIN)
def test_what_no_scalp_sends_is_named(rng, name):
    expected, fault = NO_BRAIN[name]
    found = verdicts(fault(eeg(rng), rng))
    assert set(found.tolist()) == {int(expected)}, [Verdict(int(v)).name for v in found]
    assert wrong_with_all(found)


def test_noise_is_known_behind_a_bipolar_derivation(rng):
    """Neighbouring pairs share an electrode, so even noise of open inputs is correlated there."""
    pairs = np.eye(N_CHANS)[:-1] - np.eye(N_CHANS)[1:]
    assert set(verdicts(rng.normal(scale=1e-5, size=(len(T), N_CHANS)), pairs).tolist()) == {int(Verdict.NOISE)}
    assert not verdicts(eeg(rng), pairs).any()


def test_the_size_is_compared_with_what_is_usual_for_the_person(rng):
    x = eeg(rng)
    assert set(verdicts(x, usual_v=1e-6).tolist()) == {int(Verdict.LARGE)}
    assert set(verdicts(x, usual_v=55e-6).tolist()) == {int(Verdict.SMALL)}
    assert not verdicts(2.5 * x, usual_v=8e-6).any()
    assert not verdicts(0.4 * x, usual_v=8e-6).any()


def test_an_electrode_off_the_skin_is_named_alone(rng):
    x = eeg(rng)
    x[:, 3] = rng.normal(scale=1e-6, size=len(x))
    assert np.flatnonzero(verdicts(x)).tolist() == [3]
    assert verdicts(x)[3] == Verdict.NOISE
    assert not wrong_with_all(verdicts(x))


def test_a_loose_contact_pops_and_a_blink_a_muscle_and_a_movement_do_not(rng):
    x = eeg(rng)
    at = len(x) - 20
    after = T[: len(x) - at]
    popping, blink, muscle, moved = x.copy(), x.copy(), x.copy(), x.copy()
    popping[at:, 2] += 4e-4 * np.exp(-after / 0.15)
    blink[:, 0] += 3e-4 * np.exp(-0.5 * ((T - T[at]) / 0.08) ** 2)
    muscle[at:, 1] += rng.normal(scale=1.2e-4, size=len(after))
    moved[at:] += 4e-4 * np.exp(-after / 0.15)[:, None]
    assert np.flatnonzero(verdicts(popping) == Verdict.POPS).tolist() == [2]
    for harmless in (blink, muscle, moved):
        assert not (verdicts(harmless) == Verdict.POPS).any()


@pytest.mark.parametrize("size", [1, 7, 64, 1000])
def test_chunks_make_no_difference(rng, size):
    x = eeg(rng)
    x[300:600] = rng.normal(scale=1e-6, size=(300, N_CHANS))
    x[900:, 2] += 5e-4
    whole, parts = (PlausibilityMonitor(np.eye(N_CHANS), SFREQ) for _ in range(2))
    expected = [(c.index, c.verdicts.tolist()) for c in whole.update(x)]
    found = [c for a in range(0, len(x), size) for c in parts.update(x[a : a + size])]
    assert [(c.index, c.verdicts.tolist()) for c in found] == expected
    assert len(expected) > 2


def test_nothing_is_said_before_there_is_enough(rng):
    monitor = PlausibilityMonitor(np.eye(N_CHANS), SFREQ)
    assert monitor.update(rng.normal(scale=1e-6, size=(120, N_CHANS))) == []
    monitor.update(rng.normal(scale=1e-6, size=(60, N_CHANS)))
    assert monitor.verdicts.all()
    monitor.reset()
    assert not monitor.verdicts.any()


def test_verdicts_on_the_whole_are_about_more_seconds():
    assert seconds_judged(np.array([Verdict.POPS, 0])) == 1.0
    assert seconds_judged(np.array([Verdict.HUGE, Verdict.NOISE])) == SPAN_S


def test_one_dead_channel_does_not_silence_what_is_wrong_with_all():
    verdicts = np.array([Verdict.FLAT, Verdict.SAME, Verdict.SAME], np.int8)
    assert wrong_with_all(verdicts).startswith("all 3 channels carry the same signal")
    assert wrong_with_all(np.array([Verdict.LARGE], np.int8)).startswith("the signal is too large")
    assert not wrong_with_all(np.array([Verdict.NOISE, Verdict.OK], np.int8))
