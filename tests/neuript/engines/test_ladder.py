"""The ladder: the fastest engine that is right, remembered; whatever fails leads to the next with a sentence."""

from __future__ import annotations

import json
import logging
import os
import sys
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from networks import made_up_network

from neuript.engines import ladder, remembered
from neuript.engines.contract import EagerEngine
from neuript.engines.cpu_engine import CpuEngine
from neuript.engines.ladder import LadderEngine, Rung, measure, open_engine
from neuript.errors import NeuriptError


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("NEURIPT_CONFIG_DIR", str(tmp_path / "config"))
    monkeypatch.setattr(remembered, "usable_cores", lambda: 1)
    monkeypatch.setattr(ladder, "MAX_TURNS", 3)
    return tmp_path / "config" / "cache" / "engines"


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


def slow(logits):
    for _ in range(300):
        np.linalg.svd(np.ones((40, 40)))
    return logits


def rung(network, from_call, do, name="failing"):
    return Rung(name, 1, partial(Failing, network, from_call, do))


@pytest.mark.parametrize("do", [nan, crash, wrong])
def test_an_engine_that_is_wrong_from_the_start_is_not_used(network, windows, do, caplog):
    engine = LadderEngine([rung(network, 1, do), Rung("cpu", 1, partial(CpuEngine, network))], network, windows)
    assert engine.name == "cpu"
    assert "the engine failing is not used" in caplog.text


@pytest.mark.parametrize(("do", "reason"), [(nan, "no number"), (crash, "MemoryError: no room")])
def test_an_engine_that_fails_later_is_left_and_the_window_is_answered(network, windows, do, reason, caplog):
    engine = LadderEngine([rung(network, 3, do), Rung("cpu", 1, partial(CpuEngine, network))], network, windows)
    expected = EagerEngine(network)(windows)
    for name in ("failing", "cpu", "cpu"):
        np.testing.assert_allclose(engine(windows), expected, atol=1e-4)
        assert engine.name == name
    assert [r.message for r in caplog.records] == [
        f"the engine failing is left ({r}); cpu goes on" for r in reasons(caplog)
    ]
    assert reason in caplog.text


def reasons(caplog):
    return [r.args[1] for r in caplog.records]


def test_the_network_itself_is_the_end(network, windows):
    engine = LadderEngine([rung(network, 3, crash)], network, windows)
    engine(windows)
    np.testing.assert_array_equal(engine(windows), EagerEngine(network)(windows))
    assert engine.name == "eager"


def test_a_window_without_numbers_is_not_the_engines_fault(network, windows):
    engine = LadderEngine([Rung("cpu", 1, partial(CpuEngine, network))], network, windows)
    assert np.isnan(engine(np.full_like(windows[:1], np.nan))).all()
    assert engine.name == "cpu"


def test_the_fastest_is_chosen_and_remembered(network, windows, own_folder, monkeypatch):
    rungs = [rung(network, 2, slow, "slow"), Rung("cpu", 1, partial(CpuEngine, network))]
    monkeypatch.setattr(ladder, "cpu_rungs", lambda *_: rungs)
    first = open_engine(network, windows, model_key="abc")
    assert first.name == "cpu"
    (note,) = own_folder.iterdir()
    kept = json.loads(note.read_text())
    assert kept["order"] == ["cpu/1", "slow/1"]
    assert kept["milliseconds"]["cpu/1"] < kept["milliseconds"]["slow/1"]
    if os.name == "posix":
        assert note.stat().st_mode & 0o77 == 0
    monkeypatch.setattr(ladder, "measure", lambda *_: pytest.fail("measured again"))
    assert open_engine(network, windows, model_key="abc").name == "cpu"


@pytest.mark.parametrize("text", ["", "{", "[]", '{"order": 3}', '{"order": ["gone/1"]}', '{"order": [{}]}'])
def test_a_damaged_note_costs_another_measurement(network, windows, own_folder, text):
    own_folder.mkdir(parents=True)
    remembered.choice_path("abc").write_text(text)
    assert open_engine(network, windows, model_key="abc").name == "cpu"
    assert json.loads(remembered.choice_path("abc").read_text())["order"][0].startswith("cpu/")


def test_another_model_and_another_computer_have_notes_of_their_own(monkeypatch):
    here = remembered.choice_path("abc")
    assert here != remembered.choice_path("abd")
    monkeypatch.setattr(remembered, "usable_cores", lambda: 64)
    assert here != remembered.choice_path("abc")


def test_a_folder_that_cannot_be_written_is_said_and_survived(network, windows, own_folder, caplog):
    own_folder.parent.mkdir(parents=True)
    own_folder.write_text("a file in the way")
    assert open_engine(network, windows, model_key="abc").name == "cpu"
    assert "is not kept" in caplog.text


@pytest.mark.parametrize("name", ["cpu", "eager"])
def test_the_engine_that_is_asked_for(network, windows, name):
    assert open_engine(network, windows, engine=name).name == name


@pytest.mark.timeout(600)
def test_an_engine_of_the_graph(graphed, windows, onnx):
    pytest.importorskip("onnxruntime")
    assert open_engine(graphed, windows, engine="onnxruntime", onnx=onnx).name == "onnxruntime"


def test_a_package_that_is_missing_leads_to_our_own(network, windows, monkeypatch, caplog):
    monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    assert open_engine(network, windows, engine="openvino").name == "cpu"
    assert "neuript[onnx]" in caplog.text


def test_there_is_no_other_engine(network, windows):
    with pytest.raises(NeuriptError, match="engine=fast: there is no such engine; choose auto, cpu, openvino"):
        open_engine(network, windows, engine="fast")


def test_an_engine_of_another_network_is_not_measured(network, windows, caplog):
    other = Rung("other", 1, partial(CpuEngine, made_up_network(seed=9)))
    with caplog.at_level(logging.WARNING):
        assert list(measure([other, Rung("cpu", 1, partial(CpuEngine, network))], network, windows)) == ["cpu/1"]
    assert "the engine other is not used: cpu in float32: probabilities differ by at most" in caplog.text
