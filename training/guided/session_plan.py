"""Which trials there are in which block, and which of them are still to be done."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from neuript.realtime.paradigm.cue_order import cue_order
from neuript.realtime.paradigm.trial_run import CuedTrial
from neuript.training.guided.guided_spec import GuidedSpec

PRACTICE_BLOCK = 0
"""Number of the block of practice; the others count from 1."""
PRACTICE_FROM = 1_000_000
"""Number of the first trial of practice, so that none of the others has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionBlock:
    """Trials between two breaks."""

    number: int
    trials: tuple[CuedTrial, ...]


def plan_session(spec: GuidedSpec) -> list[SessionBlock]:
    """Return all blocks of a session; the same seed gives the same, however often it is resumed.

    Trials count from 1, in the order in which they are to be shown.
    """
    blocks: list[SessionBlock] = []
    n_shown = 0
    for number in range(1, spec.n_blocks + 1):
        left = spec.trials_per_class - (number - 1) * spec.trials_per_block
        order = cue_order(spec.classes, min(left, spec.trials_per_block), number, spec.seed)
        trials = tuple(CuedTrial(trial=n_shown + k, cls=cls) for k, cls in enumerate(order, 1))
        n_shown += len(trials)
        blocks.append(SessionBlock(number=number, trials=trials))
    return blocks


def practice(spec: GuidedSpec) -> SessionBlock | None:
    """Return the block of practice; None without one."""
    if not spec.practice_per_class:
        return None
    order = cue_order(spec.classes, spec.practice_per_class, PRACTICE_BLOCK, spec.seed)
    trials = tuple(CuedTrial(trial=PRACTICE_FROM + k, cls=cls) for k, cls in enumerate(order))
    return SessionBlock(number=PRACTICE_BLOCK, trials=trials)


def still_to_do(blocks: Iterable[SessionBlock], journal: Iterable[Mapping[str, Any]]) -> list[SessionBlock]:
    """Return the blocks with the trials that are neither done nor skipped by a session's journal.

    The last word about a trial counts; a block that is to be repeated is all to do.
    """
    over: set[int] = set()
    blocks = list(blocks)
    for line in journal:
        if line["event"] == "trial":
            (over.add if line["status"] in ("done", "skipped") else over.discard)(int(line["trial"]))
        elif line["event"] == "repeat":
            again = next((b for b in blocks if b.number == line["block"]), None)
            over -= {t.trial for t in again.trials} if again else set()
    left = (replace(block, trials=tuple(t for t in block.trials if t.trial not in over)) for block in blocks)
    return [block for block in left if block.trials]
