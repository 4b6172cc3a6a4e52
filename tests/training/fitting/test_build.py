"""One network for given windows, whoever asks."""

from __future__ import annotations

import pytest
import torch

from neuript.errors import NeuriptError
from neuript.montages import load_montage
from neuript.network.config import NetworkConfig, preset
from neuript.network.network import NeurIPTNetwork
from neuript.training.fitting.build import build_network, network_config

MONTAGE = load_montage("openbci-8")
SMALL = {"d_model": 12, "n_heads": 2, "merges": (4, 2), "experts": (0, 2)}


def test_two_classes_get_one_logit_unless_it_is_said_otherwise():
    assert network_config("micro", n_outputs=2, n_times=64).n_logits == 1
    assert network_config("micro", n_outputs=3, n_times=64).n_logits == 3
    two = network_config("micro", n_outputs=2, n_times=64, options={"binary_single_logit": False, "n_outputs": 9})
    assert two == preset("micro", n_outputs=2, n_times=64)


def test_a_shape_is_a_preset_or_the_fields_of_an_encoder():
    fields = preset("micro", n_outputs=5, n_times=256, **SMALL).to_dict()
    config = network_config(fields, n_outputs=3, n_times=64, options={"dropout": 0.3})
    assert config == NetworkConfig.from_dict({**fields, "n_outputs": 3, "n_times": 64, "dropout": 0.3})
    for shape in ("huge", {**fields, "wings": 2}):
        with pytest.raises(NeuriptError, match=r"huge|wings"):
            network_config(shape, n_outputs=3, n_times=64)


def test_a_seed_gives_the_weights_and_an_encoder_replaces_all_but_the_head():
    config = network_config("micro", n_outputs=3, n_times=64, options=SMALL)
    torch.manual_seed(4)
    plain = NeurIPTNetwork(config, MONTAGE.pos_m, MONTAGE.lobe_groups()).state_dict()
    other = build_network(config, MONTAGE, seed=5)
    torch.manual_seed(9)
    expected = torch.rand(2)
    torch.manual_seed(9)
    built = build_network(config, MONTAGE, seed=4)
    started = build_network(config, MONTAGE, seed=4, encoder=other.state_dict())
    assert torch.equal(torch.rand(2), expected)
    for name, weight in built.state_dict().items():
        assert torch.equal(weight, plain[name])
        source = plain if name.startswith("head.") else other.state_dict()
        assert torch.equal(started.state_dict()[name], source[name])
    assert built.n_chans == MONTAGE.n_chans
