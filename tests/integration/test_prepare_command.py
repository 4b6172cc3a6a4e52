"""`neuript-train prepare` as a process: in parallel, killed, out of disk."""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from processes import finished, neuript, python, running

from neuript.cli import run_verb
from neuript.training.corpus import RECIPES, Corpus, prepare


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for person in range(9):
        x = 15 * (rng.standard_normal((1024, 4)) + rng.standard_normal((1024, 1)))  # as a scalp shares it
        table = np.column_stack([np.arange(1024) / 128, x])
        path = tmp_path / "lab" / f"sub-{person}.csv"
        path.parent.mkdir(exist_ok=True)
        np.savetxt(path, table, "%.7g", ",", header="timestamps,C3,Cz,C4,Pz", comments="")
    return tmp_path / "lab"


@pytest.fixture
def whole(folder: Path, tmp_path: Path) -> Path:
    prepare([folder], tmp_path / "whole", RECIPES["short"])
    return tmp_path / "whole"


def call(folder: Path, out: Path, *more: str, **how) -> subprocess.CompletedProcess[str]:
    return finished(command(folder, out, *more), within_s=100, **how)


def command(folder: Path, out: Path, *more: str) -> list[str]:
    return neuript("train", "prepare", folder, "--out", out, "--recipe", "short", *more)


def same(one: Path, other: Path) -> bool:
    Corpus.open(one, verify=True)
    return (one / "corpus.json").read_bytes() == (other / "corpus.json").read_bytes()


def test_in_parallel_it_makes_the_same_corpus(folder: Path, whole: Path, tmp_path: Path) -> None:
    done = call(folder, tmp_path / "two", "--workers", "2", "--json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["counts"] == {"kept": 9}
    assert same(tmp_path / "two", whole)


def test_killed_it_goes_on(folder: Path, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "killed"
    with running(command(folder, out)) as child:
        child.wait_until_it_says("[1/9]")  # said after the first recording is on disk
        child.process.kill()
        child.wait()
    n_left = 9 - len(list((out / "records").glob("*.json")))
    assert n_left <= 8
    assert prepare([folder], out, RECIPES["short"]).n_new == n_left
    assert same(out, whole)


@pytest.mark.skipif(sys.platform == "win32", reason="needs resource limits")
def test_out_of_disk_it_says_so_and_goes_on(folder: Path, whole: Path, tmp_path: Path) -> None:
    import resource

    def little() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))

    out = tmp_path / "full"
    short = call(folder, out, preexec_fn=little)
    assert short.returncode == 2
    assert "no room" in short.stderr
    assert "0 of 9 recordings are done and whole, so make room" in short.stderr
    assert list((out / "shards").iterdir()) == []
    assert prepare([folder], out, RECIPES["short"]).n_new == 9
    assert same(out, whole)


def test_help_is_light_and_bad_input_is_one_sentence(tmp_path: Path, capsys) -> None:
    assert run_verb("train", ["prepare", str(tmp_path / "none"), "--out", str(tmp_path)]) == 2
    assert capsys.readouterr().err == f"neuript train: there is no folder {tmp_path / 'none'}\n"
    code = (
        "import sys; from neuript.cli.train import prepare as t; t.build_parser().format_help(); "
        "sys.exit(any(m in sys.modules for m in ('torch', 'mne', 'scipy', 'pyarrow', 'dask')))"
    )
    finished(python(code), ok=True)


def test_where_nothing_could_be_kept_the_exit_says_so(tmp_path: Path, capsys) -> None:
    (tmp_path / "recordings").mkdir()
    (tmp_path / "recordings" / "a.edf").write_text("no EDF")
    argv = ["prepare", str(tmp_path / "recordings"), "--out", str(tmp_path / "corpus")]
    for more in ([], ["--json"]):
        assert run_verb("train", [*argv, *more]) == 2
        out, err = capsys.readouterr()
        assert "cannot be read as a recording" in out
        assert "none of the 1 recordings gave a window" in err
    assert "cannot be read" in (tmp_path / "corpus" / "report.csv").read_text()


def test_pretraining_refuses_a_flipped_bit(whole: Path, tmp_path: Path, capsys) -> None:
    corpus = tmp_path / "corpus"
    shutil.copytree(whole, corpus)
    shard = sorted((corpus / "shards").iterdir())[-1]
    content = bytearray(shard.read_bytes())
    content[len(content) // 2] ^= 1
    shard.write_bytes(content)
    argv = ["pretrain", str(corpus), "--out", str(tmp_path / "run"), "--steps", "1"]
    assert run_verb("train", argv) == 2
    assert f"{shard} has another SHA-256" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


@pytest.fixture
def scheduler(tmp_path: Path) -> Iterator[str]:
    """The address of a Dask scheduler with one worker, which has another working directory."""
    from dask.distributed import Client

    file, elsewhere = tmp_path / "scheduler.json", tmp_path / "elsewhere"
    elsewhere.mkdir()
    dask = [sys.executable, "-P", "-m"]
    shared = ["--scheduler-file", str(file), "--no-dashboard"]
    commands = (
        ["distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0", *shared],
        ["distributed.cli.dask_worker", "--nthreads", "1", "--no-nanny", *shared],
    )
    with contextlib.ExitStack() as stack:
        for words in commands:
            stack.enter_context(running([*dask, *words], cwd=elsewhere))
        with Client(scheduler_file=str(file), timeout=60) as client:
            client.wait_for_workers(1, timeout=60)
            address = client.scheduler.address
        yield address


def test_on_a_cluster_it_is_the_same_corpus(folder: Path, whole: Path, scheduler: str, tmp_path: Path) -> None:
    """Also with relative paths, which mean nothing to a worker."""
    done = call(Path("lab"), Path("far"), "--scheduler", scheduler, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert same(tmp_path / "far", whole)
