"""How far an engine may be from its module, and TensorRT with a stand-in for its compiler."""

from __future__ import annotations

import json
import logging
import sys
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from eight_electrodes import ALIGNED, N_TANGENT, eeg, make_manifest, tangent_branch
from torch import nn

from neuript.modelfile import engines, tensorrt
from neuript.modelfile.container import Golden
from neuript.modelfile.deployable import open_model
from neuript.modelfile.engines import Engine, eager_engine, golden_inputs, golden_tangents, parity
from neuript.modelfile.manifest import Manifest
from neuript.network.stack import HybridClassifier


def test_parity_measures_differences_and_flips() -> None:
    manifest = make_manifest(classes=("a", "b"))
    inputs = np.zeros((4, 8, 128), np.float32)
    inputs[:, 0, 0] = [0.2, 0.4, -0.2, 2.0]

    def engine(function: Callable[[torch.Tensor], torch.Tensor]) -> Engine:
        return Engine(lambda x: torch.stack([torch.zeros(1), function(x[:, 0, 0])], 1), manifest, name="x")

    reference = engine(lambda z: z)
    same = parity(reference, reference, inputs)
    assert same == engines.Parity(4, 0.0, 0.0)
    assert same.ok
    shifted = parity(reference, engine(lambda z: z - 0.3), inputs)
    sigmoid = 1 / (1 + np.exp(-np.array([0.2, 0.4, -0.2, 2.0])))
    moved = 1 / (1 + np.exp(-np.array([-0.1, 0.1, -0.5, 1.7])))
    assert shifted.max_probability_difference == pytest.approx(np.abs(sigmoid - moved).max(), 1e-5)
    assert shifted.flip_rate == 0.25
    assert not shifted.ok
    broken = parity(reference, engine(lambda z: z * torch.nan), inputs)
    assert broken.max_probability_difference == 1
    assert not broken.ok


class FakeTensorRT:
    """Stands in for torch_tensorrt: "compiles" to the exported program itself."""

    def __init__(self) -> None:
        self.compiled = 0
        self.error = 0.0
        self.dynamo = types.SimpleNamespace(compile=self._compile)

    def _compile(self, exported: Any, *, arg_inputs: Any, **settings: Any) -> Any:
        self.compiled += 1
        self.exported = exported
        module = exported.module()
        return lambda *inputs: module(*inputs) + self.error * torch.tensor([1.0, -1.0, 0.0])

    def save(self, module: Any, path: str, *, arg_inputs: Any) -> None:
        torch.export.save(self.exported, path)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> FakeTensorRT:
    fake = FakeTensorRT()
    monkeypatch.setitem(sys.modules, "torch_tensorrt", fake)  # type: ignore[arg-type]
    versions = {"gpu": "Fake 1", "capability": "9.0", "driver": "1", "tensorrt": "10"}
    monkeypatch.setattr(tensorrt, "fingerprint", lambda: dict(versions))
    return fake


def trt(manifest: Manifest | None = None) -> Engine:
    """Return an engine for a small model; `torch.export` of the real one takes seconds."""
    torch.manual_seed(3)
    module = nn.Sequential(nn.Flatten(), nn.Linear(8 * 128, 3)).eval()
    manifest = manifest or make_manifest(weights_sha256="1" * 64)
    reference = eager_engine(module, manifest)
    inputs = golden_inputs(manifest)
    logits = np.stack([reference.infer(x.T) for x in inputs])
    golden = Golden(inputs, np.empty((len(inputs), 0), np.float32), logits)
    return tensorrt.tensorrt_engine(module, manifest, reference, golden, device="cpu")


def test_tensorrt_engines_are_compiled_once_and_cached_privately(fake: FakeTensorRT, rng: np.random.Generator) -> None:
    first, second = trt(), trt()
    assert fake.compiled == 1
    window = eeg(rng)
    np.testing.assert_allclose(first.infer(window), second.infer(window), atol=1e-5)
    path = tensorrt.cache_path(make_manifest(weights_sha256="1" * 64), tensorrt.fingerprint())
    assert path.is_file()
    if sys.platform != "win32":
        assert path.parent.stat().st_mode & 0o777 == 0o700
        assert path.stat().st_mode & 0o777 == 0o600


def test_tensorrt_compiles_both_inputs_of_a_model_with_an_alignment(
    fake: FakeTensorRT, rng: np.random.Generator
) -> None:
    manifest = make_manifest(weights_sha256="3" * 64, preprocess=ALIGNED)
    module = HybridClassifier(None, tangent_branch(), (0.0, 0.9), torch.zeros(3)).eval()
    reference = eager_engine(module, manifest)
    signal, tangent = golden_inputs(manifest), golden_tangents(manifest)
    golden = Golden(signal, tangent, np.zeros((len(signal), 3), np.float32))
    first, cached = (tensorrt.tensorrt_engine(module, manifest, reference, golden, device="cpu") for _ in range(2))
    assert fake.compiled == 1
    window, vector = eeg(rng), rng.normal(size=N_TANGENT)
    for engine in (first, cached):
        np.testing.assert_allclose(engine.infer(window, vector), reference.infer(window, vector), atol=1e-5)


def test_tensorrt_engines_are_for_one_model_gpu_and_version(
    fake: FakeTensorRT, monkeypatch: pytest.MonkeyPatch
) -> None:
    trt()
    trt(make_manifest(weights_sha256="2" * 64))
    for key in ("gpu", "capability", "driver", "tensorrt"):
        versions = tensorrt.fingerprint() | {key: "other"}
        monkeypatch.setattr(tensorrt, "fingerprint", lambda versions=versions: versions)
        trt()
    assert fake.compiled == 6


@pytest.mark.parametrize("damage", ["byte", "note", "fingerprint", "permissions", "not a program"])
def test_a_damaged_or_foreign_cache_is_built_new(
    fake: FakeTensorRT, damage: str, caplog: pytest.LogCaptureFixture
) -> None:
    trt()
    path = tensorrt.cache_path(make_manifest(weights_sha256="1" * 64), tensorrt.fingerprint())
    note = path.with_suffix(".json")
    about = json.loads(note.read_text())
    match damage:
        case "byte":
            path.write_bytes(path.read_bytes()[:-1] + b"x")
        case "note":
            note.write_text("{")
        case "fingerprint":
            about["fingerprint"]["gpu"] = "another"
            note.write_text(json.dumps(about))
        case "permissions":
            path.chmod(0o666)
        case "not a program":
            import hashlib

            path.write_bytes(b"PK")
            about["sha256"] = hashlib.sha256(b"PK").hexdigest()
            note.write_text(json.dumps(about))
    with caplog.at_level(logging.WARNING):
        trt()
    assert fake.compiled == 2
    assert "engine" in caplog.text


def test_an_inaccurate_engine_is_refused_and_not_kept(fake: FakeTensorRT) -> None:
    fake.error = 2.0
    with pytest.raises(tensorrt.TensorRTUnavailableError, match="not accurate enough"):
        trt()
    fake.error = 0.0
    trt()
    assert fake.compiled == 2


def test_without_a_gpu_the_next_engine_is_used_with_a_warning(
    deployed: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with caplog.at_level(logging.WARNING):
        engine = open_model(deployed, engine="tensorrt")
    assert (engine.name, engine.device) == ("cpu", "cpu")
    assert "tensorrt on cuda is not used" in caplog.text
    assert "no NVIDIA GPU" in caplog.text


def test_a_compiler_that_fails_says_why(fake: FakeTensorRT, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(*_: object, **__: object) -> None:
        raise RuntimeError("no converter for aten::eigh")

    monkeypatch.setattr(fake.dynamo, "compile", unsupported)
    with pytest.raises(tensorrt.TensorRTUnavailableError, match="no converter for aten::eigh"):
        trt()


@pytest.mark.gpu
def test_tensorrt_on_this_gpu(deployed: Path, rng: np.random.Generator) -> None:
    pytest.importorskip("torch_tensorrt")
    if not torch.cuda.is_available():
        pytest.skip("needs an NVIDIA GPU")
    reference = open_model(deployed)
    first = open_model(deployed, device="cuda", engine="tensorrt")
    cached = open_model(deployed, device="cuda", engine="tensorrt")
    assert first.name == cached.name == "tensorrt"
    windows = np.stack([eeg(rng).T for _ in range(50)])
    assert parity(reference, first, windows).ok
    assert parity(first, cached, windows).max_probability_difference == 0
