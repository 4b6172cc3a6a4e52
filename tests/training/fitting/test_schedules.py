"""The one cycle against PyTorch's own scheduler."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from neuript.training.fitting.schedules import OneCycle, one_cycle


def torch_cycle(total, warmup, div, final_div, **options):
    """Rates and betas of `OneCycleLR` at each step."""
    optimizer = torch.optim.AdamW([nn.Parameter(torch.zeros(1))], lr=1.0, betas=(0.9, 0.98))
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, 1.0, total, pct_start=warmup, div_factor=div, final_div_factor=final_div, **options
    )
    for step in range(total):
        yield optimizer.param_groups[0]["lr"], optimizer.param_groups[0]["betas"]
        optimizer.step()
        if step < total - 1:
            schedule.step()


@pytest.mark.parametrize(("total", "warmup"), [(40, 0.3), (100, 0.15), (7, 0.0)])
def test_rates_are_those_of_torch(total, warmup):
    for step, (rate, _) in enumerate(torch_cycle(total, warmup, 5, 100, cycle_momentum=False)):
        assert one_cycle(step, total, warmup=warmup, div=5, final_div=100) == pytest.approx(rate)
    assert one_cycle(0, 10, warmup=0.1, div=5, final_div=1) == 1  # torch: 0 / 0


@pytest.mark.parametrize(("total", "warmup"), [(40, 0.3), (7, 0.0)])
def test_every_group_has_its_share_and_the_betas_stay(total, warmup):
    cycle = OneCycle(warmup=warmup, div=25, final_div=1e4)
    optimizer = torch.optim.AdamW(
        [{"params": [nn.Parameter(torch.zeros(1))], "max_lr": scale} for scale in (1.0, 0.5)], betas=(0.9, 0.98)
    )
    for step, (rate, betas) in enumerate(torch_cycle(total, warmup, 25, 1e4, cycle_momentum=False)):
        assert cycle.set(optimizer, step, total) == pytest.approx(rate)
        for group in optimizer.param_groups:
            assert group["lr"] == pytest.approx(rate * group["max_lr"])
            assert group["betas"] == betas == (0.9, 0.98)
