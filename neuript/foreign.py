"""Text that others wrote, before a person sees it: names of streams, labels, markers, files, manifests, hosts.

A terminal is an interpreter: an escape sequence in a name can set the title, move the cursor, forge a line; a
direction mark can turn a sentence round. `one_line` is what puts such a text into a sentence. `guard_output` makes sure
of the rest: whatever a command prints goes through `printable`, also where somebody forgot.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

MAX_SHOWN = 200
"""Characters of one text of others that are shown."""

_ODD = (
    "\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e007f"
)
_UNPRINTABLE = re.compile(f"[\x00-\x08\x0b-\x1f{_ODD}]")
_NO_LINE = re.compile(f"[\x00-\x1f{_ODD}]")


def printable(text: str) -> str:
    r"""Return a text with every character that is an order to a terminal spelled out, as `\u001b`.

    Line ends and tabs stay. In JSON the result means what the text meant.
    """
    return _UNPRINTABLE.sub(_spelled, text)


def plain(text: str) -> str:
    r"""Return the same for a text that belongs on one line: line ends and tabs are spelled out, too."""
    return _NO_LINE.sub(_spelled, text)


def one_line(text: object, most: int = MAX_SHOWN) -> str:
    """Return what somebody else wrote as part of a sentence: on one line, without orders to a terminal, not too long.

    Parameters
    ----------
    text : object
        What is shown, as `str` gives it.
    most : int
        Characters that are shown; what is longer ends in `...`.
    """
    whole = str(text)
    line = plain(whole[: most + 1])
    return line if len(whole) <= most and len(line) <= 2 * most else f"{line[: max(most - 3, 0)]}..."


def indented(text: str, n: int = 2) -> str:
    """Return a text whose lines after the first stand `n` characters to the right, so that none can look like ours."""
    return text.replace("\n", f"\n{' ' * n}")


def _spelled(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code > 0xFFFF:
        code -= 0x10000
        return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"
    return f"\\u{code:04x}"


class PrintableStream:
    """A text stream through which only `printable` text is written; everything else is the stream's own.

    Parameters
    ----------
    stream : text file
        Where the text goes.
    """

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    @property
    def rich_proxied_file(self) -> Any:
        """The stream itself, which rich asks for: it draws with escape sequences of its own."""
        return self._stream

    def write(self, text: str) -> int:
        """Write a text and return its length."""
        self._stream.write(printable(text))
        return len(text)

    def writelines(self, lines: Any) -> None:
        """Write one text after the other."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


@contextmanager
def guard_output() -> Iterator[None]:
    """Let stdout and stderr take printable text alone, and any of it in any encoding, while the context lasts.

    One that was closed before the program began takes it as well, and it is lost.
    """
    before = sys.stdout, sys.stderr
    for stream in before:
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")  # a terminal or a pipe that knows ASCII alone
    sys.stdout, sys.stderr = map(_guarded, before)
    guards = sys.stdout, sys.stderr
    try:
        yield
    finally:
        if sys.stdout is guards[0]:
            sys.stdout = before[0]
        if sys.stderr is guards[1]:
            sys.stderr = before[1]


def _guarded(stream: Any) -> Any:
    if isinstance(stream, PrintableStream):
        return stream
    if stream is None:
        stream = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - as long as the process has none of its own
    return PrintableStream(stream)
