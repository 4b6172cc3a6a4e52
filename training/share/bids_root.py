"""The files of a BIDS data set that belong to no recording: its description, its people, what is there already."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from neuript import __version__
from neuript.errors import NeuriptError
from neuript.files import file_sha256, write_atomically, write_json
from neuript.realtime.recordings.tsv_table import read_tsv
from neuript.training.share.bids_extra import of_bids
from neuript.training.share.bids_tables import PEOPLE, write_rows
from neuript.training.share.hed_tags import HED_VERSION

DESCRIPTION = "dataset_description.json"
DERIVATIVES = Path("derivatives") / "neuript"
_PAGES = "*_report.html\n"
"""Files of the derivatives that BIDS has no name for."""
_ALIAS = "alias"
_GENERATED = [{"Name": "neuript", "Version": __version__}]


def open_dataset(root: Path) -> bool:
    """Make the folder of a data set with its description, or take the one that is there.

    Returns
    -------
    bool
        True if the data set is tagged with our version of HED, so that tags can be added.

    Raises
    ------
    NeuriptError
        If the folder holds something else than a raw BIDS data set.
    """
    path = root / DESCRIPTION
    if path.is_file():
        said = _json(path)
        if said.get("DatasetType", "raw") != "raw":
            raise NeuriptError(f"{root} is a BIDS data set of type {said['DatasetType']!r}; give a raw one")
        return bool(said.get("HEDVersion") == HED_VERSION)
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise NeuriptError(f"{root} is there and has no {DESCRIPTION}; give a new folder, or that of a BIDS data set")
    root.mkdir(parents=True, exist_ok=True)
    of_bids("mne_bids").make_dataset_description(
        path=root,
        name=root.resolve().name,
        dataset_type="raw",
        hed_version=HED_VERSION,
        generated_by=_GENERATED,
        verbose="error",
    )
    return True


def open_derivatives(root: Path) -> Path:
    """Return the folder of what neuript has made of the recordings, with its description."""
    folder = root / DERIVATIVES
    if not (folder / DESCRIPTION).is_file():
        folder.mkdir(parents=True, exist_ok=True)
        of_bids("mne_bids").make_dataset_description(
            path=folder,
            name=f"{root.resolve().name}: decisions and reports of neuript",
            dataset_type="derivative",
            generated_by=_GENERATED,
            verbose="error",
        )
        write_atomically(folder / ".bidsignore", _PAGES.encode())
    return folder


def known_aliases(root: Path) -> dict[str, str]:
    """Return the aliases of the people of a data set with their labels; whom others added is known by the label."""
    path = root / PEOPLE
    if not path.is_file():
        return {}
    rows = read_tsv(path)
    labels = [str(row.get("participant_id", "")).removeprefix("sub-") for row in rows]
    aliases = [row.get(_ALIAS) or "n/a" for row in rows]
    return {label if alias == "n/a" else alias: label for alias, label in zip(aliases, labels, strict=True)}


def note_alias(root: Path, alias: str, label: str) -> None:
    """Write into the table of people which alias a label stands for, where it is not there yet."""
    path = root / PEOPLE
    rows = read_tsv(path)
    if any(row["participant_id"] == f"sub-{label}" and row.get(_ALIAS) == alias for row in rows):
        return
    for row in rows:
        if row["participant_id"] == f"sub-{label}":
            row[_ALIAS] = alias
    write_rows(path, rows)
    explained = path.with_suffix(".json")
    said = _json(explained) if explained.is_file() else {}
    said.setdefault(_ALIAS, {"Description": "Name under which the person was recorded; never the real one"})
    write_json(explained, said, indent=4)


def is_there(root: Path, label: str, recording: Path) -> Path | None:
    """Return the copy of a recording among the sources of a person; None if it is not there yet."""
    n_bytes, folder = recording.stat().st_size, root / "sourcedata" / f"sub-{label}"
    same_size = (p for p in sorted(folder.rglob("*")) if p.is_file() and p.stat().st_size == n_bytes)
    return next((p for p in same_size if file_sha256(p) == file_sha256(recording)), None)


def _json(path: Path) -> dict[str, Any]:
    try:
        said = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise NeuriptError(f"{path} cannot be read ({error}); mend it first") from error
    if not isinstance(said, dict):
        raise NeuriptError(f"{path} is no JSON object; mend it first")
    return said
