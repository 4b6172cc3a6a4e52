"""Over many times: nothing is commanded by what is old, repeated, from the future, silent, or not OK."""

from __future__ import annotations

import math

import numpy as np
import pytest

from neuript.realtime.decoding.dead_man import GONE, LATE, SEARCHING, SILENT, DeadMan
from neuript.realtime.decoding.decision import Decision
from neuript.realtime.decoding.proba_row import pack_row
from neuript.realtime.decoding.states import STATE_ORDER, State

CLASSES = ("left_hand", "right_hand", "rest")


def row(decision: str | None = None, state: State = State.OK, p: float = 0.7) -> np.ndarray:
    numbers = None if state != State.OK else dict(zip(CLASSES, (p, 0.2, 0.1), strict=True))
    said = Decision(
        t=0.0, window_index=0, state=state, proba=numbers, evidence=numbers, decision=decision, confidence=p,
        sample_age_ms=2.0, latency_ms={"total": 7.0},
    )  # fmt: skip
    return np.array(pack_row(said, CLASSES), np.float32)


@pytest.fixture
def connected() -> DeadMan:
    dead_man = DeadMan(1.0)
    dead_man.connect(CLASSES, 99.9)
    dead_man.take(row(), 99.95, 100.0)
    return dead_man


def test_a_command_begins_once_and_is_held_until_it_ends(connected):
    taken = [
        connected.take(row(d), t, t) for t, d in ((100.1, "left_hand"), (100.2, "left_hand"), (100.3, None))
    ]  # fmt: skip
    assert [(d.decision, d.committed) for d in taken] == [("left_hand", True), ("left_hand", False), (None, False)]
    assert taken[0].proba == {"left_hand": 0.7, "right_hand": 0.2, "rest": 0.1}
    assert taken[0].to_json_line() == (
        '{"t": 100.1, "proba": {"left_hand": 0.7, "right_hand": 0.2, "rest": 0.1}, "decision": "left_hand", '
        '"confidence": 0.7, "state": "OK", "sample_age_ms": 2.0, "latency_ms": {"total": 7.0}}'
    )


def test_one_command_after_the_other_without_a_pause_are_two(connected):
    taken = [connected.take(row(d), t, t) for t, d in ((100.1, "left_hand"), (100.2, "right_hand"))]
    assert [(d.decision, d.committed) for d in taken] == [("left_hand", True), ("right_hand", True)]


@pytest.mark.parametrize("age_s", [-3600.0, -1.1, 1.001, 1.5, 60.0, 7e5])
def test_a_row_from_another_time_commands_nothing_and_is_no_sign_of_life(connected, age_s):
    for k in range(20):
        now = 100.1 + k / 8
        assert connected.take(row("left_hand"), now - age_s, now) is None
    assert connected.state(now) == LATE


@pytest.mark.parametrize("age_s", [0.0, 0.05, 0.999, -0.2])
def test_a_row_that_is_young_enough_commands(connected, age_s):
    assert connected.take(row("left_hand"), 101.0 - age_s if age_s > 0.9 else 100.5 - age_s, 101.0 - 0.001).committed


def test_a_repeated_row_and_one_out_of_order_command_nothing(connected):
    assert connected.take(row("left_hand"), 100.2, 100.2).committed
    assert connected.take(row(), 100.3, 100.3).decision is None
    for stamp in (100.3, 100.2, 100.1, math.nan):
        assert connected.take(row("left_hand"), stamp, 100.4) is None
    for k in range(30):
        connected.take(row("left_hand"), 100.3, 100.4 + k / 8)
    assert connected.state(100.4 + 29 / 8) == LATE


@pytest.mark.parametrize("state", [s for s in STATE_ORDER if s is not State.OK])
def test_in_no_other_state_is_there_anything_to_act_on(connected, state):
    assert connected.take(row("left_hand", state), 100.1, 100.1) is None
    assert connected.state(100.1) == state
    again = connected.take(row("left_hand"), 100.2, 100.2)  # the decoder was watched: this one truly begins
    assert (again.decision, again.committed) == ("left_hand", True)


def test_silence_is_noticed_at_every_moment_after_the_limit(connected):
    for after_s in np.arange(0.0, 30.0, 0.01):
        assert connected.state(100.0 + after_s) == ("OK" if after_s <= 1.0 else SILENT)


def test_a_command_that_began_unseen_is_not_given_later(connected):
    """After a silence and after a reconnection alike; the next one is, whichever it is."""
    assert connected.take(row("left_hand"), 102.0, 102.0).decision is None
    assert connected.take(row("left_hand"), 102.1, 102.1).decision is None
    changed = connected.take(row("right_hand"), 102.2, 102.2)
    assert (changed.decision, changed.committed) == ("right_hand", True)
    connected.connect(CLASSES, 102.3)
    first = connected.take(row("left_hand"), 102.4, 102.4)
    assert (first.decision, first.committed) == (None, False)
    assert connected.take(row(), 102.5, 102.5).decision is None
    assert connected.take(row("left_hand"), 102.6, 102.6).committed


@pytest.mark.parametrize("broken", [0, 1, 4, 8])
def test_a_row_that_says_ok_and_lacks_a_number_is_not_taken(connected, broken):
    values = row("left_hand")
    values[broken] = math.nan
    assert connected.take(values, 100.1, 100.1) is None
    assert connected.state(101.5) != "OK"


def test_a_state_of_a_later_version_is_not_ok(connected):
    values = row("left_hand")
    values[len(CLASSES) + 2] = 42
    assert connected.take(values, 100.1, 100.1) is None
    assert connected.state(100.1) == "STATE 42"


def test_streams_come_and_go():
    dead_man = DeadMan(1.0)
    assert dead_man.state(5.0) == SEARCHING
    assert dead_man.take(row("left_hand"), 5.0, 5.0) is None
    dead_man.disconnect()
    assert dead_man.state(5.0) == SEARCHING
    dead_man.connect(CLASSES, 6.0)
    assert (dead_man.state(6.5), dead_man.state(7.5)) == (SEARCHING, SILENT)
    dead_man.disconnect()
    assert dead_man.state(7.6) == GONE


@pytest.mark.parametrize("state", [State.STALE, State.LOST, State.PAUSED])
def test_a_stop_is_believed_without_a_new_sample(connected, state):
    """A stream that fell silent repeats the stamp of its last sample; what is held must not wait for the limit."""
    assert connected.take(row("left_hand"), 100.2, 100.2).committed
    assert connected.take(row(state=state), 100.2, 100.3) is None
    assert connected.state(100.3) == state
    held = connected.take(row("left_hand"), 100.4, 100.4)
    assert held.decision == "left_hand"
