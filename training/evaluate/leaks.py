"""Refusing to evaluate an encoder on people whom it has already seen."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from neuript.errors import NeuriptError

if TYPE_CHECKING:
    from neuript.modelfile.manifest import Manifest
    from neuript.training.evaluate.protocols.eval_data import EvalData

HELD_OUT = ("val", "test")
_OF_TUH = re.compile(r"tu[^/]*/([a-z]{8}|\d{8})", re.IGNORECASE)
"""A patient of Temple University Hospital, in any of its sets (TUAB, TUAR, TUEG, TUEP, TUEV, TUSL, TUSZ)."""


def overlap(people: set[str], files: set[str], seen_people: set[str], seen_files: set[str]) -> tuple[list[str], bool]:
    """What an evaluation and a corpus share.

    Parameters
    ----------
    people : set of str
        Subject ids that must not have been seen. Patients of one Temple set are those of all its sets: `tuab/aaaaaaaq`
        is `tusz/aaaaaaaq`.
    files : set of str
        SHA-256 of the files that must not have been seen, in hexadecimal digits.
    seen_people : set of str
        Subject ids of the corpus.
    seen_files : set of str
        SHA-256 of the files of the corpus; these may be cut to fewer digits.

    Returns
    -------
    tuple[list[str], bool]
        The people that are in both, in order, and whether a file is, under whatever name.
    """
    digits = min((len(digest) for digest in seen_files), default=64)
    short = {digest[:digits] for digest in seen_files}
    seen = {_person(name) for name in seen_people}
    return sorted(name for name in people if _person(name) in seen), bool({digest[:digits] for digest in files} & short)


def _person(subject: str) -> str:
    """Subject id that is the same in all sets that one person may be in."""
    match = _OF_TUH.fullmatch(subject)
    return f"tuh/{match[1].lower()}" if match else subject


def check_leak(manifest: Manifest, data: EvalData, name: str | Path = "the checkpoint") -> None:
    """Refuse a checkpoint that has seen validation or test people of an evaluation.

    People are compared by subject id and, since a corpus may call them otherwise, recordings by the
    hash of their file (which may be cut to fewer digits in a large corpus).

    Parameters
    ----------
    manifest : Manifest
        Manifest of the checkpoint; `provenance["corpus"]` holds `subjects` and `file_hashes`.
    data : EvalData
        Windows of the evaluation, with their people and split.
    name : str or Path
        What the message calls the checkpoint.

    Raises
    ------
    NeuriptError
        If there is an overlap, or the checkpoint does not say what it was trained on.
    """
    corpus = manifest.provenance.get("corpus")
    if not isinstance(corpus, dict):
        if manifest.simulated:
            return  # the twin's people have no recordings
        raise NeuriptError(
            f"{name} does not list the people it was trained on, so nobody can say whether the "
            "test people are among them; use a checkpoint of neuript-train pretrain"
        )
    held = set().union(*(data.hashes_of_split.get(split, set()) for split in HELD_OUT))
    both, same_file = overlap(
        data.subjects_of(*HELD_OUT),
        held,
        set(corpus.get("subjects", ())),
        {str(digest) for digest in corpus.get("file_hashes", ())},
    )
    if both:
        more = f" and {len(both) - 3} others" if len(both) > 3 else ""
        raise NeuriptError(
            f"{name} was trained on {', '.join(both[:3])}{more}, who are validation or test people "
            f"of {data.protocol or 'this evaluation'}; pretrain without them (neuript-train "
            "prepare --exclude-subjects)"
        )
    if same_file:
        raise NeuriptError(
            f"{name} was trained on validation or test recordings of "
            f"{data.protocol or 'this evaluation'}, under another subject's name (their files "
            "have the same hash); pretrain without them"
        )
