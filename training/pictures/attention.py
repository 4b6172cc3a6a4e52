"""What spatial attention weights say: between lobes, to whom, how spread, how far.

All of it is relative to uniform attention: 1 means a channel gets 1/D of the weight. Weights are
(..., D, D) with queries as rows, each row summing to 1.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray


def relative(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return weights in units of uniform attention."""
    return np.asarray(weights * weights.shape[-1])


def received(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return how much each channel is looked at by the others, (..., D).

    Mean over the other channels' queries of their weight on it, itself left out, relative to
    uniform attention over the others; 1 everywhere if nobody prefers anybody.
    """
    n = weights.shape[-1]
    if n == 1:
        return np.ones(weights.shape[:-1])
    others = off_diagonal(weights)
    return np.asarray(others.sum(axis=-2))


def off_diagonal(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return weights with a zero diagonal and rows that sum to 1 again (0 if all was on itself)."""
    n = weights.shape[-1]
    others = np.where(np.eye(n, dtype=bool), 0.0, weights)
    total = others.sum(axis=-1, keepdims=True)
    return np.asarray(np.divide(others, total, out=np.zeros_like(others), where=total > 0))


def between_lobes(weights: NDArray[np.float64], lobes: Sequence[Sequence[int]]) -> NDArray[np.float64]:
    """Return attention of lobes (rows) on lobes, (..., n_lobes, n_lobes), 1 = uniform.

    Mean over the pairs of a query in one lobe and a key in the other, pairs of a channel with
    itself left out unless there is no other; lobes may overlap.
    """
    n = weights.shape[-1]
    share = relative(weights)
    out = np.empty((*weights.shape[:-2], len(lobes), len(lobes)))
    for a, queries in enumerate(lobes):
        for b, keys in enumerate(lobes):
            chosen = np.zeros((n, n), dtype=bool)
            chosen[np.ix_(list(queries), list(keys))] = True
            if (chosen & ~np.eye(n, dtype=bool)).any():
                chosen &= ~np.eye(n, dtype=bool)
            out[..., a, b] = share[..., chosen].mean(axis=-1)
    return out


def spread(weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the number of channels attended to, exp(entropy) averaged over queries, (...,).

    D for uniform attention, 1 if every query looks at one channel. Of averaged weights it is an
    upper bound of the spread at one instant.
    """
    log = np.log(np.where(weights > 0, weights, 1.0))
    return np.asarray(np.exp(-(weights * log).sum(axis=-1)).mean(axis=-1))


def distance_correlation(weights: NDArray[np.float64], pos_m: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the Spearman correlation of weight and electrode distance over pairs, (...,).

    Negative: near channels are preferred. NaN for fewer than three channels or equal weights.
    """
    from scipy.stats import rankdata

    n = weights.shape[-1]
    pairs = ~np.eye(n, dtype=bool)
    shape = weights.shape[:-2]
    if n < 3:
        return np.full(shape, np.nan)
    distance = rankdata(np.linalg.norm(pos_m[:, None] - pos_m[None], axis=-1)[pairs])
    rows = rankdata(weights[..., pairs].reshape(-1, n * (n - 1)), axis=1)
    rows = rows - rows.mean(axis=1, keepdims=True)
    distance = distance - distance.mean()
    scale = np.linalg.norm(rows, axis=1) * np.linalg.norm(distance)
    out = np.divide(rows @ distance, scale, out=np.full(len(rows), np.nan), where=scale > 0)
    return np.asarray(out.reshape(shape))


def strongest_pairs(weights: NDArray[np.float64], n_pairs: int) -> list[tuple[int, int, float]]:
    """Return the channel pairs that attend to each other most: (i, j, weight relative to uniform).

    Both directions are averaged and self-attention is left out; strongest last.
    """
    others = off_diagonal(weights) * (weights.shape[-1] - 1)
    both = (others + others.T) / 2
    i, j = np.triu_indices(len(both), k=1)
    order = np.argsort(both[i, j], kind="stable")[-n_pairs:]
    return [(int(i[k]), int(j[k]), float(both[i[k], j[k]])) for k in order]
