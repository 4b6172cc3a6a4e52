"""A part of a corpus, for curves over the hours of pretraining data."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuript.errors import NeuriptError
from neuript.montages import Montage
from neuript.training.pretrain.batches import WindowCorpus, WindowGroup


class PartGroup:
    """Some windows of a group; see `neuript.training.corpus.Group`."""

    def __init__(self, group: WindowGroup, indices: NDArray[np.int64]) -> None:
        self._group, self._indices = group, indices
        self.name: str = group.name
        self.montage: Montage = group.montage
        self.n_windows = len(indices)
        self.subjects: Any = np.asarray(group.subjects)[indices]

    def read(self, indices: ArrayLike) -> NDArray[np.float32]:
        """Return windows in volts, (n, n_chans, n_times)."""
        return self._group.read(self._indices[np.atleast_1d(np.asarray(indices, dtype=np.int64))])


class PartCorpus:
    """The windows of some subjects of a corpus."""

    def __init__(self, corpus: WindowCorpus, subjects: set[str]) -> None:
        self.recipe = getattr(corpus, "recipe", None)
        self.sfreq, self.n_times = corpus.sfreq, corpus.n_times
        groups = [PartGroup(g, np.flatnonzero(np.isin(g.subjects, sorted(subjects)))) for g in corpus.groups]
        self.groups: Any = [group for group in groups if group.n_windows]
        self.subjects = subjects & corpus.subjects
        self.file_hashes = corpus.file_hashes
        self.simulated = bool(getattr(corpus, "simulated", False))
        n_windows = sum(group.n_windows for group in groups)
        self.hours = n_windows * self.n_times / self.sfreq / 3600


def limit_hours(corpora: Sequence[WindowCorpus], hours: float) -> list[PartCorpus]:
    """Keep whole subjects, in an order that depends on nothing but their names, until `hours`.

    A larger part holds all of a smaller one.

    Raises
    ------
    NeuriptError
        If the corpora are not that long.
    """
    total = sum(float(corpus.hours) for corpus in corpora)
    if not 0 < hours <= total:
        raise NeuriptError(f"pretrain.hours={hours:g} must be above 0 and at most the corpus' {total:.2f} h")
    everyone = sorted(set().union(*(c.subjects for c in corpora)), key=_rank)
    kept: set[str] = set()
    for subject in everyone:
        kept.add(subject)
        parts = [PartCorpus(corpus, kept) for corpus in corpora]
        if sum(part.hours for part in parts) >= hours:
            break
    return [part for part in parts if part.groups]


def _rank(subject: str) -> str:
    return hashlib.sha256(subject.encode()).hexdigest()
