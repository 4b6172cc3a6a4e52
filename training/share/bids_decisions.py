"""What a decoder said while a recording was made, and the report of its calibration, as derivatives."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

from neuript.files import file_sha256, write_atomically, write_json
from neuript.realtime.decoding.decoder_header import read_decoder_header
from neuript.realtime.recordings.recording import RecordedStream, Recording
from neuript.training.calibration.recorded_decisions import decision_rows, decoder_streams
from neuript.training.share.bids_signal import BidsSignal


def write_decisions(recording: Recording, signal: BidsSignal, folder: Path, stem: str) -> list[Path]:
    """Write the decisions of each recorded decoder, a row a decision; nothing where none was recorded.

    Parameters
    ----------
    recording : Recording
        With streams of decisions, or without.
    signal : BidsSignal
        Its EEG, which says where its first sample lies in time.
    folder : Path
        Where the tables go; made if it is not there.
    stem : str
        What their names begin with, up to the run.
    """
    written = []
    for n, stream in enumerate(decoder_streams(recording), start=1):
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"{stem}_desc-decisions{n if n > 1 else ''}_events.tsv"
        write_atomically(path, _table(stream, float(signal.times_s[0])), overwrite=False)
        write_json(path.with_suffix(".json"), _sidecar(stream), indent=4)
        written.append(path)
    return written


def copy_report(report: Path, folder: Path, stem: str) -> Path | None:
    """Copy a report beside those that are there, each under a number; return the copy, or None if it is there."""
    folder.mkdir(parents=True, exist_ok=True)
    there = sorted(folder.glob(f"{stem}_desc-calibration*_report.html"))
    if any(file_sha256(path) == file_sha256(report) for path in there):
        return None
    path = folder / f"{stem}_desc-calibration{len(there) + 1}_report.html"
    write_atomically(path, report.read_bytes(), overwrite=False)
    return path


def _table(stream: RecordedStream, zero_s: float) -> bytes:
    classes = read_decoder_header(stream.header).classes
    lines: list[list[Any]] = [["onset", "duration", "trial_type", "state", *(f"p_{name}" for name in classes)]]
    for row in decision_rows(stream):
        proba = [f"{row.proba[name]:.6f}" if row.proba else "n/a" for name in classes]
        lines.append([f"{row.t - zero_s:.6f}", 0, row.decision or "n/a", row.state, *proba])
    text = io.StringIO()
    csv.writer(text, delimiter="\t", lineterminator="\n").writerows(lines)
    return text.getvalue().encode()


def _sidecar(stream: RecordedStream) -> dict[str, Any]:
    classes = read_decoder_header(stream.header).classes
    proba = {f"p_{name}": {"Description": f"Probability of the class {name} in this window"} for name in classes}
    return {
        "onset": {"Description": "Newest sample of the window, from the first sample of the raw file", "Units": "s"},
        "duration": {"Description": "0: a decision is a moment", "Units": "s"},
        "trial_type": {"Description": f"Class that the decoder {stream.info.name} decided for; n/a for none"},
        "state": {"Description": "State of the decoder; only OK is a decoded window"},
        **proba,
    }
