"""What a BIDS data set says of the channels of a recording (`*_channels.tsv`, BIDS 1.10, EEG)."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from neuript.errors import NeuriptError
from neuript.realtime.recordings.tsv_table import read_tsv

_ROOT = "dataset_description.json"
_ENDING = "_channels.tsv"
_BELOW_ROOT = ("sub-", "ses-", "eeg")
"""How the folders begin that lie between a recording and the root of its data set."""


@dataclass(frozen=True, slots=True)
class Sidecar:
    """Types and faults of channels, by label.

    Attributes
    ----------
    path : Path
        Path of the `*_channels.tsv` file.
    types : dict of str to str
        Type of each channel in capitals (EEG, EOG, MISC and so on), keyed by label.
    bads : tuple of str
        Labels of the channels with the status "bad".
    """

    path: Path
    types: dict[str, str]
    bads: tuple[str, ...]

    def types_of(self, ch_names: tuple[str, ...], ch_types: tuple[str, ...]) -> tuple[str, ...]:
        """Return the types of a recording's channels; what the table does not name stays."""
        own = ch_types or ("",) * len(ch_names)
        return tuple(self.types.get(n, kind) for n, kind in zip(ch_names, own, strict=True))


def find_channels(recording: Path) -> Path | None:
    """Return the channel table that holds for a recording, or None.

    It is the nearest one, from the recording's folder up to the root of the data set and no
    further, whose entities (`sub-`, `task-` and so on) are all among the recording's (the
    inheritance principle of BIDS).
    """
    entities = _entities(recording.name)
    if not any(part.startswith("sub-") for part in entities):
        return None
    for folder in Path(os.path.abspath(recording)).parents:  # a link may lead out of the data set (git-annex)
        fitting = [
            path for path in folder.glob(f"*{_ENDING}") if _entities(path.name) and _entities(path.name) <= entities
        ]
        if fitting:
            return max(fitting, key=lambda path: (len(_entities(path.name)), path.name))
        if (folder / _ROOT).is_file() or not folder.name.startswith(_BELOW_ROOT):
            break
    return None


def read_channels(path: Path) -> Sidecar:
    """Read a channel table.

    Raises
    ------
    NeuriptError
        It has no columns `name` and `type`, or is not text.
    """
    rows = read_tsv(path)
    if rows and not {"name", "type"} <= set(rows[0]):
        raise NeuriptError(
            f"its channel table {path.name} has the columns {', '.join(map(str, rows[0]))}; BIDS wants "
            "at least name and type, split by tabs"
        )
    return Sidecar(
        path,
        {row["name"]: row["type"].strip().upper() for row in rows},
        tuple(row["name"] for row in rows if row.get("status", "").strip().lower() == "bad"),
    )


def _entities(name: str) -> set[str]:
    return {part for part in name.partition(".")[0].split("_") if "-" in part}
