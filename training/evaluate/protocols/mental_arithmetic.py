"""MentalArithmetic: rest against serial subtraction, 36 people (Zyma et al., Data 4, 2019, 14)."""

from __future__ import annotations

import re
from pathlib import Path

from neuript.realtime.recordings.recording import Recording
from neuript.training.evaluate.protocols.definition import EvalProtocol, Mark, ProtocolFile, tile
from neuript.training.evaluate.protocols.fetch import physionet
from neuript.training.windows.cleaning import Cleaned

_FILE = re.compile(r"^Subject(\d\d)_([12])\.edf$", re.IGNORECASE)
_WINDOW_S = 5.0


def _find(folder: Path) -> list[ProtocolFile]:
    sources = []
    for path in sorted(folder.rglob("*")):
        match = _FILE.match(path.name)
        if match:
            number = int(match[1]) + 1  # Subject00 is person 1 of the paper
            split = "train" if number <= 28 else "val" if number <= 32 else "test"
            sources.append(ProtocolFile(path, f"Subject{match[1]}", split, {"label": int(match[2]) - 1}))
    return sources


def _marks(source: ProtocolFile, recording: Recording, cleaned: Cleaned) -> list[Mark]:
    return tile(cleaned, _WINDOW_S, int(source.extra["label"]))


def _fetch(folder: Path) -> None:
    physionet("eegmat", "1.0.0", folder, r"Subject\d\d_[12]\.edf$")


MENTAL_ARITHMETIC = EvalProtocol(
    name="mental-arithmetic",
    dataset="eegmat",
    title="rest against mental arithmetic, 36 people",
    classes=("rest", "arithmetic"),
    montage="double-banana",
    window_s=_WINDOW_S,
    metrics=("balanced_accuracy", "auc_pr", "auroc"),
    find=_find,
    marks=_marks,
    mains_hz=50.0,
    layout="SubjectNN_1.edf (rest) and SubjectNN_2.edf (arithmetic), NN from 00 to 35, at any rate",
    how_to_get="Public: https://physionet.org/content/eegmat/1.0.0/ (ODC-BY 1.0).",
    fetch=_fetch,
    split_rule="people 1-28 (Subject00-27) train, 29-32 validation, 33-36 test",
    n_paper=1707,
    paper={"balanced_accuracy": (86.46, 1.07), "auc_pr": (78.27, 1.97), "auroc": (91.11, 1.63)},
)
