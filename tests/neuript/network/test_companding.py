"""Companding: published values, inverse, knee, gradients."""

from __future__ import annotations

import math

import pytest
import torch

from neuript.network.companding import DELTA, compand, compand_volts, expand, scale_volts


def test_published_values():
    x = torch.tensor([1.0, 4.0, 10.0, 20.0, 50.0, 100.0], dtype=torch.float64)
    y = [0.18769, 0.75076, 1.43867, 1.95906, 2.64697, 3.16735]
    assert compand(x).tolist() == pytest.approx(y, abs=6e-6)
    assert compand(-x).tolist() == pytest.approx([-v for v in y], abs=6e-6)
    assert compand(torch.zeros(1)).item() == 0
    assert pytest.approx(1.331987, abs=1e-6) == DELTA


def test_formula_branch_by_branch():
    for x in (-300.0, -4.0, -3.9, -0.01, 0.5, 3.999, 4.001, 77.0):
        a = 0.25 * abs(x)
        expected = (a if abs(x) < 4 else 1 + math.log(a)) / (math.e + math.log(0.25))
        got = compand(torch.tensor(x, dtype=torch.float64)).item()
        assert got == pytest.approx(math.copysign(expected, x), rel=1e-12)


def test_expand_inverts():
    x = torch.linspace(-500, 500, 4001, dtype=torch.float64)
    torch.testing.assert_close(expand(compand(x)), x, rtol=1e-12, atol=1e-12)


def test_slope_is_continuous_at_the_knee_and_defined_at_zero():
    x = torch.tensor([0.0, 4 - 1e-9, 4 + 1e-9], dtype=torch.float64, requires_grad=True)
    compand(x).sum().backward()
    assert x.grad is not None
    assert torch.isfinite(x.grad).all()
    assert x.grad[1].item() == pytest.approx(0.25 / DELTA)
    assert x.grad[2].item() == pytest.approx(0.25 / DELTA)


def test_volts():
    x = torch.tensor([1e-6, -50e-6], dtype=torch.float64)
    assert compand_volts(x).tolist() == pytest.approx([0.18769, -2.64697], abs=6e-6)
    assert scale_volts(x).tolist() == pytest.approx([0.18769, -50 * 0.18769], abs=3e-4)
