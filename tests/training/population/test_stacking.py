"""The stacks among which people choose, and what a stack of branches says."""

from __future__ import annotations

import numpy as np
from scipy.special import log_softmax, softmax

from neuript.training.population.stacking import NETWORK_SHARES, STACKS, TOTALS, stacked


def test_there_is_a_stack_for_each_share_and_each_total() -> None:
    assert len(set(STACKS)) == len(STACKS) == len(NETWORK_SHARES) * len(TOTALS)
    for network, tangent in STACKS:
        assert round(network + tangent, 9) in TOTALS
        assert round(network / (network + tangent), 9) in NETWORK_SHARES
    assert {network == 0 for network, _ in STACKS} == {True, False}  # the network may be left out
    assert any(tangent == 0 for _, tangent in STACKS)


def test_a_stack_multiplies_powers_of_probabilities(rng: np.random.Generator) -> None:
    a, b = (log_softmax(rng.normal(size=(5, 3)), axis=1) for _ in range(2))
    found = np.exp(stacked((a, b), (0.3, 1.1)))
    product = np.exp(a) ** 0.3 * np.exp(b) ** 1.1
    np.testing.assert_allclose(found, product / product.sum(1, keepdims=True))
    np.testing.assert_allclose(found, softmax(0.3 * a + 1.1 * b, axis=1))


def test_one_branch_alone_stays_as_it_is(rng: np.random.Generator) -> None:
    a, b = (log_softmax(rng.normal(size=(5, 3)), axis=1) for _ in range(2))
    np.testing.assert_allclose(stacked((a, b), (0.0, 1.0)), b)
    np.testing.assert_allclose(stacked((a, b), (1.0, 0.0)), a)
