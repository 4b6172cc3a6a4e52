"""The feedback's task with times as arguments: targets, hits, misses, the cursor, what is void, what flickers."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from scipy.stats import binomtest

from neuript.errors import NeuriptError
from neuript.realtime.decoding.decoder_header import DecoderHeader
from neuript.realtime.feedback.feedback_results import HitRate, TargetEnd, hit_rate, results_to_dict
from neuript.realtime.feedback.feedback_spec import FeedbackSpec, cursor_axis, target_order
from neuript.realtime.feedback.feedback_task import Command, FeedbackTask, TargetPhase
from neuript.realtime.feedback.steady import Steady

THREE = DecoderHeader(task="mi", classes=("left_hand", "right_hand", "rest"), idle_class="rest")
FRAME_S = 1 / 64
NEUTRAL = {"left_hand": 0.3, "right_hand": 0.3, "rest": 0.4}


def evidence(name: str) -> dict[str, float]:
    return {c: 0.8 if c == name else 0.1 for c in THREE.classes}


class Walk:
    """A session that goes on frame by frame."""

    def __init__(self, header: DecoderHeader = THREE, **settings) -> None:
        self.task = FeedbackTask(FeedbackSpec(**settings), header)
        self.now = 1000.0
        self.phases: list[tuple[float, TargetPhase]] = []

    def go(self, seconds: float, command: Command | None = None, until: TargetPhase | None = None) -> None:
        for _ in range(round(seconds / FRAME_S)):
            self.now += FRAME_S
            before = self.task.phase
            after = self.task.advance(self.now, command or Command(evidence=NEUTRAL))
            if after is not before:
                self.phases.append((self.now, after))
            if after is until:
                return
        assert until is None, f"still {self.task.phase} after {seconds} s"

    def to_target(self) -> str:
        self.go(30, until=TargetPhase.TARGET)
        return self.task.target


@pytest.mark.parametrize("seed", range(4))
def test_targets_are_balanced_in_every_block_and_drawn_by_the_seed(seed):
    order = target_order(THREE.classes, 12, seed)
    assert all(set(order[k : k + 3]) == set(THREE.classes) for k in range(0, 36, 3))
    assert order == target_order(THREE.classes, 12, seed)
    assert order != target_order(THREE.classes, 12, seed + 100)


def test_the_bar_is_hit_by_the_command_asked_for_and_missed_by_another_one():
    walk = Walk(n_per_class=2)
    for k in range(6):
        target = walk.to_target()
        walk.go(1.5)
        right = k % 2 == 0
        given = target if right else next(c for c in ("left_hand", "right_hand") if c != target)
        if target == "rest" and right:
            walk.go(20, until=TargetPhase.RESULT)
        else:
            walk.go(FRAME_S, Command(evidence=evidence(given), begun=given))
        assert walk.task.phase is TargetPhase.RESULT
        result = walk.task.results[-1]
        assert (result.target, result.answer) == (target, given)
        assert result.outcome is (TargetEnd.HIT if right else TargetEnd.MISS)
        assert result.time_s == pytest.approx(8.0 if (target, right) == ("rest", True) else 1.5, abs=2 * FRAME_S)
    walk.go(30, until=TargetPhase.DONE)
    assert Counter(r.target for r in walk.task.results) == dict.fromkeys(THREE.classes, 2)


def test_nothing_in_time_is_neither_hit_nor_miss():
    walk = Walk(classes=("left_hand", "right_hand"), n_per_class=1, target_s=3.0)
    walk.to_target()
    walk.go(3.0 + 2 * FRAME_S)
    assert walk.task.results[-1].outcome is TargetEnd.TIMEOUT


@pytest.mark.parametrize("speed", [0.25, 0.5, 2.0])
def test_the_cursor_moves_as_fast_as_said_and_is_hit_at_the_edge(speed):
    walk = Walk(kind="cursor", classes=("left_hand", "right_hand"), n_per_class=1, speed=speed, target_s=60.0)
    target = walk.to_target()
    walk.go(60, Command(evidence=evidence(target)), until=TargetPhase.RESULT)
    result = walk.task.results[-1]
    assert result.outcome is TargetEnd.HIT
    assert result.time_s == pytest.approx(1 / (0.7 * speed), abs=2 * FRAME_S)
    assert walk.task.position == pytest.approx(1.0 if target == "right_hand" else -1.0)


def test_the_cursor_stays_where_there_is_rest_and_leaving_is_a_miss():
    for name, outcome in (("rest", TargetEnd.HIT), ("left_hand", TargetEnd.MISS)):
        walk = Walk(kind="cursor", n_per_class=1, seed=1)
        while walk.to_target() != "rest":
            walk.go(30, until=TargetPhase.PAUSE)
        walk.go(30, Command(evidence=evidence(name)), until=TargetPhase.RESULT)
        assert walk.task.results[-1].outcome is outcome


def test_left_is_on_the_left_and_one_class_has_its_place_at_one_end():
    assert cursor_axis(("right_hand", "left_hand"), None).minus == "left_hand"
    assert cursor_axis(("feet", "tongue"), None).minus == "feet"
    one = cursor_axis(("right_hand", "rest"), "rest")
    assert (one.minus, one.plus, one.low) == (None, "right_hand", 0.0)
    assert one.drive({"right_hand": 0.9, "rest": 0.1}, "rest") == pytest.approx(0.8)
    with pytest.raises(NeuriptError, match=r"left, right, feet; choose two with --classes, or --task bar"):
        cursor_axis(("left", "right", "feet"), None)


def test_a_short_silence_stops_the_clock_and_a_long_one_makes_the_target_void():
    walk = Walk(classes=("left_hand", "right_hand"), n_per_class=1)
    first = walk.to_target()
    walk.go(2.0)
    walk.go(0.4, Command(evidence=None, state="OVERLOAD"))
    walk.go(1.0)
    assert walk.task.left_s == pytest.approx(5.0, abs=3 * FRAME_S)
    walk.go(0.6, Command(evidence=None, state="BAD_SIGNAL"))
    assert walk.task.phase is TargetPhase.RESULT
    assert (walk.task.results[-1].outcome, walk.task.results[-1].state) == (TargetEnd.VOID, "BAD_SIGNAL")
    walk.go(10, Command(evidence=None, state="BAD_SIGNAL"))
    assert walk.task.phase is TargetPhase.WAITING
    asked = []
    while walk.task.phase is not TargetPhase.DONE:
        asked.append(walk.to_target())
        walk.go(FRAME_S, Command(evidence=evidence(asked[-1]), begun=asked[-1]))
        walk.go(10, until=TargetPhase.DONE if len(asked) == 2 else TargetPhase.PAUSE)
    assert asked[-1] == first
    assert set(asked) == {"left_hand", "right_hand"}
    rate = hit_rate(walk.task.results, None)
    assert (rate.n_hits, rate.n_targets) == (2, 2)


def test_nothing_moves_while_it_is_paused_and_a_jump_of_the_clock_does_not_count():
    walk = Walk(kind="cursor", classes=("left_hand", "right_hand"), n_per_class=1)
    target = walk.to_target()
    walk.task.paused = True
    walk.go(100, Command(evidence=evidence(target), begun=target))
    assert (walk.task.phase, walk.task.position) == (TargetPhase.TARGET, 0.0)
    walk.task.paused = False
    walk.now += 3600
    walk.go(FRAME_S)
    assert walk.task.phase is TargetPhase.TARGET
    assert walk.task.left_s > 7.5


@pytest.mark.parametrize("seed", range(6))
def test_whatever_the_decoder_does_nothing_flashes_faster_than_three_times_a_second(seed):
    """A decoder that flips between states and commands at every frame; photosensitive people look at this."""
    rng = np.random.default_rng(seed)
    walk = Walk(n_per_class=40, target_s=0.5, pause_s=0.5, shown_s=0.5)
    steady, words = Steady("OK", 0.5), []
    for _ in range(64 * 60):
        dead = rng.random() < (0.95 if walk.now % 8 < 4 else 0.3)
        begun = str(rng.choice(THREE.classes[:2])) if rng.random() < 0.5 else None
        walk.go(FRAME_S, Command(evidence=None if dead else NEUTRAL, begun=None if dead else begun, state="GAP"))
        if steady.show("GAP" if dead else "OK", walk.now) != (words[-1][1] if words else "OK"):
            words.append((walk.now, steady.value))
    for changes in (walk.phases, words):
        times = np.array([t for t, _ in changes])
        assert len(times) > 20
        within = np.searchsorted(times, times + 1.0) - np.arange(len(times))
        assert within.max() <= 6  # six changes are three flashes


def test_rates_have_the_exact_interval():
    for n_hits, n_targets in ((0, 5), (3, 7), (20, 20)):
        rate = HitRate(n_hits=n_hits, n_targets=n_targets, median_hit_s=None)
        exact = binomtest(n_hits, n_targets).proportion_ci(0.95, method="exact")
        assert rate.interval == pytest.approx((exact.low, exact.high))
    assert HitRate(n_hits=0, n_targets=0, median_hit_s=None).words == "no target yet"
    assert HitRate(n_hits=3, n_targets=7, median_hit_s=None).words == "3 of 7 hit: 43 % (10 to 82 %)"


def test_the_results_hold_everything():
    walk = Walk(classes=("left_hand", "rest"), n_per_class=1)
    for _ in range(2):
        if walk.to_target() == "left_hand":
            walk.task.shown(1234.5)
            walk.go(FRAME_S, Command(evidence=evidence("left_hand"), begun="left_hand"))
        walk.go(30, until=TargetPhase.RESULT) if walk.task.phase is TargetPhase.TARGET else None
    walk.go(30, until=TargetPhase.DONE)
    said = results_to_dict(walk.task.results, THREE, {"seed": 520}, walk.task.classes)
    assert said["all"]["rate"] == 1.0
    assert said["per_class"]["left_hand"]["n_targets"] == 1
    assert said["per_class"]["rest"]["median_hit_s"] is None
    assert 1234.5 in [t["t"] for t in said["targets"]]
    assert [t["outcome"] for t in said["targets"]] == ["hit", "hit"]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"n_per_class": 0}, "--targets 0 must be from 1"),
        ({"pause_s": 0.1}, "--pause 0.1 must be from 0.5"),
        ({"target_s": float("nan")}, "--time nan must be"),
        ({"speed": 0.0}, "--speed 0 must be"),
        ({"classes": ("feet",)}, "feet is no class of this decoder; it has left_hand, right_hand, rest"),
        ({"classes": ("rest",)}, "rest alone means no command"),
    ],
)
def test_what_cannot_be_asked_for_is_said(settings, words):
    with pytest.raises(NeuriptError, match=words):
        Walk(**settings)
