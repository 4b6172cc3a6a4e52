"""A channel that stands still is found after a moment, whatever the chunks; one that moves is not."""

from __future__ import annotations

import numpy as np
import pytest

from neuript.realtime.chain.standstill import STILL_S, StandstillFinder

SFREQ = 250.0
LIMIT = round(STILL_S * SFREQ)


def found(x, size=None, used=None):
    finder = StandstillFinder(np.arange(x.shape[1]) if used is None else np.array(used), SFREQ)
    size = size or len(x)
    return np.concatenate([finder.update(x[a : a + size]) for a in range(0, len(x), size)]).tolist()


def slowly(x, limit):
    """The same, one sample and one channel after the other."""
    out = []
    for i in range(len(x)):
        window = x[max(0, i - limit) : i + 1]
        if len(window) > limit and any((window[:, c] == window[0, c]).all() for c in range(x.shape[1])):
            out.append(i)
    return out


@pytest.mark.parametrize("size", [None, 1, 3, 5, 77])
def test_each_sample_of_a_standstill_is_found_from_the_limit_on(rng, size):
    x = rng.standard_normal((1000, 3)).astype(np.float32)
    x[200:300, 1] = x[200, 1]
    x[290:350, 2] = x[290, 2]
    x[500 : 500 + LIMIT, 0] = x[500, 0]  # one short of it
    assert found(x, size) == slowly(x, LIMIT) == [*range(200 + LIMIT, 300), *range(290 + LIMIT, 350)]


def test_coarse_numbers_that_move_are_alive(rng):
    """Steps of half a microvolt, at a quiet electrode: 3 uV of slow noise."""
    noise = np.cumsum(rng.standard_normal((30_000, 8)), axis=0)
    noise -= np.apply_along_axis(lambda c: np.convolve(c, np.ones(125) / 125, "same"), 0, noise)
    x = np.round(noise / noise.std() * 3 / 0.5) * 0.5
    assert found(x.astype(np.float32)) == []


def test_channels_that_do_not_count_and_what_is_no_number_are_left_out(rng):
    x = rng.standard_normal((200, 2)).astype(np.float32)
    x[:, 1] = 0.0
    assert found(x, used=[0]) == []
    x[50:150, 0] = np.nan
    assert found(x, used=[0]) == []


def test_another_stream_begins_anew(rng):
    finder = StandstillFinder(np.arange(1), SFREQ)
    x = np.zeros((LIMIT, 1), np.float32)
    assert len(finder.update(x)) == 0
    finder.reset()
    assert len(finder.update(x)) == 0
    assert finder.update(np.zeros((3, 1), np.float32)).tolist() == [2 * LIMIT, 2 * LIMIT + 1, 2 * LIMIT + 2]
