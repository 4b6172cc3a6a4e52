"""The fitted decoder is the stack of its branches, repeats with its seed, and refuses what cannot be held out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from made_up_windows import dataset, fitted, pretrained, tiny

from neuript.errors import NeuriptError
from neuript.realtime.decoding.scoring import Trial
from neuript.training.calibration import fitted_decoder
from neuript.training.calibration.dataset import Dataset
from neuript.training.calibration.fitted_decoder import STACK
from neuript.training.calibration.held_out import NETWORK, TANGENT
from neuript.training.calibration.to_model import decoder_figures


@pytest.mark.parametrize("start", ["random", "pretrained"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_the_published_module_is_the_stack_of_its_branches(rng, start, n_classes, monkeypatch):
    data = dataset(rng, n_classes)
    begin = tiny(n_classes) if start == "random" else pretrained(n_classes)
    monkeypatch.setattr(fitted_decoder, "fit_stack", lambda *_args: np.array([0.7, 1.3]))
    result = fitted(data, start=begin)
    assert result.weights == (0.7, 1.3)
    assert not result.module.training
    x = torch.tensor(data.x)
    with torch.inference_mode():
        expected = sum(
            w * branch(x).log_softmax(-1)
            for w, branch in zip((0.7, 1.3), (result.module.network, result.module.tangent), strict=True)
        )
        torch.testing.assert_close(result.module(x), expected)
    assert result.simulated == (start == "pretrained")
    assert {card.n_trials for card in result.scores.values()} == {24}
    assert result.scores[TANGENT].accuracy > 0.9


def test_a_branch_without_weight_is_not_in_the_module(rng, monkeypatch):
    monkeypatch.setattr(fitted_decoder, "fit_stack", lambda *_args: np.array([0.0, 1.3]))
    result = fitted(dataset(rng))
    assert result.module.network is None
    assert result.describe() == {"architecture": "hybrid", "network": None, "weights": [0.0, 1.3]}


def test_the_riemannian_branch_alone(rng):
    result = fitted(dataset(rng), branches=(TANGENT,))
    assert result.weights[0] == 0
    assert NETWORK not in result.scores
    assert result.scores[STACK].accuracy > 0.9
    assert result.nll[STACK] < np.log(2)


def test_the_same_seed_gives_the_same_model_and_leaves_the_world_alone(rng):
    data = dataset(rng)
    torch.manual_seed(1)
    before = torch.get_rng_state()
    first = fitted(data)
    assert torch.equal(torch.get_rng_state(), before)
    torch.manual_seed(99)
    second, third = fitted(data), fitted(data, seed=7)
    assert decoder_figures(first) == decoder_figures(second)
    x = torch.tensor(data.x)
    assert torch.equal(first.module(x), second.module(x))
    assert not np.array_equal(first.nll[NETWORK], third.nll[NETWORK])


def test_progress_is_told(rng):
    told = []
    fitted(dataset(rng), report=lambda *args: told.append(args))
    assert {what for what, _, _ in told} >= {f"network, block {i} of 3" for i in (1, 2, 3)}
    assert all(1 <= done <= total for _, done, total in told)


def test_models_of_simulated_recordings_say_so(rng):
    result = fitted(dataset(rng, simulated=True), branches=(TANGENT,))
    assert result.simulated


def test_too_few_trials_for_the_blocks(rng):
    with pytest.raises(NeuriptError, match="5 trials cannot be cut into 3 blocks"):
        fitted(dataset(rng, n_trials=5))


def test_a_class_in_one_block_is_named(rng):
    data = dataset(rng)
    trials = tuple(Trial("left" if i < 20 else "right", 8.0 * i) for i in range(24))
    sorted_by_class = Dataset(data.x, data.trial, trials, data.montage, data.manifest)
    with pytest.raises(NeuriptError, match=r"no training trial of class 1.*0 is left, 1 is right"):
        fitted(sorted_by_class)


def test_windows_too_short_for_the_filters(rng):
    with pytest.raises(NeuriptError, match=r"windows of 0.5 s are too short.*--window 1.5"):
        fitted(dataset(rng, n_times=32), start=tiny())
