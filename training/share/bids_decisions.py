"""What a decoder said of a recording, and the report of its calibration, as derivatives."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neuript.errors import NeuriptError
from neuript.files import file_sha256, write_atomically, write_json
from neuript.realtime.decoding.decision_log import read_decisions
from neuript.realtime.decoding.decoder_header import read_decoder_header
from neuript.realtime.decoding.scoring import PublishedRow
from neuript.realtime.recordings.recording import Recording
from neuript.training.calibration.recorded_decisions import decision_rows, decoder_streams


@dataclass(frozen=True)
class DecoderRows:
    """What one decoder said of one recording."""

    name: str
    """Of its stream, or of the file with its lines."""
    classes: tuple[str, ...]
    rows: tuple[PublishedRow, ...]
    zero_s: float
    """Time of the first sample of the raw file, on the clock of the rows, in seconds."""


def recorded_rows(recording: Recording, first_s: float) -> list[DecoderRows]:
    """Return what was decoded while a recording was made; `first_s` is the time of its first sample, on its clock."""
    return [
        DecoderRows(s.info.name, read_decoder_header(s.header).classes, tuple(decision_rows(s)), first_s)
        for s in decoder_streams(recording)
    ]


def replayed_rows(path: str | Path, n_recordings: int) -> DecoderRows:
    """Return what `neuript-live --replay --json` printed of a recording.

    Raises
    ------
    NeuriptError
        If there is not one recording that they can be of, or they are of a stream and not of a recording.
    """
    if n_recordings != 1:
        raise NeuriptError(f"--decisions {path} are of one recording, and {n_recordings} were given; name that one")
    log = read_decisions(path)
    if not log.uses_rec_t:
        raise NeuriptError(
            f"--decisions {path} carry stamps of the LSL clock; record such a session with neuript-live --record, "
            "which keeps them with the EEG, or decode the recording with neuript-live --replay FILE --headless --json"
        )
    return DecoderRows(Path(path).name, log.classes, log.rows, 0.0)


def write_decisions(decoder: DecoderRows, folder: Path, stem: str) -> Path | None:
    """Write a table with a row a decision beside those that are there, each under a number.

    Parameters
    ----------
    decoder : DecoderRows
        What it said.
    folder : Path
        Where the table goes; made if it is not there.
    stem : str
        What its name begins with, up to the run.

    Returns
    -------
    Path or None
        The table; None if the same one is there.
    """
    folder.mkdir(parents=True, exist_ok=True)
    table, there = _table(decoder), sorted(folder.glob(f"{stem}_desc-decisions*_events.tsv"))
    if any(path.read_bytes() == table for path in there):
        return None
    path = folder / f"{stem}_desc-decisions{len(there) + 1 if there else ''}_events.tsv"
    write_atomically(path, table, overwrite=False)
    write_json(path.with_suffix(".json"), _sidecar(decoder), indent=4)
    return path


def copy_report(report: Path, folder: Path, stem: str) -> Path | None:
    """Copy a report beside those that are there, each under a number; return the copy, or None if it is there."""
    folder.mkdir(parents=True, exist_ok=True)
    there = sorted(folder.glob(f"{stem}_desc-calibration*_report.html"))
    if any(file_sha256(path) == file_sha256(report) for path in there):
        return None
    path = folder / f"{stem}_desc-calibration{len(there) + 1}_report.html"
    write_atomically(path, report.read_bytes(), overwrite=False)
    return path


def _table(decoder: DecoderRows) -> bytes:
    probas = [f"p_{name}" for name in decoder.classes]
    lines: list[list[Any]] = [["onset", "duration", "trial_type", "state", *probas]]
    for row in decoder.rows:
        proba = [f"{row.proba[name]:.6f}" if row.proba else "n/a" for name in decoder.classes]
        lines.append([f"{row.t - decoder.zero_s:.6f}", 0, row.decision or "n/a", row.state, *proba])
    text = io.StringIO()
    csv.writer(text, delimiter="\t", lineterminator="\n").writerows(lines)
    return text.getvalue().encode()


def _sidecar(decoder: DecoderRows) -> dict[str, Any]:
    proba = {
        f"p_{name}": {"Description": f"Probability of the class {name} in this window"} for name in decoder.classes
    }
    return {
        "onset": {"Description": "Newest sample of the window, from the first sample of the raw file", "Units": "s"},
        "duration": {"Description": "0: a decision is a moment", "Units": "s"},
        "trial_type": {"Description": f"Class that the decoder {decoder.name} decided for; n/a for none"},
        "state": {"Description": "State of the decoder; only OK is a decoded window"},
        **proba,
    }
