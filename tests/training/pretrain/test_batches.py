"""Which windows make which step: complete, proportional, and a function of the step alone."""

from __future__ import annotations

from collections import Counter

import fake_corpus
import numpy as np
import pytest
import torch

from neuript.errors import NeuriptError
from neuript.training.pretrain.batches import (
    BatchPlan,
    CorpusPart,
    Loader,
    check_corpora,
    read_windows,
    split_by_subject,
    validation_batches,
)
from neuript.training.pretrain.optimiser import learning_rate
from neuript.training.pretrain.run_settings import PretrainRun


def all_parts(corpus) -> list[CorpusPart]:
    return [CorpusPart(g, np.arange(g.n_windows)) for g in corpus.groups]


def seen(plan: BatchPlan, steps: range) -> Counter:
    found: Counter = Counter()
    for step in steps:
        group, windows = plan.windows_of(step)
        found.update((group, int(w)) for w in windows)
    return found


def test_every_window_comes_equally_often():
    plan = BatchPlan(all_parts(fake_corpus.make_corpus()), batch_size=4, seed=3)
    n_steps = 10 * plan.steps_per_round
    counts = seen(plan, range(n_steps))
    assert len(counts) == 37
    expected = n_steps * 4 / 37
    for (group, _), n in counts.items():
        # a round gives a group one step more or less than its share; a pass is never left half
        assert abs(n - expected) <= 10 * 4 / plan.sizes[group] / 2 + 1


def test_a_pass_has_each_window_once_also_where_batches_do_not_divide():
    part = all_parts(fake_corpus.make_corpus())[1]  # 13 windows in batches of 5
    plan = BatchPlan([part], batch_size=5, seed=0)
    row = np.concatenate([plan.windows_of(s)[1] for s in range(26)])
    for k in range(10):
        assert sorted(row[13 * k : 13 * k + 13]) == list(range(13))
    assert (row[:13] != row[13:26]).any()


def test_a_group_smaller_than_a_batch():
    part = CorpusPart(fake_corpus.make_corpus().groups[0], np.array([4, 7, 9]))
    plan = BatchPlan([part], batch_size=8, seed=0)
    counts = Counter(np.concatenate([plan.windows_of(s)[1] for s in range(3)]).tolist())
    assert counts == {4: 8, 7: 8, 9: 8}


def test_a_step_does_not_depend_on_those_before():
    parts = all_parts(fake_corpus.make_corpus())
    plan = BatchPlan(parts, 4, seed=3, max_channels=2)
    row = [(*plan.windows_of(s), plan.channels_of(s)) for s in range(40)]
    for s in (39, 7, 0, 22):
        fresh = BatchPlan(parts, 4, seed=3, max_channels=2)
        group, windows = fresh.windows_of(s)
        assert group == row[s][0]
        np.testing.assert_array_equal(windows, row[s][1])
        np.testing.assert_array_equal(fresh.channels_of(s), row[s][2])
    other = BatchPlan(parts, 4, seed=4)
    assert any((other.windows_of(s)[1] != row[s][1]).any() for s in range(3))


def test_random_channels_go_with_their_positions():
    corpus = fake_corpus.make_corpus()
    group = corpus.groups[0]
    group.x[:] = np.arange(3)[:, None]  # the value is the channel
    loader = Loader(BatchPlan([CorpusPart(group, np.arange(24))], 4, seed=0, max_channels=2), None)
    drawn = set()
    for batch in loader.steps(0, 12):
        channels = batch.micro[0].x[0, :, 0].long().numpy()
        np.testing.assert_array_equal(batch.pos_m, group.montage.pos_m[channels])
        drawn.add(tuple(channels))
    assert drawn == {(0, 1), (0, 2), (1, 2)}


@pytest.mark.parametrize("world_size", [1, 2, 4])
def test_processes_share_a_step_out(world_size):
    corpus = fake_corpus.make_corpus()
    plans = [BatchPlan(all_parts(corpus), 8, seed=1) for _ in range(world_size + 1)]
    whole = Loader(plans[-1], 2).load(5)
    shares = [Loader(plans[r], 2, r, world_size).load(5) for r in range(world_size)]
    micro = [m for share in shares for m in share.micro]
    assert [(m.start, m.seed) for m in micro] == [(m.start, m.seed) for m in whole.micro]
    assert [m.start for m in micro] == [0, 2, 4, 6]
    assert {s.seed for s in shares} == {whole.seed}
    torch.testing.assert_close(torch.cat([m.x for m in micro]), torch.cat([m.x for m in whole.micro]))


def test_what_cannot_be_shared_is_refused():
    plan = BatchPlan(all_parts(fake_corpus.make_corpus()), 8, seed=1)
    with pytest.raises(NeuriptError, match="multiple of 3"):
        Loader(plan, None, 0, 3)
    with pytest.raises(NeuriptError, match="2 micro-batches of 4"):
        Loader(plan, 4, 0, 4)


@pytest.mark.parametrize(
    ("batch_size", "world_size", "expected"), [(32, 1, 8), (32, 2, 8), (8, 2, 4), (30, 2, 5), (7, 1, 7)]
)
def test_passes_are_small_unless_told(batch_size, world_size, expected):
    plan = BatchPlan(all_parts(fake_corpus.make_corpus()), batch_size, seed=1)
    loader = Loader(plan, None, 0, world_size)
    assert loader.micro_batch == expected
    sizes = [len(m.x) for m in loader.load(0).micro]
    assert sizes == [expected] * (batch_size // world_size // expected)


def test_reading_ahead_changes_nothing_and_stops():
    corpus = fake_corpus.make_corpus()
    loader = Loader(BatchPlan(all_parts(corpus), 4, seed=1), None)
    for start, stop in ((0, 7), (5, 6), (3, 5), (4, 4)):
        batches = list(loader.steps(start, stop))
        assert [b.step for b in batches] == list(range(start, stop))
        for b in batches:
            torch.testing.assert_close(b.micro[0].x, loader.load(b.step).micro[0].x)


def test_nan_is_refused_with_its_window():
    group = fake_corpus.make_corpus().groups[0]
    group.x[11, 1, 5] = np.nan
    with pytest.raises(NeuriptError, match=r"window 11 of C3\+Cz\+C4"):
        read_windows(group, np.array([3, 11]))


def test_split_is_by_subject_over_groups_and_stays_when_others_come():
    corpus = fake_corpus.make_corpus()
    train, val, held = split_by_subject([corpus], 0.34, seed=2)
    assert len(held) == 2  # of a b c d x y
    for parts, inside in ((train, False), (val, True)):
        for part in parts:
            assert {s in held for s in part.group.subjects[part.indices]} == {inside}
    assert sum(len(p.indices) for p in [*train, *val]) == 37
    fewer = fake_corpus.make_corpus()
    fewer.groups = fewer.groups[:1]
    _, _, held_of_fewer = split_by_subject([fewer], 0.5, seed=2)
    order = sorted(corpus.subjects, key=lambda s: s not in held)
    assert held_of_fewer & held or not (set(order[:2]) & fewer.subjects)
    assert split_by_subject([corpus], 0, seed=2)[2] == set()
    assert len(split_by_subject([corpus], 0.001, seed=2)[2]) == 1


def test_corpora_of_different_kinds_and_empty_ones_are_refused():
    a, b = fake_corpus.make_corpus(32), fake_corpus.make_corpus(64)
    with pytest.raises(NeuriptError, match="32 samples at 64 Hz, 64 samples at 64 Hz"):
        check_corpora([a, b])
    a.groups = []
    with pytest.raises(NeuriptError, match="no windows"):
        check_corpora([a])


def test_validation_takes_from_every_group_and_is_fixed():
    parts = all_parts(fake_corpus.make_corpus())
    batches = validation_batches(parts, 12, 4, seed=0)
    counts = Counter(id(part) for part, windows, _ in batches for _ in windows)
    assert sorted(counts.values()) == [4, 8]
    assert len({seed for *_, seed in batches}) == len(batches)
    again = validation_batches(parts, 12, 4, seed=0)
    assert [s for *_, s in again] == [s for *_, s in batches]


@pytest.mark.parametrize(("n_steps", "warmup"), [(100, 0.15), (20, 0.3), (1000, 0.05)])
def test_learning_rate_is_pytorchs_one_cycle(n_steps, warmup):
    run = PretrainRun(steps=n_steps, warmup=warmup)
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    reference = torch.optim.lr_scheduler.OneCycleLR(optimizer, run.max_lr, total_steps=n_steps, pct_start=warmup)
    for step in range(n_steps):
        expected = optimizer.param_groups[0]["lr"]
        assert learning_rate(step, n_steps, run) == pytest.approx(expected, rel=1e-9)
        optimizer.step()
        if step + 1 < n_steps:
            reference.step()
    assert learning_rate(0, n_steps, run) == pytest.approx(1.2e-5)
    assert learning_rate(n_steps - 1, n_steps, run) == pytest.approx(1.2e-9)


@pytest.mark.parametrize("n_steps", [1, 2, 3, 6])
def test_learning_rate_of_short_runs_is_defined(n_steps):
    run = PretrainRun(steps=n_steps)
    rates = [learning_rate(s, n_steps, run) for s in range(n_steps)]
    assert max(rates) == pytest.approx(run.max_lr)
    assert all(r > 0 for r in rates)
