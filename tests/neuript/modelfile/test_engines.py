from __future__ import annotations

import io
import json
import logging
import shutil
import sys
import types
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import builders
import numpy as np
import pytest
import torch
from processes import finished
from torch import nn

from neuript.errors import ModelRefusedError, NeuriptError
from neuript.modelfile import engines, tensorrt
from neuript.modelfile.checkpoint import save_checkpoint
from neuript.modelfile.container import Golden, parse
from neuript.modelfile.deployable import open_model, save_model
from neuript.modelfile.engines import (
    Engine,
    check_golden,
    compiled_engine,
    default_threads,
    eager_engine,
    golden_inputs,
    golden_tangents,
    parity,
)
from neuript.modelfile.manifest import Manifest
from neuript.modelfile.rebuild import build_module
from neuript.network.config import preset
from neuript.network.network import NeurIPTNetwork
from neuript.network.stack import HybridClassifier
from neuript.network.tangent import TangentBranch
from neuript.realtime.chain.alignment import AlignmentSpec, Reference
from neuript.realtime.chain.preprocess import PreprocessSpec
from neuript.realtime.decoding.policy import PolicySpec

CH_NAMES = ["F3", "F4", "C3", "C4", "P3", "P4", "O1", "O2"]
LOBES = {"frontal": [0, 1], "central": [2, 3], "parietal": [4, 5], "occipital": [6, 7]}
POS_M = [[x, 0.04 * y, 0.06] for y in (1.5, 0.5, -0.5, -1.5) for x in (-0.05, 0.05)]
CONFIG = preset("micro", n_outputs=3, n_times=128, merges=(1, 4, 2), experts=(0, 0, 2))


def make_manifest(**changes: Any) -> Manifest:
    values: dict[str, Any] = {
        "task": "motor-imagery",
        "classes": ("left_hand", "right_hand", "rest"),
        "model": CONFIG.to_dict(),
        "montage": {"name": "eight", "ch_names": CH_NAMES, "lobes": LOBES, "pos_m": POS_M},
        "preprocess": {"sfreq": 64.0},
        "window_s": 2.0,
        "hop_s": 0.125,
    }
    return builders.make_manifest(**(values | changes))


@pytest.fixture(autouse=True)
def own_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEURIPT_CONFIG_DIR", str(tmp_path / "config"))


@pytest.fixture(autouse=True)
def same_threads_after() -> Any:
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="module")
def network() -> NeurIPTNetwork:
    torch.manual_seed(1)
    return NeurIPTNetwork(CONFIG, POS_M, list(LOBES.values())).eval()


ALIGNED = PreprocessSpec(alignment=AlignmentSpec(bands_hz=((8.0, 12.0), (12.0, 30.0)), signal_band_hz=(4.0, 30.0)))
N_TANGENT = 2 * 8 * 9 // 2


def tangent_branch() -> TangentBranch:
    generator = torch.Generator().manual_seed(2)
    return TangentBranch(torch.randn(3, N_TANGENT, generator=generator), torch.zeros(3)).eval()


def gate_branch() -> TangentBranch:
    generator = torch.Generator().manual_seed(3)
    return TangentBranch(torch.randn(2, N_TANGENT, generator=generator), torch.tensor([0.3, -0.3])).eval()


def calibrated_reference() -> Reference:
    """Of the signal and two bands; its numbers have all the bits of doubles."""
    draw = np.random.default_rng(12)
    factors = draw.normal(size=(3, 8, 8))
    return Reference(factors @ factors.swapaxes(-1, -2) / 3, draw.uniform(1, 2, size=3), 100 / 3)


def hybrid_of(network: NeurIPTNetwork, parts: str) -> tuple[HybridClassifier, Manifest]:
    """A calibrated model of both branches or one, or of both and a gate, with the reference of its alignment."""
    arrays = calibrated_reference().to_arrays()
    module = HybridClassifier(
        network if parts != "tangent" else None,
        tangent_branch() if parts != "network" else None,
        (0.4, 0.9),
        torch.tensor([0.1, -0.1, 0.0]),
        {name: torch.tensor(values) for name, values in arrays.items()},
        gate_branch() if parts == "gated" else None,
    ).eval()
    config = CONFIG.to_dict() if parts != "tangent" else None
    model = {"architecture": "hybrid", "network": config, "weights": [0.4, 0.9]}
    if parts != "gated":
        return module, make_manifest(model=model, preprocess=ALIGNED)
    policy = PolicySpec(idle_class="rest", gate=True).to_dict()
    return module, make_manifest(model=model, preprocess=ALIGNED, policy=policy, idle_class="rest")


@pytest.fixture(scope="module")
def files(network: NeurIPTNetwork, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The same model as a TorchScript and as an export program."""
    folder = tmp_path_factory.mktemp("models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NEURIPT_CONFIG_DIR", str(folder))
        for name in ("mi.ts", "mi.pt2"):
            save_model(folder / name, network, make_manifest())
    return {"ts": folder / "mi.ts", "pt2": folder / "mi.pt2"}


BUILDERS: list[Any] = [
    "eager",
    "torchscript",
    "export",
    pytest.param("compiled", marks=[pytest.mark.slow, pytest.mark.timeout(600)]),
    pytest.param("tensorrt", marks=pytest.mark.gpu),
]


@pytest.fixture(scope="module", params=BUILDERS)
def engine(request: pytest.FixtureRequest, files: dict[str, Path]) -> Engine:
    name = request.param
    device = "cpu"
    if name == "tensorrt":
        pytest.importorskip("torch_tensorrt")
        if not torch.cuda.is_available():
            pytest.skip("needs an NVIDIA GPU")
        device = "cuda"
    if name == "compiled":
        if "slow" not in request.config.option.markexpr:
            pytest.skip("takes a minute; run with -m slow")
        if not any(map(shutil.which, ("c++", "g++", "clang++", "cl"))):
            pytest.skip("needs a C++ compiler")
    path = files["pt2" if name == "export" else "ts"]
    built = open_model(path, engine=name, device=device, trust=True)
    assert built.name == name
    return built


def eeg(rng: np.random.Generator) -> np.ndarray:
    return (rng.normal(size=(128, len(CH_NAMES))) * 2e-5).astype(np.float32)


class TestContract:
    """What every engine promises."""

    def test_equals_the_module(self, engine: Engine, network: NeurIPTNetwork, rng: np.random.Generator) -> None:
        tolerance = 2e-2 if engine.device != "cpu" else 1e-4
        for scale in (0.1, 1.0, 10.0):
            window = eeg(rng) * np.float32(scale)
            with torch.inference_mode():
                expected = network(torch.from_numpy(window.T.copy())[None])[0].numpy()
            np.testing.assert_allclose(engine.infer(window), expected, atol=tolerance, rtol=0)

    def test_gives_new_float32_logits_and_leaves_the_window_alone(
        self, engine: Engine, rng: np.random.Generator
    ) -> None:
        window, other = eeg(rng), eeg(rng)
        before = window.copy()
        first = engine.infer(window)
        kept = first.copy()
        second = engine.infer(other)
        assert first.shape == (3,)
        assert first.dtype == np.float32
        assert not np.array_equal(first, second)
        np.testing.assert_array_equal(first, kept)
        np.testing.assert_array_equal(window, before)

    def test_same_bits_every_time(self, engine: Engine, rng: np.random.Generator) -> None:
        windows = [eeg(rng) for _ in range(3)]
        first = [engine.infer(w) for w in windows]
        engine.warm_up()
        for order in ([0, 1, 2], [2, 1, 0, 0]):
            for i in order:
                np.testing.assert_array_equal(engine.infer(windows[i]), first[i])

    def test_takes_views_of_any_layout(self, engine: Engine, rng: np.random.Generator) -> None:
        window = eeg(rng)
        expected = engine.infer(window)
        ring = np.zeros((300, 20), np.float32)
        ring[77:205, 3:11] = window
        for view in (ring[77:205, 3:11], np.asfortranarray(window), window.astype(np.float64)):
            np.testing.assert_array_equal(engine.infer(view), expected)
        frozen = window.copy()
        frozen.setflags(write=False)
        np.testing.assert_array_equal(engine.infer(frozen), expected)

    @pytest.mark.parametrize("shape", [(8, 128), (127, 8), (128, 7), (1, 128, 8), (0, 8), (128,)])
    def test_refuses_other_shapes(self, engine: Engine, shape: tuple[int, ...]) -> None:
        with pytest.raises(ValueError, match=r"window\.shape"):
            engine.infer(np.zeros(shape, np.float32))

    def test_agrees_on_the_golden_vectors(self, engine: Engine, network: NeurIPTNetwork) -> None:
        inputs = golden_inputs(engine.manifest, 6)
        with torch.inference_mode():
            logits = network(torch.from_numpy(inputs)).numpy()
        golden = Golden(inputs, np.empty((6, 0), np.float32), logits)
        assert check_golden(engine, golden, "it") < 1e-4 or engine.device != "cpu"
        with pytest.raises(ModelRefusedError, match="golden"):
            check_golden(engine, replace(golden, logits=logits + 0.1), "it")

    def test_survives_nan_and_zeros(self, engine: Engine, rng: np.random.Generator) -> None:
        window = eeg(rng)
        expected = engine.infer(window)
        engine.infer(np.full_like(window, np.nan))
        assert np.isfinite(engine.infer(np.zeros_like(window))).all()
        np.testing.assert_array_equal(engine.infer(window), expected)


def test_two_openings_give_the_same_bits(files: dict[str, Path], rng: np.random.Generator) -> None:
    window = eeg(rng)
    first, second = (open_model(files["ts"], trust=True).infer(window) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("threads", ["1", "2"])
def test_another_process_gives_the_same_bits(
    files: dict[str, Path], rng: np.random.Generator, tmp_path: Path, threads: str
) -> None:
    window = eeg(rng)
    np.save(tmp_path / "window.npy", window)
    code = (
        "import sys, numpy as np; from neuript.modelfile.deployable import open_model;"
        "e = open_model(sys.argv[1], trust=True); x = np.load(sys.argv[2]);"
        "print([e.infer(x).tobytes().hex() for _ in range(3)])"
    )
    command = [sys.executable, "-P", "-W", "error", "-c", code, files["ts"], tmp_path / "window.npy"]
    done = finished(command, env={"OMP_NUM_THREADS": threads}, ok=True)
    expected = open_model(files["ts"], trust=True).infer(window).tobytes().hex()
    assert done.stdout.strip() == str([expected] * 3)
    assert done.stderr == ""  # and no notice of PyTorch reaches the user


def test_threads_are_set_even_if_another_part_changed_them(files: dict[str, Path]) -> None:
    engine = open_model(files["ts"], trust=True, threads=1)
    torch.set_num_threads(2)
    engine.infer(np.zeros((128, 8), np.float32))
    assert torch.get_num_threads() == 1


def test_small_models_get_one_thread() -> None:
    torch.set_num_threads(2)
    assert default_threads(nn.Linear(100, 100)) == 1
    with torch.device("meta"):
        assert default_threads(nn.Linear(5000, 5000)) == 2


def test_unknown_engines_and_devices(files: dict[str, Path]) -> None:
    with pytest.raises(NeuriptError, match="no engine 'onnx'; choose eager"):
        open_model(files["ts"], engine="onnx", trust=True)
    with pytest.raises(NeuriptError, match="has no program for the export engine"):
        open_model(files["ts"], engine="export", trust=True)
    if not torch.cuda.is_available():
        with pytest.raises(NeuriptError, match="no GPU"):
            open_model(files["ts"], device="cuda", trust=True)
    assert open_model(files["ts"], device="cpu", trust=True).device == "cpu"


def test_a_failed_compilation_is_one_sentence(network: NeurIPTNetwork, monkeypatch: pytest.MonkeyPatch) -> None:
    def no_compiler(*_: object, **__: object) -> None:
        raise RuntimeError("InvalidCxxCompiler\nlong story")

    monkeypatch.setattr(torch, "compile", no_compiler)
    with pytest.raises(NeuriptError, match=r"install a C\+\+ compiler"):
        compiled_engine(network, make_manifest())


def test_golden_inputs_are_made_of_plausible_eeg() -> None:
    inputs = golden_inputs(make_manifest(), 8)
    assert inputs.shape == (8, 8, 128)
    assert inputs.dtype == np.float32
    rms = inputs.astype(np.float64).std(axis=(1, 2)) * 1e6
    assert 4 < rms.min() < rms.max() < 60
    np.testing.assert_array_equal(inputs, golden_inputs(make_manifest(), 8))


# ---- building the module again ----------------------------------------------------------------


def test_the_network_is_built_again_exactly(network: NeurIPTNetwork) -> None:
    again = build_module(make_manifest(), network.state_dict())
    x = torch.from_numpy(golden_inputs(make_manifest(), 2))
    with torch.inference_mode():
        assert torch.equal(again(x), network(x))


def test_a_checkpoint_is_opened_without_trust_and_runs_like_the_deployable(
    network: NeurIPTNetwork, files: dict[str, Path], tmp_path: Path, rng: np.random.Generator
) -> None:
    path = tmp_path / "mi.safetensors"
    save_checkpoint(path, network, make_manifest())
    opened = open_model(path)
    deployed = open_model(files["ts"], trust=True)
    window = eeg(rng)
    np.testing.assert_array_equal(opened.infer(window), deployed.infer(window))
    assert opened.manifest == deployed.manifest
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
    for name in ("torchscript", "eager"):
        built = open_model(path, engine=name)
        np.testing.assert_allclose(built.infer(window, tangent), expected, atol=2e-5)
        reads = {"signal": built.infer(2 * window, tangent), "tangent": built.infer(window, 2 * tangent)}
        changed = {part for part, logits in reads.items() if not np.allclose(logits, expected, atol=1e-4)}
        assert changed == {"tangent": {"tangent"}, "network": {"signal"}}.get(parts, {"signal", "tangent"})


@pytest.mark.parametrize("suffix", [".ts", ".pt2"])
@pytest.mark.parametrize("parts", ["both", "tangent", "network", "gated"])
def test_the_reference_of_a_calibration_comes_back_bit_for_bit(
    network: NeurIPTNetwork, tmp_path: Path, parts: str, suffix: str
) -> None:
    module, manifest = hybrid_of(network, parts)
    path = tmp_path / f"mi{suffix}"
    save_model(path, module, manifest)
    opened = open_model(path)
    found = Reference.of(opened.reference)
    assert found is not None
    expected = calibrated_reference()
    np.testing.assert_array_equal(found.mean, expected.mean)
    np.testing.assert_array_equal(found.distance, expected.distance)
    assert found.mean.dtype == found.distance.dtype == np.float64
    assert found.seconds == expected.seconds
    container = parse(path.read_bytes(), path.name)
    again = build_module(container.manifest, module.state_dict())
    signal, tangent = torch.from_numpy(container.golden.signal), torch.from_numpy(container.golden.tangent)
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


def test_a_model_without_an_alignment_has_no_reference(files: dict[str, Path]) -> None:
    for path in files.values():
        assert open_model(path, trust=True).reference == {}
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
        ({"architecture": "gpt"}, "architecture 'gpt' cannot be built"),
        (CONFIG.to_dict() | {"d_model": 128}, "cannot be built"),
        (CONFIG.to_dict() | {"surprise": 1}, "unknown field surprise"),
        ({"architecture": "hybrid"}, "cannot be built"),
    ],
)
def test_a_manifest_of_another_model(network: NeurIPTNetwork, model: dict[str, Any], match: str) -> None:
    with pytest.raises(ModelRefusedError, match=match):
        build_module(make_manifest(model=model), network.state_dict())


# ---- parity, and TensorRT with a stand-in ------------------------------------------------------


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
    files: dict[str, Path], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with caplog.at_level(logging.WARNING):
        engine = open_model(files["ts"], engine="tensorrt", trust=True)
    assert engine.name == "torchscript"
    assert "TensorRT is not used" in caplog.text
    assert "no NVIDIA GPU" in caplog.text


def test_a_compiler_that_fails_says_why(fake: FakeTensorRT, monkeypatch: pytest.MonkeyPatch) -> None:
    def unsupported(*_: object, **__: object) -> None:
        raise RuntimeError("no converter for aten::eigh")

    monkeypatch.setattr(fake.dynamo, "compile", unsupported)
    with pytest.raises(tensorrt.TensorRTUnavailableError, match="no converter for aten::eigh"):
        trt()


@pytest.mark.gpu
def test_tensorrt_on_this_gpu(files: dict[str, Path], rng: np.random.Generator) -> None:
    pytest.importorskip("torch_tensorrt")
    if not torch.cuda.is_available():
        pytest.skip("needs an NVIDIA GPU")
    reference = open_model(files["ts"], trust=True)
    first = open_model(files["ts"], device="cuda", engine="tensorrt", trust=True)
    cached = open_model(files["ts"], device="cuda", engine="tensorrt", trust=True)
    assert first.name == cached.name == "tensorrt"
    windows = np.stack([eeg(rng).T for _ in range(50)])
    assert parity(reference, first, windows).ok
    assert parity(first, cached, windows).max_probability_difference == 0


def test_export_programs_travel_as_bytes(files: dict[str, Path], network: NeurIPTNetwork) -> None:
    program = torch.export.load(io.BytesIO(files["pt2"].read_bytes()))
    x = torch.from_numpy(golden_inputs(make_manifest(), 1))
    torch.testing.assert_close(program.module()(x), network(x), rtol=1e-5, atol=1e-5)
