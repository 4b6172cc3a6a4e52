"""The loop against the same training written out with PyTorch's own scheduler."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from neuript.training.fitting.losses import BalancedBCE
from neuript.training.fitting.schedules import OneCycle
from neuript.training.fitting.training_loop import LoopSpec, ParameterGroup, Stage, TrainingLoop, window_forward
from neuript.training.windows.labelled import LabelledWindows

SPEC = LoopSpec(
    batch_size=5,
    max_lr=0.05,
    schedule=OneCycle(warmup=0.3, div=5.0, final_div=100.0),
    weight_decay=0.01,
    max_grad_norm=0.2,
    aux_weight=0.5,
)


class Net(nn.Module):
    """Mean power of each channel, two layers, and a loss of its own that pulls the first layer to nothing."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.first, self.last = nn.Linear(3, 4), nn.Linear(4, 2)

    @property
    def aux_loss(self):
        return self.first.weight.square().mean()

    def forward(self, x):
        return self.last(self.first((x * 1e5).square().mean(-1)).tanh())


@pytest.fixture
def windows(rng):
    y = np.arange(12) % 2
    x = rng.normal(size=(12, 3, 16)) * 1e-5 * (1 + y)[:, None, None]
    return LabelledWindows(x.astype(np.float32), y)


def make(windows, spec=SPEC):
    net, generator = Net(), torch.Generator().manual_seed(7)
    groups = [ParameterGroup(list(net.first.parameters()), 0.5), ParameterGroup(list(net.last.parameters()))]
    y = torch.as_tensor(windows.y)
    return TrainingLoop(net, groups, y, BalancedBCE([6, 6]), spec, generator), window_forward(net, windows, generator)


def test_it_is_the_written_out_loop(windows):
    loop, forward = make(windows)
    steps: list[tuple[int, int, float]] = []
    fitted = loop.run([Stage(forward, 4)], after_step=lambda *step: steps.append(step))

    net, generator, total = Net(), torch.Generator().manual_seed(7), 4 * 3
    parts = [{"params": list(net.first.parameters())}, {"params": list(net.last.parameters())}]
    optimizer = torch.optim.AdamW(parts, betas=(0.9, 0.98), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, [0.025, 0.05], total, pct_start=0.3, div_factor=5, final_div_factor=100, cycle_momentum=False
    )
    expected, of_epoch = [], []
    x, y = torch.tensor(windows.x), torch.tensor(windows.y)
    for _ in range(4):
        of_epoch.append(0.0)
        for index in torch.randperm(12, generator=generator).split(5):
            own = nn.functional.binary_cross_entropy_with_logits(
                net(x[index]), nn.functional.one_hot(y[index], 2).float(), reduction="none"
            )
            loss = own.sum(1).mean() + 0.5 * net.aux_loss
            optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(net.parameters(), 0.2)
            optimizer.step()
            of_epoch[-1] += own.sum().item() / 12
            expected.append(loss.item())
            if len(expected) < total:
                schedule.step()
    assert [step[:2] for step in steps] == [(k, total) for k in range(1, total + 1)]
    assert [step[2] for step in steps] == pytest.approx(expected, rel=1e-5)
    assert [entry["train_loss"] for entry in fitted.history] == pytest.approx(of_epoch, rel=1e-5)
    assert fitted.history[-1]["lr"] == pytest.approx(0.05 / 5 / 100)
    torch.testing.assert_close(fitted.model.state_dict(), net.state_dict(), rtol=1e-4, atol=1e-6)
    assert not fitted.model.training


def test_one_cycle_spans_all_stages(windows):
    whole, forward = make(windows)
    cut, again = make(windows)
    one = whole.run([Stage(forward, 4)])
    two = cut.run([Stage(again, 1), Stage(again, 0), Stage(again, 3)])
    for a, b in zip(one.history, two.history, strict=True):
        assert {k: v for k, v in a.items() if k != "seconds"} == {k: v for k, v in b.items() if k != "seconds"}


@pytest.mark.parametrize(("may_stop", "n_epochs"), [(True, 3), (False, 6)])
def test_patience_counts_epochs_of_a_stage_that_may_stop_it(windows, may_stop, n_epochs):
    spec = LoopSpec(**{**vars(SPEC), "patience": 2, "select": "val_loss"})
    loop, forward = make(windows, spec)
    losses = iter([0.5, 0.6, 0.7, 0.4, 0.3, 0.2])
    fitted = loop.run(
        [Stage(forward, 6, may_stop=may_stop)], validate=lambda: {"val_loss": next(losses), "val_ba": 0.5}
    )
    assert len(fitted.history) == n_epochs
    assert fitted.best_epoch == (1 if may_stop else 6)


def test_parameters_outside_the_groups_stay(windows):
    loop, forward = make(windows)
    net = loop.model
    alone = TrainingLoop(net, [ParameterGroup(list(net.last.parameters()))], loop.y, loop.loss, SPEC, loop.generator)
    before = {k: v.clone() for k, v in net.state_dict().items()}
    after = alone.run([Stage(forward, 2)]).model.state_dict()
    assert {k for k in before if not torch.equal(before[k], after[k])} == {"last.weight", "last.bias"}


def test_what_diverges_later_keeps_the_last_whole_epoch(windows):
    loop, forward = make(windows)
    calls = 0

    def spoiled(index):
        nonlocal calls
        calls += 1
        logits, aux = forward(index)
        return logits * (float("nan") if calls > 4 else 1.0), aux

    fitted = loop.run([Stage(spoiled, 4)])
    assert (fitted.diverged, fitted.best_epoch, len(fitted.history)) == (True, 1, 1)
    assert all(torch.isfinite(v).all() for v in fitted.model.state_dict().values())
