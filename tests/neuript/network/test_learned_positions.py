"""Learned positions of an encoder in another network: by channel and sample, and what is said of the rest."""

from __future__ import annotations

import logging

import pytest
import torch

from neuript.montages import load_montage
from neuript.network.config import preset
from neuript.training.fitting.build import build_network

MONTAGE = load_montage("openbci-16")


def network(montage=MONTAGE, *, seed=1, n_times=64, encoder=None, names=None, **options):
    shape = {"d_model": 12, "n_heads": 2, "d_ff": 8, "merges": (4, 2), "experts": (0, 0), "temporal_pe": "learned"}
    config = preset("micro", n_outputs=2, n_times=n_times, **{**shape, "spatial_pe": "learned_1d", **options})
    return build_network(config, montage, seed=seed, encoder=encoder, encoder_channels=names)


@pytest.mark.parametrize("spatial_pe", ["learned_1d", "learned_2d"])
def test_the_same_montage_and_window_keep_all_of_them(caplog, spatial_pe):
    source = network(spatial_pe=spatial_pe)
    state = source.state_dict()
    with caplog.at_level(logging.WARNING):
        loaded = network(seed=2, encoder=state, names=MONTAGE.ch_names, spatial_pe=spatial_pe)
    for key, weight in source.encoder.state_dict().items():
        assert torch.equal(loaded.encoder.state_dict()[key], weight), key
    assert not caplog.records


def test_channels_go_by_their_name_and_new_ones_are_said_to_be_new(caplog):
    source = network(n_times=80)
    names = list(MONTAGE.ch_names)
    fewer = load_montage("10-20").pick([names[5], "Fz", names[2]])
    with caplog.at_level(logging.WARNING):
        loaded = network(fewer, seed=2, encoder=source.state_dict(), names=names)
    table, fresh = loaded.encoder.pe_space.table, network(fewer, seed=2).encoder.pe_space.table
    learned = source.encoder.pe_space.table
    assert torch.equal(table, torch.stack([learned[5], fresh[1], learned[2]]))
    assert torch.equal(loaded.encoder.pe_time.table, source.encoder.pe_time.table[:64])
    assert "the positions of 1 of 3 channels" in caplog.text


@pytest.mark.parametrize(
    ("before", "after", "sentence"),
    [({"n_times": 32}, {}, "learned 32 of 64 samples"), ({"spatial_pe": "3d"}, {}, "pe_space.table")],
)
def test_what_an_encoder_never_learned_is_said(caplog, before, after, sentence):
    state = network(**before).state_dict()
    with caplog.at_level(logging.WARNING):
        network(encoder=state, names=MONTAGE.ch_names, **after)
    assert sentence in caplog.text
