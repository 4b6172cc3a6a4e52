"""The shards of a corpus, checked by all processes of a machine together before the first step."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

from neuript.errors import NeuriptError
from neuript.training.pretrain.distributed import World


def run_checks(checks: Sequence[Callable[[], None]], world: World) -> None:
    """Run checks, each machine's divided among its processes.

    After each of them all processes hear from all: however long the whole takes, nobody waits for longer than one.

    Parameters
    ----------
    checks : sequence of callables
        The same in every process; each raises NeuriptError where something is wrong.
    world : World
        The processes, which have found each other.

    Raises
    ------
    NeuriptError
        In every process, if a check of one of them failed.
    """
    local, n_local = int(os.environ.get("LOCAL_RANK", "0")), int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    mine = list(checks[local::n_local]) if local < n_local else []
    problem: NeuriptError | None = None
    while world.any(bool(mine)):
        if mine:
            try:
                mine.pop()()
            except NeuriptError as error:
                problem = error
        if world.any(problem is not None):
            raise problem or NeuriptError("another process found a shard that was changed; its log names it")
