"""`neuript inspect FILE`: what a recording or a model is."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from neuript.cli.arguments import add_eeg
from neuript.cli.channel_options import add_channels, given_channels
from neuript.files import json_safe

if TYPE_CHECKING:
    from neuript.realtime.recordings.recording_report import RecordingReport


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of this verb."""
    parser = argparse.ArgumentParser(
        prog="neuript inspect",
        description="Say what a recording is (streams, rates, gaps, units, amplitudes, events) or what a model is.",
    )
    parser.add_argument(
        "file",
        help="a recording (XDF, EDF, BDF, GDF, BrainVision, FIF, SET, CNT, Muse csv) or a model (.ts .safetensors)",
    )
    add_eeg(parser)
    add_channels(parser)
    parser.add_argument("--json", action="store_true", help="the same for programs, on stdout")
    return parser


def run(argv: list[str] | None = None) -> int:
    """Parse, look, print, return the exit code."""
    args = build_parser().parse_args(argv)
    import logging

    from neuript.inspection import ModelReport, inspect

    logging.getLogger("neuript.realtime.recordings.read").setLevel(logging.ERROR)  # its warnings are in the report
    report = inspect(args.file, args.eeg, given_channels(args))
    if isinstance(report, ModelReport):
        print(json.dumps({"model": report.description.splitlines()}) if args.json else report.description)
    elif args.json:
        print(json.dumps(as_json(report), allow_nan=False))
    else:
        from neuript.cli.show_recording import show
        from neuript.realtime.live.suggestions import after_recording

        show(report)
        if then := after_recording(report):
            print(f"next, if these markers are the cues: {then}")
    return 0


def as_json(report: RecordingReport) -> Any:
    """Return a report as plain values; numbers that JSON does not have are null."""
    return json_safe(
        {
            "file": str(report.path),
            "format": report.file_format,
            "warnings": report.warnings,
            "streams": [
                {
                    "name": s.name,
                    "type": s.stype,
                    "source_id": s.source_id,
                    "n_chans": s.n_chans,
                    "format": s.channel_format,
                    "sfreq": s.sfreq,
                    "effective_sfreq": s.effective_sfreq,
                    "n_times": s.n_times,
                    "duration_s": s.duration_s,
                    "gaps": [asdict(gap) for gap in s.gaps],
                    "clock_resets": s.n_clock_resets,
                    "is_eeg": s.is_eeg,
                    "events": s.events if s.is_markers else None,
                }
                for s in report.streams
            ],
            "eeg": None if report.eeg is None else asdict(report.eeg),
        }
    )
