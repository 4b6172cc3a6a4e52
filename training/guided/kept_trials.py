"""Which trials are really in a session's recordings: what was shown need not have reached the file."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from neuript.errors import NeuriptError
from neuript.realtime.recordings.cue_markers import read_cue_marker, whole_trials
from neuript.realtime.recordings.read import read_recording
from neuript.realtime.recordings.recording import RecordedStream, Recording
from neuript.training.guided.session_folder import SessionFolder

LEAST_EEG = 0.8
"""Share of the samples between cue and end that must be there for a trial to be kept."""


def readable(paths: Iterable[Path], say: Callable[[str], None]) -> list[Recording]:
    """Read recordings of a session; a part that is gone, or that a crash left without EEG, is left out, and said."""
    found = []
    for path in paths:
        try:
            recording = read_recording(path, any_rate=True)  # the fit refuses a wrong rate, with the reason
            recording.eeg  # noqa: B018  # raises where there is none
        except NeuriptError as error:
            say(f"left out: {error}")
            continue
        found.append(recording)
    return found


def kept_trials(recordings: Sequence[Recording]) -> set[int]:
    """Numbers of the trials that are whole in one of the recordings, with their EEG."""
    return {trial for recording in recordings for trial in _kept(recording)}


def without_replaced(recordings: Sequence[Recording]) -> list[Recording]:
    """Return the recordings of a session, in order of time, without the trials that a later one holds again."""
    out: list[Recording] = []
    later: set[int] = set()
    for recording in reversed(recordings):
        streams = [_without(stream, later) if stream.cue_classes else stream for stream in recording.streams]
        out.insert(0, replace(recording, streams=streams))
        later |= _kept(recording)
    return out


def note_lost_trials(
    folder: SessionFolder, shown: Collection[int], kept: Collection[int], say: Callable[[str], None]
) -> None:
    """Write into the journal which trials are done no longer, because no recording has them; they are shown again.

    Parameters
    ----------
    folder : SessionFolder
        The session.
    shown, kept : collection of int
        Trials that were shown to their end, and those that are in the recordings.
    say : callable
        Takes a sentence about those that are not.
    """
    lost = sorted(set(shown) - set(kept))
    for trial in lost:
        folder.note("trial", trial=trial, status="lost")
    if lost:
        say(f"{len(lost)} trial{'s' if len(lost) > 1 else ''} did not reach the recording, and will be shown again")


def _kept(recording: Recording) -> set[int]:
    eeg = recording.eeg
    found = set()
    for stream in recording.marker_streams:
        for trial, (cue, end) in whole_trials(stream.labels).items() if stream.cue_classes else ():
            first, last = np.searchsorted(eeg.timestamps, stream.timestamps[[cue, end]])
            wanted = eeg.info.sfreq * (stream.timestamps[end] - stream.timestamps[cue])
            if last - first >= LEAST_EEG * wanted:
                found.add(trial)
    return found


def _without(stream: RecordedStream, trials: Collection[int]) -> RecordedStream:
    """A stream of cues without some trials."""
    said = [read_cue_marker(text) for text in stream.labels]
    stays = [i for i, one in enumerate(said) if one is None or one["practice"] or one["trial"] not in trials]
    values = [stream.values[i] for i in stays]
    stamps, raw = stream.timestamps[stays], stream.raw_timestamps[stays]
    return replace(stream, values=values, timestamps=stamps, raw_timestamps=raw)
