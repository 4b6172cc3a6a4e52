"""The bridge as a user runs it, behind a decoder's real streams, with the real receivers on loopback."""

from __future__ import annotations

import contextlib
import json
import signal
import socket
import sys
import time
from collections.abc import Iterator

import pytest
from decoder_streams import Publisher
from processes import finished, neuript, running
from waiting import wait_for
from x_server import an_x_server, down

from neuript.realtime.decoding.states import State

pytestmark = [pytest.mark.lsl, pytest.mark.timeout(90)]


class OscReceiver:
    """What another program hears, by the library's own parser."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self._socket.settimeout(0.0)
        self.port = self._socket.getsockname()[1]
        self.heard: list[tuple[str, tuple[object, ...]]] = []

    def close(self) -> None:
        self._socket.close()

    def has(self, address: str, *values: object) -> bool:
        """Whether that was heard since the last such question that was answered with yes."""
        from pythonosc.osc_packet import OscPacket

        with contextlib.suppress(BlockingIOError):
            while True:
                for message in OscPacket(self._socket.recv(65536)).messages:
                    self.heard.append((message.message.address, tuple(message.message.params)))
        for k, (name, said) in enumerate(self.heard):
            if name == address and said[: len(values)] == values:
                del self.heard[: k + 1]
                return True
        return False

    def wait_for(self, address: str, *values: object) -> None:
        wait_for(lambda: self.has(address, *values), 20, lambda: f"{address} {values}; heard {self.heard[-8:]}")


@pytest.fixture
def receiver() -> Iterator[OscReceiver]:
    pytest.importorskip("pythonosc")
    with contextlib.closing(OscReceiver()) as receiver:
        yield receiver


def test_commands_stops_and_the_last_word(receiver):
    """One walk through everything that a decoder can do, heard over OSC and by a web page."""
    client = pytest.importorskip("websockets.sync.client")
    with (
        Publisher() as decoder,
        running(
            neuript("bridge", "--osc", receiver.port, "--websocket", free_port(), "--source-id", decoder.source_id)
        ) as bridge,
    ):
        url = bridge.wait_until_it_says("ws://")
        assert "this computer alone" in bridge.err
        with client.connect(url) as page:
            receiver.wait_for("/neuript/state", "OK")
            receiver.wait_for("/neuript/proba/rest", pytest.approx(0.7))
            decoder.held = "left_hand"
            receiver.wait_for("/neuript/decision", "left_hand", pytest.approx(0.7))
            decoder.held = None
            receiver.wait_for("/neuript/decision", "none")
            decoder.held = "left_hand"
            receiver.wait_for("/neuript/decision", "left_hand")
            decoder.state = State.GAP
            receiver.wait_for("/neuript/stop", "GAP")
            receiver.wait_for("/neuript/decision", "none")
            decoder.state = State.OK
            receiver.wait_for("/neuript/decision", "left_hand")
            decoder.age_s = 5.0
            receiver.wait_for("/neuript/stop", "LATE")
            decoder.age_s = 0.0
            receiver.wait_for("/neuript/state", "OK")
            decoder.held = None
            receiver.wait_for("/neuript/held", "none")
            decoder.held = "right_hand"
            receiver.wait_for("/neuript/decision", "right_hand")
            silent_at = time.monotonic()
            decoder.fall_silent()
            receiver.wait_for("/neuript/stop", "SILENT")
            assert time.monotonic() - silent_at > 0.9
            bridge.interrupt()
            assert bridge.wait() == 130
            assert "4 commands passed on, 0 withheld; everything was told to stop" in bridge.err
            receiver.wait_for("/neuript/stop", "ENDED")
            assert not [m for m in receiver.heard if m[0] not in ("/neuript/state", "/neuript/held", "/neuript/stop")]
            said = [json.loads(text) for text in page]
    rows, states = [m for m in said if "proba" in m], [m for m in said if "proba" not in m]
    assert list(rows[0]) == ["t", "proba", "decision", "confidence", "state", "sample_age_ms", "latency_ms"]
    assert {m["decision"] for m in rows} == {None, "left_hand", "right_hand"}
    assert states[-1] == {
        "state": "ENDED", "stop": True, "classes": ["left_hand", "right_hand", "rest"], "simulated": True,
    }  # fmt: skip


def test_the_only_decoder_is_found_and_the_limit_holds_and_the_restarted_one_is_followed(receiver):
    options = ("--osc", receiver.port, "--max-per-minute", 2)
    with running(neuript("bridge", *options)) as bridge:
        with Publisher() as decoder:
            receiver.wait_for("/neuript/state", "OK")
            for name in ("left_hand", "right_hand"):
                decoder.held = name
                receiver.wait_for("/neuript/decision", name)
            decoder.held = "left_hand"
            receiver.wait_for("/neuript/decision", "none")
            bridge.wait_until_it_says("the limit per minute is reached")
        receiver.wait_for("/neuript/stop", "GONE")
        with Publisher(decoder.header):
            receiver.wait_for("/neuript/state", "OK")
            bridge.process.send_signal(signal.SIGTERM)
            assert bridge.wait() == 130


def test_of_several_decoders_one_must_be_chosen(receiver):
    with Publisher() as one, Publisher() as two:
        done = finished(neuript("bridge", "--osc", receiver.port))
    assert done.returncode == 2
    assert "2 decoders are publishing" in done.stderr
    assert one.source_id in done.stderr
    assert two.source_id in done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="keys go through X11 on Linux alone")
def test_keys_follow_the_decoder_and_come_up_with_every_stop(monkeypatch):
    with an_x_server(monkeypatch) as screen, Publisher() as decoder:
        options = ("--keys", "left_hand=left,right_hand=space", "--hold", 9, "--source-id", decoder.source_id)
        with running(neuript("bridge", *options)) as bridge:
            bridge.wait_until_it_says("OK: decoding")
            decoder.held = "left_hand"
            wait_for(lambda: down(screen, "Left"), 10, "the key")
            decoder.held = "right_hand"
            wait_for(lambda: down(screen, "space") and not down(screen, "Left"), 10, "the other key")
            decoder.state = State.BAD_SIGNAL
            wait_for(lambda: not down(screen, "space"), 5, "its end")
            decoder.state = State.OK
            wait_for(lambda: down(screen, "space"), 10, "the key again")
            decoder.fall_silent()
            wait_for(lambda: not down(screen, "space"), 5, "its end in the silence")
            bridge.interrupt()
            assert bridge.wait() == 130


@pytest.mark.skipif(sys.platform != "linux", reason="keys go through X11 on Linux alone")
def test_keys_for_a_class_that_the_decoder_lacks_end_the_bridge(monkeypatch):
    with an_x_server(monkeypatch), Publisher() as decoder:
        done = finished(neuript("bridge", "--keys", "feet=up", "--source-id", decoder.source_id))
    assert done.returncode == 2
    assert done.stderr.count("feet is none of its classes; this decoder commands left_hand, right_hand") == 1


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
