"""The markers of a recording as `*_events.tsv` and `*_events.json`."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from neuript.realtime.lsl.gdf import PHASE_CODES, UNKNOWN_CUE, gdf_codes
from neuript.realtime.recordings.cue_markers import cue_label
from neuript.realtime.recordings.file_marks import MARKED_BAD, MISSING
from neuript.realtime.recordings.recording import Recording, events_of
from neuript.training.share.bids_signal import BidsSignal
from neuript.training.share.hed_tags import hed_of

_MOST_OTHERS = 64
"""Of more kinds of other markers than this none gets a code: they are remarks, not events of a design."""
_MEANING = {
    "cue": "cue of the class {}; the trial was completed and counts",
    "practice": "cue of the class {} in a trial for practice",
    "rejected": "cue of the class {} in a trial that was rejected or not completed",
}
_PHASES = {
    "trial_start": "a trial begins",
    "trial_end": "a trial ends",
    "cross": "a fixation cross appears",
    "beep": "a beep that announces the cue",
    "feedback": "feedback begins",
    "rejected": "the trial is rejected",
    MISSING: "nothing was recorded here; the signal is filled with zeros",
    MARKED_BAD: "the recording calls this stretch bad",
}


@dataclass(frozen=True)
class EventRow:
    """One line of the table."""

    sample: int
    """Sample of the file at which it happens."""
    trial_type: str
    code: int | None
    """GDF code, which is also the number in the BrainVision marker file; None for an event without one."""
    n_samples: int = 0
    """How long it lasts, in samples."""


def event_rows(recording: Recording, signal: BidsSignal) -> tuple[list[EventRow], int]:
    """Return the events of a recording in order of time, and how many lie outside its EEG and are left out.

    What two streams say of one sample in the same words stands there once.
    """
    events = events_of(recording)
    labels = [" ".join(event.label.split()) or "n/a" for event in events]
    codes = codes_of(labels, recording.cue_classes)
    at = signal.sample_of([event.time_s for event in events]).tolist()
    rows = [EventRow(s, label, codes[label]) for s, label in zip(at, labels, strict=True) if s >= 0]
    rows += [EventRow(first, MISSING, None, n) for first, n in signal.gaps]
    rows += [EventRow(first, MARKED_BAD, None, n) for first, n in signal.marked_bad]
    return sorted(dict.fromkeys(rows), key=lambda row: row.sample), sum(s < 0 for s in at)


def codes_of(labels: Iterable[str], classes: Sequence[str]) -> dict[str, int | None]:
    """Return the GDF code of each label; None where it has none.

    Cues of practice and of rejected trials have the code of an unknown cue, so that whoever goes by the codes learns
    from the same trials as whoever goes by the names. Whole numbers are codes already.

    Parameters
    ----------
    labels : iterable of str
        As `events_of` names events.
    classes : sequence of str
        Classes of a session with cues; empty for other recordings.
    """
    own = gdf_codes(classes)
    found = {label: _known_code(label, own) for label in labels}
    others = [label for label, code in found.items() if code is None]
    if len(others) <= _MOST_OTHERS:
        taken = set(found.values())
        found |= {label: code for label, code in gdf_codes(others).items() if code not in taken}
    return found


def _known_code(label: str, classes: dict[str, int]) -> int | None:
    kind, _, cls = label.partition("/")
    if cls in classes and kind in _MEANING:
        return classes[cls] if kind == "cue" else UNKNOWN_CUE
    if label in PHASE_CODES:
        return PHASE_CODES[label]
    return int(label) if label.isascii() and label.isdigit() and 0 < int(label) < 1 << 16 else None


def events_table(rows: Sequence[EventRow], sfreq: float) -> bytes:
    """Return the text of `*_events.tsv`; `sfreq` is the sampling rate in Hz."""
    lines: list[list[Any]] = [["onset", "duration", "trial_type", "value", "sample"]]
    for row in rows:
        onset, duration = (f"{n / sfreq:.6f}" for n in (row.sample, row.n_samples))
        lines.append([onset, duration, row.trial_type, "n/a" if row.code is None else row.code, row.sample])
    text = io.StringIO()
    csv.writer(text, delimiter="\t", lineterminator="\n").writerows(lines)
    return text.getvalue().encode()


def events_sidecar(rows: Sequence[EventRow], classes: Sequence[str] = (), *, hed: bool) -> dict[str, Any]:
    """Return the content of `*_events.json`.

    Parameters
    ----------
    rows : sequence of EventRow
        The table.
    classes : sequence of str
        Classes of a session with cues: their cues come first, in the order that a model will have.
    hed : bool
        Whether events are tagged.
    """
    there = dict.fromkeys(row.trial_type for row in rows)
    kinds = dict.fromkeys([cue for cue in map(cue_label, classes) if cue in there]) | there
    kind: dict[str, Any] = {
        "Description": "What happened, as neuript names it",
        "Levels": {name: _meaning(name) for name in kinds},
    }
    if hed:
        kind["HED"] = {name: hed_of(name) for name in kinds}
    codes = {str(row.code): _levels(rows, row.code) for row in rows if row.code is not None}
    return {
        "onset": {"Description": "Time from the first sample of the file", "Units": "s"},
        "duration": {"Description": "How long it lasts; 0 for a moment", "Units": "s"},
        "trial_type": kind,
        "value": {"Description": "GDF event code, as in the marker file", "Levels": codes},
        "sample": {"Description": "Sample of the file at which it happens; the first one is 0"},
    }


def _meaning(trial_type: str) -> str:
    kind, slash, cls = trial_type.partition("/")
    if slash and kind in _MEANING:
        return _MEANING[kind].format(cls)
    return _PHASES.get(trial_type, f"marker {trial_type}")


def _levels(rows: Sequence[EventRow], code: int) -> str:
    return ", ".join(dict.fromkeys(row.trial_type for row in rows if row.code == code))
