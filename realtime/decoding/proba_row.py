"""The layout of a published row, for who writes it and who reads it.

One channel per class with the probability of the window, then `ROW_CHANNELS`, then one channel per class with its
evidence. The evidence is published because nobody else can know it: a reader that came late, lost a row or does not
know how many hops were skipped would show another number than the one that the threshold is compared with.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from neuript.realtime.decoding.decision import Decision

ROW_CHANNELS = ("decision", "confidence", "state", "sample_age_ms", "latency_ms")
"""Channels between the probabilities and the evidence."""
_ROW_KINDS = (
    ("Index", "none"),
    ("Probability", "none"),
    ("Index", "none"),
    ("Latency", "milliseconds"),
    ("Latency", "milliseconds"),
)


@dataclass(frozen=True, slots=True)
class ProbaRow:
    """One row as it was read."""

    proba: NDArray[np.float64]
    """Probability of each class for this window, shape (n_classes,); NaN where there is no valid window."""
    evidence: NDArray[np.float64]
    """Accumulated evidence of each class, shape (n_classes,); NaN where there is no valid window."""
    decision: int | None
    """Class that is commanded; None is "no command"."""
    confidence: float
    state_code: float
    """Number of the `State`; a later version may know more of them."""
    sample_age_ms: float
    latency_ms: float


def row_labels(classes: Sequence[str]) -> tuple[str, ...]:
    """Return the channel labels of the `proba` stream, 2 n_classes + 5 of them."""
    return (*classes, *ROW_CHANNELS, *(f"evidence_{name}" for name in classes))


def row_kinds(n_classes: int) -> tuple[tuple[str, str], ...]:
    """Return type and unit of each channel, in the order of `row_labels`."""
    of_classes = (("Probability", "none"),) * n_classes
    return (*of_classes, *_ROW_KINDS, *of_classes)


def n_classes_of(n_channels: int) -> int | None:
    """Return how many classes a row of so many channels has; None where no row has so many."""
    n_classes, odd = divmod(n_channels - len(ROW_CHANNELS), 2)
    return n_classes if n_classes > 0 and not odd else None


def pack_row(row: Decision, classes: Sequence[str]) -> list[float]:
    """Return the values of a row in the order of `row_labels`; NaN for what it does not know."""
    return [
        *_values(row.proba, classes),
        -1.0 if row.decision is None else float(classes.index(row.decision)),
        row.confidence,
        float(row.state.code),
        row.sample_age_ms,
        row.latency_ms.get("total", math.nan),
        *_values(row.evidence, classes),
    ]


def unpack_row(values: NDArray[np.floating], n_classes: int) -> ProbaRow:
    """Read what `pack_row` wrote, shape (2 n_classes + 5,).

    Raises
    ------
    ValueError
        If the row has another length.
    """
    if len(values) != 2 * n_classes + len(ROW_CHANNELS):
        raise ValueError(f"{len(values)} values are no row of {n_classes} classes")
    numbers = np.asarray(values, dtype=np.float64)
    decision, confidence, state, age_ms, latency_ms = numbers[n_classes:-n_classes].tolist()
    return ProbaRow(
        proba=numbers[:n_classes],
        evidence=numbers[-n_classes:],
        decision=int(decision) if decision in range(n_classes) else None,
        confidence=confidence,
        state_code=state,
        sample_age_ms=age_ms,
        latency_ms=latency_ms,
    )


def _values(by_class: dict[str, float] | None, classes: Sequence[str]) -> list[float]:
    known = by_class or {}
    return [known.get(name, math.nan) for name in classes]
