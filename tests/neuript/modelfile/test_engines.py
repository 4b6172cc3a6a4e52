"""Every way to run a model gives the outputs of its module."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from eight_electrodes import N_TANGENT, eeg, hybrid_of, make_manifest
from processes import finished
from torch import nn

from neuript.engines.rtx_build import BINDINGS
from neuript.engines.rungs import GPU_ENGINES, default_threads
from neuript.errors import ModelRefusedError, NeuriptError
from neuript.modelfile.container import Golden
from neuript.modelfile.deployable import open_model, save_model
from neuript.modelfile.engines import Engine, check_golden, golden_inputs
from neuript.network.network import NeurIPTNetwork

BUILDERS: list[Any] = [
    "eager",
    "cpu",
    pytest.param("compiled", marks=[pytest.mark.slow, pytest.mark.timeout(600)]),
    pytest.param("cuda", marks=pytest.mark.gpu),
    pytest.param("tensorrt", marks=pytest.mark.gpu),
    pytest.param("torch-tensorrt", marks=pytest.mark.gpu),
]


@pytest.fixture(scope="module", params=BUILDERS)
def engine(request: pytest.FixtureRequest, deployed: Path) -> Engine:
    name = request.param
    if name in GPU_ENGINES:
        for package in {"tensorrt": [BINDINGS, "onnxscript"], "torch-tensorrt": ["torch_tensorrt"]}.get(name, []):
            pytest.importorskip(package)
        if not torch.cuda.is_available():
            pytest.skip("needs an NVIDIA GPU")
    if name == "compiled":
        if "slow" not in request.config.option.markexpr:
            pytest.skip("takes a minute; run with -m slow")
        if not any(map(shutil.which, ("c++", "g++", "clang++", "cl"))):
            pytest.skip("needs a C++ compiler")
    built = open_model(deployed, engine=name)
    assert built.name == name
    return built


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


def test_two_openings_give_the_same_bits(deployed: Path, rng: np.random.Generator) -> None:
    window = eeg(rng)
    first, second = (open_model(deployed).infer(window) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("threads", ["1", "2"])
def test_another_process_gives_the_same_bits(
    deployed: Path, rng: np.random.Generator, tmp_path: Path, threads: str
) -> None:
    window = eeg(rng)
    np.save(tmp_path / "window.npy", window)
    code = (
        "import sys, numpy as np; from neuript.modelfile.deployable import open_model, save_model;"
        "e = open_model(sys.argv[1]); x = np.load(sys.argv[2]);"
        "print([e.infer(x).tobytes().hex() for _ in range(3)])"
    )
    command = [sys.executable, "-P", "-W", "error", "-c", code, deployed, tmp_path / "window.npy"]
    done = finished(command, env={"OMP_NUM_THREADS": threads}, ok=True)
    expected = open_model(deployed).infer(window).tobytes().hex()
    assert done.stdout.strip() == str([expected] * 3)
    assert done.stderr == ""  # no notice of PyTorch reaches the user


def test_threads_are_set_even_if_another_part_changed_them(deployed: Path) -> None:
    engine = open_model(deployed, threads=1)
    torch.set_num_threads(2)
    engine.infer(np.zeros((128, 8), np.float32))
    assert torch.get_num_threads() == 1


def test_small_models_get_one_thread() -> None:
    torch.set_num_threads(2)
    assert default_threads(nn.Linear(100, 100)) == 1
    with torch.device("meta"):
        assert default_threads(nn.Linear(5000, 5000)) == 2


def test_unknown_engines_and_devices(deployed: Path) -> None:
    with pytest.raises(NeuriptError, match="no engine 'onnx'; choose auto, cpu, "):
        open_model(deployed, engine="onnx")
    if not torch.cuda.is_available():
        with pytest.raises(NeuriptError, match="no GPU"):
            open_model(deployed, device="cuda")
    assert open_model(deployed, device="cpu").device == "cpu"


def test_golden_inputs_are_made_of_plausible_eeg() -> None:
    inputs = golden_inputs(make_manifest(), 8)
    assert inputs.shape == (8, 8, 128)
    assert inputs.dtype == np.float32
    rms = inputs.astype(np.float64).std(axis=(1, 2)) * 1e6
    assert 4 < rms.min() < rms.max() < 60
    np.testing.assert_array_equal(inputs, golden_inputs(make_manifest(), 8))


def test_an_engine_of_the_cpu_is_not_asked_for_on_a_gpu(deployed: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("neuript.network.gpu.cpu_or_gpu", lambda device: device)
    with pytest.raises(NeuriptError, match="the engine eager computes on the CPU, and device=cuda was asked for"):
        open_model(deployed, engine="eager", device="cuda")


@pytest.mark.parametrize("name", ["compiled", "cuda", "tensorrt", "torch-tensorrt"])
def test_an_engine_that_cannot_be_built_leads_to_the_next_with_a_sentence(
    name: str,
    deployed: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    rng: np.random.Generator,
) -> None:
    window = eeg(rng)
    expected = open_model(deployed).infer(window)

    def no_compiler(*_: object, **__: object) -> None:
        raise RuntimeError("InvalidCxxCompiler")

    monkeypatch.setattr(torch, "compile", no_compiler)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    built = open_model(deployed, engine=name)
    assert (built.name, built.device) == ("cpu", "cpu")
    assert f"the engine {name} is not used: " in caplog.text
    assert len(built.steps_down) == 1
    np.testing.assert_array_equal(built.infer(window), expected)


def test_a_model_without_a_network_has_no_engine_to_choose(
    network: NeurIPTNetwork, tmp_path: Path, rng: np.random.Generator
) -> None:
    save_model(tmp_path / "mi.ts", *hybrid_of(network, "tangent"))
    window, tangent = eeg(rng), rng.normal(size=N_TANGENT)
    plain, asked = (open_model(tmp_path / "mi.ts", engine=name) for name in ("auto", "cpu"))
    assert plain.name == asked.name == "eager"
    np.testing.assert_array_equal(plain.infer(window, tangent), asked.infer(window, tangent))
    with pytest.raises(NeuriptError, match="no engine 'fast'"):
        open_model(tmp_path / "mi.ts", engine="fast")
