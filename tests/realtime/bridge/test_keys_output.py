"""Keys on a real X server without a screen: down and up again, whatever happens to the bridge."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from processes import python, running
from waiting import wait_for
from x_server import an_x_server, down

from neuript.errors import NeuriptError
from neuript.realtime.bridge.keyboard import open_keyboard
from neuript.realtime.bridge.keys_output import KeysOutput
from neuript.realtime.bridge.relay import BridgeStatus
from neuript.realtime.decoding.decision import Decision
from neuript.realtime.decoding.states import State

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="keys go through X11 on Linux alone")


@pytest.fixture
def screen(monkeypatch) -> Iterator[Any]:
    with an_x_server(monkeypatch) as display:
        yield display


def row(decision: str | None, begins: bool = False) -> Decision:
    return Decision(t=0.0, window_index=0, state=State.OK, decision=decision, committed=begins)


def test_a_tap_goes_down_and_up_by_itself(screen):
    keys = KeysOutput({"left_hand": "left"})
    keys.open()
    keys.publish(row("right_hand", True))
    keys.publish(row("left_hand", True))
    wait_for(lambda: down(screen, "Left"), 5, "the key", poll_s=0.002)
    wait_for(lambda: not down(screen, "Left"), 5, "its end")
    keys.close()
    keys.close()


def test_a_held_key_comes_up_with_the_command_at_a_stop_and_at_the_end(screen):
    keys = KeysOutput({"left_hand": "left"}, hold_s=8.0)
    keys.open()
    for end in (lambda: keys.publish(row(None)), lambda: keys.tell(BridgeStatus(state="SILENT")), keys.close):
        keys.publish(row("left_hand", True))
        wait_for(lambda: down(screen, "Left"), 5, "the key")
        keys.publish(row("left_hand"))
        keys.tell(BridgeStatus(state="OK"))
        end()
        wait_for(lambda: not down(screen, "Left"), 3, "its end")  # well before the eight seconds


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_no_key_stays_down_when_the_bridge_is_killed_or_hangs(screen, how):
    code = (
        "import time; from neuript.realtime.bridge.keys_output import KeysOutput;"
        "from neuript.realtime.decoding.decision import Decision; from neuript.realtime.decoding.states import State;"
        f"keys = KeysOutput({{'a': 'space'}}, hold_s={8.0 if how == signal.SIGKILL else 2.0}); keys.open();"
        "keys.publish(Decision(t=0.0, window_index=0, state=State.OK, decision='a', committed=True)); time.sleep(60)"
    )
    with running(python(code)) as bridge:
        wait_for(lambda: down(screen, "space"), 30, "the key")
        os.kill(bridge.process.pid, how)
        wait_for(lambda: not down(screen, "space"), 5, "its end")
        os.kill(bridge.process.pid, signal.SIGKILL)


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        ({"DISPLAY": ""}, "there is no display"),
        ({"DISPLAY": ":4711", "XDG_SESSION_TYPE": "wayland"}, "under Wayland"),
        ({"DISPLAY": ":4711", "WAYLAND_DISPLAY": "wayland-0"}, "under Wayland"),
    ],
)
def test_where_it_cannot_work_one_sentence_says_so(monkeypatch, environment, words):
    pytest.importorskip("Xlib")
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "XDG_SESSION_TYPE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(NeuriptError, match=words) as refused:
        open_keyboard()
    assert "\n" not in str(refused.value)
    assert "--osc or --websocket" in str(refused.value)


def test_the_reason_reaches_the_bridge(monkeypatch):
    pytest.importorskip("Xlib")
    monkeypatch.setenv("DISPLAY", ":4711")
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    monkeypatch.delenv("XDG_SESSION_TYPE", raising=False)
    with pytest.raises(NeuriptError, match="the display :4711 does not answer"):
        KeysOutput({"a": "left"}).open()
