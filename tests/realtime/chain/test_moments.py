"""Moments of windows that share blocks are those of each window by itself, whatever was asked for before."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuript.realtime.chain.moments import WindowMoments

N_BANDS, N_CHANS = 3, 4


class Signal:
    """Noise of several bands with an offset, and how many samples of it were asked for."""

    def __init__(self, n: int) -> None:
        self.x = np.random.default_rng(3).normal(size=(n, N_BANDS, N_CHANS)) + 0.5
        self.n_read = 0

    def __call__(self, end: int, n: int) -> np.ndarray:
        assert 0 <= end - n <= end <= len(self.x)
        self.n_read += n
        return self.x[end - n : end]


def moments(n_times: int, hop: int) -> WindowMoments:
    return WindowMoments(N_BANDS, N_CHANS, n_times, hop)


@pytest.mark.parametrize(("n_times", "hop"), [(32, 8), (32, 5), (30, 4), (30, 40), (7, 1), (1, 1)])
def test_they_are_those_of_numpy(n_times: int, hop: int) -> None:
    signal, running = Signal(300), moments(n_times, hop)
    for end in range(hop * -(-n_times // hop), 300, hop):
        mean, second = running.at(end, signal)
        window = signal.x[end - n_times : end]
        np.testing.assert_allclose(mean, window.mean(axis=0), rtol=1e-12, atol=1e-13)
        for k in range(N_BANDS):
            covariance = second[k] - np.outer(mean[k], mean[k])
            np.testing.assert_allclose(covariance, np.cov(window[:, k].T, bias=True), rtol=1e-10, atol=1e-12)


@settings(deadline=None, derandomize=True, max_examples=60)
@given(
    shape=st.sampled_from([(24, 8), (16, 8), (24, 24), (24, 3)]),
    ends=st.lists(st.integers(24, 200) | st.integers(3, 25).map(lambda k: 8 * k), min_size=1, max_size=15),
)
def test_the_bits_do_not_depend_on_what_was_asked_before(shape: tuple[int, int], ends: list[int]) -> None:
    signal, running = Signal(200), moments(*shape)
    for end in ends:
        asked, alone = running.at(end, signal), moments(*shape).at(end, signal)
        for one, other in zip(asked, alone, strict=True):
            np.testing.assert_array_equal(one, other)


def test_hops_back_and_forth_have_the_bits_of_each_window_alone() -> None:
    signal, running = Signal(300), moments(16, 8)
    for end in (96, 104, 96, 88, 96, 104, 112, 112, 120, 104, 112, 120, 128):
        np.testing.assert_array_equal(running.at(end, signal)[1], moments(16, 8).at(end, signal)[1])


def test_each_sample_is_read_once() -> None:
    signal, running = Signal(400), moments(64, 8)
    for end in range(64, 400, 8):
        running.at(end, signal)
    assert signal.n_read == 392


def test_what_is_handed_out_is_a_copy() -> None:
    signal, running = Signal(100), moments(32, 8)
    mean, second = running.at(64, signal)
    kept = second.copy()
    mean[...] = second[...] = np.nan
    np.testing.assert_array_equal(running.at(64, signal)[1], kept)
