"""What goes to stderr while a verb works: sentences, and one line that is rewritten in place."""

from __future__ import annotations

import sys
import time


def say(text: str) -> None:
    """Print a sentence to stderr, where progress goes."""
    print(text, file=sys.stderr, flush=True)


class ProgressLine:
    """One line on stderr, rewritten in place on a terminal.

    Parameters
    ----------
    every_s : float
        Shortest time in seconds between two texts on a terminal.
    elsewhere_s : float
        The same time in seconds where stderr is no terminal, and each text has a line of its own; infinite shows none
        there.
    enabled : bool
        False prints nothing at all.
    """

    def __init__(self, every_s: float, elsewhere_s: float = float("inf"), *, enabled: bool = True) -> None:
        self._terminal = sys.stderr.isatty()
        self._every_s = every_s if self._terminal else elsewhere_s
        self._enabled = enabled
        self._next = 0.0
        self._open = False

    def say(self, text: str) -> None:
        """Print a sentence on a line of its own."""
        if self._enabled:
            say(text)

    def show(self, text: str, *, last: bool = False) -> None:
        """Show where the work is, unless that was shown a moment ago; the last text always (once, elsewhere)."""
        now = time.monotonic()
        if not self._enabled or self._every_s == float("inf") or (now < self._next and not last):
            return
        self._next = now + self._every_s
        if self._terminal:
            print(f"\r{text}\x1b[K", end="", file=sys.stderr, flush=True)
            self._open = True
        else:
            say(text)
        if last:
            self.end()

    def end(self) -> None:
        """Leave the line."""
        if self._open:
            print(file=sys.stderr, flush=True)
            self._open = False


def duration(seconds: float) -> str:
    """Return a time such as "3 h 20 min"."""
    if not 0 <= seconds < 1e8:
        return "unknown"
    minutes, s = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes} min"
    return f"{minutes} min {s} s" if minutes else f"{s} s"
