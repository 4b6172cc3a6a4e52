"""Sets that are not the paper's: small ones, on which comparisons can be repeated many times.

Their splits are by run, fixed before any result was seen. Windows of one trial never fall on both sides.
"""

from __future__ import annotations

import re
from pathlib import Path

from neuript.realtime.recordings.recording import Recording
from neuript.training.evaluate.protocols.definition import EvalProtocol, Mark, ProtocolFile, after_events, natural
from neuript.training.evaluate.protocols.fetch import moabb_files, physionet
from neuript.training.fitting.metrics import BINARY, MULTICLASS
from neuript.training.windows.cleaning import Cleaned

# --- PhysioNet EEG Motor Movement/Imagery, person S001 -------------------------------------------

_RUN = re.compile(r"^(S001)R(\d\d)\.edf$", re.IGNORECASE)
_HANDS = (3, 4, 7, 8, 11, 12)
_FEET = (5, 6, 9, 10, 13, 14)


def _mmidb(name: str, runs: tuple[int, ...], classes: tuple[str, ...]) -> EvalProtocol:
    """One task or both: runs 3-6 train, 7-10 validation, 11-14 test; executed and imagined together."""

    def find(folder: Path) -> list[ProtocolFile]:
        sources = []
        for path in sorted(folder.rglob("*")):
            match = _RUN.match(path.name)
            if match and (run := int(match[2])) in runs:
                split = "train" if run <= 6 else "val" if run <= 10 else "test"
                sources.append(ProtocolFile(path, "S001", split, {"run": run}))
        return sources

    def marks(source: ProtocolFile, recording: Recording, cleaned: Cleaned) -> list[Mark]:
        pair = ("left", "right") if source.extra["run"] in _HANDS else ("fists", "feet")
        labels = {event: classes.index(c) for event, c in zip(("T1", "T2"), pair, strict=True)}
        return after_events(recording, labels, 0.5)

    return EvalProtocol(
        name=name,
        dataset="eegmmidb",
        title=f"motor execution and imagery of one person: {', '.join(classes)}",
        classes=classes,
        montage="bcic-iv-2a",
        window_s=3.5,
        metrics=BINARY if len(classes) == 2 else MULTICLASS,
        find=find,
        marks=marks,
        mains_hz=60.0,
        layout="S001R03.edf ... S001R14.edf",
        how_to_get="Public: https://physionet.org/content/eegmmidb/1.0.0/ (ODC-BY 1.0).",
        fetch=lambda folder: physionet("eegmmidb", "1.0.0", folder, r"^S001/S001R\d\d\.edf$"),
        split_rule="by run: 3-6 train, 7-10 validation, 11-14 test; windows 0.5-4.0 s after the cue",
    )


EEGMMIDB = (
    _mmidb("eegmmidb-s001", _FEET, ("fists", "feet")),
    _mmidb("eegmmidb-s001-lr", _HANDS, ("left", "right")),
    _mmidb("eegmmidb-s001-4", (*_HANDS, *_FEET), ("left", "right", "fists", "feet")),
)

# --- Peterson et al. 2022: imagery of the dominant hand against rest ------------------------------

_PERSON = re.compile(r"^edf(\d+)$", re.IGNORECASE)
_RUNS = {"002": 2, "003": 3, "004": 4, "005": 5, "Test4": 5}
_VALIDATION = ("edf01", "edf05", "edf10")


def _peterson_find(folder: Path) -> list[ProtocolFile]:
    sources = []
    for path in sorted(folder.rglob("*.edf"), key=lambda p: natural(p.as_posix())):
        run = _RUNS.get(path.parent.name)
        person = path.parent.parent.name.lower()
        if run is None or not _PERSON.match(person):
            continue
        split = "test" if run >= 4 else "train"
        if run == 3 and person in _VALIDATION:
            split = "val"
        sources.append(ProtocolFile(path, person, split, {"run": run}))
    return sources


def _peterson_marks(source: ProtocolFile, recording: Recording, cleaned: Cleaned) -> list[Mark]:
    return after_events(recording, {"OVTK_GDF_Tongue": 0, "OVTK_GDF_Right": 1}, 0.5)


PETERSON = EvalProtocol(
    name="peterson-mi",
    dataset="peterson2022-mi-rest",
    title="motor imagery of the dominant hand against rest, 6 people, low-cost headset",
    classes=("rest", "imagery"),
    montage="peterson-15",
    window_s=3.5,
    metrics=BINARY,
    find=_peterson_find,
    marks=_peterson_marks,
    mains_hz=50.0,
    unit="microvolts",  # the field is blank, the numbers are microvolts
    layout="edfNN/00R/eeg.edf, NN the person, R the run",
    how_to_get="Peterson et al., Data in Brief 42 (2022) 108225.",
    split_rule="by run: 2 and 3 train (3 is validation in edf01, edf05, edf10), 4 and 5 test; 0.5-4.0 s after the cue",
)

# --- SSVEP exoskeleton, Kalunga et al. 2016 ------------------------------------------------------


def _ssvep_find(folder: Path) -> list[ProtocolFile]:
    sources = []
    people = sorted({path.parent for path in folder.rglob("record-*_raw.fif")}, key=lambda p: natural(p.name))
    for i, person in enumerate(people):
        for k, path in enumerate(sorted(person.glob("record-*_raw.fif"))):
            split = "train" if k == 0 else ("val", "test")[i % 2]
            sources.append(ProtocolFile(path, person.name, split, {"record": k}))
    return sources


def _ssvep_marks(source: ProtocolFile, recording: Recording, cleaned: Cleaned) -> list[Mark]:
    return after_events(recording, {"1": 0, "2": 1, "4": 2, "3": 3}, 1.0)


SSVEP = EvalProtocol(
    name="ssvep-exo",
    dataset="ssvep-exoskeleton",
    title="flicker of 13, 17 or 21 Hz against rest, 8 occipital electrodes",
    classes=("rest", "13Hz", "17Hz", "21Hz"),
    montage="10-05",
    channels=("Oz", "O1", "O2", "PO3", "POz", "PO7", "PO8", "PO4"),
    window_s=4.0,
    metrics=MULTICLASS,
    find=_ssvep_find,
    marks=_ssvep_marks,
    mains_hz=50.0,
    unit="nanovolts",  # the files say volts and hold 6 mV rms: a thousand times too much for EEG
    layout="subjectNN/record-*_raw.fif with *-eve.fif beside it",
    how_to_get="Public (CC0): https://doi.org/10.5281/zenodo.2392979, `Kalunga2016` in MOABB.",
    fetch=lambda folder: moabb_files("Kalunga2016", folder),
    split_rule="by recording: each person's first trains; the later ones validate and test, person by person",
)
