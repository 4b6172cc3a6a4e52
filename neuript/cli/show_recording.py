"""A report on a recording as tables for people."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING

from neuript.durations import clock

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from neuript.realtime.recordings.recording_report import EegReport, RecordingReport, StreamReport

MAX_GAPS = 10
MAX_LABELS = 30
LONGEST_LABEL = 100
"""Of a longer label this much is shown, and `*` for the rest."""


def show(report: RecordingReport) -> None:
    """Print a report for people."""
    from neuript.safe_console import Report

    console = Report(width=None if sys.stdout.isatty() else 120, highlight=False)
    console.print(
        f"[bold]{_escaped(report.path.name)}[/]  {report.file_format}, {report.n_bytes / 1e6:.1f} MB, "
        f"{len(report.streams)} streams, {clock(report.duration_s, n_decimals=1)}"
    )
    for warning in report.warnings:
        console.print(f"[yellow]! {_escaped(warning)}[/]")
    console.print(_stream_table(report))
    for stream in report.streams:
        _show_gaps(console, stream)
    if report.eeg is None and sum(s.may_be_eeg for s in report.streams) > 1:
        console.print("[yellow]! none of these streams is taken as the EEG; choose one with --eeg[/]")
    elif report.eeg is None:
        console.print("[yellow]! no EEG in this file (a stream of type EEG with a rate and samples)[/]")
    else:
        _show_eeg(console, next(s for s in report.streams if s.is_eeg), report.eeg)
    for stream in report.streams:
        if stream.events:
            console.print(_event_table(stream))


def _stream_table(report: RecordingReport) -> Table:
    table = _table(
        "streams", ">#", "stream", "type", ">channels", ">Hz", ">measured Hz", ">samples", ">length", ">gaps"
    )
    table.add_column("format")
    table.add_column("units")
    for number, s in enumerate(report.streams, start=1):
        gaps = f"{len(s.gaps)}" if s.gaps else ""
        gaps += f" ({s.n_clock_resets} clock resets)" if s.n_clock_resets else ""
        table.add_row(
            str(number),
            f"{'[bold]' if s.is_eeg else ''}{_escaped(s.name)}",
            _escaped(s.stype),
            str(s.n_chans),
            "events" if s.sfreq == 0 else f"{s.sfreq:g}",
            "" if math.isnan(s.effective_sfreq) else f"{s.effective_sfreq:.3f}",
            str(s.n_times),
            clock(s.duration_s, n_decimals=1),
            gaps,
            s.channel_format,
            _escaped(", ".join(sorted({u or "none given" for u in s.units}))) if not s.is_markers else "",
        )
    return table


def _show_gaps(console: Console, stream: StreamReport) -> None:
    for gap, after_s in list(zip(stream.gaps, stream.gaps_after_s, strict=True))[:MAX_GAPS]:
        console.print(
            f"[yellow]! {_escaped(stream.name)}: {gap.n_missing} samples ({gap.seconds:.3f} s) "
            f"missing after {clock(after_s, n_decimals=1)}[/]"
        )
    if len(stream.gaps) > MAX_GAPS:
        console.print(f"[yellow]  ... and {len(stream.gaps) - MAX_GAPS} more gaps[/]")


def read_as(labels: list[str]) -> list[tuple[str, str]]:
    """Return (electrode, label) of the labels that are read as something else than they say letter by letter."""
    from neuript.montages.names import canonical_name, names_electrode
    from neuript.montages.plan import plain

    named = [(canonical_name(label), label) for label in labels if names_electrode(label)]
    return [(name, label) for name, label in named if plain(name) != plain(label)]


def _show_eeg(console: Console, stream: StreamReport, eeg: EegReport) -> None:
    console.print(f"[{'green' if eeg.unit_ok else 'red'}]units: {_escaped(eeg.unit_verdict)}[/]")
    console.print(
        f"{'SIMULATED, ' if stream.simulated else ''}mains {f'{eeg.mains_hz:g} Hz' if eeg.mains_hz else 'not seen'}; "
        f"{stream.n_positions} of {stream.n_chans} electrodes with a position; "
        f"reference {_escaped(stream.reference) or 'not stated'}; {sum(c.odd for c in eeg.channels)} odd channels"
    )
    table = _table("channels of the EEG", "#", "label", "type", "unit", ">rms 1-40 Hz", ">median", "verdict")
    for i, c in enumerate(eeg.channels):
        row = (c.label or "(none)", c.kind, c.unit or "(none)")
        rms = "0" if c.verdict == "flat" else f"{c.rms_1_40hz:.4g}"
        colour = "yellow" if c.odd else "green"
        table.add_row(str(i + 1), *map(_escaped, row), rms, f"{c.median:.4g}", f"[{colour}]{c.verdict}[/]")
    console.print(table)
    if read := read_as([c.label for c in eeg.channels]):
        console.print("[bold]read as electrodes[/]")
        for name, label in read:
            console.print(f"{name:<8} {_escaped(label)}")


def _event_table(stream: StreamReport) -> Table:
    """Labels as `--event` takes them; of many different ones what they have in common."""
    from neuript.realtime.recordings.marker_labels import ANYTHING, patterns_of

    patterns = patterns_of([label for label, n in stream.events.items() for _ in range(n)])
    said = f" ({len(stream.events)} labels; {ANYTHING} stands for any text)" if patterns else ""
    table = _table(f"{stream.n_times} events of {_escaped(stream.name)}{said}", "label", ">times")
    counts = sorted((patterns or stream.events).items(), key=lambda item: -item[1])
    for label, n in counts[:MAX_LABELS]:
        short = label if len(label) <= LONGEST_LABEL else label[: LONGEST_LABEL - 1] + ANYTHING
        table.add_row(_escaped(short) or '""', str(n))
    if len(counts) > MAX_LABELS:
        table.add_row(f"... {len(counts) - MAX_LABELS} more labels", "")
    return table


def _table(title: str, *columns: str) -> Table:
    """Return an empty table; a column whose name begins with `>` is one of numbers."""
    from rich.table import Table

    table = Table(title=title, title_justify="left", title_style="bold")
    for name in columns:
        table.add_column(name.removeprefix(">"), justify="right" if name.startswith(">") else "left")
    return table


def _escaped(text: str) -> str:
    from rich.markup import escape

    from neuript.foreign import one_line

    return escape(one_line(text))
