"""Model files: written whole or not at all, and read back to the bit."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from eight_electrodes import CONFIG, hybrid_of
from processes import finished, python
from torch import nn
from toy_model import N_CHANS, N_TIMES, make_manifest, toy_network

from neuript.errors import ModelRefusedError, NeuriptError
from neuript.modelfile.container import Part, parse
from neuript.modelfile.deployable import export_model, load_model, open_model, save_model
from neuript.modelfile.describe import describe_model, read_manifest
from neuript.network.network import NeurIPTNetwork


def test_round_trip(tmp_path: Path, toy: NeurIPTNetwork, rng: np.random.Generator) -> None:
    path = tmp_path / "mi.ts"
    written = save_model(path, toy, make_manifest())
    engine = open_model(path, engine="eager")
    assert engine.manifest == written == read_manifest(path)
    assert written == make_manifest(weights_sha256=written.weights_sha256)
    for _ in range(5):
        window = (rng.normal(size=(N_TIMES, N_CHANS)) * 1e-5).astype(np.float32)
        with torch.inference_mode():
            expected = toy(torch.from_numpy(window.T.copy())[None])[0].numpy()
        np.testing.assert_array_equal(engine.infer(window), expected)


def test_the_file_is_plain_safetensors_for_everybody_else(saved: Path, toy: NeurIPTNetwork) -> None:
    from safetensors import safe_open
    from safetensors.torch import load_file

    with safe_open(saved, "pt") as file:
        assert set(file.metadata()) == {f"neuript.{name}" for name in ("seal", "container", "manifest", "parts")}
    tensors = load_file(saved)
    for name, weight in toy.state_dict().items():
        assert torch.equal(tensors[name], weight)
    assert len(tensors) == len(toy.state_dict()) + 3  # the golden vectors


def test_the_same_model_gives_the_same_bytes(tmp_path: Path, saved: Path) -> None:
    save_model(tmp_path / "again.ts", toy_network(), make_manifest())
    assert (tmp_path / "again.ts").read_bytes() == saved.read_bytes()


def test_the_file_names_no_folder_of_its_author(saved: Path) -> None:
    data = saved.read_bytes()
    for folder in (str(Path(torch.__file__).parents[1]), str(Path(__file__).parent)):
        assert folder.encode() not in data


def test_weights_hash_follows_the_weights_only(tmp_path: Path, toy: NeurIPTNetwork) -> None:
    first = save_model(tmp_path / "a.ts", toy, make_manifest())
    again = save_model(tmp_path / "b.ts", toy, make_manifest(hop_s=0.25))
    with torch.no_grad():
        toy.head.bias[0] += 1e-6
    changed = save_model(tmp_path / "c.ts", toy, make_manifest())
    assert first.weights_sha256 == again.weights_sha256
    assert changed.weights_sha256 != first.weights_sha256


def test_given_golden_windows_are_stored(tmp_path: Path, toy: NeurIPTNetwork, rng: np.random.Generator) -> None:
    windows = (rng.normal(size=(7, N_CHANS, N_TIMES)) * 1e-5).astype(np.float32)
    save_model(tmp_path / "mi.ts", toy, make_manifest(), windows)
    golden = load_model(tmp_path / "mi.ts").golden
    np.testing.assert_array_equal(golden.signal, windows)
    assert golden.tangent.shape == (7, 0)
    expected = toy(torch.from_numpy(windows)).detach().numpy()
    np.testing.assert_allclose(golden.logits, expected, rtol=1e-5, atol=1e-6)


def test_a_model_gives_its_network_and_its_shape(network: NeurIPTNetwork, deployed: Path, tmp_path: Path) -> None:
    """What other engines are made from, whether the network is alone or in a stack."""
    save_model(tmp_path / "hybrid.ts", *hybrid_of(network, "both"))
    for path in (deployed, tmp_path / "hybrid.ts"):
        model = load_model(path)
        assert isinstance(model.network, NeurIPTNetwork)
        assert model.config == CONFIG
        assert not model.network.training
        state = model.network.state_dict()
        assert all(torch.equal(state[name], weight) for name, weight in network.state_dict().items())
    save_model(tmp_path / "tangent.ts", *hybrid_of(network, "tangent"))
    assert load_model(tmp_path / "tangent.ts").network is None
    assert load_model(tmp_path / "tangent.ts").config is None


def test_parts_for_engines_are_kept_as_they_are(tmp_path: Path, toy: NeurIPTNetwork, saved: Path) -> None:
    onnx = Part(b"\x08\x0aneuript", {"opset": 20})
    path = tmp_path / "onnx.ts"
    path.write_bytes(load_model(saved).with_parts({"network.onnx": onnx}))
    model = load_model(path)
    parts = {name: (bytes(part.data), part.about) for name, part in model.parts.items()}
    assert parts == {"network.onnx": (onnx.data, onnx.about)}
    assert model.manifest == load_model(saved).manifest
    assert model.sha256 != load_model(saved).sha256
    assert "network.onnx (0.0 MB)" in describe_model(path)
    with pytest.raises(NeuriptError, match=r"no part 'evil\.so'; it may have network\.onnx"):
        save_model(path, toy, make_manifest(), parts={"evil.so": onnx})


def test_one_binary_logit_becomes_two(tmp_path: Path) -> None:
    network = toy_network(n_outputs=2, binary_single_logit=True)
    path = tmp_path / "mi.ts"
    classes = {"classes": ("left_hand", "right_hand"), "idle_class": None}
    save_model(path, network, make_manifest(model=network.config, **classes))
    window = np.full((N_TIMES, N_CHANS), 1e-5, np.float32)
    logits = open_model(path).infer(window)
    (expected,) = network(torch.from_numpy(window.T[None].copy())).detach().numpy()[0]
    assert logits[0] == 0
    assert logits[1] == pytest.approx(expected, rel=1e-5)


def test_unwritable_places_keep_the_old_file(
    saved: Path, toy: NeurIPTNetwork, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old = saved.read_bytes()

    def cannot(path: Path, match: str) -> None:
        with pytest.raises(NeuriptError, match=match) as caught:
            save_model(path, toy, make_manifest())
        assert caught.value.exit_code == 2

    def busy(*_: object) -> None:
        raise PermissionError(13, "used by another process")

    cannot(tmp_path, "is a folder")
    cannot(tmp_path / "no" / "mi.ts", "no folder")
    cannot(saved / "mi.ts", "no folder")
    cannot(tmp_path / "mi.onnx", r"must end in \.ts")
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", busy)
        cannot(saved, "used by another process")
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda *_: False)
        cannot(saved, "no permission")
    assert saved.read_bytes() == old
    assert not list(tmp_path.glob("*.tmp")) + list(tmp_path.glob(".*.tmp"))


def test_a_model_that_disagrees_with_its_manifest_is_not_written(saved: Path, toy: NeurIPTNetwork) -> None:
    old = saved.read_bytes()
    with pytest.raises(NeuriptError, match=r"gives \(3,\) outputs, its manifest names 2"):
        save_model(saved, toy, make_manifest(classes=("a", "b"), idle_class=None))
    with pytest.raises(ModelRefusedError, match="the manifest asks for"):
        save_model(saved, toy, make_manifest(model=toy_network(d_model=24).config))
    with pytest.raises(ModelRefusedError, match="golden outputs"):  # the same weights, put together otherwise
        save_model(saved, toy, make_manifest(model=toy_network(gating="source", remove_mean=True).config))
    with torch.no_grad():
        toy.head.bias[0] = torch.nan
    with pytest.raises(NeuriptError, match="NaN"):
        save_model(saved, toy, make_manifest())
    with pytest.raises(ValueError, match="golden_signal"):
        save_model(saved, toy, make_manifest(), np.zeros((1, 2, 3), np.float32))
    assert saved.read_bytes() == old


def test_a_module_of_no_known_architecture_is_not_written(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(N_CHANS * N_TIMES, 3)).eval()
    with pytest.raises(ModelRefusedError, match="architecture 'mine' is not known"):
        save_model(tmp_path / "mi.ts", module, make_manifest(model={"architecture": "mine"}))
    assert not (tmp_path / "mi.ts").exists()


def test_an_exported_checkpoint_replaces_nothing_it_was_made_from(saved: Path, tmp_path: Path) -> None:
    with pytest.raises(NeuriptError, match="would replace another file"):
        export_model(saved, saved)
    export_model(saved, tmp_path / "copy.ts")
    assert (tmp_path / "copy.ts").read_bytes() == saved.read_bytes()


def test_describe_says_what_matters(saved: Path) -> None:
    text = describe_model(saved)
    for words in (
        "left_hand, right_hand, rest (no command: rest)",
        "SIMULATED data; one.xdf",
        "64 Hz, 1 s (64 samples)",
        "toy: 5 channels",
        "value 0.8, protocol blocked 5-fold",
        "4 golden vectors",
        parse(saved.read_bytes(), "mi.ts").sha256,
    ):
        assert words in text
    saved.write_bytes(b"no")
    with pytest.raises(ModelRefusedError):
        describe_model(saved)


def test_a_model_is_looked_at_without_pytorch_and_numpy(saved: Path) -> None:
    code = (
        f"import sys; from neuript.cli import main; main(['inspect', {str(saved)!r}]);"
        "sys.exit(', '.join({'torch', 'numpy', 'scipy', 'mne'} & set(sys.modules)) or 0)"
    )
    assert "motor-imagery" in finished(python(code), ok=True).stdout
