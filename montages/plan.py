"""What a channel plan says: one line for every channel, and the matrix that carries it out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuript.montages.montage import Montage

BY_ORDER = "they are named in the order of montage"
"""What a note says where a montage named the channels."""
NAMES_NONE = "names no electrode"
"""Why a channel is ignored whose label neuript cannot read."""
MOST_IGNORED_LINES = 3
"""More channels than this that are ignored for one reason share a line."""


@dataclass(frozen=True, slots=True)
class PlanEntry:
    """One line of a plan.

    Attributes
    ----------
    name : str
        Electrode or pair of the model; empty for a stream channel that is not used.
    status : str
        ``exact``, ``renamed``, ``interpolated``, ``missing`` or ``ignored``.
    label : str
        The stream's label, or the labels that are combined; empty where there is none.
    note : str
        Why, or from what, and the expected cost.
    expected_error : float
        Expected error relative to the signal: 0 measured, 1 worthless.
    """

    name: str
    status: str
    label: str = ""
    note: str = ""
    expected_error: float = 0.0


@dataclass(frozen=True, eq=False)
class ChannelPlan:
    """How the model's channels are made from the stream's.

    Attributes
    ----------
    model : Montage
        What the model needs.
    ch_names : tuple of str
        Labels of the stream, as sent.
    entries : tuple of PlanEntry
        What happens to each electrode (or pair) of the model, then the stream channels not used.
    matrix : ndarray, shape (n_model_chans, n_stream_chans)
        Renaming, interpolation, derivation and reference in one.
    expected_error : ndarray, shape (n_model_chans,)
        Expected error of each model channel relative to its signal: 0 measured, 1 worthless.
    problems : tuple of str
        Why the plan is refused; empty when it is good.
    notes : tuple of str
        What the user should know about the whole plan.
    """

    model: Montage
    ch_names: tuple[str, ...]
    entries: tuple[PlanEntry, ...]
    matrix: NDArray[np.float64]
    expected_error: NDArray[np.float64]
    problems: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def used(self) -> tuple[int, ...]:
        """Indices of the stream channels that reach the model."""
        return tuple(int(i) for i in np.flatnonzero(np.any(self.matrix != 0, axis=0)))

    def names_with(self, status: str) -> tuple[str, ...]:
        """Return the electrodes (or stream labels, when ignored) that have a status."""
        return tuple(e.name or e.label for e in self.entries if e.status == status)

    def summary(self) -> str:
        """Return one line such as ``19 electrodes: 17 exact, 2 interpolated; 3 ignored``."""
        ours = [entry for entry in self.entries if entry.status != "ignored"]
        counts = [
            f"{n} {status}"
            for status in ("exact", "renamed", "interpolated", "missing")
            if (n := sum(entry.status == status for entry in ours))
        ]
        n_ignored = len(self.entries) - len(ours)
        kind = "pairs" if any("-" in e.name for e in ours) else "electrodes"
        tail = f"; {n_ignored} stream channel{'s' * (n_ignored != 1)} ignored" if n_ignored else ""
        return f"{len(ours)} {kind}: {', '.join(counts)}{tail}"

    def label_notes(self) -> list[str]:
        """Return what labels were taken for, and which were left out as no electrode; a sentence for each, or none.

        `T3` for T7 is said; another case, blanks and dots are not.
        """
        read = [e for e in self.entries if e.status == "renamed" and plain(e.label) != plain(e.name)]
        if any(BY_ORDER in note for note in self.notes):  # which says the same
            read = []
        unread = [e.label for e in self.entries if e.status == "ignored" and e.note == NAMES_NONE]
        notes = [f"read as electrodes: {', '.join(f'{e.name} ({e.label})' for e in read)}"] if read else []
        return notes + ([f"not used, for they name no electrode: {', '.join(unread)}"] if unread else [])

    def rows(self) -> list[PlanEntry]:
        """Return what a table of the plan shows: each channel, but many that are ignored for one reason as one."""
        ignored: dict[str, list[str]] = {}
        for entry in self.entries:
            if entry.status == "ignored":
                ignored.setdefault(entry.note, []).append(entry.label)
        few = [entry for entry in self.entries if len(ignored.get(entry.note, ())) <= MOST_IGNORED_LINES]
        return few + [
            PlanEntry("", "ignored", f"{len(labels)} channels", f"{note}: {', '.join(labels)}")
            for note, labels in ignored.items()
            if len(labels) > MOST_IGNORED_LINES
        ]

    def text(self) -> str:
        """Return the plan as a table to print, one line per channel."""
        rows = [("model", "stream", "status", "note")]
        rows += [(e.name or "-", e.label or "-", e.status, e.note) for e in self.rows()]
        widths = [max(len(row[i]) for row in rows) for i in range(3)]
        lines = ["  ".join([*(cell.ljust(w) for cell, w in zip(row, widths, strict=False)), row[3]]) for row in rows]
        head = f"montage {self.model.name}, {self.summary()}"
        return "\n".join([head, *(line.rstrip() for line in lines), *self.notes, *self.problems])

    def to_dict(self) -> dict[str, Any]:
        """Return the plan for a report: entries and errors, plain JSON."""
        return {
            "montage": self.model.name,
            "summary": self.summary(),
            "entries": [
                {
                    "name": e.name,
                    "status": e.status,
                    "label": e.label,
                    "note": e.note,
                    "expected_error": round(e.expected_error, 4),
                }
                for e in self.entries
            ],
            "notes": list(self.notes),
            "problems": list(self.problems),
        }


def plain(text: str) -> str:
    """Return the letters and digits of a name in one case; two names that agree so are one to a reader."""
    return "".join(c for c in text.casefold() if c.isalnum())
