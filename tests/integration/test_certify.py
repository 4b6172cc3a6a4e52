"""`neuript certify` on the real path: an amplifier over LSL, the decoder in its process, a verdict, a picture."""

from __future__ import annotations

import json

import pytest

from neuript.cli import main

pytestmark = [pytest.mark.lsl, pytest.mark.timeout(110)]


def test_an_injected_delay_shows_in_its_stage(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("NEURIPT_CONFIG_DIR", str(tmp_path / "config"))
    out = tmp_path / "out"
    words = ["--seconds", "5", "--engine", "cpu", "--budget-ms", "5000", "--inject", "decide=15"]
    code = main(["certify", "--out", str(out), *words])
    said = json.loads((out / "certificate.json").read_text("utf-8"))
    stages = said["stages_ms"]
    assert 15.0 <= stages["decide"]["p50"] < 30.0  # to the millisecond: test_decoder.py, with a clock of its own
    assert stages["window"]["p50"] < 5
    assert stages["sample to decision"]["p50"] >= stages["decide"]["p50"] + stages["infer"]["p50"] - 1
    assert code == (0 if said["passed"] else 2)
    assert said["report"]["engine"]["name"] == "cpu"
    assert (out / "stages.png").read_bytes().startswith(b"\x89PNG")
    assert capsys.readouterr().out.splitlines()[-1].startswith("PASS" if said["passed"] else "FAIL: ")
