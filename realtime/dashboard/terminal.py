"""The dashboard on a terminal: the same picture in text, drawn by rich."""

from __future__ import annotations

import os
import signal
import sys
import time
from argparse import Namespace
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import Console, Group, RenderableType
from rich.layout import Layout
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from neuript.realtime.dashboard.client import DashboardClient
from neuript.realtime.dashboard.parent import parent_lives
from neuript.realtime.dashboard.traces import channel_verdicts, fitting_scale
from neuript.realtime.dashboard.view_model import Snapshot, ViewModel
from neuript.realtime.dashboard.words import Tone, describe, duration
from neuript.realtime.lsl.library import lsl_clock

FRAMES_PER_S = 5.0
LINE_EVERY_S = 2.0
_STYLES = {Tone.GOOD: "green", Tone.BUSY: "cyan", Tone.WARN: "yellow", Tone.BAD: "bold red"}
TRACE_S = 4.0


def run(options: Namespace) -> int:
    """Show the console view until it is interrupted or its parent has ended."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that the terminal is given back
    model = ViewModel()
    with DashboardClient(model, options.proba_source_id, options.eeg_source_id) as client:
        if options.screenshot is not None:
            return _screenshot(client, options.screenshot, options.after)
        console = Console(stderr=True)
        if console.is_terminal:
            _live(client, console, options.parent)
        else:
            _lines(client, options.parent)
    return 0


def _live(client: DashboardClient, console: Console, parent: int | None) -> None:
    with Live(console=console, screen=True, auto_refresh=False) as live:
        while client.failure is None and parent_lives(parent):
            live.update(frame(client, console.width, console.height), refresh=True)
            time.sleep(1.0 / FRAMES_PER_S)


def _lines(client: DashboardClient, parent: int | None) -> None:
    """Where nothing can be redrawn (a file, a pipe), say a line now and then."""
    while client.failure is None and parent_lives(parent):
        with client.lock:
            snapshot = client.model.snapshot(lsl_clock())
        sys.stderr.write(f"{status_line(snapshot)}\n")
        sys.stderr.flush()
        time.sleep(LINE_EVERY_S)


def _screenshot(client: DashboardClient, path: Path, after_s: float) -> int:
    time.sleep(after_s)
    console = Console(record=True, width=110, height=36, file=open(os.devnull, "w"))  # noqa: SIM115
    console.print(frame(client, 110, 36))
    if path.suffix == ".svg":
        console.save_svg(str(path), title="neuript")
    else:
        console.save_text(str(path), styles=path.suffix == ".ansi")
    console.file.close()
    return 0


def frame(client: DashboardClient, width: int, height: int) -> RenderableType:
    """Take what is shown now from the client and lay it out."""
    with client.lock:
        model = client.model
        snapshot = model.snapshot(lsl_clock())
        extremes = np.empty((0, 2, 0), np.float32)
        if model.ring is not None:
            n = round(TRACE_S / model.ring.column_s)
            extremes, _ = model.ring.columns(model.ring.total - n, model.ring.total)
        unit = model.unit
    return render(snapshot, extremes, unit, width, height)


def render(snapshot: Snapshot, extremes: NDArray[np.float32], unit: str, width: int, height: int) -> RenderableType:
    """Lay a snapshot out on `width` x `height` characters.

    Parameters
    ----------
    snapshot : Snapshot
        State of the session to show.
    extremes : ndarray, shape (n_columns, 2, n_chans)
        The newest columns of the traces.
    unit : str
        Unit of `extremes`.
    width, height : int
        Size of the terminal in characters.
    """
    rows: list[Layout] = []
    if snapshot.simulated:
        banner = Text(" SIMULATED SIGNAL · no person is connected ", "bold black on yellow")
        rows.append(Layout(Text.assemble(banner, justify="center"), size=1))
    head = Text(f"{snapshot.title}   {snapshot.stream_words}", "bold", no_wrap=True)
    rows.append(Layout(head, size=1))
    hint_lines = len(Text(snapshot.words.hint).wrap(Console(width=width), width - 4))
    rows.append(Layout(_state_panel(snapshot), size=3 + hint_lines))
    right_width = max(37, width * 2 // 5)
    left, right = Layout(name="left"), Layout(name="right", size=right_width)
    n_classes = len(snapshot.decoder.classes) if snapshot.decoder else 1
    left_width = width - right_width
    bars = Panel(_bars(snapshot, left_width - 4), title="Probability", title_align="left")
    room = height - 4 - hint_lines - int(snapshot.simulated)
    n_bars = n_classes + 4
    traces = Panel(
        _traces(snapshot, extremes, unit, left_width - 4, max(1, room - n_bars - 3)),
        title=_trace_title(snapshot),
        title_align="left",
    )
    left.split_column(Layout(bars, size=n_bars), Layout(traces))
    right.split_column(
        Layout(_decision_panel(snapshot), size=4),
        Layout(Panel(_log(snapshot), title="Recent", title_align="left")),
        Layout(Panel(_numbers(snapshot), title="Timing", title_align="left"), size=7),
    )
    body = Layout()
    body.split_row(left, right)
    rows.append(body)
    page = Layout()
    page.split_column(*rows)
    return page


def _trace_title(snapshot: Snapshot) -> str:
    silence = snapshot.eeg_silence_s or 0.0
    if silence > 1.0:
        return f"Traces · no samples for {duration(silence)}"
    return f"Last {TRACE_S:g} s ({snapshot.display_filter}, display only)"


def _state_panel(snapshot: Snapshot) -> Panel:
    words = snapshot.words
    style = _STYLES[words.tone]
    text = Text.assemble(
        (f"{words.mark} {words.title}", f"bold {style}"), (f"   for {duration(snapshot.since_s)}\n", "dim"), words.hint
    )
    return Panel(text, border_style=style, title="State", title_align="left")


def _decision_panel(snapshot: Snapshot) -> Panel:
    last = snapshot.last_decision
    ago = "" if last is None else duration(snapshot.now - last.stamp)
    if snapshot.held is not None:
        sure = "" if snapshot.confidence is None else f"confidence {snapshot.confidence:.2f} · "
        text = Text.assemble((f"▶ {snapshot.held}", "bold reverse cyan"), (f"\n{sure}for {ago}", "dim"))
    elif last is not None:
        text = Text.assemble("no command", (f"\nlast: {last.label}, {ago} ago", "dim"))
    else:
        text = Text.assemble("no command", ("\nnone given so far", "dim"))
    return Panel(text, title=f"Command ({snapshot.n_decisions} so far)", title_align="left")


def _bars(snapshot: Snapshot, width: int) -> RenderableType:
    info = snapshot.decoder
    if info is None:
        return Text("no decoder found yet", "dim")
    names = max(len(name) for name in info.classes)
    length = max(10, width - names - 8)
    at = None if info.threshold is None else round(info.threshold * length)
    lines = []
    for k, name in enumerate(info.classes):
        value = None if snapshot.evidence is None else snapshot.evidence[k]
        filled = 0 if value is None else round(value * length)
        above = value is not None and info.threshold is not None and value >= info.threshold
        bar = Text("█" * filled + "·" * (length - filled))
        bar.stylize("bold cyan" if above else "blue", 0, filled)
        bar.stylize("dim", filled)
        if at is not None and 0 <= at < length:
            bar = Text.assemble(bar[:at], ("┃", "bold white"), bar[at + 1 :])
        number = "  –  " if value is None else f"{100 * value:3.0f} %"
        lines.append(Text.assemble(f"{name:>{names}} ", bar, f" {number}"))
    legend = "" if info.threshold is None else f"┃ threshold {info.threshold:g}"
    if info.smoothing_s:
        legend += f" · smoothed over {info.smoothing_s:g} s"
    if info.idle_class:
        legend += f" · {info.idle_class} is never a command"
    if snapshot.proba is None:
        legend = "no valid window: no probabilities"
    return Group(*lines, Text(""), Text(legend, "dim"))


def _traces(snapshot: Snapshot, extremes: NDArray[np.float32], unit: str, width: int, n_rows: int) -> RenderableType:
    if snapshot.eeg is None or len(extremes) == 0:
        return Text("no samples yet", "dim")
    names = snapshot.eeg.ch_names
    room = n_rows - 1  # the last line tells the scale
    per_channel = max(1, min(3, room // len(names)))
    shown = min(len(names), room // per_channel)
    pad = min(8, max((len(name) for name in names[:shown]), default=1))
    scale = fitting_scale(extremes[:, :, :shown], 1.0) if shown else 100.0
    verdicts = channel_verdicts(extremes, in_uv=unit == "µV")
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


def _log(snapshot: Snapshot) -> RenderableType:
    table = Table.grid(padding=(0, 1))
    for entry in snapshot.log[:20]:
        ago = Text(f"{duration(snapshot.now - entry.stamp):>7}", "dim")
        if entry.kind == "decision":
            table.add_row(ago, Text(f"▶ {entry.label}", "bold"))
        else:
            words = describe(entry.label)
            table.add_row(ago, Text(f"{words.mark} {words.title}", _STYLES[words.tone]))
    return table if snapshot.log else Text("nothing yet", "dim")


def _numbers(snapshot: Snapshot) -> RenderableType:
    table = Table.grid(padding=(0, 1))
    table.add_column(no_wrap=True)
    table.add_column(no_wrap=True)
    table.add_row("latency p50/p99", snapshot.latency_words)
    table.add_row("sample age/p99", snapshot.age_words)
    table.add_row("delay 10/20 Hz", snapshot.delay_words)
    table.add_row("window", snapshot.rhythm_words)
    rate = "–" if snapshot.rows_per_s is None else f"{snapshot.rows_per_s:.1f} per s"
    table.add_row("decodings", rate)
    return table


def status_line(snapshot: Snapshot) -> str:
    """Say the snapshot in one line, for a log."""
    parts = [f"{snapshot.words.mark} {snapshot.words.title}", snapshot.stream_words]
    if snapshot.simulated:
        parts.insert(0, "SIMULATED")
    if snapshot.proba is not None and snapshot.decoder is not None:
        names = snapshot.decoder.classes
        parts += [f"{c} {p:.2f}" for c, p in zip(names, snapshot.proba, strict=True)]
    if snapshot.last_decision is not None:
        ago = duration(snapshot.now - snapshot.last_decision.stamp)
        parts.append(f"last command {snapshot.last_decision.label} {ago} ago")
    parts.append(f"latency p50 / p99 {snapshot.latency_words}")
    return " | ".join(parts)
