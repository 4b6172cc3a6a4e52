"""Names in a BIDS data set: labels hold letters and digits only, so two aliases may want the same one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from neuript.errors import NeuriptError

_DAY = re.compile(r"(\d{4})-(\d{2})-(\d{2})-(\d+)")
_RUN = re.compile(r"_run-(\d+)_")


def bids_label(text: str, what: str) -> str:
    """Return a text without what a BIDS label cannot hold: `S-01` is `S01`.

    Parameters
    ----------
    text : str
        An alias, the name of a task or of a session.
    what : str
        What it names, for the message.

    Raises
    ------
    NeuriptError
        If nothing is left of it.
    """
    label = re.sub(r"[^A-Za-z0-9]", "", text)
    if not label:
        raise NeuriptError(f"{what} {text!r} has no letter and no digit, and a BIDS label has nothing else; rename it")
    return label


def session_label(folder: str) -> str:
    """Return the label of a session by the name of its folder: `2026-11-30-1` is `20261130n1`."""
    day = _DAY.fullmatch(folder)
    return f"{day[1]}{day[2]}{day[3]}n{day[4]}" if day else bids_label(folder, "the session folder")


def check_aliases(aliases: Mapping[str, str], known: Mapping[str, str]) -> None:
    """Refuse two people under one label, also where they differ in capitals only: some disks do not tell them apart.

    Parameters
    ----------
    aliases : mapping of str to str
        Alias of each person who is to be added, and the label.
    known : mapping of str to str
        The same of those who are in the data set.

    Raises
    ------
    NeuriptError
        If one label would be two people.
    """
    owner: dict[str, str] = {label.casefold(): alias for alias, label in known.items()}
    for alias, label in aliases.items():
        other = owner.setdefault(label.casefold(), alias)
        if other != alias:
            raise NeuriptError(
                f"the aliases {other!r} and {alias!r} would both be sub-{label}: BIDS labels have letters and digits "
                "only; rename one of them, or write it to another data set"
            )


def next_run(folder: Path, stem: str) -> int:
    """Return the first run number after those in a folder whose names begin with `stem`, which ends before `_run-`."""
    found = [int(match[1]) for p in folder.glob(f"{stem}_run-*") if (match := _RUN.search(p.name))]
    return max(found, default=0) + 1
