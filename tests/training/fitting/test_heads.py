"""How a head starts: at nothing, or at a ridge regression."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from neuript.training.fitting.heads import init_head, probe_head, zero_head


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


def test_probe_of_one_logit_is_the_difference_of_two(rng):
    features, y = torch.tensor(rng.normal(size=(20, 4))).float(), torch.arange(20) % 2
    bias = torch.tensor([0.5, -0.25])
    two, one = nn.Linear(4, 2), nn.Linear(4, 1)
    probe_head(two, features, y, torch.zeros(2))
    probe_head(one, features, y, bias)
    torch.testing.assert_close(one(features)[:, 0], (two(features) @ torch.tensor([-1.0, 1]) + 0.25))


def test_zero_head_says_nothing_whatever_it_is_made_of():
    head = nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.Linear(8, 3))
    zero_head(head)
    assert not head(torch.randn(5, 4)).any()
    with pytest.raises(ValueError, match="no linear map"):
        zero_head(nn.ReLU())


@pytest.mark.parametrize("start", [init_head, lambda *parts: probe_head(*parts, torch.zeros(2))])
def test_only_a_linear_head_has_a_closed_form(start):
    with pytest.raises(ValueError, match="needs a linear head"):
        start(nn.Sequential(nn.Linear(4, 2)), torch.randn(6, 4), torch.arange(6) % 2)
