"""Where windows for pictures come from: a protocol's split, or a pretraining corpus."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from neuript.errors import NeuriptError
from neuript.training.pictures.samples import PictureWindows

if TYPE_CHECKING:
    from neuript.training.corpus import Corpus
    from neuript.training.evaluate.protocols.eval_data import EvalData

Split = Literal["train", "val", "test", "all"]


def of_protocol(data: EvalData, split: Split, name: str) -> PictureWindows:
    """Return the windows of one split of a protocol.

    Raises
    ------
    NeuriptError
        If the split is empty.
    """
    keep = np.arange(len(data)) if split == "all" else data.where(split)
    if len(keep) == 0:
        raise NeuriptError(
            f"{name} has no {split} windows here; it has "
            + ", ".join(f"{s} {(data.split == s).sum()}" for s in ("train", "val", "test"))
        )
    kept = data.select(keep)
    return PictureWindows(
        x=kept.x,
        y=kept.y,
        subject=kept.subject,
        recording=kept.recording,
        montage=data.montage,
        sfreq=data.sfreq,
        classes=data.classes,
        name=f"{name} ({split})",
    )


def load_protocol(argument: str, cache: Path | None) -> tuple[str, EvalData]:
    """Load ``NAME=FOLDER``.

    Raises
    ------
    NeuriptError
        If it is not of this form, or the protocol or folder is wrong.
    """
    from neuript.training.evaluate.protocols import get_protocol

    name, equals, folder = argument.partition("=")
    if not (name and equals and folder):
        raise NeuriptError(f"--data {argument!r} must be NAME=FOLDER, as mental-arithmetic=data/eegmat")
    return name, get_protocol(name).load(Path(folder), cache=cache)


def of_corpus(
    corpus: Corpus, n: int, seed: int, *, group: str | None = None, avoid: frozenset[str] = frozenset()
) -> PictureWindows:
    """Draw windows of one montage of a corpus, without labels.

    Parameters
    ----------
    corpus : Corpus
        An open corpus.
    n : int
        Number of windows, drawn evenly over subjects as far as they go.
    seed : int
        Seed of the draw.
    group : str, optional
        Name of the montage; None takes the one with the most windows.
    avoid : frozenset of str
        Subjects to leave out if others remain: those of the training.

    Raises
    ------
    NeuriptError
        If the corpus has no montage of that name.
    """
    groups = {g.name: g for g in corpus.groups}
    if group is not None and group not in groups:
        raise NeuriptError(f"the corpus has no montage {group!r}; it has {', '.join(groups)}")
    chosen = groups[group] if group is not None else max(corpus.groups, key=lambda g: g.n_windows)
    subjects = np.asarray(chosen.subjects)
    fresh = ~np.isin(subjects, sorted(avoid))
    candidates = np.flatnonzero(fresh if fresh.any() else np.ones(len(subjects), dtype=bool))
    rng = np.random.default_rng(seed)
    people = {s: rng.permutation(candidates[subjects[candidates] == s]) for s in np.unique(subjects[candidates])}
    turns = sorted((turn, k, int(i)) for k, rows in enumerate(people.values()) for turn, i in enumerate(rows[:n]))
    index = np.sort([i for *_, i in turns[:n]])
    return PictureWindows(
        x=chosen.read(index),
        y=np.zeros(len(index), dtype=np.int64),
        subject=subjects[index],
        recording=np.asarray(chosen.recordings)[index],
        montage=chosen.montage,
        sfreq=float(corpus.sfreq),
        name=f"corpus, {chosen.name}",
    )
