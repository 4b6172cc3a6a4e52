"""Symmetric positive definite matrices: the few functions of them that the chain needs, on stacks of any depth.

They act on the eigenvalues (Bhatia 2007, Positive Definite Matrices, ch. 1 and 6), one decomposition a call.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

F64 = NDArray[np.float64]

SMALLEST = 1e-12
"""Eigenvalues below this are taken for it, so that rounding cannot make a logarithm of nothing."""


def of_eigenvalues(matrices: F64, *functions: Callable[[F64], F64]) -> tuple[F64, ...]:
    """Apply functions to the eigenvalues of symmetric matrices, shape (..., n, n); one stack for each function."""
    values, vectors = np.linalg.eigh(matrices)
    transposed = np.swapaxes(vectors, -1, -2)
    return tuple((vectors * function(values)[..., None, :]) @ transposed for function in functions)


def roots(matrices: F64) -> tuple[F64, F64]:
    """Return square root and inverse square root of symmetric positive definite matrices, each (..., n, n)."""
    root, inverse = of_eigenvalues(
        matrices, lambda w: np.sqrt(np.maximum(w, SMALLEST)), lambda w: 1.0 / np.sqrt(np.maximum(w, SMALLEST))
    )
    return root, inverse


def logarithm(matrices: F64) -> F64:
    """Return the logarithm of symmetric positive definite matrices, shape (..., n, n)."""
    return of_eigenvalues(matrices, lambda w: np.log(np.maximum(w, SMALLEST)))[0]


def exponential(matrices: F64) -> F64:
    """Return the exponential of symmetric matrices, shape (..., n, n)."""
    return of_eigenvalues(matrices, np.exp)[0]


def shrunk(covariances: F64, share: float, floor: float) -> F64:
    """Return covariances (..., n, n) with `share` of their mean variance, and `floor`, added to each variance.

    What has no logarithm (channels that are sums of each other, a flat signal) has one then.
    """
    n_chans = covariances.shape[-1]
    mean = np.trace(covariances, axis1=-2, axis2=-1) / n_chans
    out: F64 = covariances + (share * mean + floor)[..., None, None] * np.eye(n_chans)
    return out


def upper(matrices: F64) -> F64:
    """Return symmetric matrices (..., n, n) as vectors of the same norm, (..., n (n + 1) / 2)."""
    n_chans = matrices.shape[-1]
    rows, columns = np.triu_indices(n_chans)
    vectors: F64 = matrices[..., rows, columns] * np.where(rows == columns, 1.0, np.sqrt(2.0))
    return vectors
