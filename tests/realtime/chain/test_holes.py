"""Short holes are filled as a straight line, long ones are named; the chunks make no difference."""

from __future__ import annotations

import math

import numpy as np
import pytest

from neuript.realtime.chain.holes import MOST_S, MOST_SHARE, ONSET_S, RARE_S, SHARE_S, HoleBridge

SFREQ, N_CHANS = 250.0, 5
USED = np.arange(N_CHANS)


def signal(rng, seconds=8.0):
    return np.cumsum(rng.normal(scale=1e-6, size=(round(seconds * SFREQ), N_CHANS)), axis=0).astype(np.float32)


def pushed(x, size=None, used=USED):
    bridge = HoleBridge(used, SFREQ)
    parts = [bridge.take(x[a : a + (size or len(x))]) for a in range(0, len(x), size or len(x))]
    return np.concatenate([y for y, _ in parts]), [hole for _, holes in parts for hole in holes]


def condemned(holes, n):
    """Which of `n` samples are condemned, from the edges."""
    out = np.zeros(n, dtype=bool)
    for hole in holes:
        out[hole.index :] = hole.condemned
    return out


def test_a_sound_signal_goes_through_untouched(rng):
    x = signal(rng)
    y, holes = pushed(x, 20)
    np.testing.assert_array_equal(y, x)
    assert holes == []


@pytest.mark.parametrize("n", [1, 3, round(MOST_S * SFREQ)])
@pytest.mark.parametrize("what", ["nan", "one channel", "absurd", "repeated"])
def test_a_short_hole_is_a_straight_line(rng, what, n):
    x = signal(rng)
    lost = x.copy()
    if what == "one channel":
        lost[500 : 500 + n, 2] = np.nan
    else:
        lost[500 : 500 + n] = {"nan": np.nan, "absurd": 1e9, "repeated": x[499]}[what]
    y, holes = pushed(lost)
    share = np.arange(1, n + 1)[:, None] / (n + 1)
    line = x[499] + share * (x[500 + n] - x[499])
    filled = [2] if what == "one channel" else list(range(N_CHANS))
    np.testing.assert_allclose(y[500 : 500 + n, filled], line[:, filled], rtol=1e-4, atol=1e-12)
    others = np.setdiff1d(USED, filled)
    np.testing.assert_array_equal(y[:, others], x[:, others])
    assert [(h.index, h.bridged, h.condemned) for h in holes] == [(500 + n, n, False)]
    assert holes[0].doubt_until == 500 + math.ceil(n / MOST_SHARE)


@pytest.mark.parametrize("value", ["nan", "repeated"])
def test_a_longer_hole_is_condemned_from_its_first_sample_to_its_last(rng, value):
    x = signal(rng)
    x[500:600] = np.nan if value == "nan" else x[499]
    y, holes = pushed(x)
    assert len(y) == len(x)
    assert np.flatnonzero(condemned(holes, len(x))).tolist() == list(range(500, 600))
    assert sum(h.bridged for h in holes) == 0


def test_too_many_short_holes_are_condemned_and_few_are_not(rng):
    few, many = signal(rng), signal(rng)
    few[:: round(1.05 / MOST_SHARE)] = np.nan
    many[:: round(0.5 / MOST_SHARE)] = np.nan
    few[0], many[0] = 0.0, 0.0
    assert not condemned(pushed(few)[1], len(few)).any()
    late = condemned(pushed(many)[1], len(many))[round(SHARE_S * SFREQ) :]
    lost = np.isnan(many[round(SHARE_S * SFREQ) :, 0])
    assert late[lost][:-1].all()


def doubted(holes, n):
    """At which of `n` samples nothing is decided, sample by sample."""
    out = np.zeros(n, dtype=bool)
    for hole in holes:
        out[hole.index : hole.doubt_until] = True
    return out


@pytest.mark.parametrize("before", [0, 500])
def test_where_too_many_begin_nothing_is_decided_from_the_first_or_second_hole_on(rng, before):
    """With one hole in the minute before, the next one alone says nothing."""
    x = signal(rng, 24.0)
    x[before] = np.nan if before else x[before]
    x[3000:4500:25] = np.nan  # 4 %
    holes = pushed(x)[1]
    silent = (doubted(holes, len(x)) | condemned(holes, len(x)))[1000:]
    begins = 2026 if before else 2001
    assert not silent[:begins].any()
    assert silent[begins : begins + round(SHARE_S * SFREQ) - 100].all()
    assert doubted(pushed(x, 7)[1], len(x)).tolist() == doubted(holes, len(x)).tolist()


@pytest.mark.parametrize("length", [1, round(MOST_S * SFREQ)])
def test_steady_losses_within_the_bound_are_doubted_only_where_they_begin(rng, length):
    x = signal(rng, 300.0)
    begins = rng.random(len(x) - 1000) < 0.01 / length
    for first in 1000 + np.flatnonzero(begins):
        x[first : first + length] = np.nan
    silent = doubted(pushed(x)[1], len(x))
    settled = 1000 + np.flatnonzero(begins)[0] + round(SHARE_S * SFREQ) + round(1 / MOST_SHARE)
    assert silent[settled:].mean() < 0.01


@pytest.mark.parametrize(("every_s", "doubts"), [(1.1 * ONSET_S, 1), (0.3 * ONSET_S, 1), (1.1 * RARE_S, 4)])
def test_one_hole_now_and_then_is_doubted_once_a_minute_at_most(rng, every_s, doubts):
    x = signal(rng, 4.5 * RARE_S)
    x[round(every_s * SFREQ) :: round(every_s * SFREQ)] = np.nan
    silent = doubted(pushed(x)[1], len(x))
    assert silent.sum() == doubts * (math.ceil(1 / MOST_SHARE) - 1)


def test_channels_that_do_not_count_may_lack_anything(rng):
    x = signal(rng)
    x[:, 4] = np.nan
    y, holes = pushed(x, used=USED[:4])
    np.testing.assert_array_equal(y, x)
    assert holes == []


def test_two_coarse_channels_may_repeat(rng):
    x = np.round(signal(rng) * 1e5).astype(np.float32)
    assert pushed(x, used=USED[:2])[1] == []


def test_a_hole_at_the_start_is_condemned(rng):
    x = signal(rng)
    x[:3] = np.nan
    assert np.flatnonzero(condemned(pushed(x)[1], len(x))).tolist() == [0, 1, 2]


@pytest.mark.parametrize("size", [1, 3, 50, 999])
def test_chunks_make_no_difference(rng, size):
    x = signal(rng)
    for first, n in ((100, 1), (300, 5), (500, 6), (700, 80), (1000, 2), (1003, 2)):
        x[first : first + n] = np.nan if first % 200 else x[first - 1]
    (whole, holes), (parts, same) = pushed(x), pushed(x, size)
    np.testing.assert_array_equal(parts, whole)
    assert same == holes


def test_what_waits_is_counted(rng):
    bridge = HoleBridge(USED, SFREQ)
    x = signal(rng)
    bridge.take(x[:10])
    y, _ = bridge.take(np.full((3, N_CHANS), np.nan, np.float32))
    assert (len(y), bridge.n_waiting) == (0, 3)
    y, _ = bridge.take(x[13:14])
    assert (len(y), bridge.n_waiting) == (4, 0)


def test_a_long_hole_ends_with_the_first_good_sample_of_another_stream(rng):
    bridge, x = HoleBridge(USED, SFREQ), signal(rng)
    bridge.take(x[:100])
    _, holes = bridge.take(np.repeat(x[99:100], 25, axis=0))
    assert [hole.condemned for hole in holes] == [True]
    bridge.reset()
    y, holes = bridge.take(x[200:210])
    assert len(y) == 10
    assert [hole.condemned for hole in holes] == [False]
