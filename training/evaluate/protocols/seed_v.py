"""SEED-V: five emotions from films (BCMI, Shanghai Jiao Tong University)."""

from __future__ import annotations

import re
from pathlib import Path

from neuript.errors import NeuriptError
from neuript.realtime.recordings.recording import Recording
from neuript.training.evaluate.protocols.definition import EvalProtocol, Mark, ProtocolFile, natural, tile
from neuript.training.windows.cleaning import Cleaned

_FILE = re.compile(r"^(\d+)_([123])_\d{8}\.cnt$", re.IGNORECASE)
_CLASSES = ("disgust", "fear", "sad", "neutral", "happy")

# the data set's own tables: trial_start_end_timestamp.txt and emotion_label_and_stimuli_order.xlsx
_SECONDS = (
    (
        *((30, 102), (132, 228), (287, 524), (555, 742), (773, 920)),
        *((982, 1240), (1271, 1568), (1628, 1697), (1730, 1994), (2025, 2166)),
        *((2227, 2401), (2435, 2607), (2667, 2901), (2932, 3172), (3204, 3359)),
    ),
    (
        *((30, 267), (299, 488), (548, 614), (646, 773), (836, 967)),
        *((1000, 1059), (1091, 1331), (1392, 1622), (1657, 1777), (1809, 1908)),
        *((1966, 2153), (2186, 2302), (2333, 2428), (2490, 2709), (2741, 2817)),
    ),
    (
        *((30, 321), (353, 418), (478, 643), (674, 764), (825, 877)),
        *((908, 1147), (1200, 1284), (1346, 1418), (1451, 1679), (1711, 1996)),
        *((2055, 2275), (2307, 2425), (2457, 2664), (2726, 2857), (2888, 3066)),
    ),
)
"""Start and end of the 15 films of each session, seconds."""
_LABELS = (
    (4, 1, 3, 2, 0, 4, 1, 3, 2, 0, 4, 1, 3, 2, 0),
    (2, 1, 3, 0, 4, 4, 0, 3, 2, 1, 3, 4, 1, 2, 0),
    (2, 1, 3, 0, 4, 4, 0, 3, 2, 1, 3, 4, 1, 2, 0),
)


def _find(folder: Path) -> list[ProtocolFile]:
    sources = []
    for path in sorted(folder.rglob("*.cnt"), key=lambda p: natural(p.name)):
        match = _FILE.match(path.name)
        if match and (number := int(match[1])) <= 15:
            split = "train" if number <= 8 else "val" if number <= 10 else "test"
            sources.append(ProtocolFile(path, str(number), split, {"session": int(match[2])}))
    return sources


def _marks(source: ProtocolFile, recording: Recording, cleaned: Cleaned) -> list[Mark]:
    session = int(source.extra["session"]) - 1
    end = float(cleaned.stamps[-1])
    if end < _SECONDS[session][0][0]:
        raise NeuriptError(f"{source.path.name} ends after {end:.0f} s, before its first film")
    return [
        mark
        for (start, stop), label in zip(_SECONDS[session], _LABELS[session], strict=True)
        for mark in tile(cleaned, SEED_V.window_s, label, start_s=float(start), stop_s=float(stop))
    ]


SEED_V = EvalProtocol(
    name="seed-v",
    dataset="seed-v",
    title="five emotions from films",
    classes=_CLASSES,
    montage="seed-v",
    window_s=1.0,
    metrics=("balanced_accuracy", "kappa", "weighted_f1"),
    find=_find,
    marks=_marks,
    mains_hz=50.0,
    layout="EEG_raw/<person>_<session>_<date>.cnt",
    how_to_get="On request, after signing a licence: https://bcmi.sjtu.edu.cn/home/seed/seed-v.html",
    split_rule="people 1-10 train, of whom 9 and 10 validate (the paper holds nobody out), 11-15 test; 16 is not used",
    n_paper=115001,
    paper={"balanced_accuracy": (41.04, 0.21), "kappa": (26.29, 0.39), "weighted_f1": (41.58, 0.37)},
)
