"""Networks over windows in batches."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from neuript.network.config import preset
from neuript.network.network import NeurIPTNetwork
from neuript.training.fitting.forward import pooled_features, predict, predict_logits, probabilities, seeded


@pytest.fixture
def model(rng):
    torch.manual_seed(0)
    config = preset("micro", n_outputs=3, n_times=32, d_model=12, n_heads=2, merges=(4, 2), experts=(0, 2))
    return NeurIPTNetwork(config, rng.normal(size=(3, 3)) * 0.1, [[0, 1], [2]])


@pytest.fixture
def x(rng):
    return (rng.normal(size=(9, 3, 32)) * 1e-5).astype(np.float32)


def test_prediction_keeps_the_mode_and_does_not_depend_on_the_batch(model, x):
    model.train()
    whole, cut = predict(model, x), predict(model, x, batch_size=2)
    assert model.training
    np.testing.assert_allclose(whole, cut, atol=1e-5)
    np.testing.assert_allclose(whole.sum(axis=1), 1)
    with torch.no_grad():
        alone = model.eval()(torch.tensor(x[3:4])).softmax(-1)
    np.testing.assert_allclose(whole[3:4], alone.numpy(), atol=1e-5)


def test_windows_may_lie_in_a_file_and_in_any_order_of_memory(model, x, tmp_path):
    x.tofile(tmp_path / "x.f32")
    mapped = np.memmap(tmp_path / "x.f32", np.float32, "r", shape=x.shape)
    turned = np.asfortranarray(x)[::-1]
    np.testing.assert_array_equal(predict_logits(model, mapped), predict_logits(model, x))
    np.testing.assert_allclose(predict_logits(model, turned)[::-1], predict_logits(model, x), atol=1e-5)


def test_features_are_what_the_head_sees_and_may_be_trained_on(model, x):
    features = pooled_features(model, x, batch_size=4)
    head = nn.Linear(features.shape[1], 2)
    head(features).sum().backward()
    assert head.weight.grad is not None
    np.testing.assert_allclose(model.head(features).detach().double().numpy(), predict_logits(model, x), atol=1e-6)


def test_one_logit_is_the_second_class():
    one = np.array([[0.0], [2.0]])
    np.testing.assert_allclose(probabilities(one)[:, 1], 1 / (1 + np.exp(-one[:, 0])))


def test_a_seed_leaves_the_generator_as_it_was():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    with seeded(7):
        first = torch.rand(2)
    assert torch.equal(torch.rand(3), expected)
    with seeded(7):
        assert torch.equal(torch.rand(2), first)


def test_of_no_windows_there_are_no_results(model, x):
    """Somebody who has not given a trial yet is decoded all the same."""
    model.train()
    assert predict_logits(model, x[:0]).shape == (0, 3)
    assert pooled_features(model, x[:0]).shape == (0, model.n_features)
    assert model.training
