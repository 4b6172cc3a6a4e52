"""A map of the features, and in numbers what they tell apart: the class or the person."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Separation:
    """How much of the features is class, and how much is person.

    `class_variance` and `subject_variance` are shares of the total variance between the groups'
    means, corrected for their number (epsilon squared: 0 expected for groups without meaning).
    `class_neighbour` is the share of windows whose nearest neighbour *among other people* has
    their class, `subject_neighbour` the share whose nearest neighbour *in another recording* is of
    the same person; the chances beside them are those of a neighbour drawn at random from there.
    NaN where there is nobody or nothing to compare with.
    """

    class_variance: float
    subject_variance: float
    class_neighbour: float
    class_chance: float
    subject_neighbour: float
    subject_chance: float

    def to_dict(self) -> dict[str, float]:
        """Return plain values for JSON."""
        return asdict(self)


def standardised(features: NDArray[np.floating[Any]]) -> NDArray[np.float64]:
    """Return columns of mean 0 and deviation 1; constant columns become 0."""
    x = np.asarray(features, dtype=np.float64)
    x = x - x.mean(axis=0)
    deviation = x.std(axis=0)
    return np.asarray(np.divide(x, deviation, out=np.zeros_like(x), where=deviation > 1e-12))


def principal_components(z: NDArray[np.float64], n_components: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return scores (n, n_components) of centred data and the share of variance of each.

    The sign of a component makes its largest entry in size positive, so that a map is the same
    on every machine.
    """
    centred = z - z.mean(axis=0)
    u, s, _ = np.linalg.svd(centred, full_matrices=False)
    n = min(n_components, len(s))
    scores = u[:, :n] * s[:n]
    rows = np.abs(scores).argmax(axis=0)
    scores = scores * np.where(scores[rows, range(n)] < 0, -1.0, 1.0)
    total = float((s**2).sum())
    share = s[:n] ** 2 / total if total > 0 else np.zeros(n)
    return scores, share


def neighbour_map(z: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Return t-SNE coordinates (n, 2) of the first 50 principal components."""
    from sklearn.manifold import TSNE

    scores, _ = principal_components(z, 50)
    perplexity = min(30.0, max(2.0, (len(z) - 1) / 3))
    tsne = TSNE(perplexity=perplexity, init="pca", random_state=seed, n_jobs=1)
    return np.asarray(tsne.fit_transform(scores.astype(np.float32)), dtype=np.float64)


def separation(
    z: NDArray[np.float64],
    y: NDArray[np.int64],
    subject: NDArray[Any],
    recording: NDArray[Any],
    *,
    labelled: bool = True,
) -> Separation:
    """Measure what standardised features tell apart.

    Parameters
    ----------
    z : ndarray, shape (n_windows, n_features)
        Standardised features.
    y, subject, recording : ndarray, shape (n_windows,)
        Class, person and recording of each window.
    labelled : bool
        False where `y` means nothing.
    """
    nan = float("nan")
    square = (z**2).sum(axis=1)
    distance = square[:, None] + square[None] - 2 * z @ z.T
    other_subject = subject[:, None] != subject[None]
    other_recording = recording[:, None] != recording[None]
    hit_class, chance_class = _neighbour(distance, other_subject, y) if labelled else (nan, nan)
    hit_subject, chance_subject = _neighbour(distance, other_recording, subject)
    return Separation(
        class_variance=explained(z, y) if labelled else nan,
        subject_variance=explained(z, subject),
        class_neighbour=hit_class,
        class_chance=chance_class,
        subject_neighbour=hit_subject,
        subject_chance=chance_subject,
    )


def explained(z: NDArray[np.float64], group: NDArray[Any]) -> float:
    """Return the corrected share of variance between groups, 1 - (1 - eta2)(n - 1)/(n - k)."""
    n, labels = len(z), sorted(set(group.tolist()))
    if len(labels) < 2 or n <= len(labels):
        return float("nan")
    centred = z - z.mean(axis=0)
    total = float((centred**2).sum())
    within = sum(float(((z[group == g] - z[group == g].mean(axis=0)) ** 2).sum()) for g in labels)
    return 1.0 - within / total * (n - 1) / (n - len(labels)) if total > 0 else float("nan")


def _neighbour(distance: NDArray[np.float64], allowed: NDArray[np.bool_], label: NDArray[Any]) -> tuple[float, float]:
    """Share of rows whose nearest allowed column has their label, and that of a random column."""
    rows = allowed.any(axis=1)
    same = label[:, None] == label[None]
    if not rows.any() or not (same & allowed).any():
        return float("nan"), float("nan")
    nearest = np.where(allowed, distance, np.inf).argmin(axis=1)
    hit = same[np.arange(len(label)), nearest][rows].mean()
    chance = ((same & allowed).sum(axis=1)[rows] / allowed.sum(axis=1)[rows]).mean()
    return float(hit), float(chance)
