"""What becomes of a recording before a corpus does: recipe, channels, people, and the shards that are written."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from csv_recordings import CAP, MUSE

from neuript.errors import NeuriptError
from neuript.montages import load_montage
from neuript.training.corpus import RECIPES, Recipe, ScanOptions, get_recipe, prepare
from neuript.training.corpus.channels import choose_montage, montage_key
from neuript.training.corpus.rejection import judge
from neuript.training.corpus.scan import scan, subject_of
from neuript.training.corpus.shards import BATCH, Shard, write_shard

SHORT = RECIPES["short"]


# --- recipe and rejection -----------------------------------------------------------------------


def test_the_paper_recipe_says_what_the_paper_says() -> None:
    paper = get_recipe("paper")
    assert (paper.trim_s, paper.min_length_s, paper.reject_uv, paper.flat_uv) == (60, 300, 100, 3)
    assert (paper.n_times, paper.sfreq, paper.highpass_hz) == (256, 64, 0.1)
    assert Recipe.from_dict(json.loads(json.dumps(paper.to_dict()))) == paper
    assert SHORT.differences(paper) == [
        "name: short, paper", "trim_s: 0.0, 60.0", "min_length_s: 0.0, 300.0",
    ]  # fmt: skip
    with pytest.raises(NeuriptError, match="paper, short"):
        get_recipe("papre")
    with pytest.raises(ValueError, match="whole number"):
        Recipe(name="x", window_s=0.1)


def test_rejection_against_a_slow_loop(rng) -> None:
    x = rng.standard_normal((200, 3, 16)) * rng.choice([0.5, 5, 40], (200, 3, 1))
    x += rng.choice([0, 0, 0, 20, -20], (200, 3, 1))
    verdict = judge(x * 1e-6, SHORT)
    for i, window in enumerate(x):
        assert verdict.amplitude[i] == any(abs(v) > 100 for v in window.ravel())
        assert verdict.flat[i] == any(max(abs(c)) < 3 for c in window)
        assert verdict.offset[i] == any(min(c) > 3 or max(c) < -3 for c in window)
    assert 0 < verdict.keep.sum() < 200
    assert verdict.counts()["flat"] > 0
    assert verdict.counts()["offset"] > 0
    assert judge(x, replace(SHORT, reject_uv=None, flat_uv=None)).keep.all()


def test_rejection_at_its_limits() -> None:
    x = np.zeros((4, 2, 4))
    x[:, :, 0], x[:, :, 1] = 50.0, -50.0
    x[1, 0, 0] = 100.5
    x[2, 1, 2] = np.nan
    x[3, 0, 0] = 99.5
    assert judge(x * 1e-6, SHORT).keep.tolist() == [True, False, False, True]


# --- channels -----------------------------------------------------------------------------------


def test_montage_rule() -> None:
    assert choose_montage(CAP) is load_montage("double-banana")
    own = choose_montage(("C4", "EOG", "C3", "A1", "Cz"))
    assert own.ch_names == ("C3", "Cz", "C4")
    np.testing.assert_array_equal(own.pos_m, load_montage("10-05").pick(["C3", "Cz", "C4"]).pos_m)
    other = choose_montage(("Cz", "C3", "C4"), ("EEG", "", "EEG"))
    assert montage_key(own) == montage_key(other)
    assert own.name == other.name
    assert choose_montage(("C3", "C4", "Cz"), bads=["Cz"]).ch_names == ("C3", "C4")
    assert choose_montage(("C3", "C4", "Cz"), ("EEG", "EEG", "MISC")).ch_names == ("C3", "C4")


def test_montage_of_pairs_and_of_a_named_cap() -> None:
    sleep = choose_montage(("EEG Fpz-Cz", "EEG Pz-Oz", "EOG horizontal"))
    assert sleep.ch_names == ("Fpz-Cz", "Pz-Oz")
    assert sleep.reference == "bipolar"
    muse = choose_montage(("1", "2", "3", "4"), cap=load_montage("muse-4"))
    assert muse.ch_names == MUSE
    assert choose_montage(CAP, montage="10-20") is load_montage("10-20")


@pytest.mark.parametrize("names", [("1", "2", "3"), ("A1", "A2", "Fz"), (), ("X", "Y")])
def test_channels_without_a_place_are_refused(names) -> None:
    with pytest.raises(NeuriptError, match="a known place on the head"):
        choose_montage(names)


# --- scanning -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "subject"),
    [
        ("sub-07/ses-1/eeg/sub-07_task-x_eeg.vhdr", "07"),
        ("Subject00_1.edf", "Subject00"),
        ("subject0001/session001/data.csv", "subject0001"),
        ("S001R03.edf", "S001"),
        ("edf01/002/eeg.edf", "edf01"),
        ("chb03/chb03_12.edf", "chb03"),
        ("sub-P001_ses-S001_task-T1_run-001_eeg.xdf", "P001"),
        ("lonely.eeg.xdf", "lonely"),
    ],
)
def test_subjects_from_paths(name: str, subject: str) -> None:
    assert subject_of(name) == subject


def test_scan_finds_recordings_only(folder: Path) -> None:
    sources, _ = scan(folder)
    assert [s.subject for s in sources] == ["lab/01", "lab/02", "lab/02", "lab/03"]
    assert sources[0].name == "sub-01/eeg/sub-01_task-rest_eeg.csv"
    chosen, without = scan(folder, ScanOptions(dataset="d", include=("*rest*",), exclude_subjects=("d/01",)))
    assert [s.subject for s in chosen] == ["d/02"]
    assert without == ["d/01"]
    named, _ = scan(folder, ScanOptions(subject_pattern=r"sub-0(?P<subject>\d)", exclude=("*muse*",)))
    assert [s.subject for s in named] == ["lab/1", "lab/2", "lab/3"]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"subject_pattern": "("}, "no regular expression"),
        ({"subject_pattern": "person(.)"}, "does not match"),
        ({"include": ("*.gdf",)}, "that the patterns take"),
        ({"dataset": "a/b"}, "without slashes"),
    ],
)
def test_scan_refuses(folder: Path, options, text: str) -> None:
    with pytest.raises(NeuriptError, match=text):
        scan(folder, ScanOptions(**options))


def test_missing_and_empty_folders(tmp_path: Path) -> None:
    with pytest.raises(NeuriptError, match="there is no folder"):
        prepare([tmp_path / "none"], tmp_path / "out", SHORT)
    (tmp_path / "empty").mkdir()
    with pytest.raises(NeuriptError, match=r"holds no recordings; known endings are \.xdf"):
        prepare([tmp_path / "empty"], tmp_path / "out", SHORT)
    assert not (tmp_path / "out").exists()


def test_unreadable_folder(folder: Path, monkeypatch) -> None:
    import os

    def walk(root, onerror):
        onerror(PermissionError(13, "Permission denied", str(root)))
        return iter(())

    monkeypatch.setattr(os, "walk", walk)
    with pytest.raises(NeuriptError, match="lab cannot be read: Permission denied"):
        scan(folder)


# --- shards -------------------------------------------------------------------------------------


def test_a_shard_is_plain_arrow(tmp_path: Path, rng) -> None:
    import pyarrow as pa

    x = rng.standard_normal((BATCH + 3, 2, 8)).astype(np.float32)
    write_shard(tmp_path / "a.arrow", x, np.arange(len(x)) * 4.0, {"subject": "d/1"})
    table = pa.ipc.open_file(tmp_path / "a.arrow").read_all()
    flat = np.array(table.column("x").to_pylist(), dtype=np.float32)
    np.testing.assert_array_equal(flat.reshape(x.shape), x)
    assert json.loads(table.schema.metadata[b"neuript"])["subject"] == "d/1"
    shard = Shard(tmp_path / "a.arrow")
    assert [len(block) for block in shard.blocks] == [BATCH, 3]
    assert shard.start_s[-1] == 4.0 * (BATCH + 2)
    assert list(tmp_path.iterdir()) == [tmp_path / "a.arrow"]


@pytest.mark.parametrize("damage", ["cut", "text", "other arrow"])
def test_damaged_shards(tmp_path: Path, damage: str) -> None:
    import pyarrow as pa

    path = tmp_path / "a.arrow"
    write_shard(path, np.ones((3, 2, 8), np.float32), np.arange(3.0), {})
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:-40])
    elif damage == "text":
        path.write_text("hello")
    else:
        table = pa.table({"x": [1, 2]})
        with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
            writer.write_table(table)
    with pytest.raises(NeuriptError, match=r"a\.arrow"):
        Shard(path)
