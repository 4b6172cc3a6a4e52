"""Functions of symmetric positive definite matrices against pyRiemann and SciPy, also of matrices that hardly are."""

from __future__ import annotations

import numpy as np
import pytest
from pyriemann.geometry import base, tangentspace
from pyriemann.geometry.distance import distance_riemann
from scipy import linalg

from neuript.realtime.chain import spd


def covariances(rng: np.random.Generator, *shape: int, scale: float = 1.0) -> np.ndarray:
    """Random covariances, shape (*shape[:-1], n, n), with eigenvalues over three powers of ten."""
    n = shape[-1]
    vectors, _ = np.linalg.qr(rng.normal(size=(*shape, n)))
    values = scale * 10 ** rng.uniform(-1.5, 1.5, size=shape)
    return (vectors * values[..., None, :]) @ vectors.swapaxes(-1, -2)


@pytest.mark.parametrize("shape", [(1,), (5,), (7, 3), (2, 4, 8), (0, 6)])
def test_functions_are_those_of_pyriemann_on_stacks_of_any_depth(
    rng: np.random.Generator, shape: tuple[int, ...]
) -> None:
    matrices = covariances(rng, *shape)
    root, inverse = spd.roots(matrices)
    pairs = [
        (root, base.sqrtm),
        (inverse, base.invsqrtm),
        (spd.logarithm(matrices), base.logm),
        (spd.exponential(0.5 * matrices), lambda m: base.expm(0.5 * m)),
        (spd.upper(matrices), tangentspace.upper),
    ]
    for ours, function in pairs:
        assert ours.dtype == np.float64
        if len(matrices):
            expected = function(matrices)
            np.testing.assert_allclose(ours, expected, rtol=1e-9, atol=1e-9 * np.abs(expected).max())


def test_functions_are_those_of_scipy(rng: np.random.Generator) -> None:
    matrix = covariances(rng, 6)
    root, inverse = spd.roots(matrix)
    np.testing.assert_allclose(root, linalg.sqrtm(matrix), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(inverse, linalg.inv(linalg.sqrtm(matrix)), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(spd.logarithm(matrix), linalg.logm(matrix), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(spd.exponential(spd.logarithm(matrix)), matrix, rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(spd.exponential(-matrix), linalg.expm(-matrix), rtol=1e-9, atol=1e-12)


def test_a_stack_gives_what_its_matrices_give_alone(rng: np.random.Generator) -> None:
    matrices = covariances(rng, 3, 4, 5)
    together = spd.logarithm(matrices)
    for i in np.ndindex(3, 4):
        np.testing.assert_array_equal(together[i], spd.logarithm(matrices[i]))


@pytest.mark.parametrize("n", [1, 2, 5, 15, 32])
def test_one_matrix_by_itself_is_decomposed_as_in_a_stack(rng: np.random.Generator, n: int) -> None:
    matrices = covariances(rng, 4, n)
    values, vectors = spd.eigh(matrices)
    for i, matrix in enumerate(matrices):
        own_values, own_vectors = spd.eigh(matrix)
        np.testing.assert_allclose(own_values, values[i], rtol=1e-12)
        np.testing.assert_allclose((own_vectors * own_values) @ own_vectors.T, matrix, atol=1e-12 * values.max())
        np.testing.assert_array_equal(np.sign(own_vectors), np.sign(vectors[i]))


@pytest.mark.parametrize("shape", [(3, 3), (2, 3, 3)])
def test_what_is_no_number_has_no_eigenvalues(shape: tuple[int, ...]) -> None:
    with pytest.raises(np.linalg.LinAlgError, match="not converge"):
        spd.eigh(np.full(shape, np.nan))


def test_the_norm_of_the_vector_is_the_riemannian_distance(rng: np.random.Generator) -> None:
    one, other = covariances(rng, 2, 5)
    _, inverse = spd.roots(one)
    vector = spd.upper(spd.logarithm(inverse @ other @ inverse))
    assert vector.shape == (15,)
    assert np.linalg.norm(vector) == pytest.approx(distance_riemann(one, other), rel=1e-9)


@pytest.mark.parametrize("scale", [1e-9, 1.0, 1e6])
def test_signals_without_full_rank_have_roots_and_a_logarithm_once_shrunk(
    rng: np.random.Generator, scale: float
) -> None:
    x = scale * rng.normal(size=(200, 6))
    average = x - x.mean(axis=1, keepdims=True)  # a channel is minus the sum of the others
    short = x[:3]  # fewer samples than channels
    twins = x[:, [0, 1, 2, 3, 0, 1]]  # bridged electrodes
    dead = x * [1, 1, 0, 1, 1, 1]
    for y in (average, short, twins, dead, np.zeros((200, 6))):
        raw = y.T @ y / len(y)
        assert np.linalg.matrix_rank(raw) < 6
        floor = 1e-6
        matrix = spd.shrunk(raw, 1e-4, floor)
        added = 1e-4 * np.trace(raw) / 6 + floor
        np.testing.assert_allclose(matrix, raw + added * np.eye(6), rtol=1e-12)
        values = np.linalg.eigvalsh(matrix)
        assert values.min() > 0.5 * added
        root, inverse = spd.roots(matrix)
        np.testing.assert_allclose(root @ root, matrix, atol=1e-10 * values.max())
        np.testing.assert_allclose(inverse @ matrix @ inverse, np.eye(6), atol=1e-6)
        np.testing.assert_allclose(np.linalg.eigvalsh(spd.logarithm(matrix)), np.log(values), atol=1e-6)


def test_shrunk_treats_each_matrix_of_a_stack_by_its_own_size(rng: np.random.Generator) -> None:
    matrices = covariances(rng, 3, 2, 4) * np.array([1.0, 1e3])[:, None, None]
    together = spd.shrunk(matrices, 0.1, 1e-3)
    for i in np.ndindex(3, 2):
        np.testing.assert_allclose(together[i], spd.shrunk(matrices[i], 0.1, 1e-3), rtol=1e-12)


@pytest.mark.parametrize("matrix", [np.zeros((3, 3)), np.diag([1.0, 0.0, -1e-15]), -np.eye(3)])
def test_rounding_below_zero_makes_no_nan(matrix: np.ndarray) -> None:
    for found in (*spd.roots(matrix), spd.logarithm(matrix)):
        assert np.isfinite(found).all()
