"""Refusing to evaluate an encoder on people whom it has already seen."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from neuript.errors import NeuriptError

if TYPE_CHECKING:
    from neuript.manifest import Manifest
    from neuript.training.evaluate.protocols.data import EvalData

HELD_OUT = ("val", "test")


def check_leak(manifest: Manifest, data: EvalData, name: str | Path = "the checkpoint") -> None:
    """Refuse a checkpoint that has seen validation or test people of an evaluation.

    People are compared by subject id and, since a corpus may call them otherwise, recordings by the
    hash of their file (which may be cut to fewer digits in a large corpus).

    Parameters
    ----------
    manifest
        Of the checkpoint; `provenance["corpus"]` holds `subjects` and `file_hashes`.
    data
        Of the evaluation.
    name
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
    seen = set(corpus.get("subjects", ()))
    if both := sorted(data.subjects_of(*HELD_OUT) & seen):
        more = f" and {len(both) - 3} others" if len(both) > 3 else ""
        raise NeuriptError(
            f"{name} was trained on {', '.join(both[:3])}{more}, who are validation or test people "
            f"of {data.protocol or 'this evaluation'}; pretrain without them (neuript-train "
            "prepare --exclude-subjects)"
        )
    hashes = {str(digest) for digest in corpus.get("file_hashes", ())}
    digits = min((len(digest) for digest in hashes), default=64)
    held = set().union(*(data.hashes_of_split.get(split, set()) for split in HELD_OUT))
    if held and {digest[:digits] for digest in held} & {digest[:digits] for digest in hashes}:
        raise NeuriptError(
            f"{name} was trained on validation or test recordings of "
            f"{data.protocol or 'this evaluation'}, under another subject's name (their files "
            "have the same hash); pretrain without them"
        )
