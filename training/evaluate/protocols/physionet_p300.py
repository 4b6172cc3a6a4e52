"""PhysioNetP300: row-column speller, target against other flashes (Citi, Poli and Cinel 2010, erpbci)."""

from __future__ import annotations

import re
from pathlib import Path

from neuript.errors import NeuriptError
from neuript.realtime.recordings.recording import Recording, events_of
from neuript.training.evaluate.protocols.definition import EvalProtocol, Mark, ProtocolFile, split_people
from neuript.training.evaluate.protocols.fetch import physionet
from neuript.training.windows.cleaning import Cleaned

_FILE = re.compile(r"^rc\d\d\.edf$", re.IGNORECASE)
_PERSON = re.compile(r"^s(\d\d)$", re.IGNORECASE)
_PEOPLE = tuple(f"s{n:02d}" for n in (1, 2, 3, 4, 5, 6, 7, 9, 11))  # as in the paper
_SPLIT = split_people(_PEOPLE, (0.6, 0.2, 0.2))
_BEFORE_S = 0.7


def _find(folder: Path) -> list[ProtocolFile]:
    return [
        ProtocolFile(path, path.parent.name.lower(), _SPLIT[path.parent.name.lower()])
        for path in sorted(folder.rglob("*"))
        if _FILE.match(path.name) and _PERSON.match(path.parent.name) and path.parent.name.lower() in _SPLIT
    ]


def _marks(source: ProtocolFile, recording: Recording, cleaned: Cleaned) -> list[Mark]:
    """A flash is annotated with the characters it lights up; the run's target comes after ``#Tgt``."""
    target = ""
    marks = []
    first = float(recording.eeg.timestamps[0])
    for event in events_of(recording):
        if event.label.startswith("#Tgt"):
            target = event.label[4:5]
        elif not event.label.startswith("#") and len(event.label) > 1:
            if not target:
                raise NeuriptError(f"{source.path.name} has flashes but names no target (#Tgt)")
            marks.append(Mark(event.time_s - first - _BEFORE_S, int(target in event.label)))
    return marks


PHYSIONET_P300 = EvalProtocol(
    name="physionet-p300",
    dataset="erpbci",
    title="P300 speller: flashes with the target against flashes without",
    classes=("other", "target"),
    montage="double-banana",
    window_s=2.0,
    metrics=("balanced_accuracy", "kappa", "auroc"),
    find=_find,
    marks=_marks,
    mains_hz=60.0,
    layout="sNN/rcNN.edf",
    how_to_get="Public: https://physionet.org/content/erpbci/1.0.0/ (ODC-BY 1.0).",
    fetch=lambda folder: physionet("erpbci", "1.0.0", folder, rf"^({'|'.join(_PEOPLE)})/rc\d\d\.edf$"),
    split_rule="people 8, 10 and 12 dropped; 5/2/2 of the others drawn with seed 520 "
    "(the paper does not name its draw)",
    n_paper=21179,
    paper={"balanced_accuracy": (67.31, 0.45), "kappa": (34.26, 0.74), "auroc": (76.83, 0.39)},
)
