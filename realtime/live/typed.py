"""Lines that somebody types at the terminal while a session runs."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Mapping
from queue import Empty, SimpleQueue
from typing import TextIO

from neuript.interrupt import give_back, take_over


class TypedLines:
    """Reads lines from a terminal without ever holding up who asks for them.

    Only a terminal is read: a pipe or a file on stdin belongs to the script that started us. What has gone to the
    background is not stopped for reading (SIGTTIN); it hears nothing any more.

    Parameters
    ----------
    stream : TextIO or None
        The terminal, usually `sys.stdin`; anything else is never read.
    """

    def __init__(self, stream: TextIO | None) -> None:
        self._lines: SimpleQueue[str] = SimpleQueue()
        self.listening = stream is not None and not stream.closed and stream.isatty()
        self._before: dict[int, object] = {}
        if self.listening and stream is not None:
            if hasattr(signal, "SIGTTIN"):
                self._before = take_over([signal.SIGTTIN], signal.SIG_IGN)  # type: ignore[arg-type]
            # a thread that Python may leave behind at the end, so without the lock of the stream's buffer
            threading.Thread(target=self._read, args=(stream.fileno(),), name="typed lines", daemon=True).start()

    def _read(self, fd: int) -> None:
        rest = b""
        while True:
            try:
                came = os.read(fd, 1024)
            except OSError:
                return
            if not came:
                return
            *lines, rest = (rest + came).split(b"\n")
            for line in lines:
                self._lines.put(line.decode("utf-8", "replace").strip())

    def newest(self) -> list[str]:
        """Return the lines that came since the last call; none where nobody typed."""
        out = []
        while True:
            try:
                out.append(self._lines.get_nowait())
            except Empty:
                return out

    def close(self) -> None:
        """Give the signals back; what is typed from now on belongs to the shell."""
        give_back(self._before)


def obey(lines: list[str], actions: Mapping[str, Callable[[str], str]]) -> list[str]:
    """Do what was typed.

    Parameters
    ----------
    lines : list of str
        What was typed.
    actions : mapping of str to callable
        What each word does; is given what stands behind the word, and returns a sentence about it.

    Returns
    -------
    list of str
        A sentence for each line that was not empty.
    """
    said = []
    for line in filter(None, lines):
        word, _, rest = line.partition(" ")
        action = actions.get(word.lower())
        said.append(
            action(rest.strip()) if action else f"{line!r} is no command; type {' or '.join(actions)} and Enter"
        )
    return said
