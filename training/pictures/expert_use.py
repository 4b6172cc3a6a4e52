"""Expert participation per class (the paper's Figure 6), and how much of it is class or person."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Participation:
    """Use of the experts of one layer.

    Attributes
    ----------
    layer : str
        "block 3 time" and so on.
    share : ndarray, shape (n_classes, n_experts)
        Gate of each expert, averaged over tokens, then windows of a person, then people.
    error : ndarray, shape (n_classes, n_experts)
        Standard error of it over people; NaN for fewer than two.
    between_classes, between_subjects, within : float
        Total variation distance between the profiles of two classes of one person, of two people
        in one class, and of two halves of the windows of one person and class (the floor that
        sampling gives), each averaged over pairs. NaN where there is no pair.
    """

    layer: str
    share: NDArray[np.float64]
    error: NDArray[np.float64]
    between_classes: float
    between_subjects: float
    within: float

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return {
            "layer": self.layer,
            "share": self.share.tolist(),
            "standard_error": self.error.tolist(),
            "distance_between_classes": self.between_classes,
            "distance_between_subjects": self.between_subjects,
            "distance_within": self.within,
        }


def participation(
    layer: str, gates: NDArray[np.float64], y: NDArray[np.int64], subject: NDArray[Any], n_classes: int
) -> Participation:
    """Summarise the gates of one layer by class and person.

    Parameters
    ----------
    layer : str
        Name of the layer.
    gates : ndarray, shape (n_windows, n_experts)
        Mean gates of each window.
    y, subject : ndarray, shape (n_windows,)
        Class and person of each window.
    n_classes : int
        Number of classes, at least 1.
    """
    people = sorted(set(map(str, subject)))
    profile: dict[tuple[str, int], NDArray[np.float64]] = {}
    halves = []
    for person in people:
        for c in range(n_classes):
            rows = gates[(subject == person) & (y == c)]
            if len(rows) == 0:
                continue
            profile[person, c] = rows.mean(axis=0)
            if len(rows) >= 2:
                halves.append(total_variation(rows[::2].mean(axis=0), rows[1::2].mean(axis=0)))
    share = np.full((n_classes, gates.shape[1]), np.nan)
    error = np.full_like(share, np.nan)
    for c in range(n_classes):
        rows = np.array([profile[p, c] for p in people if (p, c) in profile])
        if len(rows):
            share[c] = rows.mean(axis=0)
        if len(rows) > 1:
            error[c] = rows.std(axis=0, ddof=1) / len(rows) ** 0.5
    classes = range(n_classes)
    return Participation(
        layer=layer,
        share=share,
        error=error,
        between_classes=_mean_distance(
            profile, [((p, a), (p, b)) for p in people for a, b in combinations(classes, 2)]
        ),
        between_subjects=_mean_distance(
            profile, [((p, c), (q, c)) for c in classes for p, q in combinations(people, 2)]
        ),
        within=float(np.mean(halves)) if halves else float("nan"),
    )


def total_variation(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    """Half the sum of absolute differences of two distributions: 0 equal, 1 disjoint."""
    return float(np.abs(p - q).sum() / 2)


def _mean_distance(
    profile: dict[tuple[str, int], NDArray[np.float64]], pairs: Sequence[tuple[tuple[str, int], tuple[str, int]]]
) -> float:
    found = [total_variation(profile[a], profile[b]) for a, b in pairs if a in profile and b in profile]
    return float(np.mean(found)) if found else float("nan")
