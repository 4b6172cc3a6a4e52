"""Keys and classes, and how long a key is down at most."""

from __future__ import annotations

import queue

import pytest

from neuript.errors import NeuriptError
from neuript.realtime.bridge.endpoint import Endpoint, read_endpoint
from neuript.realtime.bridge.key_map import KEYS, MOST_HOLD_S, DownKeys, check_classes, read_keys
from neuript.realtime.bridge.presser import obey_lines


def test_keys_are_read():
    assert read_keys("left_hand=left, feet=space,rest=a") == {"left_hand": "left", "feet": "space", "rest": "a"}
    assert {"left", "f12", "z", "0", "page_down"} <= set(KEYS)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("left", "must be CLASS=KEY"),
        ("a=left,", "must be CLASS=KEY"),
        ("=left", "must be CLASS=KEY"),
        ("a=left,a=right", "names the class a twice"),
        ("a=ctrl", "there is no key 'ctrl'; there are left, right"),
        ("a=A", "there is no key 'A'"),
    ],
)
def test_what_are_no_keys_is_said(text, words):
    with pytest.raises(NeuriptError, match=words):
        read_keys(text)


def test_keys_for_what_is_never_commanded_are_refused():
    check_classes(["left"], ("left", "right", "rest"), "rest")
    with pytest.raises(NeuriptError, match="feet is none of its classes; this decoder commands left, right"):
        check_classes(["left", "feet"], ("left", "right", "rest"), "rest")
    with pytest.raises(NeuriptError, match="rest is its class for no command"):
        check_classes(["rest"], ("left", "right", "rest"), "rest")


class Board:
    def __init__(self) -> None:
        self.moves: list[str] = []

    def keys(self) -> DownKeys:
        return DownKeys(lambda k: self.moves.append(f"+{k}"), lambda k: self.moves.append(f"-{k}"))


def test_no_key_is_down_for_longer_than_its_time():
    board = Board()
    keys = board.keys()
    keys.down("left", 0.08, 1.0)
    keys.down("a", 99.0, 1.0)
    assert keys.tick(1.0) == pytest.approx(0.08)
    assert board.moves == ["+left", "+a"]
    assert keys.tick(1.079) is not None
    assert board.moves == ["+left", "+a"]
    assert keys.tick(1.08) == pytest.approx(MOST_HOLD_S - 0.08)
    assert keys.tick(1.0 + MOST_HOLD_S) is None
    assert board.moves == ["+left", "+a", "-left", "-a"]


def test_a_key_pressed_again_is_let_go_first():
    board = Board()
    keys = board.keys()
    keys.down("a", 1.0, 1.0)
    keys.down("a", 1.0, 1.5)
    assert keys.tick(2.4) is not None
    keys.up_all()
    keys.up_all()
    assert board.moves == ["+a", "-a", "+a", "-a"]


def test_every_key_comes_up_though_one_is_stuck():
    def release(key: str) -> None:
        moves.append(key)
        if key == "a":
            raise OSError("stuck")

    moves: list[str] = []
    keys = DownKeys(lambda key: None, release)
    for key in "abc":
        keys.down(key, 1.0, 0.0)
    with pytest.raises(OSError, match="stuck"):
        keys.up_all()
    assert moves == ["a", "b", "c"]


def test_the_presser_lets_go_in_time_and_when_told():
    """The times are real here, so the key that is let go in time is down for next to nothing."""
    board = Board()
    lines: queue.Queue[str | None] = queue.Queue()
    for line in ("down left 9", "up", "down a 0", "down nokey 1", "down b 0.001", "", None):
        lines.put(line)
    keys = board.keys()
    obey_lines(keys, lines)
    keys.up_all()
    assert board.moves == ["+left", "-left", "+a", "-a", "+b", "-b"]


@pytest.mark.parametrize(
    ("text", "endpoint", "local"),
    [
        ("9000", Endpoint("127.0.0.1", 9000), True),
        ("localhost:9000", Endpoint("127.0.0.1", 9000), True),
        ("192.168.1.20:57120", Endpoint("192.168.1.20", 57120), False),
        ("[::1]:80", Endpoint("::1", 80), True),
        ("0.0.0.0:80", Endpoint("0.0.0.0", 80), False),
    ],
)
def test_endpoints_are_read(text, endpoint, local):
    assert read_endpoint(text, "--osc") == endpoint
    assert endpoint.is_local is local


@pytest.mark.parametrize("text", ["", "x", "0", "65536", "-1", ":9000", "host:", "host:x", "9000.0", "[]:80", "1:2:3:"])
def test_what_is_no_endpoint_is_said(text):
    with pytest.raises(NeuriptError, match="must be PORT or HOST:PORT"):
        read_endpoint(text, "--osc")


def test_a_host_that_nobody_knows_is_said():
    with pytest.raises(NeuriptError, match="nobody knows the host 'no such host'"):
        read_endpoint("no such host:9000", "--osc")
