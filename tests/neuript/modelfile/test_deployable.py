"""Model files: written whole or not at all, and read back to the bit."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from toy_model import N_CHANS, N_OUTPUTS, N_TIMES, Toy, make_manifest, refused

from neuript.errors import ModelRefusedError, NeuriptError
from neuript.modelfile.container import parse
from neuript.modelfile.deployable import open_model, read_manifest, save_model
from neuript.modelfile.describe import describe_model
from neuript.modelfile.engines import quiet_jit
from neuript.modelfile.manifest import Manifest


@pytest.mark.parametrize("suffix", [".ts", ".pt2"])
def test_round_trip(tmp_path: Path, toy: Toy, rng: np.random.Generator, suffix: str) -> None:
    path = tmp_path / f"mi{suffix}"
    written = save_model(path, toy, make_manifest())
    engine = open_model(path)
    assert engine.manifest == written == read_manifest(path)
    assert written == make_manifest(weights_sha256=written.weights_sha256)
    for _ in range(5):
        window = (rng.normal(size=(N_TIMES, N_CHANS)) * 1e-5).astype(np.float32)
        with torch.inference_mode():
            expected = toy(torch.from_numpy(window.T[None]))[0].numpy()
        np.testing.assert_allclose(engine.infer(window), expected, rtol=1e-5, atol=1e-6)


def test_the_file_is_plain_torchscript_for_everybody_else(saved: Path, toy: Toy) -> None:
    extra = {"manifest.json": ""}
    with quiet_jit():
        loaded = torch.jit.load(str(saved), _extra_files=extra)
    assert Manifest.from_json(extra["manifest.json"]) == read_manifest(saved)
    x = torch.randn(3, N_CHANS, N_TIMES) * 1e-5  # another batch size than it was traced with
    torch.testing.assert_close(loaded(x), toy(x), rtol=1e-5, atol=1e-6)


def test_the_file_names_no_folder_of_its_author(saved: Path) -> None:
    data = saved.read_bytes()
    for folder in (str(Path(torch.__file__).parents[1]), str(Path(__file__).parent)):
        assert folder.encode() not in data


def test_weights_hash_follows_the_weights_only(tmp_path: Path, toy: Toy) -> None:
    first = save_model(tmp_path / "a.ts", toy, make_manifest())
    again = save_model(tmp_path / "b.ts", toy, make_manifest(hop_s=0.25))
    as_program = save_model(tmp_path / "c.pt2", toy, make_manifest())
    with torch.no_grad():
        toy.head.bias[0] += 1e-6
    changed = save_model(tmp_path / "d.ts", toy, make_manifest())
    assert first.weights_sha256 == again.weights_sha256 == as_program.weights_sha256
    assert changed.weights_sha256 != first.weights_sha256


def test_given_golden_windows_are_stored(tmp_path: Path, toy: Toy, rng: np.random.Generator) -> None:
    windows = (rng.normal(size=(7, N_CHANS, N_TIMES)) * 1e-5).astype(np.float32)
    save_model(tmp_path / "mi.ts", toy, make_manifest(), windows)
    container = parse((tmp_path / "mi.ts").read_bytes(), "mi.ts")
    np.testing.assert_array_equal(container.golden.signal, windows)
    assert container.golden.tangent.shape == (7, 0)
    expected = toy(torch.from_numpy(windows)).detach().numpy()
    np.testing.assert_allclose(container.golden.logits, expected, rtol=1e-5, atol=1e-6)


def test_one_binary_logit_becomes_two(tmp_path: Path) -> None:
    module = nn.Sequential(nn.Flatten(), nn.Linear(N_CHANS * N_TIMES, 1)).eval()
    path = tmp_path / "mi.ts"
    save_model(path, module, make_manifest(classes=("left_hand", "right_hand"), idle_class=None))
    window = np.full((N_TIMES, N_CHANS), 1e-2, np.float32)
    logits = open_model(path).infer(window)
    (expected,) = module(torch.from_numpy(window.T[None].copy())).detach().numpy()[0]
    assert logits[0] == 0
    assert logits[1] == pytest.approx(expected, rel=1e-5)


def test_unwritable_places_keep_the_old_file(
    saved: Path, toy: Toy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
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
    cannot(tmp_path / "mi.onnx", r"must end in \.ts or \.pt2")
    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", busy)
        cannot(saved, "used by another process")
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda *_: False)
        cannot(saved, "no permission")
    assert saved.read_bytes() == old
    assert not list(tmp_path.glob("*.tmp")) + list(tmp_path.glob(".*.tmp"))


def test_a_model_that_disagrees_with_its_manifest_is_not_written(saved: Path, toy: Toy) -> None:
    old = saved.read_bytes()
    with pytest.raises(NeuriptError, match=r"gives \(3,\) outputs, its manifest names 2"):
        save_model(saved, toy, make_manifest(classes=("a", "b"), idle_class=None))
    with torch.no_grad():
        toy.head.bias[0] = torch.nan
    with pytest.raises(NeuriptError, match="NaN"):
        save_model(saved, toy, make_manifest())
    with pytest.raises(ValueError, match="golden_signal"):
        save_model(saved, toy, make_manifest(), np.zeros((1, 2, 3), np.float32))
    assert saved.read_bytes() == old


def test_a_module_whose_trace_differs_is_not_written(tmp_path: Path) -> None:
    class Forked(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            if float(x.abs().sum()) > 0.01:  # a trace keeps one branch only
                return x.sum(-1)[:, :N_OUTPUTS] * 1e5
            return x.sum(-1)[:, :N_OUTPUTS] * -1e5

    windows = np.full((2, N_CHANS, N_TIMES), 1e-7, np.float32)
    windows[1] = 1e-4
    with pytest.raises(ModelRefusedError, match="golden outputs"):
        save_model(tmp_path / "mi.ts", Forked(), make_manifest(), windows)
    assert not (tmp_path / "mi.ts").exists()


def test_the_older_form_of_export_programs_is_not_written(
    tmp_path: Path, toy: Toy, monkeypatch: pytest.MonkeyPatch
) -> None:
    def old_form(program: object, file: io.BytesIO) -> None:
        with zipfile.ZipFile(file, "w") as archive:
            archive.writestr("serialized_exported_program.json", "{}")

    monkeypatch.setattr(torch.export, "save", old_form)
    with pytest.raises(NeuriptError, match=r"write a \.ts"):
        save_model(tmp_path / "mi.pt2", toy, make_manifest())


def test_an_unwritable_trust_list_warns_and_saves(
    tmp_path: Path, toy: Toy, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("NEURIPT_CONFIG_DIR", str(tmp_path / "file"))
    save_model(tmp_path / "mi.ts", toy, make_manifest())
    assert "cannot remember" in caplog.text
    refused(tmp_path / "mi.ts", "--trust")
    open_model(tmp_path / "mi.ts", trust=True)


def test_describe_says_what_matters(saved: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    text = describe_model(saved)
    for words in (
        "left_hand, right_hand, rest (no command: rest)",
        "SIMULATED data; one.xdf",
        "64 Hz, 1 s (64 samples)",
        "toy: 5 channels",
        "value 0.8, protocol blocked 5-fold",
        "trusted",
    ):
        assert words in text
    saved.write_bytes(b"no")
    with pytest.raises(ModelRefusedError):
        describe_model(saved)
