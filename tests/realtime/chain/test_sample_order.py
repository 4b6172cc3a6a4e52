"""Samples that come out of order or never are counted one by one where stamps lie on a grid."""

from __future__ import annotations

import numpy as np
import pytest

from neuript.realtime.chain.sample_order import SampleOrder

FS = 250.0


def grid(seconds=20.0, fs=FS):
    return 100.0 + np.arange(round(seconds * fs)) / fs


def counts(stamps, size=25):
    order = SampleOrder(FS)
    at = [i for k in range(0, len(stamps), size) for i in order.update(stamps[k : k + size])]
    return at, order


def shuffled(t, block, start=2500, stop=3750, seed=3):
    rng, out = np.random.default_rng(seed), np.arange(len(t))
    for k in range(start, stop, block):
        out[k : k + block] = rng.permutation(out[k : k + block])
    return out


@pytest.mark.parametrize("how", ["swapped", "reversed", "shuffled", "long"])
def test_what_comes_before_its_neighbour_is_counted_and_nothing_is_lost(how):
    t = grid()
    index = np.arange(len(t))
    if how == "swapped":
        index[3000:3020] = np.r_[3010:3020, 3000:3010]
    elif how == "reversed":
        index[3000:3025] = index[3000:3025][::-1]
    else:
        index = shuffled(t, 25, *((2500, 2525) if how == "shuffled" else (1000, 4750)))
    at, order = counts(t[index])
    newest = np.maximum.accumulate(np.r_[-1, index])[:-1]
    late = np.flatnonzero(index < newest)
    assert order.n_scrambled == len(late)
    assert order.n_lost == 0
    covered = np.concatenate([np.arange(i, i + 5) for i in at])
    assert set(late) <= set(covered)


@pytest.mark.parametrize("every", [100, 25, 7])
def test_single_losses_are_counted_to_the_last(every):
    t = grid(40)
    lost = np.arange(len(t)) % every == every - 1
    lost[:500] = False
    at, order = counts(t[~lost])
    assert order.n_lost == lost[:-1].sum()
    assert not at


def test_a_long_hole_is_counted_whatever_the_crystal():
    t = grid(60, FS * 1.0002)
    _, order = counts(np.delete(t, np.r_[5000:7500]))
    assert order.n_lost == pytest.approx(2500, abs=1)


def test_a_step_of_the_clock_is_forgiven():
    t = grid()
    t[3000:] += 2.0
    _, order = counts(t)
    assert order.n_lost == 500
    order.forgive(2999, 3100)
    assert order.n_lost == 0


@pytest.mark.parametrize("size", [1, 25, 400])
def test_what_came_before_a_block_came_twice_is_not_missing_after_it(size):
    t = grid(40)
    at, order = counts(np.concatenate([t[:3305], t[3000:3300], t[3305:6000], t[6100:]]), size)
    assert order.n_lost == 100
    assert not at


def test_samples_without_a_stamp_are_there():
    t = grid(40)
    t[3000:3300] = np.nan
    _, order = counts(np.delete(t, np.r_[5000:5003]))
    assert order.n_lost == 3


@pytest.mark.parametrize("kind", ["chunks", "jitter", "lumps", "half the rate"])
def test_stamps_that_scatter_or_belong_to_another_rate_say_nothing(kind):
    rng, t = np.random.default_rng(1), grid(60)
    if kind == "chunks":  # each chunk of 10 is stamped when it leaves, its samples backwards from there
        t = t + np.repeat(rng.normal(0, 0.008, len(t) // 10), 10)
    elif kind == "jitter":
        t = t + rng.normal(0, 0.004, len(t))
    elif kind == "lumps":
        t = t.reshape(-1, 25)[:, -1:].repeat(25, 1).ravel()
    else:
        t = 100.0 + np.arange(len(t)) * 2 / FS
    at, order = counts(t)
    assert not at
    assert not order.exact
    assert (order.n_scrambled, order.n_lost) == (0, 0)


def test_any_chunking_counts_the_same():
    t = grid()
    index = shuffled(t, 25)
    stamps = np.delete(np.r_[t[index][:4000], t[3990:]], np.r_[1000:1003, 2000])
    whole = counts(stamps, len(stamps))
    for size in (1, 7, 33, 1001):
        at, order = counts(stamps, size)
        assert at == whole[0]
        assert (order.n_lost, order.n_scrambled) == (whole[1].n_lost, whole[1].n_scrambled)
    assert SampleOrder(FS).update(np.empty(0)) == []


def test_samples_without_a_stamp_break_nothing():
    t = grid()
    t[:10] = t[500] = np.nan
    at, order = counts(t)
    assert not at
    assert order.n_scrambled == 0
