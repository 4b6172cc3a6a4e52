"""JSON lines on stdin and stdout, and nothing else on stdout: what libraries print there goes to stderr."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Callable

MAX_LINE = 2**20
"""Longest line in bytes."""
_READ = 65536


class LinePipe:
    """The two ends of a process that is told what to do.

    Parameters
    ----------
    told : callable
        Called with each line, in a thread of its own; with None when stdin has closed.
    """

    def __init__(self, told: Callable[[str | None], None]) -> None:
        self._told = told
        self._out = -1

    def open(self) -> None:
        """Take over stdin and stdout."""
        sys.stdout.flush()
        self._out = os.dup(1)
        os.dup2(2, 1)
        # a thread that waits in sys.stdin could not be left behind; one that waits in os.read can
        threading.Thread(target=self._read, name="stdin", daemon=True).start()

    def say(self, said: str, **fields: object) -> None:
        """Write one line; one that nobody reads any more is lost."""
        line = json.dumps({"said": said, **fields}, allow_nan=False) + "\n"
        rest = line.encode()
        try:
            while rest:
                rest = rest[os.write(self._out, rest) :]
        except OSError:
            return

    def _read(self) -> None:
        left = b""
        while True:
            try:
                got = os.read(0, _READ)
            except OSError:
                got = b""
            if not got:
                break
            *lines, left = (left + got).split(b"\n")
            for line in filter(None, map(bytes.strip, lines)):
                self._told(line.decode("utf-8", "replace"))
            if len(left) > MAX_LINE:
                self._told(f"a line of more than {MAX_LINE} bytes")
                left = b""
        self._told(None)
