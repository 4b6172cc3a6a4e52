"""Any view on a terminal: redrawn a few times a second, or said in lines where nothing can be redrawn, or pictured."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from neuript.realtime.dashboard.traces import fitting_scale
from neuript.safe_console import Report

FRAMES_PER_S = 5.0
LINE_EVERY_S = 2.0
PICTURE = (110, 36)
"""Characters of a picture."""
TRACE_S = 4.0
"""Seconds of traces on a terminal."""


def show_on_console(
    frame: Callable[[int, int], RenderableType],
    line: Callable[[], str],
    goes_on: Callable[[], bool],
    picture: Path | None = None,
    after_s: float = 0.0,
) -> None:
    """Draw until it is over, or once for a picture.

    Parameters
    ----------
    frame : callable
        Returns what is shown now on so many characters, width and height.
    line : callable
        Returns the same in one line, for a file or a pipe.
    goes_on : callable
        Says whether there is still something to show.
    picture : Path, optional
        File to write a picture to, `.svg`, `.ansi` or text; None draws on the terminal.
    after_s : float
        Seconds until the picture.
    """
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that the terminal is given back
    if picture is not None:
        _write_picture(frame, picture, after_s)
        return
    console = Report(stderr=True)
    if console.is_terminal:
        _redraw(frame, goes_on, console)
    else:
        _say(line, goes_on)


def _redraw(frame: Callable[[int, int], RenderableType], goes_on: Callable[[], bool], console: Console) -> None:
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while goes_on():
            live.update(frame(console.width, console.height), refresh=True)
            time.sleep(1.0 / FRAMES_PER_S)


def _say(line: Callable[[], str], goes_on: Callable[[], bool]) -> None:
    while goes_on():
        sys.stderr.write(f"{line()}\n")
        sys.stderr.flush()
        time.sleep(LINE_EVERY_S)


def _write_picture(frame: Callable[[int, int], RenderableType], path: Path, after_s: float) -> None:
    time.sleep(after_s)
    with open(os.devnull, "w") as nowhere:
        console = Report(record=True, width=PICTURE[0], height=PICTURE[1], file=nowhere)
        console.print(frame(*PICTURE))
        if path.suffix == ".svg":
            console.save_svg(str(path), title="neuript")
        else:
            console.save_text(str(path), styles=path.suffix == ".ansi")


def trace_lines(
    names: Sequence[str], verdicts: Sequence[str], extremes: NDArray[np.float32], unit: str, width: int, n_rows: int
) -> RenderableType:
    """Draw channels in braille dots, with their names and a word on each.

    Parameters
    ----------
    names, verdicts : sequence of str
        Of each channel; an empty verdict says nothing.
    extremes : ndarray, shape (n_columns, 2, n_chans)
        The newest columns of the traces.
    unit : str
        Unit of `extremes`.
    width, n_rows : int
        Characters and lines that there are; what does not fit is counted.
    """
    room = n_rows - 1  # the last line tells the scale
    per_channel = max(1, min(3, room // len(names)))
    shown = min(len(names), room // per_channel)
    pad = min(8, max((len(name) for name in names[:shown]), default=1))
    scale = fitting_scale(extremes[:, :, :shown], 1.0) if shown else 100.0
    length = max(10, width - pad - 9)
    lines: list[Text] = []
    for k in range(shown):
        label = f"{names[k][:pad]:>{pad}} "
        for at, dots in enumerate(braille(extremes[:, :, k], length, per_channel, scale)):
            middle = at == (per_channel - 1) // 2
            name = label if middle else " " * len(label)
            verdict = f" {verdicts[k]}" if middle else ""
            lines.append(Text.assemble(name, (dots, "cyan"), (verdict, "yellow")))
    rest = "" if shown == len(names) else f" · {len(names) - shown} more channels"
    return Group(*lines, Text(f"a channel's height is {scale:g} {unit}{rest}", "dim"))


_DOTS = ((0x01, 0x08), (0x02, 0x10), (0x04, 0x20), (0x40, 0x80))


def braille(extremes: NDArray[np.float32], length: int, n_rows: int, scale: float) -> list[str]:
    """Draw one channel in braille dots.

    Parameters
    ----------
    extremes : ndarray, shape (n_columns, 2)
        Columns of the trace.
    length, n_rows : int
        Size in characters; a character is 2 dots wide and 4 high.
    scale : float
        What the full height spans; larger values are cut.

    Returns
    -------
    list of str
        `n_rows` lines of `length` characters, blank where samples are missing.
    """
    height = 4 * n_rows
    cells = np.zeros((n_rows, length), np.int64)
    edges = np.linspace(0, len(extremes), 2 * length + 1).astype(int)
    before: int | None = None
    for x, (start, stop) in enumerate(pairwise(edges)):
        part = extremes[start : max(stop, start + 1)].ravel()
        part = part[np.isfinite(part)]
        if not len(part):
            before = None
            continue
        level = np.rint((0.5 - np.clip(part / scale, -0.5, 0.5)) * (height - 1)).astype(int)
        top, bottom, last = int(level.min()), int(level.max()), int(level[-1])
        if before is not None:  # touch the column before
            top, bottom = min(top, before + 1), max(bottom, before - 1)
        before = last
        for y in range(max(0, top), min(height - 1, bottom) + 1):
            cells[y // 4, x // 2] |= _DOTS[y % 4][x % 2]
    return ["".join(chr(0x2800 + int(c)) if c else " " for c in line) for line in cells]
