"""The second-order pooling against SciPy's matrix logarithm, numerical derivatives and its own symmetries."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import torch
from scipy.linalg import expm_frechet, logm

from neuript.errors import NeuriptError
from neuript.montages import load_montage
from neuript.network.config import preset
from neuript.network.network import NeurIPTNetwork
from neuript.network.second_order import SHRINKAGE, SMALLEST, CovariancePool, log_matrix

N_HEADS, N_CHANS = 4, 5


def positive(rng: np.random.Generator, *shape: int, n: int = 4) -> np.ndarray:
    a = rng.normal(size=(*shape, n, 2 * n))
    return a @ a.swapaxes(-1, -2) / (2 * n)


def tokens(rng: np.random.Generator, batch: int = 3, n_times: int = 7, width: int = 16) -> torch.Tensor:
    return torch.tensor(rng.normal(size=(batch, N_CHANS, n_times, width)).astype(np.float32))


def log_grad(matrix: np.ndarray, weights: np.ndarray) -> np.ndarray:
    x = torch.tensor(matrix, requires_grad=True)
    (log_matrix(x) * torch.tensor(weights)).sum().backward()
    assert x.grad is not None
    return x.grad.numpy()


def test_the_logarithm_is_that_of_scipy_for_every_matrix_of_a_batch(rng: np.random.Generator) -> None:
    matrices = positive(rng, 3, 2)
    found = log_matrix(torch.tensor(matrices)).numpy()
    for index in np.ndindex(3, 2):
        np.testing.assert_allclose(found[index], logm(matrices[index]), atol=1e-12)


def test_the_logarithm_is_the_same_with_and_without_a_gradient(rng: np.random.Generator) -> None:
    matrices = torch.tensor(positive(rng, 6))
    plain = log_matrix(matrices)
    assert torch.equal(log_matrix(matrices.clone().requires_grad_()).detach(), plain)


def test_eigenvalues_that_only_rounding_makes_negative_are_taken_for_the_smallest() -> None:
    matrix = torch.diag(torch.tensor([1.0, -1e-12], dtype=torch.float64))
    np.testing.assert_allclose(np.diag(log_matrix(matrix).numpy()), [0.0, np.log(SMALLEST)])


@pytest.mark.parametrize(
    "values",
    [(0.5, 1.0, 2.0, 4.0), (1.0, 1.0, 2.0, 3.0), (1.0, 1.0, 1.0, 1.0), (1.0, 1.0 + 1e-7, 2.0, 2.0)],
    ids=["apart", "two equal", "all equal", "almost equal"],
)
def test_the_gradient_is_that_of_finite_differences(rng: np.random.Generator, values: tuple[float, ...]) -> None:
    """Also where eigenvalues are equal, which gives NaN in the derivative of an eigendecomposition."""
    q, _ = np.linalg.qr(rng.normal(size=(4, 4)))
    matrix = torch.tensor(q @ np.diag(values) @ q.T, requires_grad=True)

    def symmetric(x: torch.Tensor) -> torch.Tensor:
        return log_matrix((x + x.transpose(-1, -2)) / 2)

    assert torch.autograd.gradcheck(symmetric, (matrix,), eps=1e-6, atol=1e-6, rtol=1e-5)


def test_the_derivative_of_an_eigendecomposition_would_be_no_number() -> None:
    """Why the logarithm has a gradient of its own."""
    matrix = torch.eye(3, dtype=torch.float64, requires_grad=True)
    values, vectors = torch.linalg.eigh(matrix)
    out = (vectors * values.log()[None, :]) @ vectors.T
    (out * torch.arange(9.0).view(3, 3)).sum().backward()
    assert matrix.grad is not None
    assert not torch.isfinite(matrix.grad).all()
    assert np.isfinite(log_grad(np.eye(3), np.arange(9.0).reshape(3, 3))).all()


def test_the_derivative_undoes_that_of_the_exponential(rng: np.random.Generator) -> None:
    """Independent of finite differences: d log at exp(S), along d exp at S of E, is E."""
    s, e = (0.5 * (a + a.T) for a in rng.normal(size=(2, 4, 4)))
    at, along = expm_frechet(s, e)
    for weights in rng.normal(size=(3, 4, 4)):
        weights = 0.5 * (weights + weights.T)
        np.testing.assert_allclose((log_grad(at, weights) * along).sum(), (weights * e).sum(), rtol=1e-8)


def pooled_by_hand(scale: np.ndarray) -> np.ndarray:
    """One window (D, L, C) at a time, head after head, pair after pair."""
    rows = []
    for head in np.split(scale - scale.mean(axis=1, keepdims=True), N_HEADS, axis=-1):
        cov = np.mean([np.outer(v, v) for v in head.reshape(N_CHANS, -1).T], axis=0)
        log = logm(cov + (SHRINKAGE * np.trace(cov) / N_CHANS + SMALLEST) * np.eye(N_CHANS))
        rows += [log[i, j] * (1 if i == j else 2**0.5) for i in range(N_CHANS) for j in range(i, N_CHANS)]
    return np.array(rows)


def test_the_pool_gives_the_logarithms_of_each_heads_covariance(rng: np.random.Generator) -> None:
    scales = [tokens(rng), tokens(rng, n_times=3)]
    found = CovariancePool(N_HEADS, N_CHANS)(scales).numpy()
    assert found.shape == (3, CovariancePool.n_features(2, N_HEADS, N_CHANS)) == (3, 2 * 4 * 15)
    for b in range(3):
        by_hand = np.concatenate([pooled_by_hand(scale[b].double().numpy()) for scale in scales])
        np.testing.assert_allclose(found[b], by_hand, atol=2e-4)


def test_the_pooled_vector_is_as_long_as_the_logarithms_are(rng: np.random.Generator) -> None:
    """Off the diagonal, an entry that stands twice counts twice in the squared norm."""
    x = tokens(rng, width=N_HEADS)
    found = CovariancePool(1, N_CHANS)([x])
    z = (x - x.mean(2, keepdim=True)).double().numpy().reshape(3, N_CHANS, -1)
    cov = z @ z.swapaxes(-1, -2) / z.shape[-1]
    cov += (SHRINKAGE * np.trace(cov, axis1=1, axis2=2)[:, None, None] / N_CHANS + SMALLEST) * np.eye(N_CHANS)
    np.testing.assert_allclose(found.norm(dim=1), [np.linalg.norm(logm(c)) for c in cov], rtol=1e-4)


def test_the_order_of_tokens_in_time_does_not_count(rng: np.random.Generator) -> None:
    pool, x = CovariancePool(N_HEADS, N_CHANS), tokens(rng)
    shuffled = x[:, :, torch.tensor(rng.permutation(x.shape[2]))]
    torch.testing.assert_close(pool([shuffled]), pool([x]), atol=1e-4, rtol=1e-4)
    assert not torch.allclose(pool([x.roll(1, dims=3)]), pool([x]), atol=1e-2)  # components do


def test_a_constant_of_each_channel_does_not_count(rng: np.random.Generator) -> None:
    pool, x = CovariancePool(N_HEADS, N_CHANS), tokens(rng)
    offset = torch.tensor(rng.normal(size=(3, N_CHANS, 1, 16)).astype(np.float32))
    torch.testing.assert_close(pool([x + offset]), pool([x]), atol=1e-3, rtol=1e-3)


def test_channels_in_another_order_give_the_same_entries_in_another_order(rng: np.random.Generator) -> None:
    pool, x = CovariancePool(N_HEADS, N_CHANS), tokens(rng)
    order = rng.permutation(N_CHANS)
    rows, columns = np.triu_indices(N_CHANS)

    def matrices(features: torch.Tensor) -> np.ndarray:
        out = np.zeros((3, N_HEADS, N_CHANS, N_CHANS))
        out[..., rows, columns] = features.numpy().reshape(3, N_HEADS, -1)
        out[..., columns, rows] = out[..., rows, columns]
        return out

    found, permuted = matrices(pool([x])), matrices(pool([x[:, torch.tensor(order)]]))
    np.testing.assert_allclose(permuted, found[..., order, :][..., order], atol=1e-4)


def test_a_silent_window_gives_finite_features_and_gradients() -> None:
    x = torch.zeros(2, N_CHANS, 7, 16, requires_grad=True)
    features = CovariancePool(N_HEADS, N_CHANS)([x])
    features.sum().backward()
    assert x.grad is not None
    assert torch.isfinite(features).all()
    assert torch.isfinite(x.grad).all()


def test_the_pool_gives_the_same_numbers_exported(rng: np.random.Generator) -> None:
    pool, x, fresh = CovariancePool(N_HEADS, N_CHANS), tokens(rng, batch=2), tokens(rng, batch=2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exported = torch.export.export(pool, ([x],)).module()
    expected = pool([fresh])
    torch.testing.assert_close(exported([fresh]), expected, atol=1e-6, rtol=1e-6)


def test_a_network_with_it_learns_through_it_and_gives_its_features(rng: np.random.Generator) -> None:
    montage = load_montage("10-20").pick(["C3", "Cz", "C4"])
    config = preset("micro", n_outputs=2, n_times=64, merges=(8,), experts=(0,), d_model=16, n_heads=2).to_dict()
    config |= {"pooling": "covariance", "covariance_heads": 4, "pool_embedding": False}
    network = NeurIPTNetwork(type(preset("micro", n_outputs=2, n_times=64)).from_dict(config), montage.pos_m, [(0, 1)])
    x = torch.tensor(rng.normal(size=(2, 3, 64)).astype(np.float32) * 1e-5)
    features = network.features(x)
    assert features.shape == (2, network.n_features) == (2, 4 * 6)
    network(x).sum().backward()
    grads = [p.grad for p in network.encoder.parameters() if p.grad is not None]
    assert grads
    assert all(torch.isfinite(g).all() for g in grads)
    assert any(float(g.abs().max()) > 0 for g in grads)


@pytest.mark.parametrize("heads", [0, 3, 64])
def test_heads_that_do_not_divide_the_tokens_are_refused(heads: int) -> None:
    with pytest.raises(NeuriptError, match=r"covariance_heads.*divisor of d_model=16"):
        preset("micro", n_outputs=2, n_times=64, d_model=16, n_heads=2, pooling="covariance", covariance_heads=heads)


def test_heads_are_not_asked_for_with_another_pooling() -> None:
    config = preset("micro", n_outputs=2, n_times=64, d_model=16, n_heads=2, pooling="mean", covariance_heads=3)
    assert config.pooling == "mean"
