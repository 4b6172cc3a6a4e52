from __future__ import annotations

import numpy as np
import pytest
import torch

from neuript.network.stack import HybridClassifier, reference_of
from neuript.network.tangent import TangentBranch

N_CHANS, N_TIMES, N_TANGENT, N_OUTPUTS = 5, 256, 30, 3


@pytest.fixture
def windows(rng):
    """Signal (12, 5, 256) and tangent vectors (12, 30)."""
    signal = rng.normal(size=(12, N_CHANS, N_TIMES)) * 1e-5
    return torch.tensor(signal).float(), torch.tensor(rng.normal(size=(12, N_TANGENT))).float()


@pytest.fixture
def branch(rng):
    return TangentBranch(torch.tensor(rng.normal(size=(N_OUTPUTS, N_TANGENT))), torch.tensor(rng.normal(size=3))).eval()


@pytest.fixture
def network():
    torch.manual_seed(4)
    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(N_CHANS * N_TIMES, N_OUTPUTS)).eval()


def reference(rng):
    return {
        "mean": torch.tensor(rng.normal(size=(3, N_CHANS, N_CHANS))),
        "distance": torch.tensor(rng.normal(size=3)),
        "seconds": torch.tensor(31.25, dtype=torch.float64),
    }


def test_the_branch_is_a_matrix_and_a_bias(windows, branch):
    _, tangent = windows
    expected = tangent.double().numpy() @ branch.weight.double().numpy().T + branch.bias.double().numpy()
    np.testing.assert_allclose(branch(tangent).numpy(), expected, rtol=1e-5, atol=1e-5)
    assert not any(part.requires_grad for part in branch.parameters())


def test_a_window_does_not_depend_on_its_batch(windows, branch):
    _, tangent = windows
    together = branch(tangent)
    alone = torch.cat([branch(tangent[i : i + 1]) for i in range(len(tangent))])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("weight", "bias"), [((2, 5), (3,)), ((2, 5), ()), ((5,), (5,)), ((1, 2, 5), (1,))])
def test_wrong_read_out_is_refused(weight, bias):
    with pytest.raises(ValueError, match="differ"):
        TangentBranch(torch.zeros(weight), torch.zeros(bias))


def test_hybrid_of_one_branch_has_the_probabilities_of_that_branch(windows, branch, network):
    signal, tangent = windows
    hybrid = HybridClassifier(None, branch, (0.0, 1.0), torch.zeros(3))
    torch.testing.assert_close(hybrid(signal, tangent).softmax(-1), branch(tangent).softmax(-1))
    hybrid = HybridClassifier(network, None, (1.0, 0.0), torch.zeros(3))
    for also in ((), (None,), (tangent,)):
        torch.testing.assert_close(hybrid(signal, *also).softmax(-1), network(signal).softmax(-1))


def test_hybrid_adds_weighted_log_probabilities(windows, branch, network):
    signal, tangent = windows
    bias = torch.tensor([0.1, -0.2, 0.0])
    hybrid = HybridClassifier(network, branch, (0.7, 0.4), bias)
    expected = bias + 0.7 * network(signal).log_softmax(-1) + 0.4 * branch(tangent).log_softmax(-1)
    torch.testing.assert_close(hybrid(signal, tangent), expected)


def test_hybrid_needs_a_branch_and_no_negative_weight(branch):
    with pytest.raises(ValueError, match="at least one branch"):
        HybridClassifier(None, None, (1.0, 0.0), torch.zeros(2))
    with pytest.raises(ValueError, match="negative"):
        HybridClassifier(None, branch, (0.0, -1.0), torch.zeros(3))


def test_the_reference_is_part_of_the_state_in_double_precision_and_of_nothing_else(windows, branch, rng):
    _, tangent = windows
    values = reference(rng)
    hybrid = HybridClassifier(None, branch, (0.0, 1.0), torch.zeros(3), values).eval()
    found = reference_of(hybrid.state_dict())
    assert set(found) == set(values)
    for name, value in values.items():
        assert found[name].dtype == torch.float64
        assert torch.equal(found[name], value)
    plain = HybridClassifier(None, branch, (0.0, 1.0), torch.zeros(3)).eval()
    assert reference_of(plain.state_dict()) == {}
    assert torch.equal(hybrid(tangent, tangent), plain(tangent, tangent))


def test_a_gate_is_one_more_output_and_changes_no_class(windows, branch, network):
    signal, tangent = windows
    gate = TangentBranch(torch.randn(2, tangent.shape[1]), torch.randn(2))
    bias = torch.tensor([0.1, -0.2, 0.0])
    plain = HybridClassifier(network, branch, (0.7, 0.4), bias).eval()
    hybrid = HybridClassifier(network, branch, (0.7, 0.4), bias, gate=gate).eval()
    found = hybrid(signal, tangent)
    torch.testing.assert_close(found[:, :3], plain(signal, tangent))
    nothing, task = gate(tangent).T
    torch.testing.assert_close(found[:, 3], task - nothing)
    assert set(hybrid.state_dict()) - set(plain.state_dict()) == {"gate.weight", "gate.bias"}
