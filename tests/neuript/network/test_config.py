"""Model configuration: published values, strict reading, clear refusals."""

from __future__ import annotations

import json
from dataclasses import fields

import pytest
from complexity import block_flops

from neuript.errors import NeuriptError
from neuript.network.config import PRESETS, NetworkConfig, preset


def test_defaults_are_the_published_model():
    config = NetworkConfig(n_outputs=6)
    assert (config.d_model, config.n_heads, config.d_ff) == (768, 8, 768)
    assert (config.d_expert, config.d_shared) == (512, 768)
    assert config.merges == (1, 4, 1, 2, 1, 2)
    assert config.experts == (0, 0, 2, 4, 4, 6)
    assert [config.top_k(e) for e in (2, 4, 6, 3, 5)] == [1, 2, 3, 2, 3]
    assert config == preset("base", n_outputs=6)
    assert config.n_scales == 7


@pytest.mark.parametrize(
    ("n_times", "lengths"),
    [
        (256, (256, 256, 64, 64, 32, 32, 16)),
        (320, (320, 320, 80, 80, 40, 40, 20)),
        (640, (640, 640, 160, 160, 80, 80, 40)),
        (128, (128, 128, 32, 32, 16, 16, 8)),
        (64, (64, 64, 16, 16, 8, 8, 4)),
        (1920, (1920, 1920, 480, 480, 240, 240, 120)),
        (250, (250, 250, 63, 63, 32, 32, 16)),
    ],
)
def test_published_lengths(n_times, lengths):
    assert NetworkConfig(n_outputs=2).lengths(n_times) == lengths


@pytest.mark.parametrize("name", PRESETS)
def test_dictionary_survives_json(name):
    config = preset(name, n_outputs=3, merges=(4, 1, 1, 2, 1, 2), gating="source", class_layers=2)
    values = json.loads(json.dumps(config.to_dict()))
    assert NetworkConfig.from_dict(values) == config
    assert set(values) == {f.name for f in fields(NetworkConfig)}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"n_outputs": 1}, "n_outputs=1"),
        ({"n_outputs": 2.0}, "n_outputs=2.0"),
        ({"d_model": 65}, "d_model=65"),
        ({"n_heads": 7}, "n_heads=7 must be a divisor of d_model=64"),
        ({"experts": (0, 0, 2)}, "6 blocks"),
        ({"merges": (1, 0, 1, 2, 1, 2)}, "merges"),
        ({"pooling": "max"}, "iilp, mean"),
        ({"dropout": 1.0}, "dropout=1.0"),
        ({"class_layers": 7}, "class_layers=7"),
        ({"binary_single_logit": True}, "n_outputs=2"),
        ({"top_k_ratio": 0.0}, "top_k_ratio=0.0"),
        ({"router_noise": -1.0}, "router_noise=-1.0"),
        ({"router_noise": float("nan")}, "router_noise=nan"),
        ({"pool_embedding": 1}, "pool_embedding=1"),
        ({"experts": 3}, "experts=3"),
        ({"widht": 3}, "widht"),
    ],
)
def test_bad_values_are_refused_by_name(change, words):
    values = preset("micro", n_outputs=3).to_dict() | change
    with pytest.raises(NeuriptError, match=words):
        NetworkConfig.from_dict(values)


def test_unknown_preset_option_and_missing_classes():
    with pytest.raises(NeuriptError, match="base, small, tiny, micro"):
        preset("nano", n_outputs=2)
    with pytest.raises(NeuriptError, match="widht"):
        preset("tiny", n_outputs=2, widht=3)
    with pytest.raises(NeuriptError, match="n_outputs"):
        NetworkConfig.from_dict({"d_model": 64})


def test_published_operations_per_block():
    giga = [round(f / 1e9, 3) for f in block_flops(preset("base", n_outputs=6), 20)]
    assert giga == pytest.approx([88.898, 27.509, 27.517, 18.229, 16.720, 10.611], abs=0.002)


@pytest.mark.parametrize(
    ("name", "n_chans", "n_times", "giga"),
    [("small", 20, 256, 31.7), ("base", 20, 640, 491), ("base", 16, 256, 152),
     ("base", 20, 128, 94), ("base", 2, 1920, 165), ("base", 17, 64, 39.5), ("base", 20, 320, 238)],
)  # fmt: skip
def test_published_operations_of_other_windows(name, n_chans, n_times, giga):
    total = sum(block_flops(preset(name, n_outputs=2), n_chans, n_times)) / 1e9
    assert total == pytest.approx(giga, abs=0.05 if isinstance(giga, float) else 0.6)


def test_dense_experts_cost_more():
    config = preset("base", n_outputs=2)
    used, computed = block_flops(config, 20), block_flops(config, 20, dense_experts=True)
    assert [c > u for c, u in zip(computed, used, strict=True)] == [False, False, *[True] * 4]
