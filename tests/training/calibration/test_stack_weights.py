"""Weights of the stack: none for what does not help, the best of a grid, and blind to the block they are applied to."""

from __future__ import annotations

import numpy as np
import pytest
from made_up_windows import dataset, relabel

from neuript.realtime.decoding.scoring import Trial
from neuript.training.calibration.held_out import blocks_of
from neuript.training.calibration.stack_weights import MIN_BRANCH_WEIGHT, fit_stack, nested_stack
from neuript.training.windows.dataset import Dataset


def log_proba(rng, data, skill):
    """Made-up held-out log-probabilities: the larger `skill`, the more they know."""
    logits = rng.normal(size=(len(data.x), len(data.classes)))
    logits[np.arange(len(data.x)), data.y] += skill
    return logits - np.log(np.exp(logits).sum(1, keepdims=True))


def test_a_useless_branch_gets_no_weight_and_none_is_negative(rng):
    data = dataset(rng, n_trials=80)
    good, useless = log_proba(rng, data, 2.0), 3 * log_proba(rng, data, 0.0)
    for branches, k in (([good, useless], 0), ([useless, good], 1)):
        weights = fit_stack(branches, data)
        assert weights[1 - k] == 0
        assert weights[k] > 0.5
    misleading = log_proba(rng, data, -1.0)
    assert (fit_stack([good, misleading], data) >= 0).all()


def test_weights_are_the_best_of_a_grid(rng):
    data = dataset(rng, n_trials=30)
    branches = [log_proba(rng, data, 1.2), log_proba(rng, data, 0.9)]

    def loss(w):
        z = w[0] * branches[0] + w[1] * branches[1]
        p = np.exp(z) / np.exp(z).sum(1, keepdims=True)
        nll = -np.log(p[np.arange(len(data.y)), data.y])
        return sum(nll[data.trial == i].mean() for i in range(30)) + 0.5 * ((w[0] - 0.5) ** 2 + (w[1] - 0.5) ** 2)

    grid = [(a, b) for a in np.arange(0, 3, 0.05) for b in np.arange(0, 3, 0.05)]
    np.testing.assert_allclose(fit_stack(branches, data), min(grid, key=loss), atol=0.05)


def test_where_no_branch_helps_the_probabilities_say_nothing_known(rng):
    data = dataset(rng, n_trials=80)
    worse = [4 * log_proba(rng, data, -1.0), 4 * log_proba(rng, data, -0.5)]
    assert sorted(fit_stack(worse, data)) == [0.0, MIN_BRANCH_WEIGHT]


def test_the_temperature_of_one_branch_is_in_its_weight(rng):
    data = dataset(rng, n_trials=400, per_trial=1)
    honest = log_proba(rng, data, 1.0)
    p = np.exp(honest)
    labels = (rng.random(400) < p[:, 1]).astype(int)  # what the probabilities promise comes true
    trials = tuple(Trial(data.classes[c], float(i)) for i, c in enumerate(labels))
    drawn = Dataset(data.x, data.trial, trials, data.montage, data.manifest)
    assert fit_stack([honest], drawn)[0] == pytest.approx(1.0, abs=0.25)
    assert fit_stack([3 * honest], drawn)[0] == pytest.approx(1 / 3, abs=0.1)


def test_stack_weights_of_a_block_do_not_know_its_labels(rng):
    data = dataset(rng, n_trials=30)
    branches = [log_proba(rng, data, 1.0), log_proba(rng, data, 0.5)]
    masks = blocks_of(data, 3)
    plain = nested_stack(branches, data, masks)
    for _, test in masks:
        flipped = relabel(data, test)
        changed = nested_stack(branches, flipped, masks)
        np.testing.assert_array_equal(changed[test], plain[test])
        assert not np.array_equal(changed, plain)
