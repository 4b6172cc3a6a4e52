from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from neuript.errors import NeuriptError
from neuript.network.config import preset
from neuript.network.network import NeurIPTNetwork
from neuript.training.fitting.augment import AugmentSpec
from neuript.training.fitting.forward import predict
from neuript.training.fitting.losses import BalancedBCE
from neuript.training.fitting.metrics import balanced_accuracy, confusion
from neuript.training.fitting.supervised import SupervisedSpec, train_supervised
from neuript.training.windows.labelled import LabelledWindows

N_CHANS, N_TIMES = 3, 32
QUICK = SupervisedSpec(n_epochs=4, batch_size=8, max_lr=2e-3, patience=None)


def windows(rng, n, share=0.5):
    """Two classes that differ by the power and the level of one channel."""
    y = (np.arange(n) < share * n).astype(np.int64)
    x = rng.normal(size=(n, N_CHANS, N_TIMES)) * 5e-6
    x[:, 1] = x[:, 1] * (1 + 3 * y[:, None]) + 20e-6 * y[:, None]
    return LabelledWindows(x.astype(np.float32), y)


@pytest.fixture
def make(rng):
    pos = rng.normal(size=(N_CHANS, 3)) * 0.1

    def build(**options):
        torch.manual_seed(0)
        options = {"n_outputs": 2, "n_times": N_TIMES, "d_model": 12, "n_heads": 2} | options
        config = preset("micro", merges=(4, 2), experts=(0, 2), **options)
        return NeurIPTNetwork(config, pos, [[0, 1], [2]])

    return build


class Net(nn.Module):
    """Any network: mean power of each channel, then a linear map."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(1)
        self.linear = nn.Linear(N_CHANS, 2)

    def forward(self, x):
        return self.linear((x * 1e5).square().mean(-1))


@pytest.mark.parametrize("single", [False, True])
@pytest.mark.parametrize("loss", ["bal_bce", "ce"])
def test_learns_and_repeats_itself(rng, make, single, loss):
    train, val = windows(rng, 48), windows(rng, 32)
    model = make(binary_single_logit=single)
    if single and loss == "ce":
        with pytest.raises(ValueError, match="one logit per class"):
            train_supervised(model, train, val, SupervisedSpec(loss=loss))
        return
    before = {k: v.clone() for k, v in model.state_dict().items()}
    spec = SupervisedSpec(n_epochs=6, batch_size=8, max_lr=3e-3, loss=loss, patience=None)
    fitted = train_supervised(model, train, val, spec)
    again = train_supervised(model, train, val, spec)
    np.testing.assert_array_equal(predict(fitted.model, val.x), predict(again.model, val.x))
    assert max(h["val_ba"] for h in fitted.history) > 0.85  # 0.98 ± 0.03 over 12 trainings
    assert fitted.history[-1]["train_loss"] < 0.8 * fitted.history[0]["train_loss"]  # 0.05 ± 0.05 of it
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
    other = train_supervised(model, train, val, SupervisedSpec(n_epochs=6, seed=1))
    assert not np.array_equal(predict(fitted.model, val.x), predict(other.model, val.x))


def test_any_module_is_trained_by_the_same_loop(rng):
    train, val = windows(rng, 64), windows(rng, 32)
    spec = SupervisedSpec(n_epochs=20, max_lr=0.03, patience=None)
    fitted = train_supervised(Net(), train, val, spec)
    assert fitted.history[-1]["val_ba"] > 0.9
    with pytest.raises(ValueError, match="no encoder and head"):
        train_supervised(Net(), train, val, SupervisedSpec(freeze_epochs=1))


def test_one_step_is_adamw_on_the_balanced_loss(rng):
    """A single full batch, computed again by hand."""
    train = windows(rng, 10, share=0.3)
    spec = SupervisedSpec(n_epochs=1, batch_size=10, max_lr=0.1, kappa=1.0, max_grad_norm=1e9)
    fitted = train_supervised(Net(), train, None, spec)
    net = Net()
    optimizer = torch.optim.AdamW(net.parameters(), lr=0.1 / 5 / 1e3, betas=(0.9, 0.98), weight_decay=5e-3)
    x, y = torch.tensor(train.x), torch.tensor(train.y)
    loss = BalancedBCE([7, 3], kappa=1.0)(net(x), y)
    loss.backward()
    optimizer.step()
    assert fitted.history[0]["train_loss"] == pytest.approx(loss.item(), rel=1e-5)
    torch.testing.assert_close(fitted.model.linear.weight, net.linear.weight)


def test_the_chosen_epoch_is_the_best_on_validation(rng, make):
    train, val = windows(rng, 24), windows(rng, 24)
    for select, best in (("val_ba", _best_ba), ("val_loss", _best_loss), ("last", len)):
        spec = SupervisedSpec(n_epochs=5, batch_size=8, max_lr=0.02, select=select, patience=None, div=1, final_div=1)
        fitted = train_supervised(make(), train, val, spec)
        assert fitted.best_epoch == best(fitted.history)
        entry = fitted.history[fitted.best_epoch - 1]
        guess = predict(fitted.model, val.x).argmax(axis=1)
        assert balanced_accuracy(confusion(val.y, guess, 2)) == entry["val_ba"]


def _best_ba(history):
    return 1 + max(range(len(history)), key=lambda i: (history[i]["val_ba"], -history[i]["val_loss"]))


def _best_loss(history):
    return 1 + min(range(len(history)), key=lambda i: history[i]["val_loss"])


def test_stops_when_the_validation_loss_stops_falling(rng):
    train = windows(rng, 16)
    flipped = LabelledWindows(train.x, 1 - train.y)  # learning makes this loss rise from the first epoch on
    spec = SupervisedSpec(n_epochs=50, batch_size=4, max_lr=0.05, patience=3)
    fitted = train_supervised(Net(), train, flipped, spec)
    losses = [h["val_loss"] for h in fitted.history]
    best = int(np.argmin(losses))
    assert len(losses) == best + 4 < 50


def test_frozen_epochs_move_the_head_alone(rng, make):
    train, val = windows(rng, 24), windows(rng, 16)
    model = make(dropout=0.3)
    spec = SupervisedSpec(n_epochs=3, freeze_epochs=3, batch_size=8, max_lr=0.01, patience=1)
    fitted = train_supervised(model, train, val, spec)
    assert len(fitted.history) == 3
    for name, value in fitted.model.state_dict().items():
        assert torch.equal(value, model.state_dict()[name]) != name.startswith("head.")
    further = train_supervised(model, train, val, SupervisedSpec(n_epochs=2, freeze_epochs=1))
    assert not torch.equal(further.model.encoder.embed.weight, model.encoder.embed.weight) or further.best_epoch == 1


def test_zero_head_starts_at_the_priors_and_probe_at_a_read_out(rng, make):
    train, val = windows(rng, 64), windows(rng, 32)
    none = SupervisedSpec(n_epochs=0, head_start="zero")
    np.testing.assert_array_equal(predict(train_supervised(make(), train, val, none).model, val.x), 0.5)
    for single in (False, True):
        probe = SupervisedSpec(n_epochs=0, head_start="probe", kappa=1.0)
        model = train_supervised(make(binary_single_logit=single), train, val, probe).model
        guess = predict(model, val.x).argmax(axis=1)
        assert balanced_accuracy(confusion(val.y, guess, 2)) > 0.85
    with pytest.raises(ValueError, match="linear head"):
        train_supervised(make(head="mlp"), train, val, SupervisedSpec(head_start="probe"))


def test_dropout_is_overridden_everywhere(rng, make):
    fitted = train_supervised(make(), windows(rng, 8), None, SupervisedSpec(n_epochs=0, dropout=0.4))
    rates = [m.p for m in fitted.model.modules() if type(m).__name__ == "Dropout"]
    assert rates
    assert set(rates) == {0.4}


def test_head_learns_faster_where_the_encoder_is_scaled_down(rng, make):
    train = windows(rng, 16)
    spec = SupervisedSpec(n_epochs=1, encoder_lr_scale=0.0, max_lr=0.01, weight_decay=0.1)
    fitted = train_supervised(make(), train, None, spec)
    assert torch.equal(fitted.model.encoder.embed.weight, make().encoder.embed.weight)
    assert fitted.model.head.weight.abs().max() > 0


def test_bfloat16_and_augmentation_train(rng, make):
    train, val = windows(rng, 32), windows(rng, 16)
    spec = SupervisedSpec(n_epochs=3, max_lr=3e-3, precision="bf16", augment=AugmentSpec())
    fitted = train_supervised(make(), train, val, spec)
    assert np.isfinite([h["val_loss"] for h in fitted.history]).all()
    assert fitted.model.head.weight.dtype == torch.float32


def test_divergence_and_missing_classes_are_said(rng):
    spoiled = windows(rng, 8)
    spoiled.x[0, 0, 0] = np.nan
    with pytest.raises(NeuriptError, match="diverged in its first epoch"):
        train_supervised(Net(), spoiled, None, QUICK)
    with pytest.raises(NeuriptError, match="no training window of class 1"):
        train_supervised(Net(), windows(rng, 8, share=0), None, QUICK)
    with pytest.raises(ValueError, match="up to 2"):
        train_supervised(Net(), LabelledWindows(windows(rng, 3).x, np.arange(3)), None, QUICK)
    with pytest.raises(ValueError, match="no validation windows"):
        train_supervised(Net(), windows(rng, 8), windows(rng, 0), QUICK)


@pytest.mark.parametrize(
    ("field", "value"),
    [("loss", "mse"), ("select", "test"), ("max_lr", 0), ("kappa", -1), ("warmup", 1.0),
     ("head_start", "warm"), ("patience", 0), ("dropout", 1.0), ("batch_size", 0),
     ("n_epochs", -1), ("freeze_epochs", -1), ("precision", "fp16")],
)  # fmt: skip
def test_values_out_of_range_are_named(field, value):
    with pytest.raises(NeuriptError, match=field):
        SupervisedSpec(**{field: value})
