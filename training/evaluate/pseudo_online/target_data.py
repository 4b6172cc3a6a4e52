"""Which recordings of a person may be learnt from, and what MOABB calls that.

`moabb.evaluations.CrossSubjectMode` (MOABB 1.7) names what of the target person is made available beside the source
people: nothing (`TRAIN`, `TRAIN_TRIALWISE`), the first share of the trials without labels
(`TRAIN_AND_TARGET_UNLABELED_20P`, `..._50P`), or with them (`TRAIN_AND_TARGET_LABELED_20P`, `..._50P`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from neuript.errors import NeuriptError
from neuript.realtime.decoding.event_scoring import last_onset_s
from neuript.realtime.decoding.scoring import Trial
from neuript.realtime.recordings.recording import RecordedStream, Recording, events_of
from neuript.realtime.recordings.recording_files import recording_sha256
from neuript.training.windows.dataset_spec import DatasetSpec
from neuript.training.windows.events import labels_of_marker, trials_of

AFTER_S = 0.5
"""Seconds of signal that are kept behind the last task of a share."""


@dataclass(frozen=True, slots=True)
class TargetAccess:
    """What a protocol makes available of the person who is decoded, in MOABB's terms.

    Attributes
    ----------
    calibration_size : float or None
        Share of the person's trials, the first ones in time; None: those of all calibration recordings.
    calibration_labeled : bool
        Whether with their labels.
    """

    calibration_size: float | None
    calibration_labeled: bool


CS_MODES: Mapping[str, TargetAccess] = {
    "TRAIN_TRIALWISE": TargetAccess(0.0, calibration_labeled=False),
    "TRAIN_AND_TARGET_UNLABELED_20P": TargetAccess(0.2, calibration_labeled=False),
    "TRAIN_AND_TARGET_UNLABELED_50P": TargetAccess(0.5, calibration_labeled=False),
    "TRAIN_AND_TARGET_LABELED_20P": TargetAccess(0.2, calibration_labeled=True),
    "TRAIN_AND_TARGET_LABELED_50P": TargetAccess(0.5, calibration_labeled=True),
}
"""Members of `CrossSubjectMode` that a live decoder can be judged by. `TRAIN` predicts all trials of the person as one
block and `TRAIN_AND_TARGET_UNLABELED_FULL` adapts on the block that is scored: both look ahead."""


def access_of(cs_mode: str | None) -> TargetAccess:
    """Return what a mode makes available; None: all trials of the calibration recordings, with their labels.

    Raises
    ------
    NeuriptError
        For a mode that does not exist, or one that looks ahead.
    """
    if cs_mode is None:
        return TargetAccess(None, calibration_labeled=True)
    if cs_mode in ("TRAIN", "TRAIN_AND_TARGET_UNLABELED_FULL"):
        raise NeuriptError(
            f"--cs-mode {cs_mode} lets a decoder see all test trials at once, which nobody has live; use "
            "TRAIN_TRIALWISE, or TRAIN_AND_TARGET_UNLABELED_50P (in Python: cs_mode)"
        )
    if cs_mode not in CS_MODES:
        raise NeuriptError(f"--cs-mode {cs_mode} is none of {', '.join(CS_MODES)} (in Python: cs_mode)")
    return CS_MODES[cs_mode]


@dataclass(frozen=True, slots=True)
class PersonSplit:
    """The recordings of a person, each in order of time.

    Attributes
    ----------
    calibrate : tuple of Path
        What may be learnt from; none where nothing of the person is seen before.
    test : tuple of Path
        What is decoded.
    """

    calibrate: tuple[Path, ...]
    test: tuple[Path, ...]

    def check(self, who: str) -> None:
        """Refuse a test without recordings, and a recording that is on both sides.

        Raises
        ------
        NeuriptError
            Also for a file that is not there.
        """
        if not self.test:
            raise NeuriptError(f"{who}: no recording to test on was given; name at least one with --test")
        hashes: dict[str, Path] = {}
        for path in (*self.calibrate, *self.test):
            if not path.is_file():
                raise NeuriptError(f"there is no file {path}")
            digest = recording_sha256(path)
            if digest in hashes:
                both = path in self.test and hashes[digest] in self.calibrate
                raise NeuriptError(
                    f"{path} is both a calibration and a test recording, so every figure would be too good; leave it "
                    "out on one side"
                    if both
                    else f"{path} is given twice, the other one is {hashes[digest]}; name each recording once"
                )
            hashes[digest] = path


def halves(people: Mapping[str, Sequence[Path]]) -> dict[str, PersonSplit]:
    """Calibrate each person on the earlier half of the recordings (the larger one) and test on the rest.

    Raises
    ------
    NeuriptError
        If a person has one recording only.
    """
    out = {}
    for alias, paths in people.items():
        if len(paths) < 2:
            raise NeuriptError(
                f"{alias} has one recording only; an earlier one to calibrate on and a later one to test on are needed"
            )
        middle = (len(paths) + 1) // 2
        out[alias] = PersonSplit(tuple(paths[:middle]), tuple(paths[middle:]))
    return out


def n_trials(recordings: Sequence[Recording], spec: DatasetSpec) -> int:
    """Number of trials of all classes in some recordings."""
    return sum(len(trials_in(recording, spec)) for recording in recordings)


def trials_in(recording: Recording, spec: DatasetSpec, number: int = 0) -> list[Trial]:
    """Trials of a recording, with its number; none where nothing starts a trial."""
    events = events_of(recording)
    if spec.trial_start is not None and not labels_of_marker(spec.trial_start, events):
        return []
    return trials_of(events, spec.markers, recording=number, trial_start=spec.trial_start)


def first_share(
    calibrate: Sequence[Recording], test: Sequence[Recording], share: float, spec: DatasetSpec
) -> list[Recording]:
    """Cut a person's calibration recordings behind the first share of all trials.

    Parameters
    ----------
    calibrate, test : sequence of Recording
        Recordings of the person, in order of time.
    share : float
        Share of the trials of all of them, rounded down as MOABB does, at least one trial.
    spec : DatasetSpec
        Markers and times of the trials.

    Raises
    ------
    NeuriptError
        If the calibration recordings do not hold so many trials.
    """
    there = n_trials(calibrate, spec)
    everything = there + n_trials(test, spec)
    left = max(1, math.floor(share * everything))
    if left > there:
        raise NeuriptError(
            f"{share:.0%} of {everything} trials are {left}, but the calibration recordings hold {there}; give "
            "more of them, or leave out --cs-mode"
        )
    out = []
    for recording in calibrate:
        mine = trials_in(recording, spec)
        if left >= len(mine):
            out.append(recording)
        elif left > 0:
            ends = last_onset_s(mine[left - 1]) + spec.epoch_s[1] + AFTER_S
            out.append(cut_after(recording, ends, events_before_s=mine[left].onset_s))
        left = max(0, left - len(mine))
        if not left:
            break
    return out


def cut_after(recording: Recording, t_s: float, *, events_before_s: float = math.inf) -> Recording:
    """Return a recording that ends at a time on its clock, with the events until then, or before an earlier time."""
    before = min(np.nextafter(t_s, math.inf), events_before_s)
    streams = [
        _cut(stream, before if stream.is_markers else np.nextafter(t_s, math.inf)) for stream in recording.streams
    ]
    return replace(recording, streams=streams)


def _cut(stream: RecordedStream, before_s: float) -> RecordedStream:
    later = np.flatnonzero(stream.timestamps >= before_s)
    n = int(later[0]) if len(later) else len(stream)
    return replace(
        stream,
        values=stream.values[:n],
        timestamps=stream.timestamps[:n],
        raw_timestamps=stream.raw_timestamps[:n],
        segments=tuple((a, min(b, n)) for a, b in stream.segments if a < n),
        marked_bad=tuple((a, min(b, n)) for a, b in stream.marked_bad if a < n),
        gaps=tuple(gap for gap in stream.gaps if gap.index < n),
        _data=None,
    )


def moabb_terms(cs_mode: str | None, access: TargetAccess, share: float, *, source_people: int) -> dict[str, Any]:
    """Say what a person's figures rest on, in MOABB's terms.

    Parameters
    ----------
    cs_mode : str or None
        The mode that was asked for.
    access : TargetAccess
        What it makes available.
    share : float
        Share of the person's trials that lie in what was calibrated on.
    source_people : int
        Number of other people that the decoder began with; MOABB's modes need some.
    """
    name = cs_mode
    if name is None and source_people:
        same = [
            n for n, a in CS_MODES.items() if a.calibration_labeled and abs((a.calibration_size or 0) - share) < 1e-9
        ]
        name = same[0] if same else None
    return {
        "cs_mode": name,
        "source_subjects": source_people,
        "calibration_size": share,
        "calibration_labeled": access.calibration_labeled,
        "prediction": "one window at a time, in order of time",
    }
