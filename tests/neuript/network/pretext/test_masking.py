"""Masks of the pretraining against the worked example, slow loops and their distributions."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neuript.network.companding import compand_volts
from neuript.network.pretext.masking import (
    Share,
    amplitude_mask,
    coarsen,
    corrupt,
    rank_window_mask,
    span_mask,
    uniform,
)


def rng(seed=0):
    return torch.Generator().manual_seed(seed)


def naive_rank_mask(x, n, xi):
    """Mask one channel: sort by value, then time; a window of ranks shifted inward."""
    order = sorted(range(len(x)), key=lambda t: (x[t], t))
    start = int(np.floor(xi * len(x))) - n // 2
    start = max(0, min(start, len(x) - n))
    chosen = set(order[start : start + n])
    return [t in chosen for t in range(len(x))]


@pytest.mark.parametrize(("xi", "times"), [(0.33, {1, 5, 7, 9}), (0.95, {0, 2, 6, 8})])
def test_worked_example(xi, times):
    x = torch.tensor([[[3.0, -1, 7, 2, -4, 0, 5, -2, 8, 1]]])
    mask = rank_window_mask(x, 4, torch.tensor([[xi]]))
    assert set(mask[0, 0].nonzero().flatten().tolist()) == times


@pytest.mark.parametrize("n", [0, 1, 8, 19, 20])
@pytest.mark.parametrize("absolute", [False, True])
def test_amplitude_mask_equals_the_loop_with_ties(n, absolute):
    x = torch.randint(-4, 5, (6, 3, 20), generator=rng(1)).float()
    xi = uniform((6, 3), rng(2), "cpu")
    mask = amplitude_mask(x, n, rng(2), absolute=absolute)
    ranked = x.abs() if absolute else x
    expected = [
        [naive_rank_mask(c.tolist(), n, float(u)) for c, u in zip(s, v, strict=True)]
        for s, v in zip(ranked, xi, strict=True)
    ]
    assert mask.tolist() == expected
    assert (mask.sum(dim=-1) == n).all()


def test_amplitude_mask_is_the_same_before_and_after_companding():
    x = 30e-6 * torch.randn(4, 5, 64, generator=rng(3))
    volts, companded = amplitude_mask(x, 20, rng(4)), amplitude_mask(compand_volts(x), 20, rng(4))
    assert torch.equal(volts, companded)


def test_amplitude_mask_leaves_no_visible_value_inside_its_band():
    x = torch.randn(8, 4, 50, generator=rng(5))
    mask = amplitude_mask(x, 15, rng(6))
    low = x.masked_fill(~mask, np.inf).amin(dim=-1, keepdim=True)
    high = x.masked_fill(~mask, -np.inf).amax(dim=-1, keepdim=True)
    assert torch.equal((x >= low) & (x <= high), mask)


@pytest.mark.parametrize(("n", "span"), [(0, 4), (7, 1), (9, 4), (12, 4), (5, 16), (20, 3)])
def test_span_mask_has_exact_counts_in_whole_spans(n, span):
    mask = span_mask((40, 3, 20), n, span, rng(7))
    assert (mask.sum(dim=-1) == n).all()
    edges = torch.nn.functional.pad(mask.long(), (1, 1)).diff(dim=-1)
    runs = (edges == 1).sum(dim=-1)
    assert runs.max() <= -(-n // span)
    if n == 9:  # two spans of 4 and one of 1: a run is a sum of some of them
        starts, ends = (edges == 1).nonzero()[:, 2], (edges == -1).nonzero()[:, 2]
        assert set((ends - starts).tolist()) == {1, 4, 5, 8, 9}


def test_span_mask_draws_every_arrangement_equally_often():
    # Two spans of 2 among 6 samples: starts i <= j - 2, 6 arrangements.
    mask = span_mask((6000, 1, 6), 4, 2, rng(8))[:, 0]
    code = (mask.long() * 2 ** torch.arange(6)).sum(dim=-1)
    counts = torch.bincount(code)[torch.bincount(code) > 0]
    assert len(counts) == 6
    assert (counts - 1000).abs().max() < 5 * np.sqrt(1000 * 5 / 6)


def test_short_span_is_any_of_them():
    mask = span_mask((4000, 1, 30), 9, 8, rng(9))[:, 0]
    first = mask.long().argmax(dim=-1)
    alone = ~mask.gather(-1, (first + 1).clamp(max=29)[:, None])[:, 0]
    # The single sample is first in half of the draws, and mostly not joined to the long span.
    assert 0.44 < alone.float().mean() < 0.5


def test_spans_refuse_what_cannot_be():
    with pytest.raises(ValueError, match="span=0"):
        span_mask((1, 1, 8), 2, 0, rng())
    with pytest.raises(ValueError, match="n_masked=9 must be 0 to n_times=8"):
        span_mask((1, 1, 8), 9, 2, rng())
    with pytest.raises(ValueError, match="n_masked=-1"):
        amplitude_mask(torch.zeros(1, 1, 8), -1, rng())


@pytest.mark.parametrize("n", [4, 51, 89, 128])
def test_shares_are_met_in_every_channel(n):
    masked = span_mask((50, 4, 256), n, 1, rng(10))
    made = corrupt(masked, rng(11))
    kept = masked & ~made.replaced & ~made.random
    assert torch.equal(made.masked, masked)
    assert not (made.replaced & made.random).any()
    assert not ((made.replaced | made.random) & ~masked).any()
    for part, share in ((made.replaced, 0.8), (made.random, 0.1), (kept, 0.1)):
        counts = part.sum(dim=-1).float()
        assert (counts - share * n).abs().max() < 1
        assert abs(counts.mean() - share * n) < 0.15


def test_which_points_are_replaced_is_uniform_in_the_mask():
    masked = torch.zeros(20000, 1, 10, dtype=torch.bool)
    masked[..., 2:7] = True
    made = corrupt(masked, rng(12))
    torch.testing.assert_close(
        made.replaced[..., 2:7].float().mean(dim=0)[0], torch.full((5,), 0.8), rtol=0, atol=0.015
    )
    torch.testing.assert_close(made.random[..., 2:7].float().mean(dim=0)[0], torch.full((5,), 0.1), rtol=0, atol=0.012)


def test_random_values_come_from_any_unmasked_time():
    masked = span_mask((400, 2, 12), 7, 3, rng(13))
    made = corrupt(masked, rng(14), (0.0, 1.0, 0.0))
    assert torch.equal(made.random, masked)
    own = torch.arange(12).expand_as(made.random_source)
    assert torch.equal(made.random_source[~masked], own[~masked])
    assert not masked.gather(-1, made.random_source)[masked].any()
    one = torch.zeros(6000, 1, 4, dtype=torch.bool)
    one[..., 1] = True
    source = corrupt(one, rng(15), (0.0, 1.0, 0.0)).random_source[:, 0, 1]
    counts = torch.bincount(source, minlength=4)
    assert counts[1] == 0
    assert (counts[[0, 2, 3]] - 2000).abs().max() < 5 * np.sqrt(2000 * 2 / 3)


def test_a_channel_without_unmasked_time_keeps_its_values():
    made = corrupt(torch.ones(3, 2, 5, dtype=torch.bool), rng(16), (0.0, 1.0, 0.0))
    assert not made.random.any()
    assert torch.equal(made.random_source, torch.arange(5).expand(3, 2, 5))


def test_coarse_mask_needs_all_children_and_pads_with_the_last_ones():
    mask = torch.tensor([[[1, 1, 1, 0, 0, 0, 1, 1, 1, 1]]], dtype=torch.bool)
    assert coarsen(mask, 2).tolist() == [[[True, False, False, True, True]]]
    # 10 = 4 + 4 + 2: the last group is the two last tokens, twice.
    assert coarsen(mask, 4).tolist() == [[[False, False, True]]]
    assert coarsen(~mask, 4).tolist() == [[[False, False, False]]]
    last = torch.tensor([[[1, 1, 0, 0, 1]]], dtype=torch.bool)
    assert coarsen(last, 4).tolist() == [[[False, False]]]  # 5 = 4 + 1, filled with the last three: 0, 0, 1
    assert coarsen(~last, 4).tolist() == [[[False, False]]]
    assert coarsen(torch.ones(1, 1, 5, dtype=torch.bool), 4).all()
    assert coarsen(last[..., 4:], 4).tolist() == [[[True]]]
    assert coarsen(mask, 1) is mask


def test_a_split_batch_is_masked_as_the_whole():
    x = torch.randn(6, 3, 32, generator=rng(17))

    def both(x, draws):
        amplitude = corrupt(amplitude_mask(x, 9, draws), draws)
        spans = corrupt(span_mask((len(x), 3, 32), 9, 4, draws), draws)
        return [*vars(amplitude).values(), *vars(spans).values()]

    whole = both(x, rng(18))
    parts = [both(x[i : i + 2], Share(rng(18), i, 6)) for i in (0, 2, 4)]
    for entire, *pieces in zip(whole, *parts, strict=True):
        assert torch.equal(entire, torch.cat(pieces))
