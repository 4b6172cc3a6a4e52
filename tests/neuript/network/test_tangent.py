from __future__ import annotations

import numpy as np
import pytest
import torch
from pyriemann.estimation import Covariances
from pyriemann.tangentspace import TangentSpace
from scipy.signal import fftconvolve, firwin
from sklearn.covariance import oas

from neuript.network.stack import HybridClassifier
from neuript.network.tangent import TangentBranch, filter_bank, oas_covariance, reference_whitener

BANDS = [(8.0, 13.0), (13.0, 30.0)]
SFREQ, N_TAPS = 64.0, 65


@pytest.fixture
def windows(rng):
    mixing = rng.normal(size=(5, 5))
    return (np.einsum("dk,bkt->bdt", mixing, rng.normal(size=(12, 5, 256))) * 8e-6).astype(np.float32)


def make_branch(windows, rng, n_outputs=3):
    filtered = [
        fftconvolve(windows * 1e6, firwin(N_TAPS, b, pass_zero=False, fs=SFREQ)[None, None], "valid", axes=-1)
        for b in BANDS
    ]
    spaces = [TangentSpace().fit(Covariances("oas").fit_transform(f.astype(float))) for f in filtered]
    reference = np.hstack(
        [s.transform(Covariances("oas").fit_transform(f.astype(float))) for s, f in zip(spaces, filtered, strict=True)]
    )
    weight = torch.tensor(rng.normal(size=(n_outputs, reference.shape[1])))
    whiteners = torch.tensor(np.stack([reference_whitener(s.reference_) for s in spaces]))
    branch = TangentBranch(filter_bank(BANDS, SFREQ, N_TAPS), whiteners, weight, torch.zeros(n_outputs))
    return branch, reference


def test_covariance_is_that_of_scikit_learn(windows):
    ours = oas_covariance(torch.tensor(windows[0]).double() * 1e6).numpy()
    np.testing.assert_allclose(ours, oas(windows[0].T.astype(float) * 1e6)[0], rtol=1e-10)


def test_tangent_vectors_are_those_of_pyriemann(windows, rng):
    branch, reference = make_branch(windows, rng)
    np.testing.assert_allclose(branch.tangent(torch.tensor(windows)).numpy(), reference, atol=2e-4)


def test_a_window_does_not_depend_on_its_batch(windows, rng):
    branch, _ = make_branch(windows, rng)
    x = torch.tensor(windows)
    together = branch(x)
    alone = torch.cat([branch(x[i : i + 1]) for i in range(len(x))])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5)


def test_wrong_read_out_is_refused():
    with pytest.raises(ValueError, match="do not belong together"):
        TangentBranch(torch.zeros(2, 65), torch.eye(3).repeat(2, 1, 1), torch.zeros(2, 5), torch.zeros(2))


def test_hybrid_of_one_branch_has_the_probabilities_of_that_branch(windows, rng):
    branch, _ = make_branch(windows, rng)
    x = torch.tensor(windows)
    hybrid = HybridClassifier(None, branch, (0.0, 1.0), torch.zeros(3))
    torch.testing.assert_close(hybrid(x).softmax(-1), branch(x).softmax(-1))


@pytest.mark.filterwarnings("ignore:.*torch.jit")
def test_hybrid_adds_weighted_log_probabilities(windows, rng):
    branch, _ = make_branch(windows, rng)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(5 * 256, 3))
    x = torch.tensor(windows)
    bias = torch.tensor([0.1, -0.2, 0.0])
    hybrid = HybridClassifier(network, branch, (0.7, 0.4), bias)
    expected = bias + 0.7 * network(x).log_softmax(-1) + 0.4 * branch(x).log_softmax(-1)
    torch.testing.assert_close(hybrid(x), expected)
    traced = torch.jit.trace(hybrid.eval(), x[:2])
    torch.testing.assert_close(traced(x), hybrid(x), rtol=1e-4, atol=1e-5)


def test_hybrid_needs_a_branch_and_no_negative_weight(windows, rng):
    with pytest.raises(ValueError, match="at least one branch"):
        HybridClassifier(None, None, (1.0, 0.0), torch.zeros(2))
    branch, _ = make_branch(windows, rng)
    with pytest.raises(ValueError, match="negative"):
        HybridClassifier(None, branch, (0.0, -1.0), torch.zeros(3))
