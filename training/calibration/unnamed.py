"""What a model file and a report say of recordings: their number and length, and never how a person's files are called.

Folders and files are called after people often enough. Whoever has the recordings finds the right one by its SHA-256.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from neuript.realtime.recordings.look import short_name
from neuript.realtime.recordings.recording import Recording


def recording_alias(number: int, recording: Recording) -> str:
    """Return what a recording is called: its number, from 1 on, its format and its length."""
    if recording.eeg_index is None or not len(stamps := recording.eeg.timestamps):
        return f"{_nth(number)} ({recording.file_format})"
    return f"{_nth(number)} ({recording.file_format}, {float(stamps[-1] - stamps[0]) / 60:.1f} min)"


def unnamed(sentences: Iterable[str], recordings: Sequence[Recording]) -> tuple[str, ...]:
    """Return sentences in which each recording is called by its number instead of its folder and file."""
    names = {
        name: _nth(number)
        for number, recording in reversed(list(enumerate(recordings, 1)))
        for name in (str(recording.path.resolve()), str(recording.path), short_name(recording), recording.path.name)
    }
    return tuple(_replaced(sentence, names) for sentence in sentences)


def _nth(number: int) -> str:
    return f"recording {number}"


def _replaced(sentence: str, names: dict[str, str]) -> str:
    for name in sorted(names, key=len, reverse=True):
        sentence = sentence.replace(name, names[name])
    return sentence
