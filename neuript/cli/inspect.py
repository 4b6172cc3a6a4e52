"""`neuript inspect FILE`: what a recording or a model is."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from neuript.errors import NeuriptError

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from neuript.realtime.recordings.recording import RecordedStream, Recording

MODEL_SUFFIXES = (".ts", ".pt2", ".safetensors")
STRETCH_S = 30.0
MAX_LABELS = 30


@dataclass(frozen=True)
class ChannelReport:
    """One EEG channel: amplitudes in the file's own numbers."""

    label: str
    kind: str
    unit: str
    rms_1_40hz: float
    median: float
    verdict: str


@dataclass(frozen=True)
class EegReport:
    """What the amplitudes of the EEG say."""

    channels: list[ChannelReport]
    unit_verdict: str
    unit_ok: bool
    mains_hz: float | None


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this verb."""
    parser = argparse.ArgumentParser(
        prog="neuript inspect",
        description="Say what a recording is (streams, rates, gaps, units, amplitudes, events) or what a model is.",
    )
    parser.add_argument(
        "file", help="a recording (XDF, EDF, BDF, GDF, BrainVision, FIF, SET, CNT) or a model (.ts .pt2 .safetensors)"
    )
    parser.add_argument("--eeg", metavar="NAME", help="the stream to take as EEG, if its type does not say so")
    parser.add_argument("--json", action="store_true", help="the same for programs, on stdout")
    return parser


def run(argv: list[str] | None = None) -> int:
    """Parse, look, print, return the exit code."""
    args = build_parser().parse_args(argv)
    if Path(args.file).suffix.lower() in MODEL_SUFFIXES:
        from neuript.modelfile.deployable import describe_model

        text = describe_model(Path(args.file))
        print(json.dumps({"model": text.splitlines()}) if args.json else text)
        return 0
    import logging

    logging.getLogger("neuript.realtime.recordings.read").setLevel(logging.ERROR)  # shown below instead
    from neuript.realtime.recordings.read import read_recording

    recording = read_recording(args.file, eeg=args.eeg, require_eeg=False)
    eeg = eeg_report(recording.eeg) if recording.eeg_index is not None else None
    if args.json:
        print(json.dumps(_as_json(recording, eeg), allow_nan=False))
    else:
        _print(recording, eeg)
    return 0


def eeg_report(stream: RecordedStream) -> EegReport:
    """Judge amplitudes and units on 30 s from the middle of the longest stretch without gaps."""
    import numpy as np

    from neuript.realtime.chain.preprocess import measure_mains
    from neuript.realtime.chain.units import band_rms, resolve_scale

    x, info = _middle(stream), stream.info
    if len(x) < info.sfreq:
        return EegReport([], "too short to judge (less than a second)", False, None)
    rms, median = band_rms(x, info.sfreq), np.median(x, axis=0)
    wanted = [i for i, kind in enumerate(info.ch_types) if kind in ("EEG", "")]
    wanted = wanted or list(range(len(info.ch_names)))
    units = [info.units[i] for i in wanted]
    mains = None
    try:
        found = resolve_scale(units, rms[wanted])
        micro = float(np.nanmedian(rms[wanted] * found.scale)) * 1e6
        verdict = found.note or f"plausible: a typical channel has {micro:.3g} µV rms, 1-40 Hz"
        ok = True
        mains = measure_mains(x[:, wanted].astype(np.float64) * found.scale, info.sfreq)
    except NeuriptError as error:
        verdict, ok = str(error), False
    typical = float(np.nanmedian(rms[wanted])) if np.isfinite(rms[wanted]).any() else math.nan
    channels = [
        ChannelReport(
            label=info.ch_names[i],
            kind=info.ch_types[i],
            unit=info.units[i],
            rms_1_40hz=float(rms[i]),
            median=float(median[i]),
            verdict=_channel_verdict(x[:, i], float(rms[i]), typical if i in wanted else math.nan),
        )
        for i in range(x.shape[1])
    ]
    return EegReport(channels, verdict, ok, mains)


def _middle(stream: RecordedStream) -> Any:
    start, stop = max(stream.segments, key=lambda s: s[1] - s[0])
    n = min(stop - start, round(STRETCH_S * stream.info.sfreq))
    first = start + (stop - start - n) // 2
    return stream.data[first : first + n]


def _channel_verdict(x: Any, rms: float, typical: float) -> str:
    import numpy as np

    if not np.isfinite(x).all():
        return f"{100 * np.mean(~np.isfinite(x)):.1f} % not a number"
    if np.ptp(x) == 0:
        return "flat"
    if (np.diff(x) > 0).mean() > 0.95:
        return "counts up: a sample counter?"
    rail = max(np.mean(x == x.max()), np.mean(x == x.min()))
    if rail > 0.05:
        return f"{100 * rail:.0f} % at the rail"
    if rms > 10 * typical:
        return "much larger than the others"
    if rms < 0.1 * typical:
        return "much smaller than the others"
    return "ok" if math.isfinite(typical) else ""


# --- for people -------------------------------------------------------------------------------


def _print(recording: Recording, eeg: EegReport | None) -> None:
    from rich.markup import escape

    from neuript.cli.console import Report

    console = Report(width=None if sys.stdout.isatty() else 120, highlight=False)
    size = recording.path.stat().st_size / 1e6
    duration = max((s.duration_s for s in recording.streams), default=0.0)
    console.print(
        f"[bold]{escape(recording.path.name)}[/]  {recording.file_format}, {size:.1f} MB, "
        f"{len(recording.streams)} streams, {_clock(duration)}"
    )
    for warning in recording.warnings:
        console.print(f"[yellow]! {escape(warning)}[/]")
    console.print(_stream_table(recording))
    for stream in recording.streams:
        for gap in stream.gaps[:10]:
            at = stream.timestamps[gap.index - 1] - stream.timestamps[0]
            console.print(
                f"[yellow]! {escape(stream.info.name)}: {gap.n_missing} samples ({gap.seconds:.3f} s) "
                f"missing after {_clock(float(at))}[/]"
            )
        if len(stream.gaps) > 10:
            console.print(f"[yellow]  ... and {len(stream.gaps) - 10} more gaps[/]")
    if eeg is None:
        console.print("[yellow]! no EEG in this file (a stream of type EEG with a rate and samples)[/]")
    else:
        _print_eeg(console, recording.eeg, eeg)
    _print_events(console, recording)


def _stream_table(recording: Recording) -> Table:
    from rich.table import Table

    table = Table(title="streams", title_justify="left", title_style="bold")
    for name in ("stream", "type"):
        table.add_column(name)
    for name in ("channels", "Hz", "measured Hz", "samples", "length", "gaps"):
        table.add_column(name, justify="right")
    table.add_column("format")
    table.add_column("units")
    for i, s in enumerate(recording.streams):
        mark = "[bold]" if i == recording.eeg_index else ""
        rate = "events" if s.info.sfreq == 0 else f"{s.info.sfreq:g}"
        measured = "" if math.isnan(s.effective_sfreq) else f"{s.effective_sfreq:.3f}"
        gaps = f"{len(s.gaps)}" if s.gaps else ""
        gaps += f" ({s.n_clock_resets} clock resets)" if s.n_clock_resets else ""
        table.add_row(
            f"{mark}{_escaped(s.info.name)}",
            _escaped(s.info.stype),
            str(len(s.info.ch_names)),
            rate,
            measured,
            str(len(s)),
            _clock(s.duration_s),
            gaps,
            s.info.channel_format,
            _escaped(", ".join(sorted({u or "none given" for u in s.info.units}))) if not s.is_markers else "",
        )
    return table


def _print_eeg(console: Console, stream: RecordedStream, eeg: EegReport) -> None:
    from rich.table import Table

    info = stream.info
    colour = "green" if eeg.unit_ok else "red"
    console.print(f"[{colour}]units: {_escaped(eeg.unit_verdict)}[/]")
    mains = f"{eeg.mains_hz:g} Hz" if eeg.mains_hz else "not seen"
    n_bad = sum(c.verdict not in ("ok", "") for c in eeg.channels)
    said = "SIMULATED, " if info.simulated else ""
    console.print(
        f"{said}mains {mains}; {len(info.positions_m)} of {len(info.ch_names)} electrodes with a position; "
        f"reference {_escaped(info.reference) or 'not stated'}; {n_bad} odd channels"
    )
    table = Table(title="channels of the EEG", title_justify="left", title_style="bold")
    for name in ("#", "label", "type", "unit"):
        table.add_column(name)
    table.add_column("rms 1-40 Hz", justify="right")
    table.add_column("median", justify="right")
    table.add_column("verdict")
    for i, c in enumerate(eeg.channels):
        colour = "green" if c.verdict in ("ok", "") else "yellow"
        row = (c.label or "(none)", c.kind, c.unit or "(none)")
        table.add_row(
            str(i + 1), *map(_escaped, row), "0" if c.verdict == "flat" else f"{c.rms_1_40hz:.4g}", f"{c.median:.4g}",
            f"[{colour}]{c.verdict}[/]",
        )  # fmt: skip
    console.print(table)


def _print_events(console: Console, recording: Recording) -> None:
    from rich.table import Table

    for stream in recording.marker_streams:
        if not len(stream):
            continue
        counts = Counter(stream.labels).most_common()
        table = Table(
            title=f"{len(stream)} events of {_escaped(stream.info.name)}", title_justify="left", title_style="bold"
        )
        table.add_column("label")
        table.add_column("times", justify="right")
        for label, n in counts[:MAX_LABELS]:
            table.add_row(_escaped(label[:60]) or '""', str(n))
        if len(counts) > MAX_LABELS:
            table.add_row(f"... {len(counts) - MAX_LABELS} more labels", "")
        console.print(table)


def _escaped(text: str) -> str:
    from rich.markup import escape

    return escape("".join(c if c.isprintable() else "�" for c in text))


def _clock(seconds: float) -> str:
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes)}:{rest:04.1f}"


# --- for programs -----------------------------------------------------------------------------


def _as_json(recording: Recording, eeg: EegReport | None) -> Any:
    return _finite(
        {
            "file": str(recording.path),
            "format": recording.file_format,
            "warnings": recording.warnings,
            "streams": [
                {
                    "name": s.info.name,
                    "type": s.info.stype,
                    "source_id": s.info.source_id,
                    "n_chans": len(s.info.ch_names),
                    "format": s.info.channel_format,
                    "sfreq": s.info.sfreq,
                    "effective_sfreq": s.effective_sfreq,
                    "n_times": len(s),
                    "duration_s": s.duration_s,
                    "gaps": [asdict(gap) for gap in s.gaps],
                    "clock_resets": s.n_clock_resets,
                    "is_eeg": i == recording.eeg_index,
                    "events": dict(Counter(s.labels)) if s.is_markers else None,
                }
                for i, s in enumerate(recording.streams)
            ],
            "eeg": None if eeg is None else asdict(eeg),
        }
    )


def _finite(value: Any) -> Any:
    """Replace what JSON has no number for by null."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, list):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
