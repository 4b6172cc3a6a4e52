"""BCIC-IV-2A: imagined left hand, right hand, feet and tongue (BCI Competition IV, set 2a)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from neuript.errors import NeuriptError
from neuript.montages import load_montage
from neuript.realtime.recordings.read import read_recording
from neuript.realtime.recordings.recording import Event, Recording, events_of
from neuript.training.evaluate.protocols.definition import EvalProtocol, Mark, ProtocolFile
from neuript.training.evaluate.protocols.fetch import moabb_files
from neuript.training.evaluate.protocols.in_memory import recording_of
from neuript.training.windows.cleaning import Cleaned

_FILE = re.compile(r"^(A0[1-9])([TE])\.(mat|gdf)$", re.IGNORECASE)
_CUE_S = 2.0
"""A trial's cue comes 2 s after its start; windows are 2-6 s of the trial."""
_TRIAL = "768"
_N_EEG = 22


def _find(folder: Path) -> list[ProtocolFile]:
    gdf, mat = dict[str, Path](), dict[str, list[Path]]()
    for path in sorted(folder.rglob("*")):
        match = _FILE.match(path.name)
        if match and match[3].lower() == "gdf":
            gdf[path.stem.upper()] = path
        elif match:
            mat.setdefault(path.stem.upper(), []).append(path)
    sources = []
    for session in sorted({*gdf, *mat}):
        number = int(session[2])
        split = "train" if number <= 5 else "val" if number <= 7 else "test"
        path = gdf.get(session) or mat[session][0]
        labels = mat.get(session, [None])[0] if session in gdf else None
        sources.append(ProtocolFile(path, session[:3], split, {"labels": labels}))
    return sources


def _read(source: ProtocolFile) -> Recording:
    if source.path.suffix.lower() == ".gdf":
        return _read_gdf(source)
    runs, events, sfreq = [], [], 250.0
    for run in np.atleast_1d(_load_mat(source.path, "data")["data"]):
        x, starts = np.asarray(run.X, np.float32), np.atleast_1d(run.trial)
        if not len(starts):  # the runs that only record eye movements
            continue
        sfreq = float(run.fs)
        labels = np.atleast_1d(run.y).astype(int)
        runs.append(x)
        events.append(
            [
                Event((float(at) - 1.0) / sfreq, str(768 + label))  # MATLAB counts from 1
                for at, label in zip(starts, labels, strict=True)
            ]
        )
    if not runs:
        raise NeuriptError(f"{source.path.name} holds no run with trials")
    return recording_of(source.path, runs, sfreq, _names(runs[0].shape[1], source), events)


def _names(n: int, source: ProtocolFile) -> tuple[str, ...]:
    """Name the channels in the order of the data set's files: 22 electrodes, then the eyes."""
    if n < _N_EEG:
        raise NeuriptError(f"{source.path.name} has {n} channels, expected {_N_EEG} and the eyes'")
    names = load_montage("bcic-iv-2a-22").ch_names
    return (*names, *(f"EOG{i}" for i in range(n - _N_EEG)))


def _read_gdf(source: ProtocolFile) -> Recording:
    """Read the competition's own file; its channels are numbered, its test labels lie in another file."""
    recording = read_recording(source.path)
    eeg = recording.eeg
    names = _names(len(eeg.info.ch_names), source)
    types = ("EEG",) * _N_EEG + ("EOG",) * (len(names) - _N_EEG)
    eeg.info = replace(eeg.info, ch_names=names, ch_types=types)
    return recording


def _marks(source: ProtocolFile, recording: Recording, cleaned: Cleaned) -> list[Mark]:
    first = float(recording.eeg.timestamps[0])
    events = events_of(recording)
    if source.path.suffix.lower() != ".gdf":  # events are trial starts with their class
        return [
            Mark(e.time_s - first + _CUE_S, int(e.label) - 769)
            for e in events
            if e.label in ("769", "770", "771", "772")
        ]
    starts = [e.time_s - first for e in events if e.label == _TRIAL]
    labels = _gdf_labels(source, [e.label for e in events])
    if len(labels) != len(starts):
        raise NeuriptError(f"{source.path.name} has {len(starts)} trials and {len(labels)} labels")
    return [Mark(s + _CUE_S, k) for s, k in zip(starts, labels, strict=True)]


def _gdf_labels(source: ProtocolFile, events: list[str]) -> list[int]:
    """Take the classes from the published label file, or from the cues of the training session."""
    path = source.extra["labels"]
    if path is not None:
        return [int(k) - 1 for k in np.ravel(_load_mat(path, "classlabel")["classlabel"])]
    cues = [int(label) - 769 for label in events if label in ("769", "770", "771", "772")]
    if not cues:
        raise NeuriptError(
            f"{source.path.name} does not say the classes of its trials; put the published labels "
            f"({source.path.stem}.mat of 'true_labels') into the folder"
        )
    return cues


def _load_mat(path: Path, name: str) -> Mapping[str, Any]:
    from scipy.io import loadmat

    try:
        content: Mapping[str, Any] = loadmat(path, squeeze_me=True, struct_as_record=False)
    except Exception as error:  # scipy raises many kinds on a damaged file
        raise NeuriptError(f"{path} cannot be read as a MATLAB file ({error})") from error
    if name not in content:
        held = ", ".join(key for key in content if not key.startswith("__"))
        raise NeuriptError(f"{path} has no variable '{name}'; it has {held or 'nothing'}")
    return content


BCIC_IV_2A = EvalProtocol(
    name="bcic-iv-2a",
    dataset="bcic-iv-2a",
    title="motor imagery of four classes, 9 people, two days",
    classes=("left", "right", "feet", "tongue"),
    montage="bcic-iv-2a",
    window_s=4.0,
    metrics=("balanced_accuracy", "kappa", "weighted_f1"),
    find=_find,
    marks=_marks,
    read=_read,
    mains_hz=50.0,
    layout="A01T.mat, A01E.mat ... A09E.mat (BNCI Horizon), or the competition's .gdf and its true labels",
    how_to_get="Public: http://bnci-horizon-2020.eu/database/data-sets (001-2014), `BNCI2014_001` in MOABB.",
    fetch=lambda folder: moabb_files("BNCI2014_001", folder),
    split_rule="people 1-5 train, 6-7 validation, 8-9 test; both sessions; 2-6 s of the trial",
    n_paper=5184,
    paper={"balanced_accuracy": (55.04, 0.72), "kappa": (40.05, 1.21), "weighted_f1": (53.76, 0.86)},
)
