"""The plan of a session is the same however often it is begun, and what is left of it is what nobody did."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from neuript.training.calibration.calibration_spec import CalibrationSpec
from neuript.training.guided.guided_spec import GuidedSpec
from neuript.training.guided.session_plan import plan_session, practice, still_to_do

CLASSES = ("left_hand", "right_hand", "rest")


def spec(trials: int = 12, block: int = 5, seed: int = 3, practised: int = 1) -> GuidedSpec:
    return GuidedSpec(
        subject="S01",
        classes=CLASSES,
        trials_per_class=trials,
        trials_per_block=block,
        practice_per_class=practised,
        seed=seed,
        calibration=CalibrationSpec(event_map={name: name for name in CLASSES}),
    )


@pytest.mark.parametrize(("trials", "block"), [(5, 1), (12, 5), (20, 5), (7, 50)])
def test_every_class_comes_equally_often_in_every_block(trials: int, block: int):
    blocks = plan_session(spec(trials, block))
    assert [b.number for b in blocks] == list(range(1, len(blocks) + 1))
    assert [t.trial for b in blocks for t in b.trials] == list(range(1, 3 * trials + 1))
    assert Counter(t.cls for b in blocks for t in b.trials) == dict.fromkeys(CLASSES, trials)
    for one in blocks:
        assert len(set(Counter(t.cls for t in one.trials).values())) == 1


def test_the_same_seed_gives_the_same_session_and_another_one_another():
    assert plan_session(spec()) == plan_session(spec())
    assert plan_session(spec(seed=4)) != plan_session(spec())


def test_practice_has_numbers_of_its_own():
    block = practice(spec(practised=2))
    assert block is not None
    assert Counter(t.cls for t in block.trials) == dict.fromkeys(CLASSES, 2)
    planned = {t.trial for b in plan_session(spec(500, 50)) for t in b.trials}
    assert not planned & {t.trial for t in block.trials}
    assert practice(spec(practised=0)) is None


def test_what_is_left_is_what_a_plain_account_of_the_journal_says():
    blocks = plan_session(spec())
    rng = np.random.default_rng(8)
    for _ in range(50):
        journal, last = [{"event": "stream"}], {}
        for _ in range(int(rng.integers(0, 60))):
            if rng.random() < 0.05:
                number = int(rng.integers(1, 4))
                journal.append({"event": "repeat", "block": number})
                last |= {t.trial: "again" for b in blocks if b.number == number for t in b.trials}
            else:
                trial, status = int(rng.integers(1, 37)), str(rng.choice(["done", "skipped", "aborted"]))
                journal.append({"event": "trial", "trial": trial, "status": status})
                last[trial] = status
        over = {trial for trial, status in last.items() if status in ("done", "skipped")}
        left = [t.trial for b in still_to_do(blocks, journal) for t in b.trials]
        assert left == [n for n in range(1, 37) if n not in over]
