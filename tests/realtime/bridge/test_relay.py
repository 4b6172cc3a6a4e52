"""What outputs are told, with times as arguments."""

from __future__ import annotations

import numpy as np
import pytest

from neuript.realtime.bridge.rate_limit import RateLimit
from neuript.realtime.bridge.relay import BridgeStatus, Relay
from neuript.realtime.decoding.dead_man import DeadMan
from neuript.realtime.decoding.decision import Decision
from neuript.realtime.decoding.decoder_header import DecoderHeader
from neuript.realtime.decoding.states import State


class Heard:
    """An output that remembers."""

    def __init__(self, fails: bool = False) -> None:
        self.said: list[object] = []
        self.fails = fails

    def publish(self, decision: Decision) -> None:
        self.said.append((decision.decision, decision.committed))

    def tell(self, status: BridgeStatus) -> None:
        if self.fails:
            raise RuntimeError("broken")
        self.said.append(f"{status.state}{' stop' if status.stop else ''}")

    def close(self) -> None:
        self.said.append("closed")


def decision(t: float, name: str | None, begins: bool = False) -> Decision:
    return Decision(t=t, window_index=0, state=State.OK, decision=name, committed=begins)


def relay_of(*outputs: Heard, max_per_minute: int = 60) -> Relay:
    relay = Relay(outputs, DeadMan(1.0), max_per_minute=max_per_minute)
    relay.connect(DecoderHeader(classes=("left", "right")))
    return relay


@pytest.mark.parametrize("n_most", [1, 3, 60])
@pytest.mark.parametrize("seed", range(5))
def test_no_minute_holds_more_than_the_limit_and_none_is_refused_without_need(n_most, seed):
    times = np.cumsum(np.random.default_rng(seed).exponential(60 / n_most / 3, 400))
    limit = RateLimit(n_most)
    passed: list[float] = []
    for t in times:
        room = bool(sum(t - p < 60 for p in passed) < n_most)  # the slow and obvious count
        assert limit.allows(t) == room
        passed += [t] * room
    assert 0 < len(passed) < len(times)


def test_commands_are_passed_on_and_the_state_is_told_first():
    out = Heard()
    relay = relay_of(out)
    relay.publish(decision(1.0, None), 1.0)
    relay.publish(decision(1.1, "left", True), 1.1)
    relay.publish(decision(1.2, "left"), 1.2)
    relay.publish(decision(1.3, None), 1.3)
    assert out.said == ["OK", (None, False), ("left", True), ("left", False), (None, False)]


def test_a_command_beyond_the_limit_is_withheld_to_its_end():
    out = Heard()
    relay = relay_of(out, max_per_minute=2)
    for k, begins in enumerate((True, False, True, False, True, False)):
        relay.publish(decision(k, "left" if k % 4 < 2 else "right", begins), float(k))
    assert out.said == [
        "OK",
        ("left", True),
        ("left", False),
        ("right", True),
        ("right", False),
        (None, False),
        (None, False),
    ]
    assert (relay.n_commands, relay.n_withheld) == (2, 1)
    relay.publish(decision(61.0, "right", True), 61.0)
    assert out.said[-1] == ("right", True)


def test_rows_that_come_too_fast_are_thinned_but_no_command_is_lost():
    out = Heard()
    relay = relay_of(out)
    for k in range(1000):
        relay.publish(decision(k, "left" if k >= 900 else None, k == 900), 10.0 + k / 1000)
    assert 50 <= len(out.said) <= 55
    assert out.said.count(("left", True)) == 1


def test_when_nothing_comes_the_outputs_are_told_to_stop_once_a_second():
    out = Heard()
    dead_man = DeadMan(1.0)
    relay = Relay([out], dead_man, max_per_minute=60)
    dead_man.connect(("left",), 0.0)
    values = np.array([1, -1, 1, 0, 0, 0, 1], np.float32)
    taken = dead_man.take(values, 0.125, 0.125)
    assert taken is not None
    relay.publish(taken, 0.125)
    moments = {}
    for now in np.arange(17, 640) / 128:
        n = len(out.said)
        relay.tick(now)
        moments.update({float(now) * 128: s for s in out.said[n:]})
    assert moments == {144: "OK", 145: "SILENT stop", 273: "SILENT stop", 401: "SILENT stop", 529: "SILENT stop"}


def test_a_held_command_does_not_outlive_a_stop():
    out = Heard()
    relay = relay_of(out)
    relay.publish(decision(1.0, "left", True), 1.0)
    relay.tick(1.1)  # the dead man has never seen a stream
    relay.publish(decision(1.2, "left"), 1.2)
    assert out.said == ["OK", ("left", True), "SEARCHING stop", "OK", (None, False)]


def test_every_output_is_told_to_stop_last_also_where_another_one_fails():
    good, bad = Heard(), Heard(fails=True)
    with pytest.raises(RuntimeError, match="broken"):
        relay_of(bad, good).close(9.0)
    assert good.said == ["ENDED stop", "closed"]
    assert bad.said == ["closed"]
