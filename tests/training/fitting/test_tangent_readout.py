"""The read-out of the Riemannian branch against scikit-learn, and its prior against a plain minimisation."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
import torch
from scipy.optimize import minimize
from scipy.special import log_softmax
from sklearn.linear_model import LogisticRegression

from neuript.training.fitting import tangent_readout
from neuript.training.fitting.tangent_readout import BIAS_VARIANCE, STRENGTH, Readout, fit_readout


def make(rng: np.random.Generator, n_classes: int, n: int = 80, n_features: int = 12) -> tuple[np.ndarray, np.ndarray]:
    """Windows whose class their first features hint at, and no more than that."""
    y = rng.permutation(np.arange(n) % n_classes)
    x = rng.normal(size=(n, n_features))
    x[np.arange(n), y] += 1.0
    return x.astype(np.float32), y


def some_readout(rng: np.random.Generator, n_classes: int, n_features: int) -> Readout:
    return Readout(rng.normal(size=(n_classes, n_features)), rng.normal(size=n_classes))


def minimised(
    x: np.ndarray,
    y: np.ndarray,
    n_classes: int,
    *,
    weight: np.ndarray | None = None,
    variance: float = STRENGTH,
    prior: Readout | None = None,
) -> Readout:
    """The same maximum a posteriori, in the space of all features; the bias is that in the middle of the windows."""
    x = np.asarray(x, dtype=float)
    middle = x.mean(axis=0)
    weight = np.ones(len(x)) if weight is None else weight
    base = prior or Readout(np.zeros((n_classes, x.shape[1])), np.zeros(n_classes))
    one_hot = np.eye(n_classes)[y]

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        w, b = flat[: base.weight.size].reshape(base.weight.shape), flat[base.weight.size :]
        log_p = log_softmax(x @ w.T + b, axis=1)
        dw = w - base.weight
        db = b - base.bias + dw @ middle
        value = -(weight * log_p[np.arange(len(y)), y]).sum()
        value += 0.5 * (dw**2).sum() / variance + 0.5 * (db**2).sum() / BIAS_VARIANCE
        error = weight[:, None] * (np.exp(log_p) - one_hot)
        slope = error.T @ x + dw / variance + np.outer(db, middle) / BIAS_VARIANCE
        return value, np.concatenate([slope.ravel(), error.sum(0) + db / BIAS_VARIANCE])

    start = np.concatenate([base.weight.ravel(), base.bias])
    options = {"maxiter": 20_000, "maxfun": 50_000, "ftol": 1e-15, "gtol": 1e-9}
    found = minimize(loss, start, jac=True, method="L-BFGS-B", options=options).x
    return Readout(found[: base.weight.size].reshape(base.weight.shape), found[base.weight.size :])


def centred(logits: np.ndarray) -> np.ndarray:
    """Without what softmax does not see."""
    return logits - logits.mean(axis=1, keepdims=True)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("variance", [0.01, 1.0, 10.0])
@pytest.mark.parametrize("n_classes", [2, 3, 4])
def test_without_a_prior_it_is_the_logistic_regression_of_scikit_learn(
    rng: np.random.Generator, n_classes: int, variance: float, weighted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two classes scikit-learn fits the difference, whose variance is twice as large."""
    monkeypatch.setattr(tangent_readout, "BIAS_VARIANCE", 1e7)
    x, y = make(rng, n_classes)
    weight = rng.uniform(0.1, 2, size=len(y)) if weighted else None
    fresh = rng.normal(size=(50, x.shape[1]))
    found = fit_readout(x, y, n_classes, sample_weight=weight, variance=variance)
    lr = LogisticRegression(C=(2 if n_classes == 2 else 1) * variance, max_iter=10_000, tol=1e-8)
    expected = lr.fit(x.astype(float), y, sample_weight=weight).predict_log_proba(fresh)
    np.testing.assert_allclose(log_softmax(found.logits(fresh), axis=1), expected, atol=2e-3)


@pytest.mark.parametrize("n_features", [12, 300])
@pytest.mark.parametrize("variance", [0.05, 1.0])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_with_a_prior_it_is_the_minimum_over_all_features(
    rng: np.random.Generator, n_classes: int, variance: float, n_features: int
) -> None:
    x, y = make(rng, n_classes, 60, n_features)
    prior = some_readout(rng, n_classes, n_features)
    weight = rng.uniform(0.1, 2, size=len(y))
    fresh = rng.normal(size=(50, n_features))
    found = fit_readout(x, y, n_classes, sample_weight=weight, variance=variance, prior=prior)
    expected = minimised(x, y, n_classes, weight=weight, variance=variance, prior=prior)
    np.testing.assert_allclose(centred(found.logits(fresh)), centred(expected.logits(fresh)), atol=0.02)
    assert np.abs(centred(found.logits(fresh) - prior.logits(fresh))).max() > 0.3  # and not where it began


def test_a_small_variance_keeps_the_prior_and_a_large_one_forgets_it(rng: np.random.Generator) -> None:
    x, y = make(rng, 3, 200, 5)
    x[:, 3:] = rng.normal(size=(200, 2))
    y = np.where(rng.random(200) < 0.3, rng.integers(0, 3, 200), y)  # so that the best weights are finite
    prior = some_readout(rng, 3, 5)
    fresh = rng.normal(size=(40, 5))
    close = fit_readout(x, y, 3, variance=1e-9, prior=prior)
    np.testing.assert_allclose(close.weight, prior.weight, atol=1e-5)
    shift = close.logits(fresh) - prior.logits(fresh)
    np.testing.assert_allclose(shift - shift.mean(axis=0), 0, atol=1e-4)  # only the bias is free
    far, plain = (fit_readout(x, y, 3, variance=1e5, prior=p) for p in (prior, None))
    np.testing.assert_allclose(centred(far.logits(fresh)), centred(plain.logits(fresh)), atol=0.02)
    steps = [fit_readout(x, y, 3, variance=v, prior=prior) for v in (1e-4, 1e-2, 1.0, 100.0)]
    moved = [np.linalg.norm(step.weight - prior.weight) for step in steps]
    assert moved == sorted(moved)


def test_where_nothing_was_seen_the_prior_speaks(rng: np.random.Generator) -> None:
    prior = some_readout(rng, 2, 30)
    x, y = make(rng, 2, 10, 30)
    nothing = fit_readout(x[:0], y[:0], 2, prior=prior)
    np.testing.assert_allclose(nothing.weight, prior.weight, atol=1e-9)
    np.testing.assert_allclose(nothing.bias, prior.bias, atol=1e-9)
    found = fit_readout(x, y, 2, prior=prior)
    off = np.linalg.svd(x.astype(float))[2][10:]  # directions in which no window lies
    np.testing.assert_allclose(off @ found.weight.T, off @ prior.weight.T, atol=1e-6)


def test_a_prior_that_knows_the_answer_needs_few_trials(rng: np.random.Generator) -> None:
    x, y = make(rng, 2, 400, 40)
    others = fit_readout(x[:300], y[:300], 2)
    few = slice(300, 306)
    alone, taught = (fit_readout(x[few], y[few], 2, variance=0.05, prior=p) for p in (None, others))
    right = [(readout.logits(x[306:]).argmax(1) == y[306:]).mean() for readout in (alone, taught)]
    assert right[1] > right[0] + 0.05


def test_windows_of_one_trial_count_as_their_weights_say(rng: np.random.Generator) -> None:
    x, y = make(rng, 2, 30)
    twice = fit_readout(np.concatenate([x, x]), np.concatenate([y, y]), 2, sample_weight=np.full(60, 0.5))
    once = fit_readout(x, y, 2)
    np.testing.assert_allclose(twice.weight, once.weight, atol=1e-3)
    weight = np.ones(30)
    weight[5:] = 0
    np.testing.assert_allclose(
        fit_readout(x, y, 2, sample_weight=weight).weight, fit_readout(x[:5], y[:5], 2).weight, atol=1e-3
    )


def test_the_classes_are_treated_alike(rng: np.random.Generator) -> None:
    x, y = make(rng, 3)
    order = np.array([2, 0, 1])
    plain, other = fit_readout(x, y, 3), fit_readout(x, order[y], 3)
    np.testing.assert_allclose(other.weight[order], plain.weight, atol=1e-3)


def test_another_basis_of_the_features_decides_the_same(rng: np.random.Generator) -> None:
    x, y = make(rng, 2)
    rotation, _ = np.linalg.qr(rng.normal(size=(12, 12)))
    plain, other = fit_readout(x, y, 2), fit_readout(x @ rotation, y, 2)
    np.testing.assert_allclose(other.logits(x @ rotation), plain.logits(x), atol=2e-3)


def test_the_cost_is_that_of_the_windows_not_of_the_features(
    rng: np.random.Generator, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def spy(loss: object, start: np.ndarray, **options: object) -> object:
        asked.append(len(start))
        return minimize(loss, start, **options)

    monkeypatch.setattr(tangent_readout, "minimize", spy)
    x, y = make(rng, 3, 40, 50_000)
    tracemalloc.start()
    found = fit_readout(x, y, 3, prior=some_readout(rng, 3, 50_000))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found.weight.shape == (3, 50_000)
    assert asked == [3 * 40]  # one direction fewer than windows, and the bias
    assert peak < 20 * x.nbytes
    assert (found.logits(x).argmax(1) == y).all()


@pytest.mark.parametrize("n_features", [5, 100])
def test_the_same_arguments_give_the_same_bits_and_leave_them_alone(rng: np.random.Generator, n_features: int) -> None:
    x, y = make(rng, 2, 40, n_features)
    prior, weight = some_readout(rng, 2, n_features), rng.uniform(size=40)
    before = x.copy(), prior.weight.copy(), weight.copy()
    first, second = (fit_readout(x, y, 2, sample_weight=weight, prior=prior) for _ in range(2))
    np.testing.assert_array_equal(first.weight, second.weight)
    np.testing.assert_array_equal(first.bias, second.bias)
    for now, then in zip((x, prior.weight, weight), before, strict=True):
        np.testing.assert_array_equal(now, then)


@pytest.mark.parametrize("kind", ["no features", "flat", "one class", "alike", "one window", "huge", "tiny"])
def test_data_that_say_little_give_finite_weights(rng: np.random.Generator, kind: str) -> None:
    x, y = make(rng, 2, 20, 6)
    match kind:
        case "no features":
            x = x[:, :0]
        case "flat":
            x = np.zeros_like(x)
        case "one class":
            y = np.ones_like(y)
        case "alike":
            x = np.repeat(x[:1], 20, axis=0)
        case "one window":
            x, y = x[:1], y[:1]
        case "huge":
            x = 1e6 * x
        case "tiny":
            x = 1e-9 * x
    found = fit_readout(x, y, 2)
    assert np.isfinite(found.weight).all()
    assert np.isfinite(found.bias).all()
    if kind in ("no features", "flat"):
        np.testing.assert_allclose(found.logits(x), 0, atol=1e-6)
    if kind == "one class":
        assert (found.logits(x).argmax(1) == 1).all()


def test_the_branch_of_a_model_file_says_the_same(rng: np.random.Generator) -> None:
    readout = some_readout(rng, 3, 20)
    x = rng.normal(size=(15, 20))
    branch = readout.branch()
    assert not branch.training
    np.testing.assert_allclose(branch(torch.tensor(x).float()).numpy(), readout.logits(x), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(readout.scaled(0.25).logits(x), 0.25 * readout.logits(x), rtol=1e-9)
