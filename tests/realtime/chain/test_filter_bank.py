"""The bank is SciPy's filter over the whole stream, however it is cut and whenever a window is asked for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.signal import butter, sosfilt

from neuript.realtime.chain.filter_bank import MOST_WAITING, FilterBank

SFREQ, N_CHANS = 64.0, 3
BANDS = ((4.0, 8.0), None, (8.0, 30.0))


def signal(n: int, seed: int = 8) -> np.ndarray:
    """EEG-sized noise with an offset, in volts."""
    return (1e-5 * np.random.default_rng(seed).normal(size=(n, N_CHANS)) + 3e-5).astype(np.float32)


def expected(x: np.ndarray, band: tuple[float, float] | None) -> np.ndarray:
    """The whole signal through SciPy's filter, in double precision."""
    if band is None:
        return x.astype(np.float64)
    return sosfilt(butter(2, band, "bandpass", fs=SFREQ, output="sos"), x.astype(np.float64), axis=0)


def filled(x: np.ndarray, sizes: list[int], capacity: int = 400) -> FilterBank:
    bank = FilterBank(BANDS, SFREQ, N_CHANS, capacity)
    at = 0
    for size in [*sizes, len(x)]:
        bank.append(x[at : at + size])
        at += size
    return bank


@settings(deadline=None, derandomize=True, max_examples=80)
@given(sizes=st.lists(st.integers(0, 150), max_size=12), ends=st.lists(st.integers(1, 300), max_size=4))
def test_equals_the_filter_of_the_whole_signal_bit_for_bit_for_any_cut(sizes: list[int], ends: list[int]) -> None:
    x = signal(300)
    bank = filled(x, sizes)
    for end in [*ends, 300]:
        found = bank.window(end, min(end, 128))
        for k, band in enumerate(BANDS):
            np.testing.assert_array_equal(found[:, k], expected(x, band)[max(0, end - 128) : end])


@settings(deadline=None, derandomize=True, max_examples=50)
@given(steps=st.lists(st.tuples(st.integers(1, 90), st.booleans()), min_size=1, max_size=12))
def test_asking_in_between_changes_nothing(steps: list[tuple[int, bool]]) -> None:
    total = sum(size for size, _ in steps)
    x = signal(total)
    asked, plain = FilterBank(BANDS, SFREQ, N_CHANS, 1200), FilterBank(BANDS, SFREQ, N_CHANS, 1200)
    at = 0
    for size, ask in steps:
        asked.append(x[at : at + size])
        plain.append(x[at : at + size])
        at += size
        if ask:
            asked.window(at, min(at, 40))
    np.testing.assert_array_equal(asked.window(total, total), plain.window(total, total))


def test_nothing_depends_on_later_samples() -> None:
    x = signal(200)
    later = x.copy()
    later[120:] += 1e-3
    np.testing.assert_array_equal(filled(x, []).window(120, 60), filled(later, []).window(120, 60))
    assert not np.array_equal(filled(x, []).window(121, 60), filled(later, []).window(121, 60))


def test_a_band_lets_its_rhythm_through_and_stops_the_others() -> None:
    t = np.arange(640) / SFREQ
    tones = np.stack([np.sin(2 * np.pi * hz * t) for hz in (1.0, 6.0, 16.0)], axis=1).astype(np.float32)
    bank = FilterBank(BANDS, SFREQ, 3, 640)
    bank.append(tones)
    rms = bank.window(640, 256).std(axis=0) * np.sqrt(2)  # bands x tones
    np.testing.assert_allclose(rms[1], 1.0, atol=0.05)
    assert rms[0, 1] > 0.9
    assert rms[2, 2] > 0.9
    assert max(rms[0, 0], rms[0, 2], rms[2, 0]) < 0.1
    np.testing.assert_allclose(FilterBank((None,), SFREQ, 1, 5).window(0, 0), np.empty((0, 1, 1)))


def test_restart_forgets_the_past_but_keeps_its_samples() -> None:
    before, after = signal(90), signal(150, seed=9)
    bank = FilterBank(BANDS, SFREQ, N_CHANS, 400)
    bank.append(before)
    bank.restart()
    bank.append(after)
    found = bank.window(240, 240)
    for k, band in enumerate(BANDS):
        np.testing.assert_array_equal(found[:90, k], expected(before, band))
        np.testing.assert_array_equal(found[90:, k], expected(after, band))


def test_what_is_gone_or_not_yet_there_is_an_error() -> None:
    bank = filled(signal(300), [], capacity=100)
    bank.window(300, 100)
    for end, n in [(301, 10), (300, 101), (250, 60)]:
        with pytest.raises(ValueError, match=r"samples 200\.\.\.299 are in the buffer"):
            bank.window(end, n)


def test_a_window_can_be_read_only() -> None:
    bank = FilterBank(BANDS, SFREQ, N_CHANS, 400)
    bank.append(signal(200))
    window = bank.window(200, 100)
    assert window.shape == (100, len(BANDS), N_CHANS)
    with pytest.raises(ValueError, match="read-only"):
        window[...] = np.nan


def test_samples_do_not_pile_up_while_nobody_asks() -> None:
    bank = FilterBank(BANDS, SFREQ, N_CHANS, 400)
    x = signal(5000)
    for i in range(0, 5000, 3):
        bank.append(x[i : i + 3])
        assert sum(map(len, bank._waiting)) < MOST_WAITING
    for k, band in enumerate(BANDS):
        np.testing.assert_array_equal(bank.window(5000, 200)[:, k], expected(x, band)[-200:])


def test_empty_chunks_do_not_pile_up_either() -> None:
    bank = FilterBank(BANDS, SFREQ, N_CHANS, 400)
    for _ in range(1000):
        bank.append(signal(0))
    assert len(bank._waiting) <= MOST_WAITING


def test_more_at_once_than_is_kept_is_filtered_all_the_same() -> None:
    x = signal(1000)
    bank = filled(x, [], capacity=100)
    for k, band in enumerate(BANDS):
        np.testing.assert_array_equal(bank.window(1000, 100)[:, k], expected(x, band)[-100:])
