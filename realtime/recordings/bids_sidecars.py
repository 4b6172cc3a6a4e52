"""What a BIDS data set says beside a recording: what happened, where nothing was recorded, who made the amplifier."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neuript.errors import NeuriptError
from neuript.realtime.recordings.build_stream import marker_stream
from neuript.realtime.recordings.cue_markers import MARKERS, CueHeader, cue_class_of, cue_header_xml
from neuript.realtime.recordings.file_marks import FileMark, FileMarks, FileTime
from neuript.realtime.recordings.recording import RecordedStream
from neuript.realtime.recordings.tsv_table import read_tsv

_SIMULATED = "simulated"


@dataclass(frozen=True)
class BidsMaker:
    """What `*_eeg.json` says of the amplifier; empty where it says nothing."""

    manufacturer: str = ""
    reference: str = ""

    @property
    def simulated(self) -> bool:
        """True where a simulated person was recorded."""
        return _SIMULATED in self.manufacturer.lower()


@dataclass(frozen=True)
class BidsEvents:
    """What an events table says; times are in seconds from the first sample of the file."""

    path: Path
    marks: tuple[FileMark, ...]
    """All rows that have an onset, by `trial_type`, or by `value` where there is no type."""
    cue_classes: tuple[str, ...]
    """Classes of a session with cues, in its order; none for any other recording."""

    def streams(self, recording: Path, sfreq: float, time: FileTime) -> list[RecordedStream]:
        """Return the events as a stream of the recording, which says its classes itself after a session with cues.

        Parameters
        ----------
        recording : Path
            The recording.
        sfreq : float
            Its rate in Hz.
        time : FileTime
            When its samples were measured.
        """
        events = FileMarks.of(self.marks, sfreq).events
        if not events:
            return []
        found = marker_stream(recording, self.path.name, [(time.of_moment(e.onset_s), e.text) for e in events])
        desc = found.header.find("desc")
        if self.cue_classes and desc is not None:
            header = CueHeader(classes=dict.fromkeys(self.cue_classes, 0), events={}, timing={})
            desc.append(cue_header_xml(header, MARKERS))
        return [found]


def read_bids_events(recording: Path) -> BidsEvents | None:
    """Read the events table of a recording; None where there is none.

    Parameters
    ----------
    recording : Path
        A recording; only one of a BIDS data set, `sub-..._eeg`, has such a table.

    Raises
    ------
    NeuriptError
        If the table cannot be read, or has an onset that is no number.
    """
    path = _beside(recording, "events.tsv")
    if path is None:
        return None
    marks = []
    for row in read_tsv(path):
        said = [(row.get(column) or "n/a").strip() for column in ("trial_type", "value", "onset", "duration")]
        label = next((text for text in said[:2] if text != "n/a"), "")
        if not label or said[2] == "n/a":
            continue
        onset_s, duration_s = (_seconds(text, path) for text in said[2:])
        marks.append(FileMark(onset_s, duration_s, label))
    return BidsEvents(path, tuple(marks), _cue_classes(path.with_suffix(".json")))


def read_bids_maker(recording: Path) -> BidsMaker:
    """Return what the sidecar of a recording says of its amplifier; nothing where there is none that can be read."""
    path = _beside(recording, "eeg.json")
    said = {} if path is None else _json(path)
    texts = (said.get(key) for key in ("Manufacturer", "EEGReference"))
    return BidsMaker(*(text if isinstance(text, str) and text != "n/a" else "" for text in texts))


def _beside(recording: Path, ending: str) -> Path | None:
    """File of the same run with another ending; None where there is none, or the recording is of no data set."""
    stem, underscore, _ = recording.name.rpartition("_eeg.")
    path = recording.with_name(f"{stem}_{ending}")
    return path if underscore and stem.startswith("sub-") and path.is_file() else None


def _json(path: Path) -> dict[str, Any]:
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return said if isinstance(said, dict) else {}


def _seconds(text: str, path: Path) -> float:
    try:
        value = 0.0 if text == "n/a" else float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise NeuriptError(f"{path} has the time {text!r}, which is no number of seconds; mend it first")
    return value


def _cue_classes(sidecar: Path) -> tuple[str, ...]:
    """Classes that the levels of a sidecar name as cues, in their order."""
    kinds = _json(sidecar).get("trial_type")
    levels = kinds.get("Levels") if isinstance(kinds, dict) else None
    return tuple(filter(None, map(cue_class_of, levels))) if isinstance(levels, dict) else ()
