"""Which trials are really in a session's recordings: a crash may take the end of one that was shown to its end."""

from __future__ import annotations

import json
from collections.abc import Callable

from neuript.errors import NeuriptError
from neuript.realtime.recordings.read import read_recording
from neuript.realtime.recordings.recording import Recording
from neuript.training.guided.session_folder import SessionFolder


def kept_trials(recording: Recording) -> set[int]:
    """Numbers of the trials that are whole in a recording, and count."""
    return {
        int(json.loads(text)["trial"])
        for stream in recording.marker_streams
        for text, label in zip(stream.labels, stream.event_labels, strict=True)
        if label in stream.cue_classes
    }


def note_lost_trials(folder: SessionFolder, say: Callable[[str], None]) -> None:
    """Write into the journal of a session that goes on which trials are done no longer, because no recording has them.

    Parameters
    ----------
    folder : SessionFolder
        The session.
    say : callable
        Takes a sentence about them.
    """
    kept: set[int] = set()
    for path in folder.recordings:
        try:
            kept |= kept_trials(read_recording(path))
        except NeuriptError as error:
            say(f"{path.name} cannot be used: {error}")
    last: dict[int, str] = {line["trial"]: line["status"] for line in folder.journal() if line["event"] == "trial"}
    lost = sorted(trial for trial, status in last.items() if status == "done" and trial not in kept)
    for trial in lost:
        folder.note("trial", trial=trial, status="lost")
    if lost:
        say(f"{len(lost)} trial{'s' if len(lost) > 1 else ''} of the last moments did not reach the file; shown again")
