"""From the markers of a recording to trials with a class.

Markers differ from lab to lab: one cue per trial (Graz), or one marker per epoch between `Trial Started` and
`Trial Ends` (BCI Essentials), with markers of other classes strewn in by online feedback.
"""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from numbers import Integral
from typing import Any

from neuript.errors import NeuriptError
from neuript.realtime.decoding.scoring import Trial
from neuript.realtime.recordings.cue_markers import cue_label
from neuript.realtime.recordings.marker_labels import ANYTHING, fits, patterns_of, plain_label
from neuript.realtime.recordings.recording import Event, Recording
from neuript.specs import short
from neuript.training.windows.copies import without_copies

Markers = str | int | Sequence[str | int]
"""One marker of a class, or several: texts, or whole numbers for the codes that they are written as."""


def parse_event_map(pairs: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Read `class=marker` pairs as given on the command line; a class may have several markers.

    Returns
    -------
    dict of str to tuple of str
        Markers of each class, keyed by its name, in the order of the command line.

    Raises
    ------
    NeuriptError
        For a pair without `=`, an empty side, or one marker given to two classes.
    """
    mapping: dict[str, list[str]] = {}
    for pair in pairs:
        name, sign, marker = pair.partition("=")
        name, marker = name.strip(), plain_label(marker)
        if not sign or not name or not marker:
            raise NeuriptError(f"--event {pair!r} is not of the form class=marker; for example left_hand=769")
        mapping.setdefault(name, []).append(marker)
    found = {name: tuple(dict.fromkeys(markers)) for name, markers in mapping.items()}
    _refuse_shared_markers(found)
    return found


def checked_event_map(event_map: Mapping[str, Markers]) -> dict[str, tuple[str, ...]]:
    """Class to its markers, as a tuple also where there is one; a whole number is the marker of that text.

    Raises
    ------
    NeuriptError
        For less than two classes, a class whose name is no text, a class without a marker, a marker that is neither
        text nor a whole number, or one marker given to two classes.
    """
    if not isinstance(event_map, Mapping) or not all(isinstance(name, str) for name in event_map):
        raise NeuriptError(
            f"the event map {short(event_map)} does not say the marker of each class; give for example "
            '{"left_hand": "769", "right_hand": "770"}'
        )
    mapping = {name: _marker_texts(name, markers) for name, markers in event_map.items()}
    if len(mapping) < 2:
        raise NeuriptError(
            f"--event names {len(mapping)} class{'' if len(mapping) == 1 else 'es'}; at least two are needed, for "
            "example --event left_hand=769 --event right_hand=770 (in Python: event_map; neuript inspect FILE lists "
            "the markers)"
        )
    if empty := [name for name, markers in mapping.items() if not markers]:
        raise NeuriptError(f"class {empty[0]!r} has no marker; name at least one that starts it")
    _refuse_shared_markers(mapping)
    return mapping


def own_event_map(recordings: Sequence[Recording]) -> dict[str, tuple[str, ...]]:
    """Class to its marker, where recordings say it themselves: sessions with cues (`docs/cues.md`).

    Returns
    -------
    dict of str to tuple of str
        Markers of each class in the order of the sessions' classes; empty where no recording is such a session.
    """
    return {name: (cue_label(name),) for recording in recordings for name in recording.cue_classes}


def _marker_texts(name: str, markers: Any) -> tuple[str, ...]:
    is_list = isinstance(markers, Iterable) and not isinstance(markers, str | bytes | Mapping)
    return tuple(dict.fromkeys(_marker_text(name, marker) for marker in (markers if is_list else (markers,))))


def _marker_text(name: str, marker: Any) -> str:
    if isinstance(marker, str):
        return plain_label(marker)
    if isinstance(marker, Integral) and not isinstance(marker, bool):
        return str(int(marker))
    raise NeuriptError(
        f"the marker {short(marker)} of class {name!r} is neither text nor a whole number; give it as the recording "
        'has it, for example "769" or 769 (neuript inspect FILE lists the markers)'
    )


def _refuse_shared_markers(event_map: Mapping[str, Sequence[str]]) -> None:
    owner: dict[str, str] = {}
    for name, markers in event_map.items():
        for marker in markers:
            if owner.setdefault(marker, name) != name:
                raise NeuriptError(
                    f"marker {marker!r} was given to both {owner[marker]!r} and {name!r}; keep one of them"
                )


def trials_of(
    events: Sequence[Event],
    event_map: Mapping[str, Sequence[str]],
    *,
    recording: int = 0,
    trial_start: str | None = None,
    say: Callable[[str], None] | None = None,
) -> list[Trial]:
    """Find the trials of one recording.

    Parameters
    ----------
    events : sequence of Event
        Events of the recording in order of time.
    event_map : mapping of str to sequence of str
        Marker labels of each class, keyed by its name; `*` in one stands for any text.
    recording : int
        Index of the recording, noted in each trial.
    trial_start : str, optional
        Marker that starts a trial. Then the next marker of the same stream names the trial's class (a trial of a class
        that is not mapped is left out), further markers of that class are more epochs of the same trial, and markers of
        other classes inside it are ignored. Without it, each mapped marker is a trial.
    say : callable, optional
        Takes a sentence about events that the recording holds several times; each of them counts once.

    Returns
    -------
    list of Trial
        Trials in order of time, with onsets in seconds on the clock of the events.

    Raises
    ------
    NeuriptError
        When `trial_start` is not in the recording; the message lists the markers that are.
    """
    class_of = classes_of_labels(events, event_map)
    starts = set() if trial_start is None else labels_of_marker(trial_start, events)
    if trial_start is not None and not starts:
        raise NeuriptError(_absent(f"the trial start {trial_start!r}", events))
    events, copied = without_copies(events, class_of | dict.fromkeys(starts, "start of a trial"))
    if copied and say is not None:
        say(copied)
    if trial_start is None:
        return [Trial(class_of[e.label], e.time_s, recording, (e.time_s,)) for e in events if e.label in class_of]
    trials: list[list[Event]] = []
    naming: str | None = None  # stream whose next marker names the trial
    for event in events:
        if event.label in starts:
            naming = event.stream
        elif naming is not None and event.stream == naming:
            naming = None
            trials.append([event])
        elif trials and naming is None and class_of.get(event.label) == class_of.get(trials[-1][0].label):
            trials[-1].append(event)
    return [
        Trial(class_of[t[0].label], t[0].time_s, recording, tuple(e.time_s for e in t if e.label in class_of))
        for t in trials
        if t[0].label in class_of
    ]


def labels_of_marker(marker: str, events: Iterable[Event]) -> set[str]:
    """Return the labels of some events that a marker means: itself where it occurs, else those that fit its `*`."""
    labels = {event.label for event in events}
    wanted = plain_label(marker)
    return {wanted} if wanted in labels else {label for label in labels if fits(label, wanted)}


def classes_of_labels(events: Sequence[Event], event_map: Mapping[str, Sequence[str]]) -> dict[str, str]:
    """Return the class of each label of some events that a class's markers mean.

    Raises
    ------
    NeuriptError
        If the `*` of two classes take one label.
    """
    found: dict[str, str] = {}
    exact = {marker: name for name, markers in event_map.items() for marker in markers}
    for name, markers in event_map.items():
        for label in sorted({label for marker in markers for label in labels_of_marker(marker, events)}):
            owner = exact.get(label, found.get(label, name))
            if owner != name and label not in exact:
                raise NeuriptError(
                    f"the marker {label!r} fits both {owner!r} and {name!r}; say more than {ANYTHING} with --event "
                    "(in Python: event_map)"
                )
            found[label] = owner
    return found


def require_classes(trials: Sequence[Trial], event_map: Mapping[str, Sequence[str]], events: Sequence[Event]) -> None:
    """Refuse when a class of `event_map` has no trial at all, listing the markers that the recordings hold.

    Parameters
    ----------
    trials : sequence of Trial
        Trials of all recordings.
    event_map : mapping of str to sequence of str
        Marker labels of each class, keyed by its name.
    events : sequence of Event
        Events of all recordings, for the message.

    Raises
    ------
    NeuriptError
        If a class has no trial.
    """
    present = {t.label for t in trials}
    for name, markers in event_map.items():
        if name not in present:
            wanted = " or ".join(repr(m) for m in markers)
            raise NeuriptError(_absent(f"the marker {wanted} of class {name!r}", events))


def unnamed_classes(events: Sequence[Event]) -> NeuriptError:
    """Return the error where neither settings nor recordings say which marker is which class, listing the markers."""
    if not events:
        return NeuriptError(
            "the recordings hold no markers, so nothing says when which task was done; send cues on a marker stream "
            "while you record, or let neuript show them: neuript-calibrate --subject S01 --classes left_hand,right_hand"
        )
    return NeuriptError(
        "the recordings were not made with neuript's own cues, so name the marker of each class: --event left_hand=769 "
        f"--event right_hand=770 (in Python: event_map); they hold {listed(events)}"
    )


def listed(events: Sequence[Event]) -> str:
    """Return the labels of some events with their numbers, those that come most often first.

    Of labels that are nearly all different it is said what they have in common, and with what to choose them.
    """
    found = Counter(event.label for event in events)
    patterns = patterns_of([event.label for event in events])
    several = next((event for event in events if event.n_values > 1), None)
    shown = Counter(patterns or found).most_common(20)
    text = ", ".join(f"{label!r} x{count}" for label, count in shown)
    text += f" and {len(found) - 20} more" if len(found) > 20 and not patterns else ""
    if several is not None:
        text += f" ('{several.stream}' has {several.n_values} values per sample, which stand with commas between)"
    if patterns or several is not None:
        first = next((label for label, _ in shown if ANYTHING in label), shown[0][0])
        text += f"; {ANYTHING} stands for any text, as in --event {shlex.quote(f'left_hand={first}')}"
    return text


def _absent(what: str, events: Sequence[Event]) -> str:
    if not events:
        return f"{what} does not occur: the recordings hold no markers; send them on a marker stream or add annotations"
    return f"{what} does not occur in the recordings; they hold {listed(events)}; choose with --event class=marker"
