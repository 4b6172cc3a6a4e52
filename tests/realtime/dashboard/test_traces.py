"""Columns, filter, gaps and pace of the scrolling traces, in any chunking."""

from __future__ import annotations

import numpy as np
import pytest
from chunkings import CHUNKS, cut
from scipy import signal

from neuript.realtime.dashboard.traces import (
    DisplayFilter,
    EnvelopeRing,
    GapFinder,
    ScrollPacer,
    fitting_scale,
    next_scale,
)


@pytest.mark.parametrize("sfreq", [100, 250, 256, 1000])
@pytest.mark.parametrize("chunk", CHUNKS)
def test_columns_hold_both_extremes_in_order_of_time_in_any_chunking(rng, sfreq, chunk):
    x = rng.normal(size=(2345, 3)).astype(np.float32)
    stamps = 10 + np.arange(len(x)) / sfreq
    ring = EnvelopeRing(3, sfreq)
    for start, stop in cut(len(x), [chunk]):
        ring.append(x[start:stop], stamps[start:stop])
    extremes, at = ring.columns(0, ring.total)
    spc = ring.samples_per_column
    assert ring.total == len(x) // spc
    for k in range(ring.total):  # slow and obvious
        block = x[k * spc : (k + 1) * spc]
        assert at[k] == stamps[(k + 1) * spc - 1]
        for c in range(3):
            low, high = int(block[:, c].argmin()), int(block[:, c].argmax())
            wanted = [block[min(low, high), c], block[max(low, high), c]]
            assert extremes[k, :, c].tolist() == wanted


def test_ring_keeps_only_the_newest_columns_and_clips_requests(rng):
    x = rng.normal(size=(1000, 2)).astype(np.float32)
    small, large = (EnvelopeRing(2, 100, n_columns=n) for n in (64, 4096))
    for ring in (small, large):
        ring.append(x[:990], np.arange(990.0))
        ring.append(x[990:], np.arange(990.0, 1000.0))
    assert small.total == large.total == 1000
    kept, stamps = small.columns(0, 10_000)
    assert len(kept) == 64
    assert stamps[0] == 936
    np.testing.assert_array_equal(kept, large.columns(936, 1000)[0])
    assert len(small.columns(2000, 2100)[0]) == 0


def test_gap_becomes_empty_columns_that_end_at_the_next_sample():
    ring = EnvelopeRing(1, 100)
    ring.append(np.ones((50, 1), np.float32), np.arange(50) / 100)
    ring.append_gap(0.5, 1.0)
    ring.append(np.ones((50, 1), np.float32), 1 + np.arange(50) / 100)
    extremes, stamps = ring.columns(0, ring.total)
    assert np.isnan(extremes[50:100]).all()
    assert np.isfinite(extremes[:50]).all()
    assert np.isfinite(extremes[100:]).all()
    assert stamps[99] == 1.0
    assert (np.diff(stamps) >= 0).all()
    ring.append_gap(1e9, 2.0)  # a clock gone mad does not take all memory
    assert ring.total < 5000


@pytest.mark.parametrize("chunk", CHUNKS)
def test_display_filter_is_exact_in_any_chunking_and_equals_scipy(rng, chunk):
    x = (rng.normal(size=(3000, 4)) * 20 + 4000).astype(np.float32)
    before = x.copy()
    whole = DisplayFilter(4, 250).process(x)
    chain = DisplayFilter(4, 250)
    parts = [chain.process(x[a:b]) for a, b in cut(len(x), [chunk])]
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    np.testing.assert_array_equal(x, before)
    # independent: transfer functions instead of sections, offset removed by hand
    b1, a1 = signal.butter(2, 0.5, "highpass", fs=250)
    b2, a2 = signal.butter(2, 45, fs=250)
    wanted = signal.lfilter(b2, a2, signal.lfilter(b1, a1, x.astype(float) - x[0], axis=0), axis=0)
    np.testing.assert_allclose(whole, wanted, atol=1e-2)


def test_display_filter_starts_at_zero_and_never_sees_the_future(rng):
    flat = DisplayFilter(2, 500).process(np.full((1000, 2), 1e5, np.float32))
    assert np.abs(flat).max() < 1e-3
    x = rng.normal(size=(400, 2)).astype(np.float32)
    other = x.copy()
    other[200:] += 100
    one, two = (DisplayFilter(2, 250).process(v) for v in (x, other))
    np.testing.assert_array_equal(one[:200], two[:200])
    assert not np.array_equal(one[200:], two[200:])


@pytest.mark.parametrize("chunk", [1, 13, 500])
def test_nan_is_drawn_as_a_hole_and_the_filter_survives(rng, chunk):
    x = rng.normal(size=(500, 2)).astype(np.float32)
    x[100:120, 1] = np.nan
    chain = DisplayFilter(2, 250)
    out = np.concatenate([chain.process(x[a:b]) for a, b in cut(500, [chunk])])
    assert np.isnan(out[100:120, 1]).all()
    assert np.isfinite(out[:, 0]).all()
    assert np.isfinite(out[120:, 1]).all()


def test_low_pass_is_left_out_where_the_rate_does_not_allow_it():
    assert DisplayFilter(1, 64).words == "0.5 Hz high-pass"
    assert DisplayFilter(1, 250).words == "0.5–45 Hz"


def test_gap_finder_sees_holes_but_not_jitter_bursts_or_drift(rng):
    finder = GapFinder(250)
    stamps = np.arange(0, 3600, 1 / 250) * 1.0002  # 200 ppm for an hour
    stamps += rng.normal(0, 0.002, len(stamps))
    stamps = np.repeat(stamps[24::25], 25)[: len(stamps)]  # bursts of equal stamps
    assert all(finder.find(stamps[k : k + 25]) is None for k in range(0, len(stamps) - 25, 25))
    late = stamps[-1] + 0.8 + np.arange(25) / 250
    at, missing_s = finder.find(late)
    assert at == 0
    assert missing_s == pytest.approx(0.8, abs=0.15)
    assert finder.find(late + 0.1) is None


def test_gap_inside_a_chunk_is_found_where_it_is_and_backward_steps_are_none():
    finder = GapFinder(100)
    stamps = np.concatenate([np.arange(50), np.arange(120, 170)]) / 100
    at, missing_s = finder.find(stamps)
    assert at == 50
    assert missing_s == pytest.approx(0.7, abs=0.02)
    assert finder.find(stamps[-1] - 100 + np.arange(1, 51) / 100) is None
    assert finder.find(stamps[-1] - 99.5 + np.arange(1, 51) / 100) is None


@pytest.mark.parametrize("lump", [1, 10, 25])
def test_pacer_draws_all_columns_evenly(lump):
    pacer = ScrollPacer(0.01)
    waiting, drawn = 0, []
    for frame in range(900):  # 30 frames per s for 30 s, columns come in lumps at 100 per s
        due = int((frame + 1) * 100 / 30) // lump * lump
        waiting = due - sum(drawn)
        drawn.append(pacer.step(waiting, 1 / 30))
        assert 0 <= drawn[-1] <= waiting
    assert waiting - drawn[-1] <= 2.5 * lump + 4  # never far behind
    steady = np.array(drawn[300:])
    assert steady.max() <= 7  # 3.3 on average; a lump of 25 is spread out
    assert sum(drawn) >= 2990 - 2.5 * lump - 4


def test_pacer_shows_a_long_backlog_at_once():
    pacer = ScrollPacer(0.01)
    for _ in range(30):
        pacer.step(3, 1 / 30)
    assert pacer.step(10_000, 1 / 30) == 10_000
    assert pacer.step(4, 1 / 30) <= 4


def test_scale_follows_the_series(rng):
    x = rng.normal(0, 10, size=(500, 2, 8)).astype(np.float32)
    assert fitting_scale(x) in (20, 50)
    assert fitting_scale(x * 1000) == 1000 * fitting_scale(x)
    assert fitting_scale(x[:0]) == 100
    assert next_scale(50, 1) == 100
    assert next_scale(50, -1) == 20
