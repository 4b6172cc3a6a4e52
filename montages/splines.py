"""Estimating the potential where there is no electrode, and what that estimate is worth.

Interpolation is by spherical splines (Perrin, Pernier, Bertrand and Echallier, Electroencephalogr
Clin Neurophysiol 72, 1989, 184-187). The weights of one estimate add up to one, so it does not
depend on the reference of the recording.
"""

from __future__ import annotations

import numpy as np
from numpy.polynomial.legendre import legval
from numpy.typing import ArrayLike, NDArray

STIFFNESS = 4
N_TERMS = 50
SMOOTHING = 1e-5

CENTRE_M = (0.0008, -0.0161, -0.0003)
"""Centre of the sphere fitted to the scalp electrodes of the 10-5 template (radius 0.098 m)."""

_SOURCE_DEPTH = 0.62
"""Ratio of two successive degrees in the spatial amplitude spectrum of scalp EEG."""


def directions(pos_m: ArrayLike) -> NDArray[np.float64]:
    """Return unit vectors from the centre of the head, shape (n, 3)."""
    vectors = np.asarray(pos_m, dtype=np.float64).reshape(-1, 3) - CENTRE_M
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def _legendre_sum(
    cosines: NDArray[np.float64], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return sum_n weights[n-1] * P_n(cosines)."""
    return np.asarray(legval(np.clip(cosines, -1.0, 1.0), [0.0, *weights]))


def spline_matrix(from_m: ArrayLike, to_m: ArrayLike) -> NDArray[np.float64]:
    """Return the matrix from potentials at `from_m` to spline estimates at `to_m`.

    Parameters
    ----------
    from_m : array_like, shape (n_from, 3)
        Positions of the electrodes that are there, metres.
    to_m : array_like, shape (n_to, 3)
        Positions to estimate, metres.

    Returns
    -------
    ndarray, shape (n_to, n_from)
        Each row adds up to 1.
    """
    degrees = np.arange(1.0, N_TERMS + 1)
    weights = (2 * degrees + 1) / (4 * np.pi * (degrees * (degrees + 1)) ** STIFFNESS)
    here, there = directions(from_m), directions(to_m)
    n_from = len(here)
    system = np.ones((n_from + 1, n_from + 1))
    system[:n_from, :n_from] = _legendre_sum(here @ here.T, weights) + SMOOTHING * np.eye(n_from)
    system[n_from, n_from] = 0.0
    right = np.column_stack([_legendre_sum(there @ here.T, weights), np.ones(len(there))])
    return np.asarray(np.linalg.solve(system, right.T).T[:, :n_from])


def scalp_covariance(pos_m: ArrayLike) -> NDArray[np.float64]:
    """Return the expected covariance of scalp potentials about their mean over the sphere.

    Independent sources spread evenly over the cortex give a covariance that depends only on the
    angle between two electrodes, sum_n (2n+1) q^(2n) P_n(cos); `q` says how blurred they arrive.
    """
    unit = directions(pos_m)
    degrees = np.arange(1.0, N_TERMS + 1)
    return _legendre_sum(unit @ unit.T, (2 * degrees + 1) * _SOURCE_DEPTH ** (2 * degrees))


def expected_error(
    estimate: NDArray[np.float64], wanted: NDArray[np.float64], pos_m: ArrayLike
) -> NDArray[np.float64]:
    """Return the expected error of estimated channels, relative to the wanted ones.

    Parameters
    ----------
    estimate, wanted : ndarray, shape (n_chans, n_electrodes)
        How a channel is computed, and how it should be, from potentials at `pos_m`.
    pos_m : array_like, shape (n_electrodes, 3)
        Positions, metres.

    Returns
    -------
    ndarray, shape (n_chans,)
        Standard deviation of the error over that of the wanted channel: 0 exact, 1 worthless.
    """
    covariance = scalp_covariance(pos_m)
    difference = estimate - wanted
    error = np.einsum("ij,jk,ik->i", difference, covariance, difference)
    signal = np.einsum("ij,jk,ik->i", wanted, covariance, wanted)
    return np.asarray(np.sqrt(np.maximum(error, 0.0) / signal))
