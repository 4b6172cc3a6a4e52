"""A module is built again from its file, with all that a calibration put beside the network."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from eight_electrodes import ALIGNED, CONFIG, N_TANGENT, calibrated_reference, eeg, hybrid_of, make_manifest

from neuript.errors import ModelRefusedError
from neuript.modelfile.checkpoint import save_checkpoint
from neuript.modelfile.container import Golden
from neuript.modelfile.deployable import load_model, open_model, save_model
from neuript.modelfile.engines import check_golden, eager_engine, golden_inputs, golden_tangents
from neuript.modelfile.rebuild import build_module
from neuript.network.network import NeurIPTNetwork
from neuript.realtime.chain.alignment import Reference


def test_the_network_is_built_again_exactly(network: NeurIPTNetwork) -> None:
    again = build_module(make_manifest(), network.state_dict())
    x = torch.from_numpy(golden_inputs(make_manifest(), 2))
    with torch.inference_mode():
        assert torch.equal(again(x), network(x))


def test_a_checkpoint_runs_like_the_model_file(
    network: NeurIPTNetwork, deployed: Path, tmp_path: Path, rng: np.random.Generator
) -> None:
    path = tmp_path / "mi.safetensors"
    save_checkpoint(path, network, make_manifest())
    opened = open_model(path)
    plain = open_model(deployed)
    window = eeg(rng)
    np.testing.assert_array_equal(opened.infer(window), plain.infer(window))
    assert opened.manifest == plain.manifest
    save_checkpoint(path, network.encoder, make_manifest(classes=()))
    with pytest.raises(ModelRefusedError, match="pretrained encoder"):
        open_model(path)


@pytest.mark.parametrize("parts", ["both", "tangent", "network", "gated"])
def test_a_hybrid_is_saved_opened_and_built_again(
    network: NeurIPTNetwork, tmp_path: Path, parts: str, rng: np.random.Generator
) -> None:
    module, manifest = hybrid_of(network, parts)
    path = tmp_path / "mi.ts"
    save_model(path, module, manifest)
    window, tangent = eeg(rng), rng.normal(size=N_TANGENT)
    with torch.inference_mode():
        inputs = torch.from_numpy(window.T.copy())[None], torch.from_numpy(tangent)[None].float()
        expected = module(*inputs)[0].numpy()
    built = open_model(path, engine="eager")
    np.testing.assert_array_equal(built.infer(window, tangent), expected)
    reads = {"signal": built.infer(2 * window, tangent), "tangent": built.infer(window, 2 * tangent)}
    changed = {part for part, logits in reads.items() if not np.allclose(logits, expected, atol=1e-4)}
    assert changed == {"tangent": {"tangent"}, "network": {"signal"}}.get(parts, {"signal", "tangent"})


@pytest.mark.parametrize("parts", ["both", "tangent", "network", "gated"])
def test_the_reference_of_a_calibration_comes_back_bit_for_bit(
    network: NeurIPTNetwork, tmp_path: Path, parts: str
) -> None:
    module, manifest = hybrid_of(network, parts)
    path = tmp_path / "mi.ts"
    save_model(path, module, manifest)
    opened = open_model(path)
    found = Reference.of(opened.reference)
    assert found is not None
    expected = calibrated_reference()
    np.testing.assert_array_equal(found.mean, expected.mean)
    np.testing.assert_array_equal(found.distance, expected.distance)
    assert found.mean.dtype == found.distance.dtype == np.float64
    assert found.seconds == expected.seconds
    deployable = load_model(path)
    again = deployable.module
    signal, tangent = torch.from_numpy(deployable.golden.signal), torch.from_numpy(deployable.golden.tangent)
    with torch.inference_mode():
        assert torch.equal(again(signal, tangent), module(signal, tangent))
    state = again.state_dict()
    assert all(torch.equal(state[name], values) for name, values in module.state_dict().items())
    assert set(state) == set(module.state_dict())


def test_a_checkpoint_of_a_calibrated_model_keeps_its_reference(network: NeurIPTNetwork, tmp_path: Path) -> None:
    module, manifest = hybrid_of(network, "both")
    path = tmp_path / "mi.safetensors"
    save_checkpoint(path, module, manifest)
    opened = Reference.of(open_model(path).reference)
    assert opened is not None
    np.testing.assert_array_equal(opened.mean, calibrated_reference().mean)
    assert opened.seconds == calibrated_reference().seconds


def test_a_model_without_an_alignment_has_no_reference(deployed: Path) -> None:
    assert open_model(deployed).reference == {}
    assert Reference.of({}) is None


def test_a_tangent_vector_of_another_length_is_refused(network: NeurIPTNetwork, rng: np.random.Generator) -> None:
    module, manifest = hybrid_of(network, "both")
    aligned = eager_engine(module, manifest)
    for wrong in (np.zeros(N_TANGENT - 1), np.zeros(N_TANGENT + 1), np.zeros((1, N_TANGENT)), np.zeros(0), None):
        with pytest.raises(ValueError, match=r"tangent\.shape"):
            aligned.infer(eeg(rng), wrong)
    plain = eager_engine(network, make_manifest())
    plain.infer(eeg(rng), np.zeros(0))
    with pytest.raises(ValueError, match=r"tangent\.shape"):
        plain.infer(eeg(rng), np.zeros(N_TANGENT))


def test_golden_tangents_are_checked_when_a_model_is_opened(network: NeurIPTNetwork) -> None:
    module, manifest = hybrid_of(network, "tangent")
    engine = eager_engine(module, manifest)
    signal, tangent = golden_inputs(manifest, 4), golden_tangents(manifest, 4)
    with torch.inference_mode():
        golden = Golden(signal, tangent, module(torch.from_numpy(signal), torch.from_numpy(tangent)).numpy())
    assert check_golden(engine, golden, "it") < 1e-5
    with pytest.raises(ModelRefusedError, match="golden outputs"):
        check_golden(engine, replace(golden, tangent=1.5 * tangent), "it")
    with pytest.raises(ModelRefusedError, match="cannot run windows"):
        check_golden(engine, replace(golden, tangent=tangent[:, 1:]), "it")


def test_golden_tangents_have_the_length_of_real_ones() -> None:
    manifest = make_manifest(preprocess=ALIGNED)
    vectors = golden_tangents(manifest, 200)
    assert vectors.shape == (200, N_TANGENT)
    assert vectors.dtype == np.float32
    np.testing.assert_array_equal(vectors, golden_tangents(manifest, 200))
    per_band = np.linalg.norm(vectors.reshape(200, 2, -1), axis=-1)
    assert 0.8 < per_band.mean() < 1.2  # one typical distance
    assert golden_tangents(make_manifest(), 3).shape == (3, 0)


@pytest.mark.parametrize(
    ("model", "match"),
    [
        ({"architecture": "gpt"}, "architecture 'gpt' is not known"),
        (CONFIG.to_dict() | {"d_model": 128}, "the manifest asks for"),
        (CONFIG.to_dict() | {"merges": (1, 4, 4)}, "the manifest asks for"),
        (CONFIG.to_dict() | {"pooling": "mean"}, r"'head\.weight' are"),
        (CONFIG.to_dict() | {"surprise": 1}, "unknown field surprise"),
        ({"architecture": "hybrid"}, "cannot be built"),
    ],
)
def test_a_manifest_of_another_model(network: NeurIPTNetwork, model: dict[str, Any], match: str) -> None:
    with pytest.raises(ModelRefusedError, match=match):
        build_module(make_manifest(model=model), network.state_dict())


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"weights": [-1.0, 0.9]}, "must not be negative"),
        ({"weights": [1.0]}, "cannot be built"),
        ({"weights": ["a", "b"]}, "cannot be built"),
        ({"weights": None}, "cannot be built"),
        ({"network": None}, r"'network\..* and the manifest asks for nothing"),
        ({"network": 3}, "cannot be built"),
        ({"network": CONFIG.to_dict() | {"n_outputs": 4}}, "the manifest asks for"),
    ],
)
def test_a_stack_that_is_none(network: NeurIPTNetwork, changes: dict[str, Any], match: str) -> None:
    module, manifest = hybrid_of(network, "both")
    with pytest.raises(ModelRefusedError, match=match):
        build_module(make_manifest(model=manifest.model | changes, preprocess=ALIGNED), module.state_dict())


def test_a_read_out_of_other_classes_or_another_length(network: NeurIPTNetwork) -> None:
    module, manifest = hybrid_of(network, "gated")
    for name, shape in {"tangent": (3, N_TANGENT), "gate": (2, N_TANGENT)}.items():
        for wrong in ((shape[0] + 1, shape[1]), (shape[0], shape[1] - 1)):
            state = module.state_dict() | {f"{name}.weight": torch.zeros(wrong), f"{name}.bias": torch.zeros(wrong[0])}
            with pytest.raises(ModelRefusedError, match=f"'{name}.weight' are .* asks for"):
                build_module(manifest, state)


def test_what_grows_with_the_square_of_the_channels_is_bounded(network: NeurIPTNetwork) -> None:
    many = [f"C{i}" for i in range(1025)]
    montage = {"name": "many", "ch_names": many, "lobes": {"a": [0]}, "pos_m": [[0.0, 0.0, 0.0]] * 1025}
    with pytest.raises(ModelRefusedError, match="asks for 1025 channels; at most 1024 are taken"):
        build_module(make_manifest(montage=montage), network.state_dict())
    montage |= {"ch_names": many[:1000], "pos_m": montage["pos_m"][:1000]}
    with pytest.raises(ModelRefusedError, match="numbers in a bias; at most"):
        build_module(
            make_manifest(montage=montage, model=CONFIG.to_dict() | {"spatial_bias": True}), network.state_dict()
        )
