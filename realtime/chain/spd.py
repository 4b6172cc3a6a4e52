"""Symmetric positive definite matrices: the few functions of them that the chain needs, on stacks of any depth.

They act on the eigenvalues (Bhatia 2007, Positive Definite Matrices, ch. 1 and 6), one decomposition a call.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dsyevd

F64 = NDArray[np.float64]

SMALLEST = 1e-12
"""Eigenvalues below this are taken for it, so that rounding cannot make a logarithm of nothing."""


def eigh(matrices: F64) -> tuple[F64, F64]:
    """Return eigenvalues (..., n) and eigenvectors (..., n, n) of symmetric matrices, as `numpy.linalg.eigh` does.

    One matrix by itself goes straight to LAPACK, since the way through NumPy costs a third of a small decomposition.

    Raises
    ------
    numpy.linalg.LinAlgError
        If there are none, which NaN and infinity bring about.
    """
    if matrices.ndim != 2 or not matrices.size:
        values, vectors = np.linalg.eigh(matrices)
        return values, vectors
    values, vectors, info = dsyevd(matrices, lower=1)
    if info:
        raise np.linalg.LinAlgError("the eigenvalues did not converge")
    return values, np.ascontiguousarray(vectors)


def of_eigenvalues(matrices: F64, *functions: Callable[[F64], F64]) -> tuple[F64, ...]:
    """Apply functions to the eigenvalues of symmetric matrices, shape (..., n, n); one stack for each function."""
    values, vectors = eigh(matrices)
    transposed = np.swapaxes(vectors, -1, -2)
    return tuple((vectors * function(values)[..., None, :]) @ transposed for function in functions)


def log_eigenvalues(matrices: F64) -> tuple[F64, F64]:
    """Return logarithms of the eigenvalues (..., n) of positive definite matrices, and the eigenvectors (..., n, n)."""
    values, vectors = eigh(matrices)
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
    n = covariances.shape[-1]
    out = np.array(covariances, order="C")
    variances = out.reshape(*out.shape[:-2], n * n)[..., :: n + 1]  # a view
    variances += (share / n * variances.sum(axis=-1) + floor)[..., None]
    return out


def upper(matrices: F64) -> F64:
    """Return symmetric matrices (..., n, n) as vectors of the same norm, (..., n (n + 1) / 2)."""
    places, weights = _upper_triangle(matrices.shape[-1])
    flat = matrices.reshape(*matrices.shape[:-2], matrices.shape[-1] ** 2)
    vectors: F64 = np.take(flat, places, axis=-1) * weights
    return vectors


@cache
def _upper_triangle(n_chans: int) -> tuple[NDArray[np.intp], F64]:
    """Places of the upper triangle in a matrix laid out flat, and what each entry counts in the norm."""
    rows, columns = np.triu_indices(n_chans)
    return rows * n_chans + columns, np.where(rows == columns, 1.0, np.sqrt(2.0))
