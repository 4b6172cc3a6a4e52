"""Symmetric positive definite matrices: the few functions of them that the chain needs, on stacks of any depth.

They act on the eigenvalues (Bhatia 2007, Positive Definite Matrices, ch. 1 and 6), one decomposition a call.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

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


def log_eigenvalues(matrices: F64) -> tuple[F64, F64]:
    """Return logarithms of the eigenvalues (..., n) of positive definite matrices, and the eigenvectors (..., n, n)."""
    values, vectors = np.linalg.eigh(matrices)
    return np.log(np.maximum(values, SMALLEST)), vectors


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
    out = covariances.copy()
    variances = np.einsum("...ii->...i", out)  # a view
    variances += (share * variances.mean(axis=-1) + floor)[..., None]
    return out


def upper(matrices: F64) -> F64:
    """Return symmetric matrices (..., n, n) as vectors of the same norm, (..., n (n + 1) / 2)."""
    places, weights = _upper_triangle(matrices.shape[-1])
    vectors: F64 = matrices.reshape(*matrices.shape[:-2], matrices.shape[-1] ** 2)[..., places] * weights
    return vectors


@cache
def _upper_triangle(n_chans: int) -> tuple[NDArray[np.intp], F64]:
    """Places of the upper triangle in a matrix laid out flat, and what each entry counts in the norm."""
    rows, columns = np.triu_indices(n_chans)
    return rows * n_chans + columns, np.where(rows == columns, 1.0, np.sqrt(2.0))
