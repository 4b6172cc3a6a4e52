"""Tables of a BIDS data set that several recordings share, and how a finished run comes into the data set."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path

from neuript.errors import NeuriptError
from neuript.files import write_atomically
from neuript.realtime.recordings.tsv_table import read_tsv

PEOPLE = "participants.tsv"
_SCANS = "_scans.tsv"
_README = "README"
_OF_THE_DATA_SET = ("dataset_description.json", "participants.json", _README)


def write_rows(path: Path, rows: Sequence[dict[str, str]]) -> None:
    """Write a table with the columns of all rows; `n/a` where a row has none."""
    text = io.StringIO()
    names = list(dict.fromkeys(name for row in rows for name in row))
    table = csv.DictWriter(text, names, restval="n/a", delimiter="\t", lineterminator="\n")
    table.writeheader()
    table.writerows(rows)
    write_atomically(path, text.getvalue().encode())


def take_in(stage: Path, root: Path) -> None:
    """Move a data set of one run into another one; what is there stays as it is.

    Parameters
    ----------
    stage : Path
        Folder of the data set of one run, on the same disk.
    root : Path
        Folder of the data set that it goes into.

    Raises
    ------
    NeuriptError
        If a file of the same name is there and says something else: electrodes of the same session.
    """
    files = [path.relative_to(stage) for path in sorted(stage.rglob("*")) if path.is_file()]
    tables = [name for name in files if name.name == PEOPLE or name.name.endswith(_SCANS)]
    there = [name for name in files if name not in tables and (root / name).exists()]
    for name in there:
        if name.name not in _OF_THE_DATA_SET and (root / name).read_bytes() != (stage / name).read_bytes():
            raise NeuriptError(f"{root / name} says something else than this recording; give another --session")
    for name in files:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        if name in tables:
            _add_rows(stage / name, root / name)
        elif name not in there and not (name.name == _README and any(root.glob(f"{_README}*"))):
            (stage / name).rename(root / name)


def _add_rows(new: Path, old: Path) -> None:
    """Add the rows whose first column names what is not in a table yet."""
    rows = read_tsv(old) if old.is_file() else []
    known = {next(iter(row.values())) for row in rows}
    more = [row for row in read_tsv(new) if next(iter(row.values())) not in known]
    if more:
        write_rows(old, [*rows, *more])
