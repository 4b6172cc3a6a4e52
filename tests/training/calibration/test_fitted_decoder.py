"""The fitted decoder is the stack of its branches, repeats itself, and refuses what cannot be held out."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from made_up_windows import dataset, fitted, frozen

from neuript.errors import NeuriptError
from neuript.network.stack import reference_of
from neuript.realtime.decoding.scoring import Trial
from neuript.training.calibration import fitted_decoder
from neuript.training.calibration.fitted_decoder import STACK
from neuript.training.calibration.held_out import NETWORK, TANGENT
from neuript.training.calibration.to_model import decoder_figures


@pytest.mark.parametrize("simulated", [False, True])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_published_module_is_the_stack_of_its_branches(rng, simulated, n_classes, monkeypatch):
    data = dataset(rng, n_classes)
    monkeypatch.setattr(fitted_decoder, "fit_stack", lambda *_args: np.array([0.7, 1.3]))
    result = fitted(data, network=frozen(data, simulated=simulated))
    assert result.weights == (0.7, 1.3)
    assert not result.module.training
    inputs = torch.tensor(data.signal), torch.tensor(data.tangent)
    with torch.inference_mode():
        branches = result.module.network, result.module.tangent
        parts = [branch(x).log_softmax(-1) for branch, x in zip(branches, inputs, strict=True)]
        torch.testing.assert_close(result.module(*inputs), 0.7 * parts[0] + 1.3 * parts[1])
    assert result.simulated is simulated
    assert {card.n_trials for card in result.scores.values()} == {24}
    assert result.scores[TANGENT].accuracy > 0.9


def test_a_branch_without_weight_is_not_in_the_module(rng, monkeypatch):
    monkeypatch.setattr(fitted_decoder, "fit_stack", lambda *_args: np.array([0.0, 1.3]))
    result = fitted(dataset(rng))
    assert result.module.network is None
    assert result.describe() == {"architecture": "hybrid", "network": None, "weights": [0.0, 1.3]}


def test_without_an_alignment_the_network_stands_alone(rng):
    data = dataset(rng)
    plain = replace(data, signal=data.x, tangent=data.tangent[:, :0], reference=None)
    result = fitted(plain)
    assert result.weights[1] == 0
    assert result.module.tangent is None
    assert TANGENT not in result.scores
    assert reference_of(result.module.state_dict()) == {}
    with torch.inference_mode():
        assert result.module(torch.tensor(data.x)).isfinite().all()
    with pytest.raises(NeuriptError, match="without an alignment"):
        fitted(plain, alone=True)


def test_the_reference_of_the_recordings_goes_with_the_weights(rng):
    data = dataset(rng)
    kept = reference_of(fitted(data, alone=True).module.state_dict())
    expected = data.reference.to_arrays()
    assert set(kept) == set(expected)
    for name, values in expected.items():
        np.testing.assert_array_equal(kept[name].numpy(), values)


def test_the_riemannian_branch_alone(rng):
    result = fitted(dataset(rng), alone=True)
    assert result.weights[0] == 0
    assert NETWORK not in result.scores
    assert result.scores[STACK].accuracy > 0.9
    assert result.nll[STACK] < np.log(2)


def test_the_same_windows_give_the_same_model_and_leave_the_world_alone(rng):
    data = dataset(rng)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = fitted(data)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(99)
    second = fitted(data)
    assert decoder_figures(first) == decoder_figures(second)
    x = torch.tensor(data.signal), torch.tensor(data.tangent)
    assert torch.equal(first.module(*x), second.module(*x))


def test_the_decoder_without_a_block_says_of_it_what_was_held_out(rng):
    data = dataset(rng)
    result = fitted(data)
    for decoder, (train, test) in zip(result.without_block, result.blocks, strict=True):
        assert (train ^ test).all()
        log_proba = decoder(data.signal[test], data.tangent[test])
        np.testing.assert_allclose(np.exp(log_proba).sum(axis=1), 1.0)
        right = log_proba.argmax(axis=1) == data.y[test]
        assert right.mean() > 0.8


def test_progress_is_told(rng):
    told = []
    fitted(dataset(rng), report=lambda *args: told.append(args))
    assert [what for what, _, _ in told] == ["features of the network"]


def test_models_of_simulated_recordings_say_so(rng):
    result = fitted(dataset(rng, simulated=True), alone=True)
    assert result.simulated


def test_too_few_trials_for_the_blocks(rng):
    with pytest.raises(NeuriptError, match="5 trials cannot be cut into 3 blocks"):
        fitted(dataset(rng, n_trials=5))


def test_a_class_in_one_block_is_named(rng):
    data = dataset(rng)
    trials = tuple(Trial("left" if i < 20 else "right", 8.0 * i) for i in range(24))
    sorted_by_class = replace(data, trials=trials)
    with pytest.raises(NeuriptError, match=r"no training trial of class 1.*0 is left, 1 is right"):
        fitted(sorted_by_class)


def test_windows_too_short_for_the_filters(rng):
    with pytest.raises(NeuriptError, match=r"windows of 0.5 s are too short.*--window 1.5"):
        fitted(dataset(rng, n_times=32))
