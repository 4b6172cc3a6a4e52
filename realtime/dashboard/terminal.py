"""The dashboard on a terminal: the same picture in text, drawn by rich."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from rich.console import Group, RenderableType
from rich.layout import Layout
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from neuript.realtime.dashboard.client import DashboardClient
from neuript.realtime.dashboard.console_frames import TRACE_S, show_on_console, trace_lines
from neuript.realtime.dashboard.parent import parent_lives
from neuript.realtime.dashboard.show import DashboardOptions
from neuript.realtime.dashboard.view_model import Snapshot, ViewModel
from neuript.realtime.dashboard.words import Tone, describe, duration
from neuript.realtime.lsl.library import lsl_clock
from neuript.safe_console import Report

_STYLES = {Tone.GOOD: "green", Tone.BUSY: "cyan", Tone.WARN: "yellow", Tone.BAD: "bold red"}


def run(options: DashboardOptions) -> int:
    """Show the console view until it is interrupted or its parent has ended."""
    with DashboardClient(ViewModel(), options.proba_source_id, options.eeg_source_id) as client:
        show_on_console(
            lambda width, height: frame(client, width, height),
            lambda: _line(client),
            lambda: client.failure is None and parent_lives(options.parent),
            options.screenshot,
            options.after,
        )
    return 0


def _line(client: DashboardClient) -> str:
    with client.lock:
        return status_line(client.model.snapshot(lsl_clock()))


def frame(client: DashboardClient, width: int, height: int) -> RenderableType:
    """Take what is shown now from the client and lay it out."""
    with client.lock:
        model = client.model
        snapshot = model.snapshot(lsl_clock())
        extremes = np.empty((0, 2, 0), np.float32) if model.ring is None else model.ring.newest(TRACE_S)
        unit, verdicts = model.unit, model.verdicts()
    return render(snapshot, extremes, verdicts, unit, width, height)


def render(
    snapshot: Snapshot, extremes: NDArray[np.float32], verdicts: list[str], unit: str, width: int, height: int
) -> RenderableType:
    """Lay a snapshot out on `width` x `height` characters.

    Parameters
    ----------
    snapshot : Snapshot
        State of the session to show.
    extremes : ndarray, shape (n_columns, 2, n_chans)
        The newest columns of the traces.
    verdicts : list of str
        A word on each channel; empty where it is good.
    unit : str
        Unit of `extremes`.
    width, height : int
        Size of the terminal in characters.
    """
    rows: list[Layout] = []
    if snapshot.simulated:
        banner = Text(" SIMULATED SIGNAL · no person is connected ", "bold black on yellow")
        rows.append(Layout(Text.assemble(banner, justify="center"), size=1))
    light = f"● REC {snapshot.recording}   " if snapshot.recording else ""
    head = Text.assemble((light, "bold red"), f"{snapshot.title}   {snapshot.stream_words}", style="bold", no_wrap=True)
    rows.append(Layout(head, size=1))
    hint_lines = len(Text(snapshot.words.hint).wrap(Report(width=width), width - 4))
    rows.append(Layout(_state_panel(snapshot), size=3 + hint_lines))
    right_width = max(37, width * 2 // 5)
    left, right = Layout(name="left"), Layout(name="right", size=right_width)
    n_classes = len(snapshot.decoder.classes) if snapshot.decoder else 1
    left_width = width - right_width
    bars = Panel(_bars(snapshot, left_width - 4), title="Probability", title_align="left")
    room = height - 4 - hint_lines - int(snapshot.simulated)
    n_bars = n_classes + 4
    traces = Panel(
        _traces(snapshot, extremes, verdicts, unit, left_width - 4, max(1, room - n_bars - 3)),
        title=_trace_title(snapshot),
        title_align="left",
    )
    left.split_column(Layout(bars, size=n_bars), Layout(traces))
    right.split_column(
        Layout(_decision_panel(snapshot), size=5 if snapshot.score.words else 4),
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
    ago = "" if last is None else duration(snapshot.now - last.heard)
    if snapshot.held is not None:
        sure = "" if snapshot.confidence is None else f"confidence {snapshot.confidence:.2f} · "
        text = Text.assemble((f"▶ {snapshot.held}", "bold reverse cyan"), (f"\n{sure}for {ago}", "dim"))
    elif last is not None:
        text = Text.assemble("no command", (f"\nlast: {last.label}, {ago} ago", "dim"))
    else:
        text = Text.assemble("no command", ("\nnone given so far", "dim"))
    if snapshot.score.words:
        text.append(f"\n{snapshot.score.words}", "dim")
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
        number = " –  " if value is None else f"{value:.2f}"
        lines.append(Text.assemble(f"{name:>{names}} ", bar, f" {number}"))
    legend = "" if info.threshold is None else f"┃ threshold {info.threshold:g}"
    if info.smoothing_s:
        legend += f" · smoothed over {info.smoothing_s:g} s"
    if info.idle_class:
        legend += f" · {info.idle_class} is never a command"
    if snapshot.proba is None:
        legend = "no valid window: no probabilities"
    return Group(*lines, Text(""), Text(legend, "dim"))


def _traces(
    snapshot: Snapshot, extremes: NDArray[np.float32], verdicts: list[str], unit: str, width: int, n_rows: int
) -> RenderableType:
    if snapshot.eeg is None or len(extremes) == 0:
        return Text("no samples yet", "dim")
    return trace_lines(snapshot.eeg.ch_names, verdicts, extremes, unit, width, n_rows)


def _log(snapshot: Snapshot) -> RenderableType:
    table = Table.grid(padding=(0, 1))
    for entry in snapshot.log[:20]:
        ago = Text(f"{duration(snapshot.now - entry.heard):>7}", "dim")
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
    table.add_row("slowest stage", snapshot.stages.words)
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
        ago = duration(snapshot.now - snapshot.last_decision.heard)
        parts.append(f"last command {snapshot.last_decision.label} {ago} ago")
    parts.append(f"latency p50 / p99 {snapshot.latency_words}")
    return " | ".join(parts)
