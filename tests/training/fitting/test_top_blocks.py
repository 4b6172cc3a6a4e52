from __future__ import annotations

import numpy as np
import pytest
import torch

from neuript.network.config import preset
from neuript.network.network import NeurIPTNetwork
from neuript.training.fitting.augment import AugmentSpec, augment
from neuript.training.fitting.top_blocks import (
    FinetuneSpec,
    class_weight,
    finetune,
    finetune_top,
    init_head,
    predict_logits,
    run_trunk,
)

N_CHANS, N_TIMES = 3, 64


@pytest.fixture
def data(rng):
    """Two classes that differ by the power of a 10 Hz rhythm on one channel."""
    y = np.arange(32) % 2
    t = np.arange(N_TIMES) / 64
    x = rng.normal(size=(32, N_CHANS, N_TIMES)) * 4e-6
    phase = rng.uniform(0, 2 * np.pi, size=(32, 1))
    x[:, 1] += (3 + 22 * y[:, None]) * 1e-6 * np.sin(2 * np.pi * 10 * t + phase)
    return x.astype(np.float32), y


@pytest.fixture
def model(rng):
    torch.manual_seed(0)
    config = preset("micro", n_outputs=2, n_times=N_TIMES, merges=(4, 1, 1, 2, 1, 2), d_model=32)
    return NeurIPTNetwork(config, rng.normal(size=(N_CHANS, 3)) * 0.1, [[0, 1], [2]])


def loss_of(model, x, y):
    logits = torch.tensor(predict_logits(model, x))
    return float(torch.nn.functional.cross_entropy(logits, torch.tensor(y)))


def test_closed_form_head_is_ridge_regression(rng):
    features = torch.tensor(rng.normal(size=(20, 7)) * rng.uniform(0.1, 9, size=7) + 3)
    y = torch.tensor(rng.integers(0, 3, size=20))
    head = torch.nn.Linear(7, 3)
    init_head(head, features, y, penalty=50.0)
    z = (features - features.mean(0)) / (features.std(0) + 1e-3)
    target = torch.nn.functional.one_hot(y, 3).double()
    primal = torch.linalg.solve(
        z.T @ z + (50.0 * 7 / 100 + 1e-6) * torch.eye(7, dtype=z.dtype), z.T @ (target - target.mean(0))
    )
    expected = 2 * z @ primal + target.mean(0).log()
    torch.testing.assert_close(head(features.float()).double(), expected, rtol=1e-4, atol=1e-4)


def test_classes_weigh_the_same_in_sum():
    y = torch.tensor([0, 0, 0, 1, 2, 2])
    weight = class_weight(y, 4)
    torch.testing.assert_close(weight[:3] * torch.bincount(y), torch.full((3,), 2.0))
    assert weight[y].mean() == pytest.approx(1)


def test_finetuning_learns_and_repeats_itself(data, model):
    x, y = data
    spec = FinetuneSpec(n_epochs=6, batch_size=8, max_lr=2e-3)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    steps: list[int] = []
    first = finetune(model, x, y, spec, probe=False, progress=lambda k, _n, _loss: steps.append(k))
    second = finetune(model, x, y, spec, probe=False)
    assert steps == list(range(1, 6 * 4 + 1))
    assert loss_of(first, x, y) < loss_of(model.eval(), x, y) - 0.05
    np.testing.assert_array_equal(predict_logits(first, x), predict_logits(second, x))
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())


def test_training_the_top_from_stored_tokens_is_training_the_model_with_the_rest_frozen(data, model):
    x, y = data
    spec = FinetuneSpec(n_epochs=0, n_copies=1)
    trunk = run_trunk(model, x, spec)
    trained = finetune_top(model, trunk, np.arange(32), y, spec)
    whole = finetune(model, x, y, spec, probe=True)
    np.testing.assert_allclose(predict_logits(trained, x), predict_logits(whole, x), atol=1e-3)


def test_training_the_top_changes_the_top_alone(data, model):
    x, y = data
    spec = FinetuneSpec(n_epochs=2, n_frozen=4, n_copies=2)
    trunk = run_trunk(model, x, spec)
    assert trunk.tokens.shape[:3] == (2, 32, N_CHANS)
    trained = finetune_top(model, trunk, np.arange(24), y[:24], spec)
    for name, value in trained.state_dict().items():
        upper = name.startswith(("encoder.blocks.4", "encoder.blocks.5", "head"))
        changed = not torch.equal(value, model.state_dict()[name])
        assert changed <= upper, name
        if name in ("encoder.blocks.5.feed_time.router.weight", "head.weight"):
            assert changed, name


def test_trunk_of_copies_differs_from_the_plain_one(data, model):
    trunk = run_trunk(model, data[0], FinetuneSpec(n_copies=2))
    assert not torch.allclose(trunk.tokens[0], trunk.tokens[1])


def test_augmentations_switched_off_change_nothing(data):
    x, y = torch.tensor(data[0]), torch.tensor(data[1])
    off = AugmentSpec(polarity=0, gain_log_sd=0, channel_gain_log_sd=0, recombine=0, noise_v=0, channel_dropout=0)
    assert torch.equal(augment(x, y, off, torch.Generator().manual_seed(1)), x)


def test_recombination_stays_within_the_class():
    x = torch.arange(8.0).repeat_interleave(2 * 40).reshape(8, 2, 40)
    y = torch.tensor([0, 1] * 4)
    only = AugmentSpec(polarity=0, gain_log_sd=0, channel_gain_log_sd=0, recombine=1, noise_v=0, channel_dropout=0)
    mixed = augment(x, y, only, torch.Generator().manual_seed(3))
    assert not torch.equal(mixed, x)
    for i in range(8):
        assert set((mixed[i].unique() % 2).tolist()) == {float(y[i])}
