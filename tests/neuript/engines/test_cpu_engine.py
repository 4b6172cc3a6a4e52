"""The engine on the CPU: the network's answers, whatever its switches, from the first call to the last."""

from __future__ import annotations

import gc

import numpy as np
import pytest
import torch
from networks import eeg_windows, made_up_network

from neuript.engines.agreement import compare_engines
from neuript.engines.contract import EagerEngine
from neuript.engines.cpu_engine import CpuEngine

SWITCHES = {
    "published": {},
    "no experts": {"experts": (0, 0, 0, 0, 0, 0)},
    "one expert": {"experts": (1, 3, 0, 0, 0, 0)},
    "all experts": {"top_k_ratio": 1.0},
    "gates as in the source": {"gating": "source"},
    "gelu": {"activation": "gelu"},
    "relu": {"activation": "relu"},
    "merge at once": {"merges": (4, 1, 2), "experts": (0, 2, 3)},
    "merge with a remainder": {"merges": (1, 3, 3), "experts": (0, 0, 2)},
    "no positions": {"temporal_pe": "none", "spatial_pe": "none"},
    "learned positions": {"temporal_pe": "learned", "spatial_pe": "learned_2d"},
    "spatial bias": {"spatial_bias": True},
    "mean removed": {"remove_mean": True, "companding": "linear"},
    "last layers": {"class_layers": 2, "pool_embedding": False},
    "all tokens": {"pooling": "none", "merges": (1, 4), "experts": (0, 2)},
    "covariances": {"pooling": "covariance", "covariance_heads": 4},
    "hidden head": {"head": "mlp"},
    "one logit": {"n_outputs": 2, "binary_single_logit": True},
}


def with_bias(network):
    if network.encoder.spatial_bias is not None:
        torch.nn.init.normal_(network.encoder.spatial_bias.weight, std=0.05)
    return network


@pytest.mark.parametrize("fields", SWITCHES.values(), ids=SWITCHES.keys())
def test_the_answers_are_the_networks(fields: dict):
    network, windows = with_bias(made_up_network(**fields)), eeg_windows(5)
    engine = CpuEngine(network)
    found = compare_engines(EagerEngine(network), engine, windows, network)
    found.check()
    assert found.expert_flips == 0
    assert engine(windows).shape == (5, network.config.n_logits)


def test_a_size_of_use():
    network, windows = made_up_network("tiny", 20, n_times=256), eeg_windows(1, 20, 256)
    compare_engines(EagerEngine(network), CpuEngine(network), windows).check()


@pytest.mark.parametrize("group_bytes", [1, 40_000, 1 << 30])
def test_any_groups(network, windows, group_bytes: int):
    compare_engines(EagerEngine(network), CpuEngine(network, group_bytes=group_bytes), windows[:2]).check()


@pytest.mark.parametrize("n_chans", [1, 2, 33])
def test_any_number_of_channels(n_chans: int):
    network, windows = made_up_network(n_chans=n_chans, pooling="mean"), eeg_windows(3, n_chans)
    compare_engines(EagerEngine(network), CpuEngine(network), windows).check()


def test_the_same_window_gives_the_same_bits(network, windows):
    engine = CpuEngine(network)
    first = engine(windows)
    again = np.concatenate([engine(window[None]) for window in windows[::-1]])[::-1]
    np.testing.assert_array_equal(first, again)


def test_flat_and_huge_windows_are_answered_as_by_the_network(network):
    windows = np.zeros((3, 6, 64), np.float32)
    windows[1] = 1.0  # volts
    windows[2, 0] = 5e-3
    compare_engines(EagerEngine(network), CpuEngine(network), windows).check()


def test_another_shape_is_refused(network):
    with pytest.raises(ValueError, match="the engine takes"):
        CpuEngine(network)(np.zeros((1, 7, 64), np.float32))


def test_threads_are_set_where_they_are_asked_for(network, windows):
    one, two = CpuEngine(network, threads=1), CpuEngine(network, threads=2)
    expected = one(windows[:1])
    assert torch.get_num_threads() == 1
    np.testing.assert_allclose(two(windows[:1]), expected, atol=1e-4)
    assert torch.get_num_threads() == 2


def test_objects_do_not_pile_up(network, windows):
    def n_tensors():
        gc.collect()
        return sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects())

    engine = CpuEngine(network)
    engine(windows[:1])
    before = n_tensors()
    for _ in range(20):
        engine(windows[:1])
    assert n_tensors() == before
