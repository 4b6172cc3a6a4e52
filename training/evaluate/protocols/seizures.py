"""Seizures against everything else in long clinical recordings: TUSZ, and CHB-MIT.

Whole recordings are cut into windows that follow each other, so that false alarms can be counted per hour
(`evaluate.clinical_report`). A window is a seizure where at least half of it lies in one.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from neuript.errors import NeuriptError
from neuript.realtime.recordings.recording import Recording
from neuript.training.evaluate.protocols.definition import EvalProtocol, Mark, ProtocolFile, natural, split_people, tile
from neuript.training.evaluate.protocols.fetch import physionet
from neuript.training.fitting.metrics import BINARY
from neuript.training.windows.cleaning import Cleaned

CLASSES = ("background", "seizure")
WINDOW_S = 4.0
_SPLITS = {"train": "train", "dev": "val", "eval": "test"}
_START = re.compile(r"Seizure(?:\s+\d+)?\s+Start Time:\s*([\d.]+)", re.IGNORECASE)
_END = re.compile(r"Seizure(?:\s+\d+)?\s+End Time:\s*([\d.]+)", re.IGNORECASE)
_CASE = re.compile(r"^(chb\d\d)[a-z]?_\d+\+?\.edf$", re.IGNORECASE)
_SAME_PERSON = {"chb21": "chb01"}
"""Case 21 is the girl of case 1, a year and a half later."""

Stretch = tuple[float, float]


def labelled_tiles(cleaned: Cleaned, seizures: Sequence[Stretch]) -> list[Mark]:
    """Windows that follow each other over a whole recording; class 1 where at least half lies in a seizure."""
    marks = []
    for mark in tile(cleaned, WINDOW_S, 0):
        end = mark.start_s + WINDOW_S
        inside = sum(max(0.0, min(stop, end) - max(start, mark.start_s)) for start, stop in seizures)
        marks.append(Mark(mark.start_s, int(inside >= WINDOW_S / 2)))
    return marks


def _marks(source: ProtocolFile, recording: Recording, cleaned: Cleaned) -> list[Mark]:
    return labelled_tiles(cleaned, source.extra["read"](source.extra["labels"], source.path.name))


# --- TUSZ ----------------------------------------------------------------------------------------


def read_csv_bi(path: Path, _name: str) -> list[Stretch]:
    """Return the seizures of a recording, seconds, from TUSZ's table of two classes.

    Raises
    ------
    NeuriptError
        If a line is not channel,start,stop,label,confidence.
    """
    found = []
    for i, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        if not line.strip() or line.startswith(("#", "channel,")):
            continue
        try:
            _, start, stop, label, _ = (part.strip() for part in line.split(","))
            stretch = float(start), float(stop)
        except ValueError as error:
            raise NeuriptError(
                f"{path.name} line {i} is {line!r}, expected channel,start_time,stop_time,label,confidence"
            ) from error
        if label.casefold() == "seiz":
            found.append(stretch)
    return found


def _tusz_find(folder: Path) -> list[ProtocolFile]:
    sources = []
    for path in sorted(folder.rglob("*.edf"), key=lambda p: natural(p.as_posix())):
        labels = path.with_suffix(".csv_bi")
        splits = [_SPLITS[part] for part in path.relative_to(folder).parts[:-1] if part in _SPLITS]
        if splits and labels.is_file():
            person = path.stem.split("_")[0]
            sources.append(ProtocolFile(path, person, splits[0], {"labels": labels, "read": read_csv_bi}))
    return sources


TUSZ = EvalProtocol(
    name="tusz",
    dataset="tusz",
    title="seizures in clinical recordings, window after window",
    classes=CLASSES,
    montage="double-banana",
    window_s=WINDOW_S,
    metrics=BINARY,
    find=_tusz_find,
    marks=_marks,
    mains_hz=60.0,
    layout="edf/{train,dev,eval}/<person>/<session>/<montage>/*.edf, each with its .csv_bi",
    how_to_get="Free, on signed application: https://isip.piconepress.com/projects/nedc/html/tuh_eeg/ (TUSZ).",
    split_rule="the official sets: train, dev (validation) and eval (test), which share no patient",
)

# --- CHB-MIT -------------------------------------------------------------------------------------


def read_summary(path: Path, name: str) -> list[Stretch]:
    """Return the seizures of one recording, seconds, from the summary of its case.

    Raises
    ------
    NeuriptError
        If the summary does not name the recording, or not as many ends as starts.
    """
    for block in path.read_text(encoding="utf-8", errors="replace").split("File Name:")[1:]:
        if block.split(maxsplit=1)[0] != name:
            continue
        starts, ends = (list(map(float, pattern.findall(block))) for pattern in (_START, _END))
        if len(starts) != len(ends):
            raise NeuriptError(f"{path.name}: {name} has {len(starts)} starts and {len(ends)} ends of seizures")
        return list(zip(starts, ends, strict=True))
    raise NeuriptError(f"{path.name} does not name {name}; it says which recordings have seizures, and when")


def _chb_find(folder: Path) -> list[ProtocolFile]:
    found = []
    for path in sorted(folder.rglob("*.edf"), key=lambda p: natural(p.as_posix())):
        match = _CASE.match(path.name)
        summary = path.parent / f"{path.parent.name}-summary.txt"
        if match and summary.is_file():
            case = match[1].lower()
            found.append((path, _SAME_PERSON.get(case, case), summary))
    people = {person for _, person, _ in found}
    split = split_people(people, (0.6, 0.2, 0.2)) if len(people) > 2 else dict.fromkeys(people, "train")
    return [
        ProtocolFile(path, person, split[person], {"labels": summary, "read": read_summary})
        for path, person, summary in found
    ]


_PAIRS = (
    *("Fp1-F7", "F7-T7", "T7-P7", "P7-O1", "Fp2-F8", "F8-T8", "T8-P8", "P8-O2"),
    *("T7-C3", "C4-T8", "Fp1-F3", "F3-C3", "C3-P3", "P3-O1", "Fp2-F4", "F4-C4", "C4-P4", "P4-O2"),
)
"""All but C3-Cz and Cz-C4: the pairs of CHB-MIT do not join the midline to the sides."""

CHB_MIT = EvalProtocol(
    name="chb-mit",
    dataset="chbmit",
    title="seizures of children, window after window",
    classes=CLASSES,
    montage="double-banana",
    channels=_PAIRS,
    window_s=WINDOW_S,
    metrics=BINARY,
    find=_chb_find,
    marks=_marks,
    mains_hz=60.0,
    layout="chbNN/chbNN_MM.edf, each folder with its chbNN-summary.txt",
    how_to_get="Public: https://physionet.org/content/chbmit/1.0.0/ (ODC-BY 1.0).",
    fetch=lambda folder: physionet("chbmit", "1.0.0", folder, r"^chb\d\d/chb\d\d.*(\.edf|-summary\.txt)$"),
    split_rule="people drawn 60 : 20 : 20; cases 1 and 21 are one person",
)
