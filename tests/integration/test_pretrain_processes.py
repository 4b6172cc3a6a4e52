"""Pretraining in processes of its own: killed, one of two lost, copied (DDP) and sharded (FSDP2), over gloo."""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from contextlib import ExitStack
from pathlib import Path

import fake_corpus
import pytest
import torch
from processes import finished, running
from safetensors.torch import load_file

from neuript.modelfile.checkpoint import load_checkpoint
from neuript.training.pretrain import PretrainRun, pretrain, read_log, snapshots

HELPER = Path(__file__).resolve().parents[1] / "helpers" / "fake_corpus.py"
pytestmark = pytest.mark.timeout(300)
SETTINGS = {"steps": 7}
LIMIT_S = 250  # of a process; importing PyTorch takes most of it on a busy machine


def run_alone(out: Path, settings: dict, **environment: str) -> tuple[int, str]:
    """Return the exit code and stderr of a pretraining in a process of its own."""
    done = finished(command(out, settings), env={"OMP_NUM_THREADS": "1", **environment}, within_s=LIMIT_S)
    return done.returncode, done.stderr


def command(out: Path, settings: dict) -> list[str]:
    return [sys.executable, "-P", str(HELPER), str(out), json.dumps({**SETTINGS, **settings})]


def run_two(out: Path, settings: dict, **environment: str) -> list[tuple[int, str, str]]:
    """Return the exit codes, stderrs and stdouts of two processes that pretrain together."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    common = {"OMP_NUM_THREADS": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
    common |= {"LOCAL_WORLD_SIZE": "2", **environment}
    with ExitStack() as stack:
        ranks = [{"RANK": str(r), "LOCAL_RANK": str(r)} for r in range(2)]
        children = [stack.enter_context(running(command(out, settings), env=common | rank)) for rank in ranks]
        return [(child.wait(LIMIT_S), child.err, child.out) for child in children]


def losses(out: Path) -> list[float]:
    entries = read_log(out, "train")
    assert [e["step"] for e in entries] == list(range(1, 8))
    return [v for e in entries for v in (e["loss"], e["aux"])]


@pytest.fixture(scope="module")
def run() -> PretrainRun:
    return PretrainRun(**{**fake_corpus.TINY, **SETTINGS})


@pytest.fixture(scope="module")
def whole(run, tmp_path_factory) -> Path:
    """A run that nothing happened to."""
    out = tmp_path_factory.mktemp("whole")
    pretrain(run, fake_corpus.make_corpus(), out)
    return out


def test_killed_and_resumed_gives_the_same_curve(run, whole, tmp_path):
    code, _ = run_alone(tmp_path, {}, FAIL_RANK="0", FAIL_STEP="5")
    assert code == -signal.SIGKILL
    assert [e["step"] for e in read_log(tmp_path, "train")] == [1, 2, 3, 4, 5]
    pretrain(run, fake_corpus.make_corpus(), tmp_path, resume="must")
    assert losses(tmp_path) == losses(whole)  # to the last bit
    ends = [load_checkpoint(d / "encoder.safetensors")[0] for d in (tmp_path, whole)]
    assert ends[0].weights_sha256 == ends[1].weights_sha256


def test_two_processes_one_dies_and_one_alone_goes_on(run, whole, tmp_path):
    ends = run_two(tmp_path, {}, FAIL_RANK="1", FAIL_STEP="4")
    assert ends[1][0] == -signal.SIGKILL
    assert ends[0][0] == 2
    assert "process 0 of 2 lost the others" in ends[0][1]
    assert "goes on from the last checkpoint" in ends[0][1]
    assert snapshots.latest(tmp_path)[1]["step"] == 3
    pretrain(run, fake_corpus.make_corpus(), tmp_path, resume="must")
    assert [e["processes"] for e in read_log(tmp_path, "start")] == [2, 1]
    assert losses(tmp_path) == pytest.approx(losses(whole), rel=1e-6)


def test_sharded_over_two_processes_goes_on_with_the_run_of_one(run, whole, tmp_path):
    def stop(status):
        if status.step == 2:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        pretrain(run, fake_corpus.make_corpus(), tmp_path, progress=stop)
    ends = run_two(tmp_path, {"shard": True})
    assert [code for code, *_ in ends] == [0, 0], ends
    assert [e["processes"] for e in read_log(tmp_path, "start")] == [1, 2]
    assert losses(tmp_path) == pytest.approx(losses(whole), rel=1e-4)
    a, b = (load_file(snapshots.find_checkpoints(d)[0]) for d in (tmp_path, whole))
    assert a.keys() == b.keys()
    assert {k.split(".")[0] for k in a} == {"model", "exp_avg", "exp_avg_sq"}
    top = max(float(v.max()) for k, v in b.items() if k.startswith("exp_avg_sq"))
    for name in (k.removeprefix("model.") for k in b if k.startswith("model.")):
        # keys' biases have no gradient but rounding, which Adam makes steps of
        real = b[f"exp_avg_sq.{name}"] > 1e-9 * top
        found, expected = a[f"model.{name}"][real], b[f"model.{name}"][real]
        torch.testing.assert_close(found, expected, rtol=0, atol=1e-6)
        for moment in ("exp_avg", "exp_avg_sq"):
            value = b[f"{moment}.{name}"]
            # predictions start at zero, where Adam's first steps are signs: rounding is larger above them
            largest = max(float(v.abs().max()) for k, v in b.items() if k.startswith(f"{moment}."))
            size = max(3e-2 * float(value.abs().max()), 1e-4 * largest)
            torch.testing.assert_close(a[f"{moment}.{name}"], value, rtol=0, atol=size)


def test_copies_check_shards_once_they_are_together_and_train_below_the_last_scale(tmp_path):
    """Blocks above the last scale that the decoder reads have no gradient, which copies must not wait for."""
    settings = {"steps": 2, "spec": {"decoder_scales": (0, 1)}}
    ends = run_two(tmp_path, settings)
    assert [code for code, *_ in ends] == [0, 0], ends
    said = [[line for line in out.splitlines() if line.startswith("CHECK")] for *_, out in ends]
    assert [sorted(lines) for lines in said] == [["CHECK 0 True", "CHECK 2 True"], ["CHECK 1 True"]]
    alone = tmp_path / "alone"
    pretrain(PretrainRun(**{**fake_corpus.TINY, **settings}), fake_corpus.make_corpus(), alone)
    two, one = ([e["loss"] for e in read_log(out, "train")] for out in (tmp_path, alone))
    assert two == pytest.approx(one, rel=1e-5)
