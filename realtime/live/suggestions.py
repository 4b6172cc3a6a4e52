"""What a person may want to do next, as a command that can be pasted: a guess from what was seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from neuript.montages import available_montages, load_montage
from neuript.montages.names import is_auxiliary, names_electrode
from neuript.pasteable import pasteable
from neuript.realtime.lsl.gdf import CLASS_CODES
from neuript.realtime.recordings.recording_report import RecordingReport

LEAST_CUES = 5
"""A marker that comes less often than this starts no class that could be learnt."""


def cued_classes(labels: Mapping[str, int]) -> dict[str, str]:
    """Return class to marker, of the markers that name a task by its word or its GDF code.

    Parameters
    ----------
    labels : mapping of str to int
        Markers of one stream, and how often each comes.
    """
    by_code = {str(code): name for name, code in CLASS_CODES.items()}
    named = {label: by_code.get(label, label) for label, n in labels.items() if n >= LEAST_CUES}
    return {name: label for label, name in named.items() if name in CLASS_CODES}


def after_recording(report: RecordingReport) -> str:
    """Return the command that makes a model of a recording; empty where its markers do not tell two tasks apart.

    A session with cues says its classes itself.
    """
    told = next((s.cue_classes for s in report.streams if len(s.cue_classes) > 1), ())
    cues = max((cued_classes(s.events) for s in report.streams if s.stype.lower() != "intent"), key=len, default={})
    if report.eeg is None or len(told or cues) < 2:
        return ""
    events = [word for name, marker in cues.items() if not told for word in ("--event", f"{name}={marker}")]
    more = []
    labels = [channel.label for channel in report.eeg.channels if not is_auxiliary(channel.label)]
    if not any(map(names_electrode, labels)):
        more = ["--montage", (montages_with(len(labels)) or ["10-20"])[0]]
    return pasteable("neuript-calibrate", "--from", report.path, *more, *events, "--out", "mi.ts")


def recording_command(out: str | Path, ch_names: Sequence[str]) -> str:
    """Return the command that records a stream, with a montage of as many channels where they have no names."""
    fitting = [] if any(map(names_electrode, ch_names)) else montages_with(len(ch_names))[:1]
    return pasteable("neuript", "record", out, *(word for name in fitting for word in ("--montage", name)))


def montages_with(n_chans: int) -> list[str]:
    """Return the names of the montages with so many channels; those of amplifiers that send no names come first."""
    found = [name for name in available_montages() if load_montage(name).n_chans == n_chans]
    return sorted(found, key=lambda name: not name.startswith("openbci"))
