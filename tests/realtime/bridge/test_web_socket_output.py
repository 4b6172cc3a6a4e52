"""The WebSocket server with real clients on loopback: who may come in, and that nobody slows it."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from waiting import wait_for

from neuript.errors import NeuriptError
from neuript.realtime.bridge.endpoint import Endpoint
from neuript.realtime.bridge.relay import BridgeStatus
from neuript.realtime.bridge.web_socket_output import MOST_CLIENTS, MOST_SAID_BYTES, MOST_WAITING, WebSocketOutput
from neuript.realtime.decoding.decision import Decision
from neuript.realtime.decoding.states import State

websockets = pytest.importorskip("websockets")
client = pytest.importorskip("websockets.sync.client")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def server() -> Iterator[WebSocketOutput]:
    output = WebSocketOutput(Endpoint("127.0.0.1", free_port()), ("https://lab.example",))
    output.open()
    yield output
    output.close()


def parts(server: WebSocketOutput) -> tuple[str, str]:
    url, _, token = server.url.partition("?token=")
    return url, token


def row(k: int) -> Decision:
    return Decision(t=float(k), window_index=k, state=State.OK, proba={"a": 0.5, "b": 0.5}, decision="a")


def test_a_page_gets_the_state_at_once_then_lines_as_of_json(server):
    server.tell(BridgeStatus(state="WARMUP", classes=("a", "b"), simulated=True))
    with client.connect(server.url) as page:
        first = json.loads(page.recv(5))
        assert first == {"state": "WARMUP", "stop": True, "classes": ["a", "b"], "simulated": True}
        server.publish(row(1))
        assert page.recv(5) == row(1).to_json_line()
        server.tell(BridgeStatus(state="ENDED"))
        server.close()
        assert json.loads(page.recv(5))["stop"] is True  # told last, and not lost in closing
        with pytest.raises(websockets.ConnectionClosed):
            page.recv(5)


def test_the_token_may_be_the_first_message(server):
    url, token = parts(server)
    with client.connect(url) as page:
        page.send(token)
        assert "state" in json.loads(page.recv(5))


@pytest.mark.parametrize("said", ["wrong", "", "é", b"bytes"])
def test_without_the_token_nothing_is_told(server, said):
    url, _ = parts(server)
    with client.connect(url) as page:
        page.send(said)
        with pytest.raises(websockets.ConnectionClosed) as end:
            page.recv(5)
    assert end.value.rcvd.code == 1008


@pytest.mark.parametrize("token", ["", "wrong", "%FF", "x" * 4000])
def test_a_wrong_token_in_the_address_is_refused(server, token):
    with pytest.raises(websockets.InvalidStatus, match="401"):
        client.connect(f"{parts(server)[0]}?token={token}")


@pytest.mark.parametrize(
    ("origin", "may"),
    [
        (None, True),
        ("null", True),
        ("http://localhost:8000", True),
        ("https://127.0.0.1", True),
        ("https://lab.example", True),
        ("https://evil.example", False),
        ("http://localhost.evil.example", False),
        ("https://lab.example.evil.example", False),
    ],
)
def test_pages_of_other_web_sites_are_refused_though_they_know_the_token(server, origin, may):
    if may:
        with client.connect(server.url, origin=origin) as page:
            page.recv(5)
    else:
        with pytest.raises(websockets.InvalidStatus, match="403"):
            client.connect(server.url, origin=origin)


@pytest.mark.parametrize("said", ["hello", "x" * (MOST_SAID_BYTES + 1)])
def test_who_says_anything_is_dropped(server, said):
    with client.connect(server.url) as page:
        page.recv(5)
        page.send(said)
        with pytest.raises(websockets.ConnectionClosed) as end:
            page.recv(5)
        assert end.value.rcvd.code in (1008, 1009)
    wait_for(lambda: server.n_clients == 0, 5)


def test_who_does_not_read_is_dropped_and_holds_up_nobody(server):
    """The slow one never reads from its socket; what the other one gets is whole and in order."""
    url, token = parts(server)
    address = ("127.0.0.1", int(url.rsplit(":", 1)[1].strip("/")))
    with socket.socket() as slow, client.connect(server.url, max_size=None) as good:
        slow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        slow.connect(address)
        slow.sendall(
            f"GET /?token={token} HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n".encode()
        )
        wait_for(lambda: server.n_clients == 2, 5)
        json.loads(good.recv(5))
        large = Decision(t=0.0, window_index=0, state=State.OK, proba={"x" * 6_000_000: 0.5})  # more than sockets hold
        for decision in (large, *map(row, range(1, MOST_WAITING + 2))):
            server.publish(decision)
            assert json.loads(good.recv(5))["t"] == decision.t
        wait_for(lambda: server.n_clients == 1, 5)
        server.publish(row(7))
        assert json.loads(good.recv(5))["t"] == 7


def test_there_are_not_more_clients_than_the_limit(server):
    with ExitStack() as stack:
        for _ in range(MOST_CLIENTS):
            stack.enter_context(client.connect(server.url)).recv(5)
        with pytest.raises(websockets.InvalidStatus, match="503"):
            client.connect(server.url)


def test_who_says_no_token_keeps_out_nobody_who_knows_it(server):
    with ExitStack() as stack:
        for _ in range(MOST_CLIENTS):
            stack.enter_context(client.connect(parts(server)[0]))
        with pytest.raises(websockets.InvalidStatus, match="503"):
            client.connect(parts(server)[0])
        stack.enter_context(client.connect(server.url)).recv(5)


def test_a_port_that_is_taken_is_said(server):
    second = WebSocketOutput(Endpoint("127.0.0.1", int(server.url.split(":")[2].split("/")[0])))
    with pytest.raises(NeuriptError, match="is the port taken"):
        second.open()
    second.close()
    second.close()
    assert len({WebSocketOutput(Endpoint("127.0.0.1", 1)).url for _ in range(5)}) == 5
