"""What goes to stderr while a verb works: sentences, and one line that is rewritten in place."""

from __future__ import annotations

import os
import sys
import time
from typing import TYPE_CHECKING

from neuript.foreign import one_line

if TYPE_CHECKING:
    from typing import Self

    from rich.progress import Progress


_MOST_SHOWN = 500


def say(text: str) -> None:
    """Print a sentence to stderr, where progress goes."""
    print(text, file=sys.stderr, flush=True)


class ProgressLine:
    """One line on stderr while the context lasts, rewritten in place on a terminal; it shows from its first text.

    Parameters
    ----------
    every_s : float
        Shortest time in seconds between two texts on a terminal.
    elsewhere_s : float
        The same time in seconds where stderr is no terminal, and each text has a line of its own; infinite shows none
        there.
    enabled : bool
        False prints nothing at all.
    bar : bool
        True draws a bar and the time left beside the text, on a terminal.
    vanishes : bool
        True leaves nothing of the line on a terminal; False its last text.
    """

    def __init__(
        self,
        every_s: float,
        elsewhere_s: float = float("inf"),
        *,
        enabled: bool = True,
        bar: bool = False,
        vanishes: bool = False,
    ) -> None:
        self._terminal = sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        self._every_s = every_s if self._terminal else elsewhere_s
        self._enabled = enabled
        self._bar, self._vanishes = bar, vanishes
        self._next = 0.0
        self._shown: Progress | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.end()

    def say(self, text: str) -> None:
        """Print a sentence on a line of its own."""
        if self._enabled:
            say(text)

    def show(self, text: str, done: float, total: float, *, last: bool = False) -> None:
        """Show where the work is, unless that was shown a moment ago; the last text always (once, elsewhere)."""
        now = time.monotonic()
        if not self._enabled or self._every_s == float("inf") or (now < self._next and not last):
            return
        self._next, text = now + self._every_s, one_line(text, _MOST_SHOWN)
        if self._terminal:
            self._rewrite(text, done, total)
        else:
            say(text)
        if last:
            self.end()

    def end(self) -> None:
        """Leave the line."""
        if self._shown is not None:
            self._shown.stop()
            self._shown = None

    def _rewrite(self, text: str, done: float, total: float) -> None:
        if self._shown is None:
            self._shown = _line_of_rich(self._bar, self._vanishes)
            self._shown.add_task(text, total=total)
            self._shown.start()
            self._shown.console.show_cursor(True)  # a killed program would leave it hidden
        self._shown.update(self._shown.task_ids[0], description=text, completed=done, total=total, refresh=True)


def _line_of_rich(bar: bool, vanishes: bool) -> Progress:
    """Return a line that is drawn only when told, and leaves stdout, which may be a file, alone."""
    from rich.progress import BarColumn, Progress, ProgressColumn, TextColumn, TimeRemainingColumn

    from neuript.safe_console import Report

    columns: list[ProgressColumn] = [TextColumn("{task.description}", markup=False)]
    if bar:
        columns = [BarColumn(30), *columns, TimeRemainingColumn()]
    return Progress(
        *columns, console=Report(stderr=True), auto_refresh=False, transient=vanishes, redirect_stdout=False
    )
