"""Mumtaz2016: depression against health at rest (figshare 4244171)."""

from __future__ import annotations

import re
from pathlib import Path

from neuript.realtime.recordings.recording import Recording
from neuript.training.evaluate.protocols.definition import EvalProtocol, Mark, ProtocolFile, split_in_order, tile
from neuript.training.evaluate.protocols.fetch import figshare
from neuript.training.windows.cleaning import Cleaned

_FILE = re.compile(r"(?:^|[\s_])(MDD|H)[\s_]+S(\d+)[\s_]+(EC|EO)\.edf$", re.IGNORECASE)
_WINDOW_S = 5.0
_GROUPS = {"H": (19, 4), "MDD": (24, 5)}
"""Group to its people in training and validation, in the order of their numbers; the others test."""


def _find(folder: Path) -> list[ProtocolFile]:
    found = [(m[1].upper(), int(m[2]), p) for p in folder.rglob("*") if (m := _FILE.search(p.name))]
    split: dict[str, str] = {}
    for group, sizes in _GROUPS.items():
        split |= split_in_order({f"{g}{n:02d}" for g, n, _ in found if g == group}, *sizes)
    return [
        ProtocolFile(path, f"{group}{n:02d}", split[f"{group}{n:02d}"], {"label": int(group == "MDD")})
        for group, n, path in sorted(found, key=lambda row: (row[0], row[1], row[2].name))
    ]


def _marks(source: ProtocolFile, recording: Recording, cleaned: Cleaned) -> list[Mark]:
    return tile(cleaned, _WINDOW_S, int(source.extra["label"]))


MUMTAZ = EvalProtocol(
    name="mumtaz2016",
    dataset="mumtaz2016",
    title="major depression against health, resting with eyes open and closed",
    classes=("healthy", "depressed"),
    montage="double-banana",
    window_s=_WINDOW_S,
    metrics=("balanced_accuracy", "auc_pr", "auroc"),
    find=_find,
    marks=_marks,
    mains_hz=50.0,
    layout="'H S1 EC.edf', 'MDD S1 EO.edf', ...; TASK files are left alone",
    how_to_get="Public: https://doi.org/10.6084/m9.figshare.4244171.",
    fetch=lambda folder: figshare(4244171, folder, r"(EC|EO)\.edf$"),
    split_rule="by number: MDD 24/5/5, healthy 19/4/5 people train/validation/test (more people than that test)",
    n_paper=6963,
    paper={"balanced_accuracy": (98.03, 0.62), "auc_pr": (99.81, 0.44), "auroc": (99.79, 0.45)},
)
