"""Labelled windows of one protocol, as every method receives them."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from neuript.montages import Montage
from neuript.training.windows.labelled import LabelledWindows

SPLITS = ("train", "val", "test")


@dataclass(frozen=True)
class Dropped:
    """Windows of one recording that are not in the data, and why.

    Attributes
    ----------
    recording : str
        The recording, by its path inside the data set's folder.
    reason : str
        Why they are missing, in a sentence.
    n_windows : int
        How many windows the reason cost; 0 where a whole file was left out and nobody counted.
    """

    recording: str
    reason: str
    n_windows: int = 0


@dataclass(frozen=True, eq=False)
class EvalData(LabelledWindows):
    """Windows with labels, people and a fixed split.

    Attributes
    ----------
    x : ndarray, shape (n, n_chans, n_times)
        Windows in volts, float32, out of the causal chain. Data sets beyond memory are mapped from the cache.
    y : ndarray, shape (n,)
        Class of each window, int64 index into `classes`.
    subject : ndarray of str, shape (n,)
        ``<dataset>/<subject>``, the spelling that the corpus uses too, so that leaks are found.
    recording : ndarray of str, shape (n,)
        The recording, by its path inside the data set's folder.
    start_s : ndarray, shape (n,)
        Time of the window's first sample, in seconds from the recording's first EEG sample.
    split : ndarray of str, shape (n,)
        Split of each window: ``train``, ``val`` or ``test``.
    montage : Montage
        Names, positions and lobes of the channels of `x`.
    classes : tuple of str
        Names of the classes, in the order of the labels.
    sfreq : float
        Sampling rate of `x` in Hz.
    protocol : str
        Name of the protocol.
    file_hashes : set of str
        SHA-256 of every recording that was read, in hexadecimal digits.
    hashes_of_split : dict of str to set of str
        The same by split: a pretraining corpus must hold none of ``val`` and ``test``.
    notes : list of str
        Remarks for a reader of the results, a sentence each.
    dropped : list of Dropped
        Windows that are missing, with the reason.
    """

    subject: NDArray[np.str_]
    recording: NDArray[np.str_]
    start_s: NDArray[np.float64]
    split: NDArray[np.str_]
    montage: Montage
    classes: tuple[str, ...]
    sfreq: float
    protocol: str = ""
    file_hashes: set[str] = field(default_factory=set)
    hashes_of_split: dict[str, set[str]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)

    PER_WINDOW: ClassVar[tuple[str, ...]] = ("x", "y", "subject", "recording", "start_s", "split")

    def __post_init__(self) -> None:
        """Check that the parts agree."""
        super().__post_init__()
        if self.n_chans != self.montage.n_chans:
            raise ValueError(f"x has shape {self.x.shape} for {self.montage.n_chans} channels")
        if len(self) and not 0 <= self.y.min() <= self.y.max() < len(self.classes):
            raise ValueError(f"labels reach {self.y.max()}, there are {len(self.classes)} classes")
        strange = set(self.split.tolist()) - set(SPLITS)
        if strange:
            raise ValueError(f"splits are {', '.join(SPLITS)}, not {sorted(strange)}")

    @property
    def n_outputs(self) -> int:
        """Number of classes."""
        return len(self.classes)

    @property
    def window_s(self) -> float:
        """Length of a window in seconds."""
        return float(self.n_times / self.sfreq)

    def where(self, split: str) -> NDArray[np.int64]:
        """Return the indices of a split's windows.

        Raises
        ------
        ValueError
            If there is no such split.
        """
        if split not in SPLITS:
            raise ValueError(f"split is {split!r}, it must be one of {', '.join(SPLITS)}")
        return np.flatnonzero(self.split == split)

    def of(self, split: str) -> EvalData:
        """Return the windows of a split."""
        return self.select(self.where(split))

    def subjects_of(self, *splits: str) -> set[str]:
        """Return the subject ids of some splits."""
        return {str(s) for s in self.subject[np.isin(self.split, splits)]}

    def counts(self) -> dict[str, dict[str, int]]:
        """Windows per class, by split."""
        return {
            split: {name: int(((self.split == split) & (self.y == k)).sum()) for k, name in enumerate(self.classes)}
            for split in SPLITS
        }

    def describe(self) -> str:
        """Return a table of windows per split and class, and what was dropped, as Markdown."""
        rows = [f"| split | people | {' | '.join(self.classes)} | windows |"]
        rows.append("|---|" + "---|" * (len(self.classes) + 2))
        for split, counts in self.counts().items():
            cells = [split, len(self.subjects_of(split)), *counts.values(), sum(counts.values())]
            rows.append("| " + " | ".join(map(str, cells)) + " |")
        reasons: Counter[str] = Counter()
        for entry in self.dropped:
            reasons[entry.reason] += entry.n_windows
        lost = [f"- {reason}: {n or 'whole recording'}" for reason, n in reasons.most_common()]
        notes = [f"- {note}" for note in self.notes]
        shape = f"{len(self)} windows of {self.window_s:g} s, {self.montage.n_chans} channels at {self.sfreq:g} Hz"
        parts = [shape, "\n".join(rows)]
        parts += ["Not there:\n" + "\n".join(lost)] if lost else []
        parts += ["Notes:\n" + "\n".join(notes)] if notes else []
        return "\n\n".join(parts)
