"""Sweeps on small made-up data: channel sets, transfer, probes, parts of a corpus, leaks, the runner."""

from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch

from neuript.errors import NeuriptError
from neuript.montages import available_montages, load_montage
from neuript.training.evaluate.evaluation import fingerprint
from neuript.training.evaluate.protocols import EvalData
from neuript.training.fitting.metrics import balanced_accuracy
from neuript.training.sweep.channel_sets import deal, pick_pair, spread
from neuript.training.sweep.frozen_features import frozen_svm
from neuript.training.sweep.jobs import SweepJob
from neuript.training.sweep.measure import Network, finetune, outcome, with_channels
from neuript.training.sweep.part import PartCorpus, limit_hours
from neuript.training.sweep.runner import RealRunner, refuse_leak
from neuript.training.sweep.transfer import move, transfer

MODEL = {
    "d_model": 12,
    "n_heads": 2,
    "d_ff": 12,
    "merges": [4, 2],
    "experts": [0, 0],
    "d_expert": 6,
    "d_shared": 12,
    "dropout": 0.0,
}
TRAINING = {"n_epochs": 2, "batch_size": 8, "max_lr": 1e-2, "patience": None}


def toy(rng, n=48):
    """Two classes told apart by the amplitude of half of the channels; two people a split."""
    montage = load_montage("openbci-8")
    n_times = 32
    y = np.arange(n) % 2
    gain = np.where((y[:, None] == 1) & (np.arange(8) < 8)[None], 30e-6, 6e-6)
    x = rng.normal(size=(n, 8, n_times)) * gain[:, :, None]
    split = np.repeat(["train", "val", "test"], [n // 2, n // 4, n // 4])
    person = np.array([f"toy/{s}{i // 2 % 2}" for i, s in enumerate(split)])
    return EvalData(
        x=x.astype(np.float32),
        y=y.astype(np.int64),
        subject=person,
        recording=person,
        start_s=np.zeros(n),
        split=split,
        montage=montage,
        classes=("low", "high"),
        sfreq=64.0,
        protocol="toy",
    )


@pytest.fixture
def data(rng):
    return toy(rng)


def network(**over):
    return Network("micro", {**MODEL, **over}, None, 0)


def quiet(text):
    pass


# --- two sets of channels


@pytest.mark.parametrize("name", ["double-banana", "peterson-15", "bcic-iv-2a", "10-20"])
def test_both_sets_cover_the_head_and_share_no_channel(name):
    montage = load_montage(name)
    a, b = (list(indices) for indices in deal(montage))
    assert len(a) == len(b) == montage.n_chans // 2
    assert not set(a) & set(b)
    pos = montage.pos_m
    assert np.linalg.norm(pos[a].mean(axis=0) - pos[b].mean(axis=0)) < 0.02
    both_sides = [(pos[half, 0] < 0).any() and (pos[half, 0] > 0).any() for half in (a, b)]
    assert both_sides == [True, True]
    apart = np.linalg.norm(pos[a] - pos[b], axis=1)
    assert np.median(apart) < 0.07, "partners are no neighbours"


@pytest.mark.parametrize("name", sorted(available_montages()))
def test_every_montage_is_dealt_or_refused(name):
    montage = load_montage(name)
    try:
        (a, at_a), (b, at_b) = pick_pair(montage, "names")
    except NeuriptError:
        assert montage.n_chans < 8
        return
    assert list(a.lobes) == list(b.lobes)
    for half, indices in ((a, at_a), (b, at_b)):
        assert [montage.ch_names[i] for i in indices] == list(half.ch_names)
        np.testing.assert_allclose(half.pos_m, montage.pos_m[indices])
    assert list(b.ch_names) == sorted(b.ch_names)


def test_picked_channels_carry_their_own_signal(data):
    _, (b, indices) = pick_pair(data.montage, "names")
    picked = with_channels(data, b, indices)
    for i, name in enumerate(b.ch_names):
        np.testing.assert_array_equal(picked.x[:, i], data.x[:, data.montage.ch_names.index(name)])


# --- measuring


def test_scores_are_those_of_all_subjects_together(data):
    y = data.of("test").y
    proba = np.eye(2)[y]
    proba[0] = proba[0][::-1]  # one of the first class is wrong
    result = outcome(data, proba)
    assert result["metrics"]["balanced_accuracy"] == pytest.approx((5 / 6 + 1) / 2)
    total = np.sum([*result["subjects"].values()], axis=0)
    assert total.tolist() == [[5, 1], [0, 6]]
    assert balanced_accuracy(total) == pytest.approx(result["metrics"]["balanced_accuracy"])
    json.dumps(result, allow_nan=False)


def test_a_score_that_is_not_defined_is_none_in_json(data):
    one = data.select((data.split != "test") | (data.y == 0))
    result = outcome(one, np.tile([1.0, 0.0], (6, 1)))
    assert result["metrics"]["auroc"] is None
    json.dumps(result, allow_nan=False)


def test_finetuning_learns_a_plain_difference_and_repeats(data, rng):
    result = finetune(toy(rng, 96), network(), {**TRAINING, "n_epochs": 6}, quiet)
    assert result["metrics"]["balanced_accuracy"] > 0.8  # 1.00 in each of 12 seeds
    result = finetune(data, network(), TRAINING, quiet)
    again = finetune(data, network(), TRAINING, quiet)
    assert again["subjects"] == result["subjects"]
    assert again["val_ba"] == result["val_ba"]
    with pytest.raises(NeuriptError, match="the fine-tuning: unknown field epochs"):
        finetune(data, network(), {"epochs": 3}, quiet)


def test_test_windows_change_nothing_that_is_chosen(data):
    spoiled = data.select(np.arange(len(data)))
    spoiled.x[spoiled.where("test")] = 0.0
    a = finetune(data, network(), TRAINING, quiet)
    b = finetune(spoiled, network(), TRAINING, quiet)
    assert (a["best_epoch"], a["val_ba"]) == (b["best_epoch"], b["val_ba"])
    settings = {"C": [0.1, 1.0], "n_folds": 2}
    c, d = frozen_svm(data, network(), settings), frozen_svm(spoiled, network(), settings)
    assert (c["chosen"], c["cv_ba"]) == (d["chosen"], d["cv_ba"])
    assert c["metrics"] != d["metrics"]


def test_frozen_features_tell_the_classes_apart(data, rng):
    result = frozen_svm(toy(rng, 192), network(), {"C": [1.0], "n_folds": 2, "kernels": ["linear"]})
    assert result["metrics"]["balanced_accuracy"] > 0.7  # 0.93 ± 0.06 over 16 seeds
    assert result["n_train"] == 96
    small = frozen_svm(data, network(), {"C": [1.0], "n_folds": 2, "n_test": 5})
    assert small["n_test"] == 5
    with pytest.raises(NeuriptError, match="the SVM: unknown field c;"):
        frozen_svm(data, network(), {"c": 1})


def test_the_seed_decides_the_initialisation_and_a_pretrained_encoder_replaces_it(data):
    a, b = network().build(data), network().build(data)
    c = Network("micro", MODEL, None, 1).build(data)
    same = [torch.equal(p, q) for p, q in zip(a.parameters(), b.parameters(), strict=True)]
    assert all(same)
    assert not torch.equal(a.encoder.embed.weight, c.encoder.embed.weight)
    loaded = Network("micro", MODEL, c.state_dict(), 0).build(data)
    assert torch.equal(loaded.encoder.embed.weight, c.encoder.embed.weight)
    assert torch.equal(loaded.head.weight, a.head.weight)


# --- change of the channel set


def test_positions_by_index_go_by_index_and_positions_by_place_by_place(data):
    (ma, at_a), _ = pick_pair(data.montage)
    _, (mb, at_b) = pick_pair(data.montage, "names")
    on_a, on_b = with_channels(data, ma, at_a), with_channels(data, mb, at_b)
    for kind in ("learned_1d", "3d"):
        net = network(spatial_pe=kind)
        trained = net.build(on_a)
        with torch.no_grad():
            for parameter in trained.parameters():
                parameter += 0.01
        moved = move(trained, net, on_b)
        assert torch.equal(moved.head.weight, trained.head.weight)
        table = moved.encoder.pe_space()
        if kind == "learned_1d":
            assert torch.equal(table, trained.encoder.pe_space())
        else:
            assert torch.equal(table, net.build(on_b).encoder.pe_space())
            assert not torch.equal(table, trained.encoder.pe_space())


def test_without_positions_the_order_of_channels_does_not_matter(data):
    results = {
        r["condition"]: r for r in transfer(data, network(spatial_pe="none"), {"source": TRAINING, "target": {}}, quiet)
    }
    assert set(results) == {"A on A", "A on B", "A on B, renamed", "A then B", "B alone"}
    assert results["A on B"]["metrics"] == pytest.approx(results["A on B, renamed"]["metrics"])
    assert results["A then B"]["n_epochs"] == TRAINING["n_epochs"]


def test_training_further_starts_from_the_trained_head(data):
    settings = {"source": {**TRAINING, "n_epochs": 12}, "target": {"n_epochs": 1, "max_lr": 1e-9}}
    results = {r["condition"]: r for r in transfer(data, network(), settings, quiet)}
    further = results["A then B"]["metrics"]["balanced_accuracy"]
    assert further == results["A on B, renamed"]["metrics"]["balanced_accuracy"] > 0.7  # 0.96 ± 0.07 over 12 seeds
    assert results["B alone"]["metrics"]["balanced_accuracy"] == 0.5


# --- parts of a corpus and leaks


class Group:
    def __init__(self, name, n, people):
        self.name, self.n_windows, self.montage = name, n, load_montage("openbci-8")
        self.subjects = np.array([f"s{i % people}" for i in range(n)])

    def read(self, indices):
        return np.asarray(indices, dtype=np.float32)[:, None, None] * np.ones((1, 8, 32))


class Whole:
    sfreq, n_times = 64.0, 32

    def __init__(self):
        self.groups = [Group("a", 30, 3), Group("b", 12, 6)]
        self.subjects = {f"s{i}" for i in range(6)}
        self.file_hashes = {"ff"}
        self.hours = 42 * 0.5 / 3600


def test_a_part_of_a_corpus_holds_whole_subjects_and_their_windows():
    whole = Whole()
    part = PartCorpus(whole, {"s1"})
    assert [g.n_windows for g in part.groups] == [10, 2]
    assert part.groups[0].read([0, 3])[:, 0, 0].tolist() == [1.0, 10.0]
    assert part.hours == pytest.approx(12 * 0.5 / 3600)
    assert part.subjects == {"s1"}
    assert not part.simulated
    whole.simulated = True
    assert limit_hours([whole], whole.hours / 2)[0].simulated


def test_more_hours_hold_all_of_fewer():
    whole = Whole()
    kept = [limit_hours([whole], share * whole.hours)[0].subjects for share in (0.1, 0.5, 1.0)]
    assert kept[0] < kept[1] < kept[2] == whole.subjects
    with pytest.raises(NeuriptError, match="at most the corpus'"):
        limit_hours([whole], 1.1 * whole.hours)


def test_test_people_in_the_corpus_are_refused_by_name_and_by_file():
    refuse_leak("d", {"d/1"}, {"ab" * 32}, {"d/2"}, {"cd" * 32})
    with pytest.raises(NeuriptError, match="d/1 of its validation or test"):
        refuse_leak("d", {"d/1"}, set(), {"d/1", "d/2"}, set())
    with pytest.raises(NeuriptError, match="under another subject's name"):
        refuse_leak("d", {"d/1"}, {"ab" * 32}, {"x/9"}, {"ab" * 32})
    with pytest.raises(NeuriptError, match="under another subject's name"):
        refuse_leak("d", {"d/1"}, {"ab" * 32}, {"x/9"}, {"ab" * 8})


@pytest.mark.parametrize("name", ["double-banana", "10-20"])
def test_fewer_channels_cover_the_head_and_lie_in_more(name):
    montage = load_montage(name)
    sets = []
    for n in (4, 8, 16, montage.n_chans):
        part, indices = spread(montage, n)
        assert part.ch_names == tuple(montage.ch_names[i] for i in sorted(indices))
        assert part.n_chans == n
        gap = np.linalg.norm(montage.pos_m[:, None] - part.pos_m, axis=2).min(axis=1).max()
        sets.append((set(indices), gap))
    for (small, wide), (large, narrow) in pairwise(sets):
        assert small < large
        assert narrow <= wide
    assert sets[0][1] < 0.12  # metres from the farthest channel to one of four
    with pytest.raises(NeuriptError, match="must be 1 to the"):
        spread(montage, montage.n_chans + 1)


# --- the runner


def test_the_runner_measures_what_the_job_says(data, tmp_path):
    runner = RealRunner({}, [])
    runner.load = lambda name, cache: data
    config = {"size": "micro", "model": MODEL, "settings": TRAINING, "data": "toy", "pretrained": None, "seed": 3}
    job = SweepJob("0", "finetune", config, (), "x")
    (result,) = runner(job, tmp_path / "0", {}, quiet)
    expected = finetune(data, Network("micro", MODEL, None, 3), TRAINING, quiet)
    assert result["metrics"] == expected["metrics"]
    assert result["windows_sha256"] == fingerprint(data)
    fewer = SweepJob("1", "finetune", {**config, "settings": {**TRAINING, "channels": [6, 2]}}, (), "x")
    six, two = runner(fewer, tmp_path / "1", {}, quiet)
    assert [six["condition"], two["condition"]] == ["6 of 8 channels", "2 of 8 channels"]
    part = with_channels(data, *spread(data.montage, 2))
    assert two["metrics"] == finetune(part, Network("micro", MODEL, None, 3), TRAINING, quiet)["metrics"]
    with pytest.raises(NeuriptError, match="--data other=DIR"):
        RealRunner({}, [])._read("other", Path("."))
