"""Published decisions against the markers of the recording that they were made from (`neuript.score`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from neuript.errors import NeuriptError
from neuript.realtime.decoding.decision_log import DecisionLog, read_decisions
from neuript.realtime.decoding.scoring import ScoreCard, Trial, score_trials
from neuript.realtime.recordings.read import read_recording
from neuript.realtime.recordings.recording import Recording, events_of
from neuript.realtime.recordings.replay_log import read_clock_offset
from neuript.training.calibration.recorded_decisions import recorded_decisions
from neuript.training.windows.events import (
    Markers,
    checked_event_map,
    listed,
    own_event_map,
    require_classes,
    trials_of,
)
from neuript.training.windows.recorded_trials import touches_marked


def score(
    decisions: str | Path,
    recording: str | Path | Recording | None = None,
    event_map: Mapping[str, Markers] | None = None,
    *,
    window_end_s: tuple[float, float] = (4.0, 4.5),
    trial_start: str | None = None,
    replay_log: str | Path | None = None,
    eeg: str | None = None,
    say: Callable[[str], None] | None = None,
) -> ScoreCard:
    """Score decisions trial by trial.

    A trial's class is the one with the highest mean probability over the windows that end inside an interval after its
    event.

    Parameters
    ----------
    decisions : str or Path
        File with the lines that `neuript-live --json` printed, or a recording (.xdf) with the decisions in it.
    recording : str, Path or Recording, optional
        Recording with the markers; None where the decisions are in it.
    event_map : mapping of str to str, int or sequence of these, optional
        Marker or markers of each class, keyed by its name; a whole number is the marker of that text. None or empty
        where the recording says it itself: a session with cues.
    window_end_s : tuple of two floats
        Seconds after the event between which a window must end; fix them before you look at the result.
    trial_start : str, optional
        Marker that starts a trial of several events.
    replay_log : str or Path, optional
        File with the lines that `neuript-replay --json` printed; needed for decisions that were made over LSL.
    eeg : str, optional
        Name of the recording's stream to take as EEG, if its type does not say so.
    say : callable, optional
        Takes a sentence when the model has learnt from this recording, and when decisions and recording do not cover
        the same time.

    Returns
    -------
    ScoreCard
        Hits, interval, chance bound, confusion; `to_dict()` gives plain values.

    Raises
    ------
    NeuriptError
        For files that cannot be read, decisions of other classes, or a class without trials.

    Examples
    --------
    >>> events = {"left_hand": "769", "right_hand": "770"}
    >>> score("run4.jsonl", "run4.xdf", events).accuracy  # doctest: +SKIP
    """
    given = checked_event_map(event_map) if event_map else {}
    low, high = window_end_s
    if not low <= high:
        raise NeuriptError(
            f"--window-end {low:g} {high:g}: the first number must not be larger (in Python: window_end_s)"
        )
    read, log = _read(decisions, recording, eeg)
    if say is not None and log.trained_on:
        say("the model has learnt from this very recording, so this says nothing about how it will do tomorrow")
    events = events_of(read)
    markers = given or own_event_map([read])
    if not markers:
        held = listed(events) if events else "no markers at all"
        raise NeuriptError(
            f"{read.path} was not recorded with neuript's own cues, so name the marker of each class: --event "
            f"left_hand=769 --event right_hand=770 (in Python: event_map); it holds {held}"
        )
    found = trials_of(events, markers, trial_start=trial_start, say=say)
    require_classes(found, markers, events)
    found = _unmarked(read, found, high, say)
    within = recording is None and replay_log is None
    offset_s = 0.0 if within else _offset_s(log, replay_log, float(read.eeg.timestamps[0]))
    trials = [trial.shifted(offset_s) for trial in found]
    if within:
        trials = _during(log, trials, window_end_s, say)
    elif say is not None and (note := _note_outside(log, trials, window_end_s, str(decisions))):
        say(note)
    return score_trials(log.rows, trials, _classes(log, tuple(markers)), window_end_s=(low, high))


def _read(
    decisions: str | Path, recording: str | Path | Recording | None, eeg: str | None
) -> tuple[Recording, DecisionLog]:
    """Read both, from two files or from one."""
    if Path(decisions).suffix.lower() == ".xdf":
        if recording is not None:
            raise NeuriptError(
                f"{decisions} is a recording, which holds its own markers; leave out --recording (in Python: recording)"
            )
        read = read_recording(decisions, eeg=eeg, any_rate=True)
        return read, recorded_decisions(read)
    if recording is None:
        raise NeuriptError(
            f"the decisions {decisions} need the recording with the markers: --recording FILE (in Python: recording); "
            "only an .xdf that neuript recorded may hold both"
        )
    log = read_decisions(decisions)
    read = recording if isinstance(recording, Recording) else read_recording(recording, eeg=eeg, any_rate=True)
    return read, log


def _unmarked(read: Recording, trials: list[Trial], high_s: float, say: Callable[[str], None] | None) -> list[Trial]:
    """Leave out the trials that touch what the recording calls bad: nothing was to be decoded in them."""
    mine = [t for t in trials if not touches_marked(read, t.onset_s, t.onset_s + high_s)]
    if not mine:
        raise NeuriptError(f"{read.path} marks all of its {len(trials)} trials as bad, so there is nothing to score")
    if len(mine) < len(trials) and say is not None:
        say(f"{len(trials) - len(mine)} of {len(trials)} trials touch what the file marks as bad; they do not count")
    return mine


def _offset_s(log: DecisionLog, replay_log: str | Path | None, first_stamp: float) -> float:
    """What to add to the recording's times to get the decisions' times."""
    if log.uses_rec_t:
        return -first_stamp
    if replay_log is None:
        raise NeuriptError(
            "the decisions carry stamps of the LSL clock; give --replay-log, the output of neuript-replay --json "
            "(in Python: replay_log)"
        )
    return read_clock_offset(replay_log)


def _during(
    log: DecisionLog, trials: list[Trial], window_end_s: tuple[float, float], say: Callable[[str], None] | None
) -> list[Trial]:
    """Leave out the trials during which no decoder ran: in a guided session there is none at the beginning."""
    (first, last), (low, high) = log.span_s, window_end_s
    mine = [t for t in trials if t.onset_s + high >= first and t.onset_s + low <= last]
    n_without = len(trials) - len(mine)
    if not mine:
        raise NeuriptError("no decoder ran during any trial of this recording, so there is nothing to score")
    if n_without and say is not None:
        say(f"during {n_without} of {len(trials)} trials no decoder ran; they do not count")
    return mine


def _note_outside(log: DecisionLog, trials: Sequence[Trial], window_end_s: tuple[float, float], name: str) -> str:
    """Say when decisions and recording do not cover the same time, for they may not belong together; else nothing."""
    (first, last), (low, high) = log.span_s, window_end_s
    n_outside = sum(t.onset_s + high < first or t.onset_s + low > last for t in trials)
    if not n_outside:
        return ""
    return (
        f"{n_outside} of {len(trials)} trials lie outside the {last - first:.0f} s that {name} covers; "
        "is it the same recording, all of it?"
    )


def _classes(log: DecisionLog, given: tuple[str, ...]) -> tuple[str, ...]:
    """The model's classes, which must hold those of the event map."""
    if log.classes and (unknown := sorted(set(given) - set(log.classes))):
        raise NeuriptError(
            f"class {unknown[0]!r} is not among the decisions' classes {', '.join(log.classes)}; use their names"
        )
    return log.classes or given
