"""The signal view on a terminal: the same in text, drawn by rich."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rich.console import RenderableType
from rich.layout import Layout
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from neuript.realtime.dashboard.console_frames import TRACE_S, show_on_console, trace_lines
from neuript.realtime.dashboard.head_points import Level
from neuript.realtime.lsl.library import lsl_clock
from neuript.realtime.view.signal_client import SignalClient
from neuript.realtime.view.signal_model import SignalSnapshot, worst_first

_STYLES = {Level.GOOD: "green", Level.DOUBTFUL: "yellow", Level.BAD: "bold red", Level.ABSENT: "dim"}


def run_console(client: SignalClient, picture: Path | None, after_s: float) -> None:
    """Draw on the terminal until it is interrupted, or once for a picture."""
    with client:
        show_on_console(
            lambda width, height: signal_frame(client, width, height),
            lambda: signal_line(_now(client)),
            lambda: client.failure is None,
            picture,
            after_s,
        )


def _now(client: SignalClient) -> SignalSnapshot:
    with client.lock:
        return client.model.snapshot(lsl_clock())


def signal_line(snapshot: SignalSnapshot) -> str:
    """Say the snapshot in one line, for a log."""
    words = (snapshot.stream_words, snapshot.verdict, snapshot.counts, *snapshot.notices)
    return " | ".join(filter(None, words))


def signal_frame(client: SignalClient, width: int, height: int) -> RenderableType:
    """Take what is shown now from the client and lay it out."""
    with client.lock:
        model = client.model
        snapshot = model.snapshot(lsl_clock())
        extremes = np.empty((0, 2, 0), np.float32) if model.ring is None else model.ring.newest(TRACE_S)
        unit, verdicts = model.unit, model.verdicts()
    return render_signal(snapshot, extremes, verdicts, unit, width, height)


def render_signal(
    snapshot: SignalSnapshot, extremes: NDArray[np.float32], verdicts: list[str], unit: str, width: int, height: int
) -> RenderableType:
    """Lay a snapshot out on `width` x `height` characters.

    Parameters
    ----------
    snapshot : SignalSnapshot
        What is known of the stream.
    extremes : ndarray, shape (n_columns, 2, n_chans)
        The newest columns of the traces.
    verdicts : list of str
        A word on each channel; empty where it is good.
    unit : str
        Unit of `extremes`.
    width, height : int
        Size of the terminal in characters.
    """
    simulated = "SIMULATED · " if snapshot.eeg and snapshot.eeg.simulated else ""
    head = Text(f"neuript · {simulated}{snapshot.stream_words}", "bold", no_wrap=True)
    style = _STYLES[snapshot.level]
    said = Text.assemble((f"{snapshot.level.mark} {snapshot.verdict}", style))
    for notice in snapshot.notices[:3]:
        said.append(f"\n▲ {notice}", "yellow")
    whole = Text("\n".join(snapshot.more_sentences))
    n_said = _n_lines(said, width - 4) + 2
    n_whole = min(_n_lines(whole, width - 4), max(1, height // 4)) + 2
    body = Layout()
    room = height - 1 - n_said - n_whole
    body.split_row(
        Layout(Panel(_traces(snapshot, extremes, verdicts, unit, width // 2 - 4, room - 2), title="Last 4 s")),
        Layout(Panel(_electrodes(snapshot, room - 2), title=f"Electrodes {snapshot.counts}")),
    )
    page = Layout()
    page.split_column(
        Layout(head, size=1),
        Layout(Panel(said, border_style=style), size=n_said),
        body,
        Layout(Panel(whole, title="Signal", title_align="left"), size=n_whole),
    )
    return page


def _n_lines(text: Text, width: int) -> int:
    from neuript.safe_console import Report

    return max(1, len(text.wrap(Report(width=width), max(10, width))))


def _traces(
    snapshot: SignalSnapshot, extremes: NDArray[np.float32], verdicts: list[str], unit: str, width: int, n_rows: int
) -> RenderableType:
    if snapshot.eeg is None or len(extremes) == 0:
        return Text("no samples yet", "dim")
    return trace_lines(snapshot.eeg.ch_names, verdicts, extremes, unit, width, max(1, n_rows))


def _electrodes(snapshot: SignalSnapshot, n_rows: int) -> RenderableType:
    """The electrodes, the worst first, as many as there is room for."""
    if snapshot.check is None:
        return Text("listening", "dim")
    table = Table.grid(padding=(0, 1))
    ordered = worst_first(snapshot.check.electrodes)
    shown = ordered if len(ordered) <= n_rows else ordered[: max(0, n_rows - 1)]
    for e in shown:
        style = _STYLES[e.level]
        sent = "" if e.label in ("", e.name) else f"({e.label})"
        table.add_row(Text(e.level.mark, style), e.name, Text(sent, "dim"), Text(e.why or e.level.value, style))
    if len(shown) < len(ordered):
        table.add_row("", Text(f"+{len(ordered) - len(shown)}", "dim"), "", Text("more", "dim"))
    return table
