"""Which trials are really in a session's recordings: what was shown need not have reached the file."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence

from neuript.errors import NeuriptError
from neuript.realtime.recordings.cue_markers import whole_trials
from neuript.realtime.recordings.read import read_recording
from neuript.realtime.recordings.recording import Recording
from neuript.training.guided.session_folder import SessionFolder


def kept_trials(recordings: Sequence[Recording]) -> set[int]:
    """Numbers of the trials that are whole in one of the recordings, and count."""
    streams = [stream for recording in recordings for stream in recording.marker_streams if stream.cue_classes]
    return {trial for stream in streams for trial in whole_trials(stream.labels)}


def readable(folder: SessionFolder, say: Callable[[str], None]) -> list[Recording]:
    """Read the recordings of a session; a part that a crash left without EEG is left out, and said."""
    found = []
    for path in folder.recordings:
        try:
            recording = read_recording(path)
            recording.eeg  # noqa: B018  # raises where there is none
        except NeuriptError as error:
            say(f"left out: {error}")
            continue
        found.append(recording)
    return found


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
