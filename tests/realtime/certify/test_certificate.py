"""PASS only if everything is as it must be; a delay is measured where it is; bad input is refused in a sentence."""

from __future__ import annotations

import json
import time

import pytest

from neuript.cli import main
from neuript.engines.cpu_engine import CpuEngine
from neuript.engines.rungs import EngineParts, Rung, rung_of
from neuript.modelfile.deployable import load_model
from neuript.modelfile.engines import engine_parts, golden_inputs
from neuript.realtime.certify.certificate import WHOLE, Certificate
from neuript.realtime.certify.gpu_checks import checked_engine, gpu_checks
from neuript.realtime.certify.injected import STAGES_TO_DELAY, _delayed, _parts
from neuript.realtime.certify.stages_picture import stages_picture
from neuript.realtime.decoding.decision import STAGES, Decision
from neuript.realtime.decoding.latency import LatencyLedger
from neuript.realtime.decoding.states import State
from neuript.realtime.live.demo import DEMO_MODEL


def report(infer_ms=10.0, n=100, **changed):
    """What a session of `n` decisions reports, through the real ledger."""
    ledger = LatencyLedger()
    for _ in range(n):
        taken = dict.fromkeys(STAGES, 0.5) | {"infer": infer_ms, "total": infer_ms + 2.5}
        row = Decision(t=0.0, window_index=0, state=State.OK, proba={"a": 1.0}, sample_age_ms=4.0, latency_ms=taken)
        ledger.publish(row)
    engine = {"name": "cpu", "device": "cpu", "precision": "float32", "steps_down": ["openvino is not installed"]}
    cost = {"cpu_percent_of_one_core": 20.0, "rss_mb_max": 400.0}
    return {**ledger.summary(), "skipped_hops": 0, "engine": engine, "cost": cost, **changed}


def certificate(said=None, **changed):
    settings = {"montage": "10-20", "sfreq": 250.0, "engine": "auto"} | changed.pop("settings", {})
    fields = {"budget_ms": 60.0, "expected": 100.0, "report": said or report(), "settings": settings, "computer": {}}
    return Certificate(**fields | changed)


def test_what_is_fast_enough_passes_and_is_strict_json():
    found = certificate()
    assert found.passed
    assert found.lines()[-1] == "PASS"
    assert found.stages[WHOLE]["p99"] == pytest.approx(16.5, rel=0.012)
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["passed"] is True


@pytest.mark.parametrize(
    ("changed", "match"),
    [
        ({"said": report(infer_ms=70.0)}, r"p99 from sample to decision of 7[67]\.\d ms is above the budget of 60 ms"),
        ({"said": report(skipped_hops=3)}, "3 hops were skipped"),
        ({"said": report(n=80)}, "80 windows were decoded of about 100 that were due"),
        ({"said": report(n=0)}, "the p99 from sample to decision is unknown"),
        ({"settings": {"engine": "openvino"}}, "openvino was asked for and cpu decodes: openvino is not installed"),
        ({"gpu": {"reasons": ["no engine runs on the GPU"], "lines": []}}, "no engine runs on the GPU"),
    ],
)
def test_each_fault_is_a_sentence(changed, match):
    found = certificate(**changed)
    assert not found.passed
    with pytest.raises(AssertionError, match=match):
        raise AssertionError(found.lines()[-1])


def test_the_picture_is_drawn_for_pass_and_fail():
    for found in (certificate(), certificate(report(infer_ms=0.0))):
        assert stages_picture(found).startswith(b"\x89PNG")


def test_a_delay_is_as_long_as_it_should_be_and_changes_no_result():
    late = _delayed(lambda x, y=1: x + y, 0.015)
    best = min(_seconds(lambda: late(2, y=3)) for _ in range(5))
    assert late(2, y=3) == 5
    assert best == pytest.approx(0.015, abs=0.001)


def _seconds(call):
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def test_every_stage_can_be_delayed():
    parts = _parts()
    assert set(parts) == set(STAGES_TO_DELAY) == set(STAGES) - {"total"}
    assert all(callable(getattr(owner, name)) for methods in parts.values() for owner, name in methods)


@pytest.mark.parametrize(
    ("words", "match"),
    [
        (["--seconds", "1"], "--seconds 1 must be 5 or more"),
        (["--budget-ms", "0"], "--budget-ms 0 must be above 0"),
        (["--sfreq", "50"], "--sfreq 50 must be from 100 to 20000 Hz"),
        (["--inject", "infer"], "must be STAGE=MS"),
        (["--inject", "total=15"], "a stage out of pull, filter, window, infer, decide, publish"),
        (["--model", "none.ts"], "there is no model file none.ts"),
        (["--engine", "fast"], "there is no engine 'fast'; choose auto, cpu"),
    ],
)
def test_refusals(words, match, tmp_path, capsys):
    assert main(["certify", "--out", str(tmp_path / "out"), *words]) == 2
    assert match in capsys.readouterr().err


def test_without_a_gpu_the_tests_of_one_are_refused_in_a_sentence(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("neuript.network.gpu.sees_gpu", lambda: False)
    assert main(["certify", "--out", str(tmp_path / "out"), "--device", "cuda"]) == 2
    assert "device=cuda: PyTorch sees no GPU here; use cpu" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.fixture(scope="module")
def parts() -> EngineParts:
    return engine_parts(load_model(DEMO_MODEL))


@pytest.fixture(scope="module")
def windows():
    return golden_inputs(load_model(DEMO_MODEL).manifest, 8)


class TestEnginesOneByOne:
    @pytest.fixture(autouse=True)
    def short(self, monkeypatch):
        monkeypatch.setattr("neuript.realtime.certify.gpu_checks.N_TIMED", 10)

    def test_one_that_is_right(self, parts: EngineParts, windows):
        row = checked_engine(rung_of("cpu", parts), parts, windows)
        assert not row["failed"]
        assert row["max_probability_difference"] < 1e-5
        assert 0 < row["ms"]["p50"] <= row["ms"]["p99"]

    def test_one_that_answers_differently_each_time(self, parts: EngineParts, windows):
        class Drifts(CpuEngine):
            n = 0

            def __call__(self, x):
                self.n += 1
                return super().__call__(x) + 0.5 * self.n

        row = checked_engine(Rung("cpu", 1, lambda: Drifts(parts.network)), parts, windows)
        assert row["failed"]
        assert "the same window does not give the same bits" in row["error"]

    def test_without_a_gpu_each_is_a_reason_but_for_what_is_not_installed(self, monkeypatch):
        monkeypatch.setattr("torch.cuda.is_available", lambda: False)
        found = gpu_checks(str(DEMO_MODEL))
        assert list(found["engines"]) == ["tensorrt", "torch-tensorrt", "cuda"]
        assert found["reasons"][-1] == "no engine runs on the GPU"
        assert all(row["failed"] for row in found["engines"].values())
        assert any("needs an NVIDIA GPU" in line for line in found["lines"])
