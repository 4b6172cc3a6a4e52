"""Streams of a recording that lie wholly before or after its EEG: their stamps are of another clock, or none at all."""

from __future__ import annotations

from collections.abc import Collection

from neuript.durations import in_words
from neuript.realtime.recordings.recording import RecordedStream, Recording

CLOCK_S = 60.0
"""Markers that lie so many seconds outside the EEG, all of them, were stamped by another clock."""
WORD_S = 10.0
"""Markers that are outside by less are said only where there are no others."""


def said_apart(recording: Recording, of: Collection[str] | None = None) -> list[str]:
    """Return a sentence for each marker stream (of those named `of`) that lies wholly outside the EEG."""
    if recording.eeg_index is None or not len(recording.eeg):
        return []
    streams = [stream for stream in recording.marker_streams if len(stream)]
    begin_s, end_s = float(recording.eeg.timestamps.min()), float(recording.eeg.timestamps.max())
    least_s = 0.0 if len(streams) == 1 else WORD_S
    said = []
    for stream in streams if of is None else [stream for stream in streams if stream.info.name in of]:
        first_s, last_s = float(stream.timestamps.min()), float(stream.timestamps.max())
        if begin_s - last_s > least_s:
            said.append(_sentence(stream, begin_s - first_s, "before the EEG begins"))
        elif first_s - end_s > least_s:
            said.append(_sentence(stream, last_s - end_s, "after the EEG ends"))
    return said


def _sentence(stream: RecordedStream, away_s: float, when: str) -> str:
    n, name = len(stream), stream.info.name
    which = f"all {n} markers of '{name}' lie" if n > 1 else f"the one marker of '{name}' lies"
    how_far = f"{away_s / 3600:.1f} h" if away_s >= 3600 else in_words(away_s) if away_s >= 1 else f"{away_s:.2f} s"
    said = f"{which} {how_far} {when}"
    if n > 1 and float(stream.timestamps.max() - stream.timestamps.min()) == 0:
        return f"{said} with one and the same stamp: their sender gave no times, so they cannot be placed"
    if away_s > CLOCK_S:
        return f"{said}: another clock stamped them, so they cannot be placed; stamp markers by the clock of the EEG"
    return f"{said}, so none can be used"
