"""Balanced losses against their formulas."""

from __future__ import annotations

import math

import pytest
import torch
from torch.nn import functional

from neuript.training.fitting.losses import BalancedBCE, BalancedCrossEntropy, WeightedCrossEntropy, class_weight

COUNTS = [50, 30, 20]


def sigmoid(z):
    return 1 / (1 + math.exp(-z))


def test_balanced_bce_is_its_formula():
    logits = torch.randn(4, 3, dtype=torch.float64)
    target = torch.tensor([0, 2, 1, 2])
    got = BalancedBCE(COUNTS, kappa=0.3)(logits, target).item()
    total = 0.0
    for row, label in zip(logits.tolist(), target.tolist(), strict=True):
        for c, z in enumerate(row):
            prior = COUNTS[c] / 100
            p = sigmoid(z + 0.3 * (math.log(prior) - math.log(1 - prior)))
            total -= math.log(p if c == label else 1 - p)
    assert got == pytest.approx(total / 4, rel=1e-6)


def test_one_logit_is_the_second_class():
    logits = torch.randn(5, 1)
    target = torch.tensor([0, 1, 1, 0, 1])
    got = BalancedBCE([80, 20], kappa=1.0)(logits, target)
    bias = math.log(0.2) - math.log(0.8)
    expected = functional.binary_cross_entropy_with_logits(logits[:, 0] + bias, target.float())
    torch.testing.assert_close(got, expected)


def test_kappa_zero_is_the_plain_loss():
    logits, target = torch.randn(6, 3), torch.tensor([0, 1, 2, 0, 1, 2])
    plain = functional.binary_cross_entropy_with_logits(logits, functional.one_hot(target, 3).float())
    torch.testing.assert_close(BalancedBCE(COUNTS, kappa=0.0)(logits, target), 3 * plain)
    torch.testing.assert_close(
        BalancedCrossEntropy(COUNTS, kappa=0.0)(logits, target), functional.cross_entropy(logits, target)
    )


@pytest.mark.parametrize("kind", [BalancedBCE, BalancedCrossEntropy])
def test_prior_correction_balances_the_logits(kind):
    """Without any signal and full correction, the plain logits prefer no class."""
    target = torch.tensor([0] * 90 + [1] * 10)
    loss = kind([90, 10], kappa=1.0)
    logits = torch.zeros(2, requires_grad=True)
    optimiser = torch.optim.LBFGS([logits], line_search_fn="strong_wolfe")

    def closure():
        optimiser.zero_grad()
        value = loss(logits.expand(100, 2), target)
        value.backward()
        return value

    for _ in range(5):
        optimiser.step(closure)
    assert logits.detach().diff().abs().item() < 1e-2


def test_cross_entropy_is_its_formula():
    logits, target = torch.randn(5, 3), torch.tensor([2, 0, 1, 1, 0])
    got = BalancedCrossEntropy(COUNTS, kappa=0.7)(logits, target)
    shifted = logits + 0.7 * torch.tensor([math.log(c / 100) for c in COUNTS])
    torch.testing.assert_close(got, functional.cross_entropy(shifted, target))


@pytest.mark.parametrize("counts", [[3, 0], [5], [[1, 2]]])
def test_a_class_without_windows_is_refused(counts):
    with pytest.raises(ValueError, match="class counts"):
        BalancedBCE(counts)


def test_classes_weigh_the_same_in_sum():
    y = torch.tensor([0, 0, 0, 1, 2, 2])
    weight = class_weight([3, 1, 2, 0])
    torch.testing.assert_close(weight[:3] * torch.bincount(y), torch.full((3,), 2.0))
    assert weight[y].mean() == pytest.approx(1)


def test_weights_keep_their_last_bit():
    """The models of earlier calibrations come out again: a number over a tensor, as they were made."""
    assert torch.equal(class_weight([62, 60]), 122 / (2 * torch.tensor([62.0, 60.0])))


def test_weighted_cross_entropy_is_its_formula():
    logits, target = torch.randn(6, 3, dtype=torch.float64), torch.tensor([0, 0, 0, 1, 2, 2])
    got = WeightedCrossEntropy([3, 1, 2], label_smoothing=0.1)(logits.float(), target).item()
    weight = [2 / 3, 2.0, 1.0]
    total = 0.0
    for row, label in zip(logits.log_softmax(1).tolist(), target.tolist(), strict=True):
        total -= 0.9 * weight[label] * row[label] + 0.1 / 3 * sum(w * p for w, p in zip(weight, row, strict=True))
    assert got == pytest.approx(total / 6, rel=1e-5)
