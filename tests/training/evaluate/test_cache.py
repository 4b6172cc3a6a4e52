"""The cache of protocols: same windows, nothing cleaned twice, whatever interrupted the last run."""

from __future__ import annotations

import errno
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import numpy as np
import pytest

from neuript.errors import NeuriptError
from neuript.locks import locked, log
from neuript.montages import load_montage
from neuript.training.evaluate.protocols import cache
from neuript.training.evaluate.protocols import gather as build
from neuript.training.evaluate.protocols.definition import EvalProtocol, ProtocolFile
from neuript.training.evaluate.protocols.gather import RecordingPart


def protocol_of(folder: Path, n: int = 4) -> EvalProtocol:
    """A protocol of `n` files whose cleaning is replaced by `part_of` below."""
    for i in range(n):
        (folder / f"{i}.edf").write_text(f"recording {i}")
    return EvalProtocol(
        name="toy",
        dataset="toy",
        title="toy",
        classes=("a", "b"),
        montage="sleep-edfx",
        window_s=0.125,
        metrics=("balanced_accuracy",),
        find=lambda where: [
            ProtocolFile(p, p.stem, ("train", "val", "test")[i % 3]) for i, p in enumerate(sorted(where.glob("*.edf")))
        ],
        marks=lambda source, recording, cleaned: [],
        layout="N.edf",
        how_to_get="nowhere",
        split_rule="in turn",
    )


@pytest.fixture
def cleaned(monkeypatch):
    """Names of the recordings that were cleaned; recording i gives i windows."""
    names: list[str] = []

    def part_of(protocol, source, montage):
        names.append(source.path.stem)
        i = int(source.path.stem)
        x = np.random.default_rng(i).normal(size=(i, 2, 8)).astype(np.float32)
        lost = (("bad channels", 2),) if i == 3 else ()
        return RecordingPart(x, np.arange(i) % 2, np.arange(i) * 0.125, f"hash{i}", lost, ("a note",))

    monkeypatch.setattr(build, "part_of", part_of)
    return names


def assert_same(one, two):
    np.testing.assert_array_equal(one.x, two.x)
    for name in ("y", "subject", "recording", "start_s", "split"):
        np.testing.assert_array_equal(getattr(one, name), getattr(two, name))
    assert one.file_hashes == two.file_hashes == {f"hash{i}" for i in range(4)}
    assert one.dropped == two.dropped
    assert one.notes == two.notes


def load(protocol, tmp_path, **kwargs):

    return protocol.load(tmp_path / "data", cache=tmp_path / "cache", **kwargs)


@pytest.fixture
def protocol(tmp_path):
    (tmp_path / "data").mkdir()
    return protocol_of(tmp_path / "data")


def test_the_second_load_reads_what_the_first_wrote(protocol, tmp_path, cleaned):
    plain = protocol.load(tmp_path / "data")
    first = load(protocol, tmp_path)
    assert len(cleaned) == 8
    seen = []
    second = load(protocol, tmp_path, progress=lambda *a: seen.append(a))
    assert len(cleaned) == 8
    assert seen[-1] == (4, 4, "2.edf")
    assert second.split.tolist() == ["train"] * 3 + ["val"] + ["test"] * 2  # 0 and 3, 1, 2: in one piece each
    assert_same(plain, first)
    assert_same(first, second)
    (folder,) = (tmp_path / "cache").iterdir()
    assert "building" not in folder.name


def test_another_montage_file_or_choice_is_another_cache(protocol, tmp_path, cleaned):
    load(protocol, tmp_path)
    load(protocol, tmp_path, montage=load_montage("10-20").pick(["C3", "C4"]))
    assert len(cleaned) == 8
    load(protocol, tmp_path, subjects=["2"])
    assert len(cleaned) == 9
    (tmp_path / "data" / "0.edf").write_text("a longer recording than before")
    load(protocol, tmp_path)
    assert len(cleaned) == 13


class Killed(BaseException):
    pass


def interrupted(protocol, tmp_path, after):
    def progress(done, total, name):
        if done == after:
            raise Killed

    with pytest.raises(Killed):
        load(protocol, tmp_path, progress=progress)
    (left,) = (tmp_path / "cache").glob("*.building")
    return left


@pytest.mark.parametrize("damage", ["none", "half a recording", "half a line", "lost windows"])
def test_an_interrupted_run_goes_on_where_it_was(protocol, tmp_path, cleaned, damage):
    plain = protocol.load(tmp_path / "data")
    left = interrupted(protocol, tmp_path, 3)
    x, journal = left / "x.f32", left / "journal.jsonl"
    again = 1
    if damage == "half a recording":
        x.write_bytes(x.read_bytes() + b"half a recording")
    elif damage == "half a line":
        journal.write_bytes(journal.read_bytes()[:-5])
        again = 2
    elif damage == "lost windows":  # the line reached the disk, its windows did not
        x.write_bytes(x.read_bytes()[:-4])
        again = 2
    del cleaned[:]
    assert_same(load(protocol, tmp_path), plain)
    assert len(cleaned) == again
    assert not list((tmp_path / "cache").glob("*building*"))


def test_who_comes_while_another_writes_waits_and_cleans_nothing_again(protocol, tmp_path, cleaned):
    with ThreadPoolExecutor(1) as pool:
        second = []

        def progress(done, total, name):
            if done == 2:
                second.append(pool.submit(load, protocol, tmp_path))

        first = load(protocol, tmp_path, progress=progress)
        assert_same(second[0].result(timeout=60), first)
    assert cleaned == ["0", "3", "1", "2"]  # split after split
    assert_same(first, protocol.load(tmp_path / "data"))
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_a_living_process_of_another_host_keeps_its_folder(protocol, tmp_path, cleaned, monkeypatch):
    """Its process id is nobody's here; the lock is what counts."""
    said = Event()
    monkeypatch.setattr(log, "info", lambda *_: said.set())
    left = interrupted(protocol, tmp_path, 2)
    before = {p.name: p.read_bytes() for p in left.iterdir()}
    with ThreadPoolExecutor(1) as pool:
        with locked(left.with_name(f".{left.stem}.lock")) as free:
            assert free
            waiting = pool.submit(load, protocol, tmp_path)
            assert said.wait(timeout=30)
            assert {p.name: p.read_bytes() for p in left.iterdir()} == before
        assert_same(waiting.result(timeout=60), protocol.load(tmp_path / "data"))


def test_a_full_disk_is_said_and_what_is_there_is_used(protocol, tmp_path, cleaned, monkeypatch):
    class Full:
        def __init__(self, file):
            self.file, self.left = file, 3

        def write(self, data):
            self.left -= 1
            if self.left < 0:
                self.file.write(data[: len(data) // 2])
                raise OSError(errno.ENOSPC, "No space left on device")
            return self.file.write(data)

        def __getattr__(self, name):
            return getattr(self.file, name)

    real = cache._behind
    monkeypatch.setattr(cache, "_behind", lambda path, n: Full(real(path, n)))
    with pytest.raises(NeuriptError, match=r"No space left.*what is there is used"):
        load(protocol, tmp_path)
    monkeypatch.setattr(cache, "_behind", real)
    del cleaned[:]
    assert_same(load(protocol, tmp_path), protocol.load(tmp_path / "data"))
    assert cleaned[0] == "2"  # the recordings before were not cleaned again


def test_a_damaged_folder_is_named(protocol, tmp_path, cleaned):
    load(protocol, tmp_path)
    (final,) = (tmp_path / "cache").iterdir()
    x = final / "x.f32"
    x.write_bytes(x.read_bytes()[:-4])
    with pytest.raises(NeuriptError, match=r"is damaged: x.f32 has .*delete this folder"):
        load(protocol, tmp_path)
    journal = final / "journal.jsonl"
    journal.write_bytes(journal.read_bytes()[:-4])
    with pytest.raises(NeuriptError, match=r"is damaged: its journal does not know 2.edf"):
        load(protocol, tmp_path)


def test_large_data_are_mapped_and_can_become_tensors(protocol, tmp_path, cleaned, monkeypatch):
    import torch

    monkeypatch.setattr(cache, "MAP_BYTES", 16)
    data = load(protocol, tmp_path)
    assert isinstance(data.x, np.memmap)
    before = (next((tmp_path / "cache").iterdir()) / "x.f32").read_bytes()
    tensor = torch.from_numpy(data.x)  # a read-only map would warn
    tensor += 1
    assert (next((tmp_path / "cache").iterdir()) / "x.f32").read_bytes() == before
