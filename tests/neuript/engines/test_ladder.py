"""The ladder: the fastest engine that is right, remembered; whatever fails leads to the next with a sentence."""

from __future__ import annotations

import json
import os
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from networks import made_up_network

from neuript.engines import ladder, measuring, remembered, rungs
from neuript.engines.contract import EagerEngine
from neuript.engines.cpu_engine import CpuEngine
from neuript.engines.ladder import LadderEngine, open_engine
from neuript.engines.measuring import measure
from neuript.engines.plan_store import keep_plan, note_own
from neuript.engines.rungs import EngineParts, Rung, automatic_rungs, rtx_key, rung_of
from neuript.errors import EngineRefusedError, NeuriptError

CPU = "cpu/1"


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NEURIPT_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setattr(measuring, "MEASURED_CALLS", 3)
    return tmp_path / "config" / "cache" / "engines"


@pytest.fixture
def parts(network, windows) -> EngineParts:
    return EngineParts(network=network, windows=windows, weights_sha256="abc")


class Failing(CpuEngine):
    """Our engine, which from some call on does something else."""

    name = "failing"

    def __init__(self, network, from_call, do):
        super().__init__(network)
        self._calls, self._from, self._do = 0, from_call, do

    def __call__(self, windows):
        self._calls += 1
        logits = super().__call__(windows)
        return self._do(logits) if self._calls >= self._from else logits


def nan(logits):
    return np.full_like(logits, np.nan)


def crash(_logits):
    raise MemoryError("no room")


def wrong(logits):
    return logits + np.float32([1, 0, 0])


def too_many(logits):
    return np.repeat(logits, 2, axis=1)


def slow(logits):
    for _ in range(300):
        np.linalg.svd(np.ones((40, 40)))
    return logits


def rung(network, from_call, do, name="failing"):
    return Rung(name, 1, partial(Failing, network, from_call, do))


@pytest.mark.parametrize("do", [nan, crash, wrong, too_many])
def test_an_engine_that_is_wrong_from_the_start_is_not_used(network, parts, do, caplog):
    engine = LadderEngine([rung(network, 1, do), rung_of("cpu", parts)], parts)
    assert engine.name == "cpu"
    assert "the engine failing is not used" in caplog.text
    assert engine.steps_down == [record.message for record in caplog.records]


@pytest.mark.parametrize(("do", "reason"), [(nan, "no number"), (crash, "MemoryError: no room")])
def test_an_engine_that_fails_later_is_left_and_the_window_is_answered(network, windows, parts, do, reason, caplog):
    engine = LadderEngine([rung(network, 3, do), rung_of("cpu", parts)], parts)
    expected = EagerEngine(network)(windows)
    for name in ("failing", "cpu", "cpu"):
        np.testing.assert_allclose(engine(windows), expected, atol=1e-4)
        assert engine.name == name
    (sentence,) = engine.steps_down
    assert sentence.startswith("the engine failing is left (")
    assert sentence.endswith("; cpu goes on")
    assert reason in sentence
    assert sentence in caplog.text


def test_the_network_itself_is_the_end(network, windows, parts):
    engine = LadderEngine([rung(network, 3, crash)], parts)
    engine(windows)
    np.testing.assert_array_equal(engine(windows), EagerEngine(network)(windows))
    assert (engine.name, engine.device, engine.precision) == ("eager", "cpu", "float32")


def test_a_window_without_numbers_is_not_the_engines_fault(windows, parts):
    engine = LadderEngine([rung_of("cpu", parts)], parts)
    assert np.isnan(engine(np.full_like(windows[:1], np.nan))).all()
    assert engine.name == "cpu"


def test_the_fastest_is_chosen_and_remembered(network, parts, own_folder, monkeypatch):
    both = [rung(network, 2, slow, "slow"), rung_of("cpu", parts)]
    monkeypatch.setattr(ladder, "automatic_rungs", lambda *_: both)
    assert open_engine(parts).name == "cpu"
    (note,) = own_folder.iterdir()
    taken = json.loads(note.read_text())["milliseconds"]
    assert taken[CPU] < taken["slow/1"]
    if os.name == "posix":
        assert note.stat().st_mode & 0o77 == 0
    monkeypatch.setattr(ladder, "measure", lambda *_, **__: pytest.fail("measured again"))
    assert open_engine(parts).name == "cpu"


def test_one_engine_alone_is_not_measured(parts, own_folder, monkeypatch):
    monkeypatch.setattr(ladder, "measure", lambda *_, **__: pytest.fail("there is nothing to choose"))
    assert open_engine(parts).name == "cpu"
    assert not own_folder.exists()


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"milliseconds": 3}', '{"milliseconds": {"gone/1": 1}}', '{"milliseconds": {"cpu/1": []}}']
)
def test_a_damaged_note_costs_another_measurement(network, parts, own_folder, text, monkeypatch):
    monkeypatch.setattr(ladder, "automatic_rungs", lambda *_: [rung(network, 9, nan), rung_of("cpu", parts)])
    own_folder.mkdir(parents=True)
    path = remembered.choice_path(ladder._remembered_as(parts, "cpu"))
    path.write_text(text)
    open_engine(parts)
    assert set(json.loads(path.read_text())["milliseconds"]) == {"failing/1", CPU}


def test_another_model_and_another_computer_have_notes_of_their_own(monkeypatch):
    here = remembered.choice_path("abc")
    assert here != remembered.choice_path("abd")
    monkeypatch.setattr(remembered, "usable_cores", lambda: 64)
    assert here != remembered.choice_path("abc")


def test_a_folder_that_cannot_be_written_is_said_and_survived(network, parts, own_folder, caplog, monkeypatch):
    monkeypatch.setattr(ladder, "automatic_rungs", lambda *_: [rung(network, 9, nan), rung_of("cpu", parts)])
    own_folder.parent.mkdir(parents=True)
    own_folder.write_text("a file in the way")
    assert open_engine(parts).name in ("cpu", "failing")
    assert "is not kept" in caplog.text


@pytest.mark.parametrize("name", ["cpu", "eager"])
def test_the_engine_that_is_asked_for(parts, name):
    assert open_engine(parts, engine=name).name == name


@pytest.mark.timeout(600)
def test_an_engine_of_the_graph(graphed, windows, onnx, own_folder, monkeypatch, caplog):
    pytest.importorskip("onnxruntime")
    given = EngineParts(network=graphed, windows=windows, onnx=onnx, weights_sha256="abc")
    assert open_engine(given, engine="onnxruntime").name == "onnxruntime"
    monkeypatch.setattr(ladder, "WAIT_S", 0.0)
    assert open_engine(given).name == "cpu"  # what is late is not waited for, and not asked again
    assert "`neuript certify` takes the time to measure it" in caplog.text
    monkeypatch.setattr(ladder, "measure", lambda *_, **__: pytest.fail("measured again"))
    assert open_engine(given).name == "cpu"
    monkeypatch.setattr(ladder, "measure", measure)
    open_engine(given, patient=True).close()
    taken = remembered.recall(ladder._remembered_as(given, "cpu"))
    assert {label for label, ms in taken.items() if ms} >= {CPU, "onnxruntime/1"}


def test_a_package_that_is_missing_leads_to_our_own(parts, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    assert open_engine(parts, engine="openvino").name == "cpu"
    assert "neuript[onnx]" in caplog.text


def test_there_is_no_other_engine(parts):
    with pytest.raises(NeuriptError, match="there is no engine 'fast'; choose auto, cpu, openvino"):
        open_engine(parts, engine="fast")


def test_an_engine_of_another_network_is_not_measured(parts, caplog):
    other = Rung("other", 1, partial(CpuEngine, made_up_network(seed=9)))
    taken = measure([other, rung_of("cpu", parts)], parts)
    assert taken["other/1"] is None
    assert taken[CPU] > 0
    assert "the engine other is not used: cpu in float32: probabilities differ by at most" in caplog.text


class TestEnginesWithCode:
    """An engine of TensorRT-RTX is loaded only where it was built."""

    @pytest.fixture(autouse=True)
    def gpu(self, monkeypatch):
        monkeypatch.setattr("neuript.engines.plan_engine.need_gpu", lambda: None)
        monkeypatch.setattr(rungs, "load_bindings", lambda: type("Bindings", (), {"__version__": "1.0"}))
        monkeypatch.setattr(rungs, "find_spec", lambda name: None if "torch" in name else name)

    def of(self, parts, **changed):
        fields = {"network": parts.network, "windows": parts.windows, "onnx": b"graph", "plan": b"engine"}
        return EngineParts(**fields | changed)

    def test_one_that_was_built_here_is_taken(self, parts):
        note_own(b"engine")
        assert rungs._rtx_data(self.of(parts)) == b"engine"
        assert [r.name for r in automatic_rungs(self.of(parts), "cuda")][-2:] == ["tensorrt", "cuda"]

    def test_one_from_elsewhere_is_built_anew_from_the_graph_and_kept(self, parts, monkeypatch, caplog):
        built = []

        def build(graph, precision):
            built.append((graph, precision))
            return type("Plan", (), {"data": b"built here"})

        monkeypatch.setattr(rungs, "build_plan", build)
        assert "tensorrt" not in [r.name for r in automatic_rungs(self.of(parts), "cuda")]  # it takes a minute
        for _ in range(2):
            assert rungs._rtx_data(self.of(parts)) == b"built here"
        assert built == [(b"graph", "float32")]
        assert "was not built on this computer" in caplog.text
        assert "tensorrt" in [r.name for r in automatic_rungs(self.of(parts), "cuda")]

    def test_another_version_or_graph_is_another_engine(self, parts, monkeypatch):
        keep_plan(rtx_key(b"graph", "float32"), b"engine")
        assert rungs._rtx_is_there(self.of(parts, plan=None))
        assert not rungs._rtx_is_there(self.of(parts, plan=None, onnx=b"other"))
        assert not rungs._rtx_is_there(self.of(parts, plan=None, precision="float16"))
        monkeypatch.setattr(rungs, "load_bindings", lambda: type("Bindings", (), {"__version__": "1.1"}))
        assert not rungs._rtx_is_there(self.of(parts, plan=None))

    def test_what_cannot_be_built_leads_to_the_cpu(self, parts, monkeypatch, caplog):
        def build(*_):
            raise EngineRefusedError("TensorRT-RTX cannot read the ONNX graph: it is damaged")

        monkeypatch.setattr(rungs, "build_plan", build)
        assert open_engine(self.of(parts), engine="tensorrt").name == "cpu"
        assert "the engine tensorrt is not used: TensorRT-RTX cannot read" in caplog.text


def test_threads_are_set_before_anything_is_compared(parts):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(2)
        open_engine(parts)
        assert torch.get_num_threads() == 1
    finally:
        torch.set_num_threads(before)
