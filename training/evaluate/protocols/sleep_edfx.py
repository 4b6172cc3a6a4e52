"""Sleep-EDFx: five sleep stages from two bipolar channels (Sleep-EDF Database Expanded)."""

from __future__ import annotations

import re
import warnings
from pathlib import Path

from neuript.errors import NeuriptError
from neuript.realtime.recordings.recording import Recording
from neuript.training.evaluate.protocols.definition import EvalProtocol, Mark, ProtocolFile, split_people
from neuript.training.evaluate.protocols.fetch import physionet
from neuript.training.windows.cleaning import Cleaned

_FILE = re.compile(r"^((?:SC4|ST7)\d\d)(\d)\w+-PSG\.edf$", re.IGNORECASE)
_WINDOW_S = 30.0
_STAGES = {
    "Sleep stage W": 0,
    "Sleep stage 1": 1,
    "Sleep stage 2": 2,
    "Sleep stage 3": 3,
    "Sleep stage 4": 3,
    "Sleep stage R": 4,
}
"""Stages 3 and 4 are N3; movement and unscored time are left out."""


def _find(folder: Path) -> list[ProtocolFile]:
    scored = {p.name[:6].upper(): p for p in folder.rglob("*-Hypnogram.edf")}
    found = [
        (match[1].upper(), path, scored[path.name[:6].upper()])
        for path in sorted(folder.rglob("*-PSG.edf"))
        if (match := _FILE.match(path.name)) and path.name[:6].upper() in scored
    ]
    people = {person for person, _, _ in found}
    split = split_people(people, (0.6, 0.2, 0.2)) if found else {}
    return [ProtocolFile(path, who, split[who], {"hypnogram": h}) for who, path, h in found]


def _marks(source: ProtocolFile, recording: Recording, cleaned: Cleaned) -> list[Mark]:
    import mne

    path = source.extra["hypnogram"]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            notes = mne.read_annotations(path)
    except Exception as error:  # MNE has no kind of its own for a damaged file
        raise NeuriptError(f"{path.name} cannot be read as a hypnogram ({error})") from error
    marks = []
    for onset, seconds, text in zip(notes.onset, notes.duration, notes.description, strict=True):
        if text in _STAGES:
            count = int((float(seconds) + 1e-6) // _WINDOW_S)
            marks += [Mark(float(onset) + i * _WINDOW_S, _STAGES[text]) for i in range(count)]
    end = float(cleaned.stamps[-1]) + 1.0 / cleaned.sfreq if len(cleaned.stamps) else 0.0
    return [mark for mark in marks if mark.start_s + _WINDOW_S <= end + 1e-6]  # scored beyond the end


SLEEP_EDFX = EvalProtocol(
    name="sleep-edfx",
    dataset="sleep-edfx",
    title="five sleep stages, 30 s, two bipolar channels",
    classes=("W", "N1", "N2", "N3", "R"),
    montage="sleep-edfx",
    window_s=_WINDOW_S,
    metrics=("balanced_accuracy", "kappa", "weighted_f1"),
    find=_find,
    marks=_marks,
    mains_hz=None,  # 50 Hz is the Nyquist frequency of these files
    max_interpolated=0.0,
    layout="SC4NNNxx-PSG.edf and ST7NNNxx-PSG.edf with their *-Hypnogram.edf",
    how_to_get="Public: https://physionet.org/content/sleep-edfx/1.0.0/ (ODC-BY 1.0).",
    fetch=lambda folder: physionet("sleep-edfx", "1.0.0", folder, r"\.edf$"),
    split_rule="people drawn 60/20/20 with seed 520 from those that are there (the paper does not name its draw)",
    n_paper=457652,
    paper={"balanced_accuracy": (70.47, 0.41), "kappa": (77.57, 0.15), "weighted_f1": (87.39, 0.13)},
)
