"""The decoder's end of the pipe to the dashboard that it started: what is asked for there, and what came of it.

Only that process holds the other end, so nobody on the network steers a decoder. Two threads of their own read and
write: a dashboard that floods, stops or dies holds nobody up, and what does not fit is dropped.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import subprocess
import threading
from queue import Empty, Full, Queue

logger = logging.getLogger(__name__)

MAX_LINE = 512
"""Longest line in bytes that is read."""
MAX_TEXT = 64
"""Longest text of a mark in characters."""
WAITING = 32
"""At most so many lines wait in either direction."""
PAUSE, MARK, RECENTRE, UNDO, THRESHOLD = "p", "m", "r", "u", "t"
"""What can be asked for; the same letters are typed at the terminal."""
_WITHOUT = (PAUSE, RECENTRE, UNDO)


def understood(line: bytes) -> str | None:
    """Return what a line of the dashboard asks for as it would be typed, such as `t 0.80`; None for anything else."""
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if not isinstance(said, dict) or set(said) != {"said", "text"} or not isinstance(said["text"], str):
        return None
    do, text = said["said"], said["text"].strip()
    if do == PAUSE and text in ("on", "off"):
        return f"{do} {text}"
    if do in _WITHOUT:
        return None if text else str(do)
    if do not in (MARK, THRESHOLD) or len(text) > MAX_TEXT or not text.isprintable():
        return None
    return f"{do} {text}".strip()


class ControlPipe:
    """Hears and tells a dashboard without ever waiting for it.

    Parameters
    ----------
    process : subprocess.Popen
        The dashboard, with unbuffered pipes as stdin and stdout.
    """

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        if process.stdin is None or process.stdout is None:
            raise ValueError("the dashboard has no pipes")
        self._stdin, self._stdout = process.stdin, process.stdout
        self._heard: Queue[str] = Queue(WAITING)
        self._said: Queue[bytes | None] = Queue(WAITING)
        self.n_dropped = 0
        """Lines that the dashboard did not take."""
        self._threads = [
            threading.Thread(target=work, name=f"dashboard {name}", daemon=True)
            for name, work in (("reads", self._read), ("writes", self._write))
        ]

    def open(self) -> None:
        """Begin to listen."""
        for thread in self._threads:
            thread.start()

    def newest(self) -> list[str]:
        """Return what was asked for since the last call, as it would be typed."""
        out = []
        with contextlib.suppress(Empty):
            while True:
                out.append(self._heard.get_nowait())
        return out

    def tell(self, **said: str | float | bool) -> None:
        """Say how things are now; a dashboard that does not listen misses it."""
        try:
            self._said.put_nowait(json.dumps(said).encode() + b"\n")
        except Full:
            self.n_dropped += 1

    def close(self) -> None:
        """Let go of a dashboard that has ended."""
        with contextlib.suppress(Full):
            self._said.put_nowait(None)
        for thread in self._threads:
            if thread.is_alive():
                thread.join(1.0)
        for end in (self._stdin, self._stdout):
            with contextlib.suppress(OSError):
                end.close()

    def _read(self) -> None:
        rest = b""
        while got := _some(self._stdout.fileno()):
            *lines, rest = (rest + got).split(b"\n")
            rest = rest[-MAX_LINE - 1 :]
            for line in lines:
                self._take(line)

    def _take(self, line: bytes) -> None:
        asked = understood(line) if len(line) <= MAX_LINE else None
        if asked is None:
            logger.debug("the dashboard said something that is no command")
            return
        with contextlib.suppress(Full):
            self._heard.put_nowait(asked)

    def _write(self) -> None:
        with contextlib.suppress(OSError):
            while (line := self._said.get()) is not None:
                self._stdin.write(line)


def _some(fd: int) -> bytes:
    try:
        return os.read(fd, 4096)
    except OSError:
        return b""
