"""What stands against the trials of a recording: markers outside its EEG, copies, stretches that it calls bad."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neuript.errors import NeuriptError
from neuript.realtime.decoding.scoring import Trial
from neuript.realtime.recordings.apart import said_apart
from neuript.realtime.recordings.look import short_name
from neuript.realtime.recordings.recording import Event, Recording
from neuript.training.windows.dataset_spec import DatasetSpec
from neuript.training.windows.events import classes_of_labels, labels_of_marker, trials_of


def refuse_copies(recordings: Sequence[Recording]) -> None:
    """Refuse recordings that hold the same EEG, whatever their files are called: one would be held out by the other.

    Raises
    ------
    NeuriptError
        If two of them are copies.
    """
    for i, one in enumerate(recordings):
        for other in recordings[:i]:
            if one.eeg_index is None or other.eeg_index is None or one.eeg.data.shape != other.eeg.data.shape:
                continue
            if np.array_equal(one.eeg.data, other.eeg.data, equal_nan=True):
                raise NeuriptError(
                    f"{short_name(one)} holds the same EEG as {short_name(other)}; name each recording once"
                )


def trials_of_each(
    recordings: Sequence[Recording], events: Sequence[Sequence[Event]], spec: DatasetSpec
) -> tuple[list[list[Trial]], list[str]]:
    """Return the trials of each recording, and sentences about events that one holds several times.

    Parameters
    ----------
    recordings : sequence of Recording
        The recordings.
    events : sequence of sequence of Event
        Events of each of them.
    spec : DatasetSpec
        Which markers mean what.
    """
    trials: list[list[Trial]] = []
    notes: list[str] = []
    start = spec.trial_start
    for i, (recording, found) in enumerate(zip(recordings, events, strict=True)):
        said: list[str] = []
        there = start is None or bool(labels_of_marker(start, found))
        trials.append(trials_of(found, spec.markers, recording=i, trial_start=start, say=said.append) if there else [])
        notes += [f"{short_name(recording)}: {text}" for text in said]
    return trials, notes


def touches_marked(recording: Recording, first_s: float, last_s: float) -> bool:
    """Tell whether a span of time, on the clock of the EEG, holds something that the recording calls bad."""
    t = recording.eeg.timestamps
    return any(t[start] <= last_s and t[stop - 1] >= first_s for start, stop in recording.eeg.marked_bad)


def said_without_window(
    recording: Recording, trials: Sequence[Trial], n_lost: int, epoch_s: tuple[float, float]
) -> str:
    """Return the sentence on trials of which no window can be used, with the reasons that are known.

    Parameters
    ----------
    recording : Recording
        The recording.
    trials : sequence of Trial
        All of its trials.
    n_lost : int
        How many have no window.
    epoch_s : tuple of two floats
        Begin and end of the task, in seconds after the event.
    """
    t = recording.eeg.timestamps
    low, high = epoch_s
    n_outside = sum(not t.min() <= trial.onset_s + high <= t.max() for trial in trials)
    n_marked = sum(touches_marked(recording, trial.onset_s + low, trial.onset_s + high) for trial in trials)
    reasons = [f"{n_outside} lie outside the EEG"] * bool(n_outside)
    reasons += [f"{n_marked} touch what the file marks as bad"] * bool(n_marked)
    known = "; ".join(reasons) or "start of the recording, a gap, or a bad channel"
    have = "has" if n_lost == 1 else "have"
    return f"{short_name(recording)}: {n_lost} of {len(trials)} trials {have} no clean window ({known})"


def why_too_few(recordings: Sequence[Recording], events: Sequence[Sequence[Event]], spec: DatasetSpec) -> str:
    """Return what makes trials unusable in recordings as a whole; empty where it is only their number."""
    for recording, found in zip(recordings, events, strict=True):
        meant = classes_of_labels(found, spec.markers)
        if said := said_apart(recording, {event.stream for event in found if event.label in meant}):
            return f"{short_name(recording)}: {said[0]}"
    return ""
