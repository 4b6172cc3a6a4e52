"""Rows and states as JSON over WebSocket, for web pages.

The server lives in a thread of its own, which nobody waits for. A client must know the token, may say nothing else, and
is dropped as soon as it does not take what it is sent.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import hmac
import json
import logging
import re
import secrets
import threading
from collections.abc import Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import parse_qs, urlsplit

from neuript.errors import NeuriptError
from neuript.realtime.bridge.endpoint import Endpoint
from neuript.realtime.bridge.extra import of_the_extra
from neuript.realtime.bridge.relay import BridgeStatus
from neuript.realtime.decoding.dead_man import SEARCHING
from neuript.realtime.decoding.decision import Decision

logger = logging.getLogger(__name__)

DEFAULT_PORT = 8765
MOST_CLIENTS = 16
MOST_WAITING = 64
"""Messages that may wait for a client; one that lets more wait is dropped."""
MOST_SAID_BYTES = 256
"""Longest message that a client may send; it holds the token."""
TOKEN_S = 3.0
"""Seconds in which a client must connect, and say the token."""
_PING_S = 5.0
_CLOSE_S = 1.0
_OWN_PAGES = re.compile(r"https?://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?")
_NOT_WELCOME = 1008


class WebSocketOutput:
    """Serves any number of clients up to `MOST_CLIENTS`.

    Parameters
    ----------
    endpoint : Endpoint
        Where it listens.
    origins : sequence of str
        Web sites whose pages may connect (`https://example.org`), besides pages of this computer and programs that are
        no browser.

    Attributes
    ----------
    url : str
        What a client opens; it holds the token.
    """

    def __init__(self, endpoint: Endpoint, origins: Sequence[str] = ()) -> None:
        self._endpoint, self._origins = endpoint, tuple(origins)
        self._token = secrets.token_urlsafe(16)
        self.url = f"ws://{endpoint}/?token={self._token}"
        self._serve = of_the_extra("websockets.asyncio.server", "--websocket").serve
        self._closed = of_the_extra("websockets.exceptions", "--websocket").ConnectionClosed
        self._clients: dict[Any, asyncio.Queue[str]] = {}
        self._n_strangers = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread: threading.Thread | None = None
        self.tell(BridgeStatus(state=SEARCHING))

    @property
    def n_clients(self) -> int:
        """How many are connected and have said the token."""
        return len(self._clients)

    # --- called by the bridge ------------------------------------------------------------------

    def open(self) -> None:
        """Listen.

        Raises
        ------
        NeuriptError
            If the port is taken or the address is none of this computer.
        """
        started: concurrent.futures.Future[None] = concurrent.futures.Future()
        self._thread = threading.Thread(target=self._run, args=(started,), name="websocket", daemon=True)
        self._thread.start()
        try:
            started.result()
        except OSError as error:
            self.close()
            raise NeuriptError(
                f"--websocket cannot listen at {self._endpoint} ({error.strerror or error}); is the port taken? give "
                "another one: --websocket PORT"
            ) from error

    def publish(self, decision: Decision) -> None:
        """Send a row, the line that `neuript-live --json` prints."""
        self._hand_over(decision.to_json_line())

    def tell(self, status: BridgeStatus) -> None:
        """Send the state."""
        said = {"state": status.state, "stop": status.stop, "classes": status.classes, "simulated": status.simulated}
        self._status = json.dumps(said)
        self._hand_over(self._status)

    def close(self) -> None:
        """Send what waits, for a moment, and close; harmless when called twice."""
        thread, self._thread = self._thread, None
        if thread is None:
            return
        if self._loop is not None and self._stop is not None:
            with contextlib.suppress(RuntimeError):  # it ended by itself
                self._loop.call_soon_threadsafe(self._stop.set)
        thread.join(4 * _CLOSE_S)

    def _hand_over(self, text: str) -> None:
        if self._loop is not None:
            with contextlib.suppress(RuntimeError):  # it ended by itself
                self._loop.call_soon_threadsafe(self._spread, text)

    # --- in the thread of the server -----------------------------------------------------------

    def _run(self, started: concurrent.futures.Future[None]) -> None:
        try:
            asyncio.run(self._listen(started))
        except Exception as error:  # a server that fails must not take the other outputs with it
            if not started.done():
                started.set_exception(error)
                return
            logger.exception("the WebSocket server failed")

    async def _listen(self, started: concurrent.futures.Future[None]) -> None:
        quiet = logging.getLogger("neuript.websockets")
        quiet.setLevel(logging.CRITICAL)  # who is refused may try as often as he likes, but not fill the log
        self._stop = asyncio.Event()
        server = await self._serve(
            self._client,
            self._endpoint.host,
            self._endpoint.port,
            origins=[None, "null", _OWN_PAGES, *self._origins],
            process_request=self._refusal,
            compression=None,
            server_header=None,
            open_timeout=TOKEN_S,
            ping_interval=_PING_S,
            ping_timeout=_PING_S,
            close_timeout=_CLOSE_S,
            max_size=MOST_SAID_BYTES,
            max_queue=1,
            write_limit=4096,
            logger=quiet,
        )
        self._loop = asyncio.get_running_loop()
        started.set_result(None)
        await self._stop.wait()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(asyncio.gather(*(queue.join() for queue in self._clients.values())), _CLOSE_S)
        server.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(server.wait_closed(), 2 * _CLOSE_S)

    def _refusal(self, connection: Any, request: Any) -> Any:
        """Answer to who need not try, None to whom may come in."""
        token = _token_in(request.path)
        if self.n_clients >= MOST_CLIENTS or (token is None and self._n_strangers >= MOST_CLIENTS):
            return connection.respond(HTTPStatus.SERVICE_UNAVAILABLE, "too many clients\n")
        if token is not None and not self._knows(token):
            return connection.respond(HTTPStatus.UNAUTHORIZED, "wrong token\n")
        return None

    async def _client(self, connection: Any) -> None:
        try:
            if _token_in(connection.request.path) is None and not await self._says_the_token(connection):
                await connection.close(_NOT_WELCOME, "the first message must be the token")
                return
            queue: asyncio.Queue[str] = asyncio.Queue(MOST_WAITING)
            queue.put_nowait(self._status)
            self._clients[connection] = queue
            sender = asyncio.create_task(self._send(connection, queue))
            try:
                await connection.recv()  # there is nothing to say; this waits for the end
                await connection.close(_NOT_WELCOME, "this stream is read only")
            finally:
                sender.cancel()
        except self._closed:
            pass
        finally:
            self._let_go(connection)

    async def _says_the_token(self, connection: Any) -> bool:
        self._n_strangers += 1
        try:
            said = await asyncio.wait_for(connection.recv(), TOKEN_S)
        except TimeoutError:
            return False
        finally:
            self._n_strangers -= 1
        return isinstance(said, str) and self._knows(said)

    async def _send(self, connection: Any, queue: asyncio.Queue[str]) -> None:
        with contextlib.suppress(self._closed):
            while True:
                await connection.send(await queue.get())
                queue.task_done()

    def _spread(self, text: str) -> None:
        for connection, queue in list(self._clients.items()):
            try:
                queue.put_nowait(text)
            except asyncio.QueueFull:
                logger.warning("a WebSocket client is too slow and was dropped")
                self._let_go(connection)
                connection.transport.abort()

    def _let_go(self, connection: Any) -> None:
        self._clients.pop(connection, None)

    def _knows(self, token: str) -> bool:
        return hmac.compare_digest(token.encode("utf-8", "replace"), self._token.encode())


def _token_in(path: str) -> str | None:
    """Return the token in a URL's query; None without one."""
    given = parse_qs(urlsplit(path).query, keep_blank_values=True).get("token")
    return given[-1] if given else None
