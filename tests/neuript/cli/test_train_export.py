"""`neuript-train export`: what goes in comes out, and what cannot is refused."""

from __future__ import annotations

import sys

import fake_corpus
import numpy as np
import pytest
import torch
from builders import make_manifest

from neuript.cli import main
from neuript.engines.plan_store import is_own
from neuript.modelfile.checkpoint import load_checkpoint, save_checkpoint
from neuript.modelfile.deployable import load_model, open_model
from neuript.network.config import NetworkConfig
from neuript.network.network import NeurIPTNetwork
from neuript.training.pretrain import PretrainRun, pretrain

CONFIG = NetworkConfig(
    n_outputs=2, n_times=32, d_model=12, n_heads=2, d_ff=8, d_expert=4, d_shared=8, merges=(2, 2), experts=(0, 2)
)


@pytest.fixture(autouse=True)
def own_config(tmp_path, monkeypatch):
    monkeypatch.setenv("NEURIPT_CONFIG_DIR", str(tmp_path / "config"))


def test_encoder_of_a_run(tmp_path):
    run = PretrainRun(**fake_corpus.TINY, steps=1)
    encoder = pretrain(run, fake_corpus.make_corpus(), tmp_path / "run")
    out = tmp_path / "mine.safetensors"
    assert main(["train", "export", str(tmp_path / "run"), "--out", str(out)]) == 0
    assert load_checkpoint(out)[0] == load_checkpoint(encoder)[0]
    assert main(["train", "export", str(encoder), "--out", str(tmp_path / "a.ts")]) == 5


def test_classifier_to_a_deployable(tmp_path):
    montage = fake_corpus.channels(("C3", "Cz", "C4"))
    torch.manual_seed(0)
    model = NeurIPTNetwork(CONFIG, montage.pos_m, list(montage.lobes.values())).eval()
    manifest = make_manifest(classes=("left", "right"), model=CONFIG, montage=montage, window_s=0.5)
    save_checkpoint(tmp_path / "mi.safetensors", model, manifest)
    out = tmp_path / "mi.ts"
    assert main(["train", "export", str(tmp_path / "mi.safetensors"), "--out", str(out)]) == 0
    x = 2e-5 * np.random.default_rng(0).standard_normal((4, 3, 32)).astype(np.float32)
    with torch.no_grad():
        expected = model(torch.from_numpy(x)).numpy()
    engine = open_model(out)
    found = np.stack([engine.infer(window.T) for window in x])
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("name", "out", "match"),
    [
        ("nothing", "e.safetensors", "does not exist"),
        ("nothing", "e.onnx", "must end in"),
        ("nothing", "e.pt2", "must end in .safetensors or .ts"),
        ("nothing", "no/folder/e.ts", "there is no folder"),
    ],
)
def test_refusals(tmp_path, capsys, name, out, match):
    assert main(["train", "export", str(tmp_path / name), "--out", str(tmp_path / out)]) == 2
    assert match in capsys.readouterr().err


@pytest.mark.parametrize("words", [["a.safetensors"], ["a.safetensors", "b.ts", "--out", "c.ts"]])
def test_the_file_to_write_is_named_once(words, capsys):
    assert main(["train", "export", *words]) == 2
    assert "name the file to write once" in capsys.readouterr().err


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    """A checkpoint of a small classifier."""
    montage = fake_corpus.channels(("C3", "Cz", "C4"))
    torch.manual_seed(0)
    model = NeurIPTNetwork(CONFIG, montage.pos_m, list(montage.lobes.values()))
    manifest = make_manifest(classes=("left", "right"), model=CONFIG, montage=montage, window_s=0.5)
    path = tmp_path_factory.mktemp("classifier") / "mi.safetensors"
    save_checkpoint(path, model, manifest)
    return path


@pytest.fixture
def packages():
    for package in ("onnx", "onnxscript", "onnxruntime", "tensorrt_rtx_bindings"):
        pytest.importorskip(package)


@pytest.mark.usefixtures("packages")
@pytest.mark.timeout(600)
def test_a_model_file_that_carries_an_engine_without_a_gpu(classifier, tmp_path, capsys, monkeypatch):
    out = tmp_path / "mi.ts"
    words = ["--engine", "tensorrt", "--precision", "fp16", "--out", str(out)]
    assert main(["train", "export", str(classifier), *words]) == 0
    said = capsys.readouterr().out
    assert "1 engine in float16" in said
    assert "cpu in float32: probabilities differ by at most" in said
    assert "products as tensorrt rounds them in float16: probabilities differ by at most" in said
    assert "tensorrt: a TensorRT engine needs an NVIDIA GPU" in said
    parts = load_model(out).parts
    assert set(parts) == {"network.onnx", "network.rtx"}
    assert parts["network.rtx"].about["precision"] == "float16"
    assert is_own(parts["network.rtx"].data)
    x = 2e-5 * np.random.default_rng(0).standard_normal((32, 3)).astype(np.float32)
    expected = open_model(classifier).infer(x)
    for name in ("auto", "onnxruntime", "cpu"):
        np.testing.assert_allclose(open_model(out, engine=name).infer(x), expected, rtol=1e-4, atol=1e-5)
    assert open_model(out, engine="onnxruntime").name == "onnxruntime"
    monkeypatch.setenv("NEURIPT_CONFIG_DIR", str(tmp_path / "another computer"))
    assert not is_own(parts["network.rtx"].data)


@pytest.mark.usefixtures("packages")
@pytest.mark.timeout(600)
def test_an_engine_that_answers_differently_is_refused_and_nothing_is_written(
    classifier, tmp_path, capsys, monkeypatch
):
    from neuript.engines.onnx_engines import OnnxRuntimeEngine

    right = OnnxRuntimeEngine.__call__
    monkeypatch.setattr(OnnxRuntimeEngine, "__call__", lambda self, x: right(self, x) + np.float32([0.5, 0]))
    out = tmp_path / "mi.ts"
    assert main(["train", "export", str(classifier), "--engine", "onnxruntime", "--out", str(out)]) == 2
    assert "onnxruntime in float32: probabilities differ by at most" in capsys.readouterr().err
    assert not out.exists()


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (["--engine", "tensorrt", "--out", "mi.rtx"], "must end in .ts"),
        (["--precision", "fp16", "--out", "mi.ts"], "give --engine with it"),
        (["--check", "a.xdf", "--out", "mi.ts"], "give --engine with it"),
        (["--engine", "openvino", "--precision", "fp16", "--out", "mi.ts"], "give --engine tensorrt with it"),
        (["--engine", "openvino", "--montage", "10-20", "--out", "mi.ts"], "give --check RECORDING with it"),
    ],
)
def test_what_belongs_to_an_engine_alone(words, match, capsys):
    assert main(["train", "export", "mi.safetensors", *words]) == 2
    assert match in capsys.readouterr().err


@pytest.mark.parametrize("engine", ["openvino", "onnxruntime"])
def test_a_package_that_is_missing_is_named_with_its_extra(engine, classifier, tmp_path, capsys, monkeypatch):
    pytest.importorskip("onnxscript")
    monkeypatch.setitem(sys.modules, engine, None)
    words = ["--engine", engine, "--out", str(tmp_path / "mi.ts")]
    assert main(["train", "export", str(classifier), *words]) == 2
    assert f'pip install "neuript[{ {"openvino": "fast"}.get(engine, engine) }]"' in capsys.readouterr().err
