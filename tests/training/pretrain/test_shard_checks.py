"""Checks of shards, divided among the processes of a machine."""

from __future__ import annotations

import pytest
import torch

from neuript.errors import NeuriptError
from neuript.training.pretrain.distributed import World
from neuript.training.pretrain.shard_checks import run_checks

ALONE = World(0, 1, torch.device("cpu"))


def test_the_processes_of_a_machine_divide_the_checks(monkeypatch):
    done = []
    checks = [lambda i=i: done.append(i) for i in range(7)]
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "3")
    for local, own in enumerate(([0, 3, 6], [1, 4], [2, 5])):
        done.clear()
        monkeypatch.setenv("LOCAL_RANK", str(local))
        run_checks(checks, ALONE)
        assert sorted(done) == own
    for name in ("LOCAL_RANK", "LOCAL_WORLD_SIZE"):
        monkeypatch.delenv(name)
    done.clear()
    run_checks(checks, ALONE)
    assert sorted(done) == list(range(7))


def test_a_check_that_fails_ends_all():
    def changed():
        raise NeuriptError("shard 3 was changed")

    with pytest.raises(NeuriptError, match="shard 3"):
        run_checks([changed, lambda: None], ALONE)
