"""The network of a calibration: the shipped encoder, one's own, none, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from made_up_windows import dataset, frozen

from neuript.errors import NeuriptError
from neuript.files import file_sha256
from neuript.modelfile.checkpoint import load_checkpoint, save_checkpoint
from neuript.network.config import NetworkConfig, preset
from neuript.training.calibration import calibration_spec
from neuript.training.calibration.frozen_network import EncoderFile, build_frozen
from neuript.training.fitting.build import build_network
from neuript.training.fitting.forward import predict_logits
from neuript.training.fitting.tangent_readout import Readout


def test_the_shipped_encoder_reads_any_cap(rng):
    data = dataset(rng)
    encoder = EncoderFile.load("pretrained")
    network = build_frozen(encoder, data)
    features = network.features_of(data.signal)
    assert features.shape[0] == len(data.x)
    assert np.isfinite(features).all()
    assert not network.network.training
    assert EncoderFile.load("none") is None


@pytest.mark.parametrize("simulated", [False, True])
@pytest.mark.parametrize("depth", [1, 3, 6])
def test_an_encoder_of_ones_own_with_any_number_of_blocks(tmp_path, rng, simulated, depth):
    data = dataset(rng)
    config = preset(
        "micro", n_outputs=2, d_model=16, n_heads=2, merges=(4, 2, 1, 2, 1, 2)[:depth], experts=(0,) * depth
    )
    manifest, _ = load_checkpoint(calibration_spec.PRETRAINED)
    weights = build_network(config, data.montage, seed=3).encoder.state_dict()
    said = {**manifest.provenance, "simulated": simulated}
    own = replace(manifest, provenance=said, model=config.to_dict(), classes=(), idle_class=None, metrics={})
    path = tmp_path / "own.safetensors"
    save_checkpoint(path, {f"encoder.{k}": v for k, v in weights.items()}, own)
    network = build_frozen(EncoderFile.load(str(path)), data)
    assert network.simulated is simulated
    assert network.features_of(data.signal).shape == (len(data.x), depth * 8 * 6)
    again = network.network.encoder.state_dict()
    assert all(torch.equal(again[k], v) for k, v in weights.items() if not k.startswith(("pe_time", "pe_space")))
    with pytest.raises(NeuriptError, match=r"absent.* is no checkpoint file"):
        EncoderFile.load(str(tmp_path / "absent.safetensors"))


def test_an_encoder_that_saw_no_alignment_gets_the_whole_band(tmp_path, rng):
    manifest, state = load_checkpoint(calibration_spec.PRETRAINED)
    plain = replace(manifest, preprocess={**manifest.preprocess, "alignment": None})
    save_checkpoint(tmp_path / "plain.safetensors", state, plain)
    alignment = EncoderFile.load(str(tmp_path / "plain.safetensors")).alignment()
    assert (alignment.signal_band_hz, alignment.signal_rms_v) == (None, 1e-5)


def test_the_read_out_becomes_the_head(rng):
    data = dataset(rng)
    network = frozen(data)
    features = network.features_of(data.signal)
    n = features.shape[1]
    readout = Readout(rng.normal(size=(2, n)), rng.normal(size=2))
    logits = predict_logits(network.with_readout(readout), data.signal)
    np.testing.assert_allclose(logits, readout.logits(features), rtol=1e-4, atol=1e-4)
    assert isinstance(network.network.config, NetworkConfig)


def test_a_missing_encoder_is_named_with_the_alternatives(monkeypatch, tmp_path):
    monkeypatch.setattr(calibration_spec, "PRETRAINED", tmp_path / "gone.safetensors")
    with pytest.raises(NeuriptError, match=r"no pretrained encoder.*--network none"):
        EncoderFile.load("pretrained")


def test_a_recording_that_the_encoder_was_trained_on_is_known_by_its_hash(tmp_path):
    seen, unseen = tmp_path / "seen.edf", tmp_path / "unseen.edf"
    seen.write_bytes(b"one")
    unseen.write_bytes(b"two")
    manifest, state = load_checkpoint(calibration_spec.PRETRAINED)
    full = file_sha256(seen)
    for said in ({"file_hashes": [full]}, {"file_hashes": [], "corpus": {"file_hashes": [full[:16]]}}):
        marked = replace(manifest, provenance={**manifest.provenance, **said})
        save_checkpoint(tmp_path / "own.safetensors", state, marked)
        encoder = EncoderFile.load(str(tmp_path / "own.safetensors"))
        assert encoder.has_seen([unseen, seen])
        assert not encoder.has_seen([unseen, tmp_path / "absent.edf"])
