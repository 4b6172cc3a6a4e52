"""Packets that come twice are found by their numbers, at their second sample, and nothing else is."""

from __future__ import annotations

import numpy as np
import pytest

from neuript.realtime.chain.repeats import REMEMBERED_S, RepeatFinder

SFREQ, N_CHANS = 250.0, 8
USED = np.arange(N_CHANS)


def signal(rng, seconds=6.0, n_chans=N_CHANS):
    return rng.normal(scale=1e-5, size=(round(seconds * SFREQ), n_chans)).astype(np.float32)


def found(x, size=None, used=USED):
    finder = RepeatFinder(used, SFREQ)
    indices = [i for a in range(0, len(x), size or len(x)) for i in finder.update(x[a : a + (size or len(x))])]
    assert finder.n_repeated == len(indices)
    return indices


def twice(x, first, n, later=0):
    """The samples `first ... first + n - 1` come again `later` samples after their end."""
    at = first + n + later
    return np.concatenate([x[:at], x[first : first + n], x[at:]]), at


@pytest.mark.parametrize(("n", "later"), [(2, 0), (10, 0), (10, 100), (250, 0), (250, 30)])
@pytest.mark.parametrize("size", [None, 1, 7])
def test_a_packet_that_comes_again_is_known_from_its_second_sample_on(rng, n, later, size):
    x, at = twice(signal(rng), 500, n, later)
    assert found(x, size) == list(range(at + 1, at + n))


def test_one_that_never_comes_again_and_one_that_is_long_past_are_none(rng):
    x = signal(rng)
    assert found(x) == []
    far, _ = twice(x, 100, 10, round((REMEMBERED_S + 0.1) * SFREQ))
    assert found(far) == []


def test_held_missing_and_coarse_numbers_are_no_packets(rng):
    held, absent = signal(rng), signal(rng)
    held[300:400] = held[299]
    absent[300:310] = np.nan
    assert found(held) == []
    assert found(absent) == []
    coarse = np.round(rng.normal(scale=8.0, size=(5000, N_CHANS))).astype(np.float32)  # a dozen different numbers
    assert found(coarse) == []


def test_other_numbers_with_the_same_sums_are_no_packet(rng):
    x = signal(rng)
    x[700:720] = x[500:520]
    x[700:720, 0] += 3e-5  # what one channel gains others lose
    x[700:720, 1:4] -= 1e-5
    assert found(x) == []


def test_few_channels_say_nothing(rng):
    x, _ = twice(signal(rng), 500, 50)
    assert found(x, used=USED[:3]) == []
    assert found(x, used=USED[:4]) != []


def test_channels_that_do_not_count_make_no_difference(rng):
    x, at = twice(signal(rng), 500, 10)
    x[:, 7] = np.arange(len(x))  # a counter
    assert found(x, used=USED[:7]) == list(range(at + 1, at + 10))
    assert found(x) == []


def test_another_stream_begins_anew(rng):
    x, finder = signal(rng), RepeatFinder(USED, SFREQ)
    finder.update(x[:100])
    finder.reset()
    assert finder.update(x[50:80]) == []
    assert finder.update(x[50:80]) == list(range(131, 160))
