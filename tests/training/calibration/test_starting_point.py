"""Starting points: the shipped encoder, random weights, a checkpoint of one's own, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from neuript.errors import NeuriptError
from neuript.modelfile.checkpoint import load_checkpoint, save_checkpoint
from neuript.training.calibration import calibration_spec
from neuript.training.calibration.starting_point import starting_point


def test_starting_points():
    start = starting_point("tiny", 3, 200)
    assert (start.config.d_model, start.config.n_outputs, start.config.n_times) == (128, 3, 200)
    assert (start.encoder, start.simulated) == (None, False)
    assert starting_point("micro", 2, 256).config.d_model == 64
    assert starting_point("pretrained", 2, 256).simulated  # the shipped encoder knows only the twin


@pytest.mark.parametrize("simulated", [False, True])
def test_a_checkpoint_of_ones_own_is_a_starting_point(tmp_path, simulated):
    manifest, state = load_checkpoint(calibration_spec.PRETRAINED)
    real = replace(manifest, provenance={**manifest.provenance, "simulated": simulated})
    save_checkpoint(tmp_path / "own.safetensors", state, real)
    start = starting_point(str(tmp_path / "own.safetensors"), 2, 128)
    assert start.simulated is simulated
    assert start.config.pooling == "channels"
    assert start.encoder.keys() == state.keys()
    with pytest.raises(NeuriptError, match=r"absent.* is no checkpoint file"):
        starting_point(str(tmp_path / "absent.safetensors"), 2, 128)


def test_a_missing_encoder_is_named_with_the_alternatives(monkeypatch, tmp_path):
    monkeypatch.setattr(calibration_spec, "PRETRAINED", tmp_path / "twin-micro.safetensors")
    with pytest.raises(NeuriptError, match=r"no pretrained encoder.*--network micro, tiny or none"):
        starting_point("pretrained", 2, 256)
