"""TUAB (normal or abnormal) and TUEV (six kinds of events) of the Temple University Hospital corpus."""

from __future__ import annotations

from pathlib import Path

from neuript.errors import NeuriptError
from neuript.realtime.recordings.recording import Recording
from neuript.training.evaluate.protocols.definition import EvalProtocol, Mark, ProtocolFile, natural, split_people, tile
from neuript.training.windows.cleaning import Cleaned

_GET = "On request: https://isip.piconepress.com/projects/nedc/html/tuh_eeg/ (form, then rsync)."
_RULE = "the official evaluation set tests; the people of the official training set are drawn 80/20 with seed 520"


def _official(path: Path, folder: Path) -> str | None:
    """Return `train` or `eval`, whichever folder the file lies in."""
    parts = [part.lower() for part in path.relative_to(folder).parts[:-1]]
    found = [part for part in parts if part in ("train", "eval")]
    return found[0] if len(found) == 1 else None


def _split(found: list[tuple[Path, str, str]], extra: dict[Path, object]) -> list[ProtocolFile]:
    """Sort (path, person, official set) into train, val and test."""
    people = {person for _, person, official in found if official == "train"}
    drawn = split_people(people, (0.8, 0.2, 0.0)) if len(people) > 1 else {}
    return [
        ProtocolFile(path, person, "test" if official == "eval" else drawn.get(person, "train"), {"is": extra[path]})
        for path, person, official in sorted(found, key=lambda row: natural(row[0].as_posix()))
    ]


def _edfs(folder: Path) -> list[tuple[Path, str]]:
    found = ((p, _official(p, folder)) for p in folder.rglob("*.edf"))
    return [(path, official) for path, official in found if official is not None]


# --- TUAB ----------------------------------------------------------------------------------------


def _tuab_find(folder: Path) -> list[ProtocolFile]:
    found, extra = [], dict[Path, object]()
    for path, official in _edfs(folder):
        parts = path.relative_to(folder).parts[:-1]
        kinds = {"normal", "abnormal"} & {part.lower() for part in parts}
        if len(kinds) == 1:
            found.append((path, path.stem.split("_")[0], official))
            extra[path] = int(kinds == {"abnormal"})
    return _split(found, extra)


def _tuab_marks(source: ProtocolFile, recording: Recording, cleaned: Cleaned) -> list[Mark]:
    return tile(cleaned, TUAB.window_s, int(source.extra["is"]))


TUAB = EvalProtocol(
    name="tuab",
    dataset="tuab",
    title="normal or abnormal clinical recordings",
    classes=("normal", "abnormal"),
    montage="double-banana",
    window_s=10.0,
    metrics=("balanced_accuracy", "auc_pr", "auroc"),
    find=_tuab_find,
    marks=_tuab_marks,
    mains_hz=60.0,
    layout="edf/{train,eval}/{normal,abnormal}/01_tcp_ar/*.edf",
    how_to_get=_GET,
    split_rule=_RULE,
    n_paper=409455,
    paper={"balanced_accuracy": (82.93, 0.16), "auc_pr": (90.40, 0.22), "auroc": (89.49, 0.21)},
)

# --- TUEV ----------------------------------------------------------------------------------------

_BEFORE_S = 2.0


def _tuev_find(folder: Path) -> list[ProtocolFile]:
    found, extra = [], dict[Path, object]()
    for path, official in _edfs(folder):
        labels = path.with_suffix(".rec")
        if labels.is_file():
            found.append((path, path.parent.name, official))
            extra[path] = labels
    return _split(found, extra)


def _tuev_marks(source: ProtocolFile, recording: Recording, cleaned: Cleaned) -> list[Mark]:
    """Each row (channel, start, end, class) is a window that begins 2 s before the event's second."""
    labels: Path = source.extra["is"]
    marks = []
    for i, line in enumerate(labels.read_text().splitlines(), start=1):
        if not line.strip():
            continue
        try:
            _, start, _, kind = (float(part) for part in line.split(","))
        except ValueError as error:
            raise NeuriptError(f"{labels.name} line {i} is {line!r}, expected channel,start,end,class") from error
        if kind not in range(1, 7):
            raise NeuriptError(f"{labels.name} line {i} has the class {kind:g}, expected 1 to 6")
        marks.append(Mark(start - _BEFORE_S, int(kind) - 1))
    return marks


TUEV = EvalProtocol(
    name="tuev",
    dataset="tuev",
    title="six kinds of events in clinical recordings",
    classes=("spsw", "gped", "pled", "eyem", "artf", "bckg"),
    montage="double-banana",
    window_s=5.0,
    metrics=("balanced_accuracy", "kappa", "weighted_f1"),
    find=_tuev_find,
    marks=_tuev_marks,
    mains_hz=60.0,
    layout="edf/{train,eval}/<person>/*.edf, each with its .rec",
    how_to_get=_GET,
    split_rule=_RULE,
    n_paper=112491,
    paper={"balanced_accuracy": (67.61, 1.33), "kappa": (69.70, 1.85), "weighted_f1": (84.28, 0.89)},
)
