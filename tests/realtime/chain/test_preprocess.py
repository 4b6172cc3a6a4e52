from __future__ import annotations

import json
import tracemalloc
from fractions import Fraction
from math import floor, lcm

import mne
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from neuript import specs
from neuript.errors import NeuriptError
from neuript.realtime.chain import filters
from neuript.realtime.chain.alignment import AlignmentSpec
from neuript.realtime.chain.preprocess import CausalChain, PreprocessSpec, measure_mains

RATES = [100, 125, 128, 160, 250, 256, 299.99, 300, 500, 512, 1000, 2048, 20000]
SELECT = np.eye(4)[:2]
DERIVE = np.array([[1.0, -1, 0, 0], [0, 1, -1, 0], [0, 0, 1, -1], [1, 0, 0, -1], [0.5, 0.5, -0.5, -0.5]])


def run(chain: CausalChain, x: np.ndarray, sizes: list[int]) -> tuple[np.ndarray, np.ndarray]:
    """Feed a chain in chunks of these sizes, then the rest."""
    outputs, at = [], 0
    for size in [*sizes, len(x)]:
        outputs.append(chain.process(x[at : at + size]))
        at = min(at + size, len(x))
    return np.concatenate([y for y, _ in outputs]), np.concatenate([n for _, n in outputs])


def eeg_like(rng: np.random.Generator, n: int, n_chans: int, sfreq: float) -> np.ndarray:
    """Coloured noise, offset, drift and mains, in volts."""
    noise = signal.lfilter([1], [1, -0.95], rng.standard_normal((n, n_chans)), axis=0) * 3e-6
    t = np.arange(n)[:, None] / sfreq
    mains = 50e-6 * np.sin(2 * np.pi * 50 * t + np.arange(n_chans))
    return (noise + mains + 4.2e-3 * np.arange(1, n_chans + 1) + 20e-6 * t).astype(np.float32)


def tones(freq: np.ndarray, sfreq: float, seconds: float, phase: float = 1.0) -> np.ndarray:
    t = np.arange(int(seconds * sfreq))[:, None] / sfreq
    return np.cos(2 * np.pi * freq * t + phase)


def after(chain: CausalChain, y: np.ndarray) -> np.ndarray:
    return y[chain.settle_samples :].astype(np.float64)


# -- chunks and causality ------------------------------------------------------------------------


@pytest.mark.parametrize("sfreq", RATES)
@pytest.mark.parametrize("matrix", [SELECT, DERIVE], ids=["select", "derive"])
def test_any_chunking_gives_the_same_bits(sfreq: float, matrix: np.ndarray, rng: np.random.Generator) -> None:
    chain = CausalChain(PreprocessSpec(mains_hz=50.0), matrix, sfreq)
    x = eeg_like(rng, int(min(2.5 * sfreq, 7000)) if sfreq < 5000 else 30000, 4, sfreq)
    x[len(x) // 2, 1] = np.nan
    whole, newest = run(chain, x, [])
    assert whole.dtype == np.float32
    assert len(whole) > 64
    n = len(x)
    ones = min(n, 700)
    for sizes in (
        [1] * ones,
        [0, 7, 0, 0, 13] * (min(n, 3000) // 20),
        [int(sfreq), 1, 2047],
        rng.integers(0, 60, min(n, 3000) // 30).tolist(),
    ):
        chain.reset()
        y, newest2 = run(chain, x, sizes)
        np.testing.assert_array_equal(y, whole)
        np.testing.assert_array_equal(newest2, newest)
    assert chain.n_in == n


@settings(deadline=None, derandomize=True, max_examples=40)
@given(
    sfreq=st.one_of(st.sampled_from(RATES[:-1]), st.floats(100, 1100)),
    sizes=st.lists(st.integers(0, 400), max_size=12),
    holes=st.lists(st.tuples(st.integers(0, 899), st.integers(0, 3)), max_size=9),
    seed=st.integers(0, 99),
)
def test_any_chunking_any_rate_any_holes(
    sfreq: float, sizes: list[int], holes: list[tuple[int, int]], seed: int
) -> None:
    x = eeg_like(np.random.default_rng(seed), 900, 4, sfreq)
    for i, c in holes:
        x[i, c] = [np.nan, np.inf, -np.inf, 1e30][i % 4]
    before = x.copy()
    chain = CausalChain(PreprocessSpec(mains_hz=60.0), SELECT, sfreq)
    whole, _ = run(chain, x, [])
    assert np.isfinite(whole).all()
    chain.reset()
    y, _ = run(chain, x, sizes)
    np.testing.assert_array_equal(y, whole)
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("sfreq", [100, 250, 299.99, 2048])
def test_the_future_changes_nothing(sfreq: float, rng: np.random.Generator) -> None:
    chain = CausalChain(PreprocessSpec(mains_hz=50.0), np.eye(4), sfreq)
    x = eeg_like(rng, int(4 * sfreq), 4, sfreq)
    y, newest = chain.process(x)
    for at in (0, 1, int(0.9 * sfreq), int(1.25 * sfreq), int(3 * sfreq), len(x) - 1):
        other = x.copy()
        other[at:] += rng.standard_normal((len(x) - at, 4)).astype(np.float32)
        chain.reset()
        y2, _ = chain.process(other)
        np.testing.assert_array_equal(y2[newest < at], y[newest < at])
        # and `newest` is no later than it must be: the newest sample itself does matter
        later = newest >= at
        if at > 10 and later.any() and y2[later].size:
            assert not np.array_equal(y2[later], y[later])


# -- against independent computations -----------------------------------------------------------


def reference(x: np.ndarray, sfreq: int, mains: float) -> np.ndarray:
    """The whole chain for one channel, written with SciPy and a plain convolution."""
    x = x.astype(np.float64) - float(x[0])
    nyquist = sfreq / 2
    for freq, width in [(mains, 5.0), (mains, 5.0), (2 * mains, 5.0), (3 * mains, 5.0)]:
        if freq < nyquist - 0.5:
            x = signal.lfilter(*signal.iirnotch(freq, freq / width, sfreq), x)
        elif freq == nyquist == mains:
            r = 1 - np.pi * width / sfreq
            x = signal.lfilter(np.array([1, 1]) * (1 + r) / 2, [1, r], x)
    marks = [floor(Fraction((k - 1) * sfreq, 64)) + 1 for k in (48, 80)]
    mean = x[marks[0] : marks[1]].mean()
    b, a = signal.butter(2, 0.1, "highpass", fs=sfreq)
    first = signal.lfilter(b, a, x)
    second = np.zeros_like(x)
    second[marks[1] :] = signal.lfilter(b, a, x[marks[1] :] - mean)
    # a grid on which all inputs and outputs lie
    grid = lcm(sfreq, 64)
    up, down = grid // sfreq, grid // 64
    modes = filters.lowpass_modes(34.0)
    poles = np.concatenate([modes.poles[:1], modes.poles[1:], modes.poles[1:].conj()])
    zeros = 2j * np.pi * 34 / np.sqrt(filters._STOP_BAND_ZEROS)
    zpk = signal.ZerosPolesGain(
        np.concatenate([zeros, -zeros]), poles, np.prod(-poles).real / np.prod(np.abs(zeros) ** 2)
    )
    t = np.arange(int(3.0 * grid)) / grid
    _, h = signal.impulse(zpk, T=t)
    h /= sfreq
    outputs = []
    for part in (first, second):
        stuffed = np.zeros(len(part) * up)
        stuffed[::up] = part
        outputs.append(signal.fftconvolve(stuffed, h)[: len(stuffed) : down])
    gain = np.array([h[(k * down) % up :: up].sum() for k in range(len(outputs[0]))])
    k = np.arange(len(gain))
    return np.where(k < 80, *outputs) / gain


@pytest.mark.parametrize("sfreq", [100, 125, 128, 160, 250, 256, 300, 500, 512, 1000, 2048, 20000])
def test_equals_scipy_and_a_plain_convolution(sfreq: int, rng: np.random.Generator) -> None:
    x = eeg_like(rng, 4 * sfreq, 2, sfreq)
    chain = CausalChain(PreprocessSpec(mains_hz=50.0), np.eye(2), sfreq)
    y, _ = run(chain, x, [17, 5, 111])
    for c in range(2):
        expected = reference(x[:, c], sfreq, 50.0)[: len(y)]
        scale = np.abs(expected[80:]).max()
        np.testing.assert_allclose(y[:80, c], expected[:80], rtol=0, atol=1e-6 * np.abs(expected).max())
        np.testing.assert_allclose(y[80:, c], expected[80:], rtol=0, atol=1e-6 * scale)


def test_equals_mne_once_the_start_is_forgotten(rng: np.random.Generator) -> None:
    """MNE's own forward high-pass and notch at 512 Hz, then SciPy's state-space low-pass."""
    sfreq, n = 512.0, 512 * 60
    x = eeg_like(rng, n, 1, sfreq)
    spec = PreprocessSpec(mains_hz=50.0)
    y = CausalChain(spec, np.eye(1), sfreq).process(x)[0][:, 0]
    data = (x.astype(np.float64) - x[0]).T
    for b, a in [signal.iirnotch(f, f / 5.0, sfreq) for f in (50, 50, 100, 150)]:
        data = mne.filter.filter_data(
            data, sfreq, None, 1, method="iir", phase="forward", verbose="error",
            iir_params={"b": b, "a": a, "padlen": 0},
        )  # fmt: skip
    data = mne.filter.filter_data(
        data, sfreq, 0.1, None, method="iir", phase="forward", verbose="error",
        iir_params={"order": 2, "ftype": "butter", "output": "sos"},
    )  # fmt: skip
    t = np.arange(int(2 * sfreq)) / sfreq
    h = filters.lowpass_modes(34.0).impulse_response(t)
    expected = np.convolve(data[0], h / h.sum())[:n:8]
    late = slice(64 * 45, None)
    difference = y[late] - expected[late]
    assert np.abs(difference).max() < 1e-5 * np.abs(expected[late]).max()


# -- what the chain does to frequencies -----------------------------------------------------------


@pytest.mark.parametrize("sfreq", RATES)
def test_what_would_fold_is_gone(sfreq: float) -> None:
    top = sfreq / 2 - 0.1
    freq = np.unique(np.r_[np.linspace(34, min(top, 200), 120), np.geomspace(34, top, 40)])
    for phase in (0.0, 1.0, 2.2):
        x = tones(freq, sfreq, 16.0 if sfreq < 400 else 6.0 if sfreq < 5000 else 3.0, phase)
        chain = CausalChain(PreprocessSpec(), np.eye(len(freq)), sfreq)
        y = after(chain, chain.process(x)[0])
        y -= y.mean(axis=0) * (np.abs(freq % 64 - 32) < 31)  # offset left by the start
        gain_db = 20 * np.log10(np.std(y, axis=0) / np.sqrt(0.5))
        assert gain_db.max() < -40, (freq[gain_db.argmax()], gain_db.max())


@pytest.mark.parametrize("sfreq", RATES)
def test_what_is_kept_arrives_whole_late_and_without_images(sfreq: float) -> None:
    freq = np.arange(2, 30, 1.37)
    chain = CausalChain(PreprocessSpec(), np.eye(len(freq)), sfreq)
    seconds = 24.0 if sfreq < 5000 else 10.0
    y = chain.process(tones(freq, sfreq, seconds, 0.0))[0].astype(np.float64)
    t = np.arange(len(y)) / 64
    late = t > (12 if sfreq < 5000 else 8)
    w = 2 * np.pi * freq
    digital = signal.freqz_sos(filters.highpass_sos(0.1, sfreq), freq, fs=sfreq)[1]
    expected = filters.lowpass_modes(34.0).response(freq) * digital
    for c in range(len(freq)):
        basis = np.column_stack([np.cos(w[c] * t), -np.sin(w[c] * t), np.ones(len(t)), t])[late]
        fit = np.linalg.lstsq(basis, y[late, c], rcond=None)[0]
        # at 128 Hz the images fall on the tone itself
        assert abs(fit[0] + 1j * fit[1] - expected[c]) < 0.015
        residual = y[late, c] - basis @ fit
        assert 20 * np.log10(np.std(residual) / np.sqrt(0.5)) < -40


@pytest.mark.parametrize("sfreq", RATES)
@pytest.mark.parametrize("mains", [None, 50.0, 60.0])
def test_delay_at_10_hz(sfreq: float, mains: float | None) -> None:
    chain = CausalChain(PreprocessSpec(mains_hz=mains), np.eye(2), sfreq)
    stated = chain.group_delay_s(10.0)
    assert 0.015 < stated <= 0.025
    assert stated < chain.group_delay_s(20.0) < 0.037
    # measured on the envelope of a slow beat around 10 Hz
    seconds = 12.0 if sfreq < 5000 else 8.0
    t = np.arange(int(seconds * sfreq)) / sfreq
    envelope = np.exp(-0.5 * ((t - seconds * 0.6) / 0.4) ** 2)
    x = envelope[:, None] * np.column_stack([np.cos(20 * np.pi * t), np.sin(20 * np.pi * t)])
    y = chain.process(x)[0].astype(np.float64)
    power = (y**2).sum(axis=1)
    measured = (np.arange(len(y)) / 64 * power).sum() / power.sum() - seconds * 0.6
    assert measured == pytest.approx(stated, abs=1e-3)
    assert measured <= 0.025


@pytest.mark.parametrize("sfreq", RATES)
@pytest.mark.parametrize("mains", [50.0, 60.0])
def test_mains_60_db_above_the_eeg_leaves_no_trace(sfreq: float, mains: float) -> None:
    """EEG of 10 uV rms, mains of 10 mV rms, also off its frequency by 0.05 Hz, and wandering."""
    t = np.arange(int((8 if sfreq < 5000 else 3) * sfreq)) / sfreq
    wander = 2 * np.pi * np.cumsum(mains + 0.05 * np.sin(2 * np.pi * t / 7)) / sfreq
    phases = [2 * np.pi * f * t for f in (mains, mains - 0.05, mains + 0.05)] + [wander]
    x = np.sqrt(2) * 10e-3 * np.sin(np.column_stack(phases) + 0.7)
    chain = CausalChain(PreprocessSpec(mains_hz=mains), np.eye(4), sfreq)
    y = after(chain, chain.process(x)[0])
    assert np.abs(y).max() < 1e-6


def test_harmonics_of_strong_mains() -> None:
    for sfreq in (512, 1000, 2048):
        t = np.arange(6 * sfreq)[:, None] / sfreq
        x = 14e-3 * np.sin(2 * np.pi * 50 * t) + 2e-3 * np.sin(2 * np.pi * 100 * t)
        x += 1.4e-3 * np.sin(2 * np.pi * 150 * t)
        chain = CausalChain(PreprocessSpec(mains_hz=50.0), np.eye(1), sfreq)
        assert np.abs(after(chain, chain.process(x)[0])).max() < 1e-6


# -- offsets, missing samples ------------------------------------------------------------------


@pytest.mark.parametrize("offset", [4200e-6, 0.2, -0.3])
def test_an_offset_makes_no_transient(offset: float, rng: np.random.Generator) -> None:
    x = (rng.standard_normal((2000, 3)) * 1e-5).astype(np.float64)
    chain = CausalChain(PreprocessSpec(mains_hz=50.0), np.eye(3), 250.0)
    plain, _ = chain.process(x)
    chain.reset()
    shifted, _ = chain.process(x + offset)
    np.testing.assert_allclose(shifted, plain, rtol=0, atol=1e-6 * np.abs(plain).max())
    chain.reset()
    constant, _ = chain.process(np.full((2000, 3), offset, dtype=np.float32))
    assert not constant.any()


def test_missing_samples_do_not_kill_the_filters(rng: np.random.Generator) -> None:
    x = (rng.standard_normal((250 * 40, 4)) * 1e-5 + 4e-3).astype(np.float32)
    good, _ = CausalChain(PreprocessSpec(), np.eye(4), 250).process(x)
    holes = x.copy()
    holes[:20, 0] = np.nan  # from the start
    holes[1000:1010, 1] = np.inf
    holes[2000, 2] = 1e30
    holes[:, 3] = np.nan  # always
    y, _ = CausalChain(PreprocessSpec(), np.eye(4), 250).process(holes)
    assert np.isfinite(y).all()
    assert not y[:, 3].any()
    assert np.abs(y).max() < 1e-4
    np.testing.assert_allclose(y[-64:, :3], good[-64:, :3], rtol=0, atol=2e-8)


def test_held_samples_are_the_last_good_ones() -> None:
    x = np.array([[1.0], [np.nan], [3.0], [np.nan], [np.nan], [2.0]]) * 1e-3
    filled = np.array([[1.0], [1.0], [3.0], [3.0], [3.0], [2.0]]) * 1e-3
    for cut in range(7):
        a, b = (CausalChain(PreprocessSpec(), np.eye(1), 128) for _ in range(2))
        np.testing.assert_array_equal(run(a, x, [cut])[0], run(b, filled, [cut])[0])


# -- matrix, spec ---------------------------------------------------------------------------------


def test_the_matrix_mixes_channels(rng: np.random.Generator) -> None:
    x = eeg_like(rng, 1500, 4, 250)
    separate, _ = CausalChain(PreprocessSpec(), np.eye(4), 250).process(x)
    for matrix in (DERIVE, rng.standard_normal((2, 4)), rng.standard_normal((5, 5)) @ DERIVE):
        y, _ = CausalChain(PreprocessSpec(), matrix, 250).process(x)
        expected = separate.astype(np.float64) @ matrix.T
        np.testing.assert_allclose(y, expected, rtol=0, atol=2e-6 * np.abs(expected).max())


def test_the_chain_is_the_same_with_an_alignment_behind_it(rng: np.random.Generator) -> None:
    x = eeg_like(rng, 1500, 4, 250)
    plain, _ = CausalChain(PreprocessSpec(), DERIVE, 250).process(x)
    before_alignment, _ = CausalChain(PreprocessSpec(alignment=AlignmentSpec()), DERIVE, 250).process(x)
    np.testing.assert_array_equal(before_alignment, plain)


def test_an_unused_channel_may_hold_anything(rng: np.random.Generator) -> None:
    x = eeg_like(rng, 500, 4, 250)
    a, _ = CausalChain(PreprocessSpec(), SELECT, 250).process(x)
    x[:, 3] = np.nan
    b, _ = CausalChain(PreprocessSpec(), SELECT, 250).process(x)
    np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("sfreq", [0.0, 64, 98, 20500, float("nan"), float("inf")])
def test_other_rates_are_refused_with_a_sentence(sfreq: float) -> None:
    with pytest.raises(NeuriptError, match="100 to 20000 Hz"):
        CausalChain(PreprocessSpec(), np.eye(1), sfreq)


def test_wrong_shapes_are_refused() -> None:
    chain = CausalChain(PreprocessSpec(), SELECT, 250)
    with pytest.raises(ValueError, match=r"expected \(n_times, 4\)"):
        chain.process(np.zeros((3, 2)))
    with pytest.raises(ValueError, match="2-D"):
        CausalChain(PreprocessSpec(), np.zeros(3), 250)


def test_spec_survives_json_and_refuses_the_rest() -> None:
    aligned = AlignmentSpec(bands_hz=((4.0, 8.0), (8.0, 30.5)), signal_band_hz=(2.0, 30.0), memory_s=20.0)
    for alignment in (None, AlignmentSpec(), aligned):
        spec = PreprocessSpec(mains_hz=60.0, alignment=alignment)
        assert PreprocessSpec.from_dict(json.loads(json.dumps(spec.to_dict()))) == spec
    good = PreprocessSpec().to_dict()
    moving = specs.to_dict(AlignmentSpec())
    for bad in (
        {**good, "extra": 1},
        {k: v for k, v in good.items() if k != "stop_hz"},
        {**good, "sfreq": "64"},
        {**good, "sfreq": float("nan")},
        {**good, "highpass_hz": True},
        {**good, "highpass_hz": 50.0},
        {**good, "mains_hz": 5.0},
        {**good, "alignment": [[1.0, 2.0]]},
        {**good, "alignment": "yes"},
        {**good, "alignment": {**moving, "extra": 1}},
        {**good, "alignment": {"memory_s": 40.0}},
        {**good, "alignment": {**moving, "bands_hz": [[8.0, 12.0], [20.0, 32.0]]}},
        {**good, "alignment": {**moving, "bands_hz": [[12.0, 8.0]]}},
        {**good, "alignment": {**moving, "memory_s": 0.0}},
        {**good, "stop_hz": 60.0},
    ):
        with pytest.raises(ValueError, match=r"field|number|need|mains|table|band|larger|fold"):
            PreprocessSpec.from_dict(bad)


# -- mains ------------------------------------------------------------------------------------


@pytest.mark.parametrize("sfreq", [125, 128, 160, 250, 256, 1000])
@pytest.mark.parametrize("mains", [50.0, 60.0, None])
def test_mains_are_recognised(sfreq: int, mains: float | None, rng: np.random.Generator) -> None:
    for seconds in (1, 2.5, 4):
        n = int(seconds * sfreq)
        x = signal.lfilter([1], [1, -0.9], rng.standard_normal((n, 8)), axis=0) * 3e-6
        x[:, 7] = 0
        x[3, 6] = np.nan
        if mains is not None:
            t = np.arange(n)[:, None] / sfreq
            x = x + 5e-6 * np.sin(2 * np.pi * (mains + 0.04) * t + np.arange(8))
        assert measure_mains(x + 4e-3, sfreq) == mains


def test_mains_of_nothing() -> None:
    assert measure_mains(np.zeros((10, 3)), 250) is None
    assert measure_mains(np.zeros((500, 3)), 250) is None
    assert measure_mains(np.full((500, 3), np.nan), 250) is None


# -- resources ----------------------------------------------------------------------------------


def test_nothing_grows(rng: np.random.Generator) -> None:
    chain = CausalChain(PreprocessSpec(mains_hz=50.0), np.eye(8), 250.0)
    x = (rng.standard_normal((32, 8)) * 1e-5).astype(np.float32)
    for _ in range(100):
        chain.process(x)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(1500):
            chain.process(x)
        after_, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after_ - before < 16_384
    assert peak - before < 200_000
