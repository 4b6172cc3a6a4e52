"""What is written for a reader who may be slow, stand still or go away, without ever waiting for it.

A pipe that nobody empties, a terminal that was stopped with Ctrl-S and a disk that hangs all hold up whoever writes to
them, and with it whatever else that thread does. So lines go through a bounded queue to a thread of their own. What
does not fit is dropped, the oldest first, and counted.
"""

from __future__ import annotations

import io
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TextIO

MOST_LINES = 1024
"""Lines that wait at most."""
LAST_S = 1.0
"""Seconds for which the end waits for a reader to take what is left."""
_WAIT_S = 0.1


class Outflow:
    """Lines on their way to a file, a pipe or a terminal.

    Parameters
    ----------
    out : TextIO
        Where they go. Where it has a descriptor they are written to that, so that Python's own end cannot hang on a
        lock of the stream.
    most : int
        Lines that wait at most.
    gives_up : callable, optional
        Makes `put` wait for room where the queue is full, until this returns True: for a recording that is decoded as
        fast as its reader takes it. None never waits.
    """

    def __init__(self, out: TextIO, *, most: int = MOST_LINES, gives_up: Callable[[], bool] | None = None) -> None:
        self.n_dropped = 0
        """Lines that were not written: no room for them, or the writing failed."""
        self.error: OSError | None = None
        """How the last line that failed did so."""
        self._write = _writer(out)
        self._most, self._gives_up = most, gives_up
        self._waiting: deque[str] = deque()
        self._busy = self._closed = False
        self._changed = threading.Condition()
        threading.Thread(target=self._run, name="outflow", daemon=True).start()

    def put(self, text: str) -> None:
        """Write a text, soon; never waits for the reader, unless `gives_up` was given."""
        with self._changed:
            while len(self._waiting) >= self._most:
                if self._gives_up is None or self._gives_up():
                    self._waiting.popleft()
                    self.n_dropped += 1
                else:
                    self._changed.wait(_WAIT_S)
            self._waiting.append(text)
            self._changed.notify_all()

    def flush(self, timeout_s: float = LAST_S) -> bool:
        """Wait until all is written, for a while; return whether it is."""
        until = time.monotonic() + timeout_s
        with self._changed:
            while self._waiting or self._busy:
                if (left_s := until - time.monotonic()) <= 0:
                    return False
                self._changed.wait(left_s)
            return True

    def close(self, timeout_s: float = LAST_S) -> None:
        """Write what is left, for a while, and count the rest as dropped; harmless when called twice."""
        self.flush(timeout_s)
        with self._changed:
            self._closed = True
            self.n_dropped += len(self._waiting) + self._busy
            self._waiting.clear()
            self._changed.notify_all()

    def _run(self) -> None:
        while True:
            with self._changed:
                self._busy = False
                self._changed.notify_all()
                while not self._waiting:
                    if self._closed:
                        return
                    self._changed.wait()
                text, self._busy = self._waiting.popleft(), True
                self._changed.notify_all()
            try:
                self._write(text)
            except OSError as error:
                with self._changed:
                    self.error = error
                    self.n_dropped += 1
            except ValueError:  # the stream was closed
                with self._changed:
                    self.n_dropped += 1


class UnheldText(io.TextIOBase):
    """A text stream for `sys.stderr` that passes all on to an `Outflow`.

    Parameters
    ----------
    inner : TextIO
        The stream in whose place it stands.
    """

    def __init__(self, inner: TextIO) -> None:
        super().__init__()
        self._inner = inner
        self.outflow = Outflow(inner)

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """Encoding of the stream behind."""
        return self._inner.encoding or "utf-8"

    def writable(self) -> bool:
        """Say that it can be written."""
        return True

    def write(self, text: str) -> int:
        """Pass on a text."""
        if text:
            self.outflow.put(text)
        return len(text)

    def isatty(self) -> bool:
        """Say whether a terminal is behind it."""
        return self._inner.isatty()

    def fileno(self) -> int:
        """Return the descriptor of the stream behind."""
        return self._inner.fileno()


@contextmanager
def unheld_stderr() -> Iterator[None]:
    """Let nothing that is said on stderr in this block hold up who says it."""
    before = sys.stderr
    if before is None:
        yield
        return
    unheld = UnheldText(before)
    sys.stderr = unheld
    try:
        yield
    finally:
        sys.stderr = before
        unheld.outflow.close()


def dropped_on_stderr() -> int:
    """Return how much of what was said on stderr nobody took."""
    outflow = getattr(sys.stderr, "outflow", None)  # also behind a stream that passes things on
    return outflow.n_dropped if isinstance(outflow, Outflow) else 0


def _writer(out: TextIO) -> Callable[[str], None]:
    encoding = getattr(out, "encoding", None) or "utf-8"
    errors = getattr(out, "errors", None) or "strict"
    try:
        out.flush()
        descriptor = out.fileno()
    except (OSError, ValueError, AttributeError):  # no file: of a test, or of a notebook
        return lambda text: _to_stream(out, text)
    ends = "\r\n" if os.name == "nt" else "\n"

    def write(text: str) -> None:
        rest = memoryview(text.replace("\n", ends).encode(encoding, errors))
        while rest:
            try:
                rest = rest[os.write(descriptor, rest) :]
            except BlockingIOError:  # somebody else has set it not to block
                time.sleep(_WAIT_S)

    return write


def _to_stream(out: TextIO, text: str) -> None:
    out.write(text)
    out.flush()
