"""Equal answers: what is equal passes, what is not is refused with the numbers."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from networks import eeg_windows, made_up_network

from neuript.engines.agreement import Agreement, compare_engines, expert_choices, expert_flips, probabilities
from neuript.engines.contract import EagerEngine
from neuript.errors import EngineRefusedError


class Shifted:
    """An engine whose logits are those of another, changed."""

    name, precision = "shifted", "float32"

    def __init__(self, engine, change, precision="float32"):
        self._engine, self._change, self.precision = engine, change, precision

    def __call__(self, windows):
        return self._change(self._engine(windows).copy())

    def router_logits(self, windows):
        return self._engine.router_logits(windows)

    def close(self):
        pass


def test_a_network_agrees_with_itself(network, windows):
    reference = EagerEngine(network)
    found = compare_engines(reference, reference, windows, network)
    assert (found.max_probability_difference, found.decision_flips, found.expert_flips) == (0, 0, 0)
    found.check()


def test_a_small_difference_counts_by_the_precision(network, windows):
    reference = EagerEngine(network)

    def change(logits):
        logits[:, 0] += 1e-3
        return logits

    full, half = (compare_engines(reference, Shifted(reference, change, p), windows) for p in ("float32", "float16"))
    assert full.max_probability_difference == half.max_probability_difference > 1e-5
    assert half.ok
    with pytest.raises(EngineRefusedError, match=r"allowed are 1e-05 and 0\.5% of decisions"):
        full.check()


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_what_is_no_number_is_refused(network, windows, value):
    def change(logits):
        logits[2, 1] = value
        return logits

    reference = EagerEngine(network)
    found = compare_engines(reference, Shifted(reference, change), windows)
    assert found.max_probability_difference == 1
    assert not found.ok


def test_other_decisions_are_counted(network, windows):
    reference = EagerEngine(network)
    found = compare_engines(reference, Shifted(reference, lambda logits: -logits, "float16"), windows)
    assert found.decision_flips == 1
    assert not found.ok


@pytest.mark.parametrize(("n_flips", "ok"), [(1, True), (2, False)])
def test_one_decision_in_two_hundred_may_differ_in_half_precision(n_flips: int, ok: bool):
    assert Agreement("x", "float16", 200, 0.005, n_flips / 200, None).ok is ok


def test_bfloat16_of_a_random_network_flips_experts_and_is_refused():
    network, windows = made_up_network(seed=2), eeg_windows(4)
    found = compare_engines(EagerEngine(network), EagerEngine(network, "bfloat16"), windows, network)
    assert found.expert_flips > 0.001
    with pytest.raises(EngineRefusedError, match="bfloat16"):
        found.check()


def test_choices_are_those_of_the_layers(network, windows):
    """Against the gates that the layers themselves compute."""
    gates = []
    own = copy.deepcopy(network)
    for module in own.modules():
        if hasattr(module, "_gates"):
            inner = module._gates
            module._gates = lambda logits, inner=inner: gates.append(inner(logits)) or gates[-1]
    with torch.inference_mode():
        own(torch.from_numpy(windows))
    chosen = expert_choices(network, EagerEngine(network).router_logits(windows))
    assert len(chosen) == len(gates) == 8
    for ours, theirs in zip(chosen, gates, strict=True):
        np.testing.assert_array_equal(ours, theirs.flatten(1, 2).numpy() > 0)


def test_a_changed_router_is_a_flip(network, windows):
    logits = EagerEngine(network).router_logits(windows)
    assert expert_flips(network, logits, logits + 1.0) == 0
    assert expert_flips(network, logits, -logits) == 1


def test_a_single_logit_is_the_second_class():
    np.testing.assert_allclose(probabilities(np.array([[np.log(3.0)]])), [[0.25, 0.75]])
