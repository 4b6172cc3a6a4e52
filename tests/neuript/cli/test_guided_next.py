"""What is printed after a guided session can be pasted, also for an amplifier that sends bare numbers."""

from __future__ import annotations

import shlex
from pathlib import Path
from types import SimpleNamespace

import pytest

from neuript.cli.channel_options import joined
from neuript.cli.guided import _next
from neuript.cli.live import build_parser
from neuript.training.calibration.calibration_spec import CalibrationSpec
from neuript.training.guided.guided_spec import GuidedSpec

EIGHT = "-,C3,Cz,C4,Pz,PO7,PO8,-"


@pytest.mark.parametrize(
    ("montage", "unit", "channels"),
    [(None, None, None), ("openbci-8", "microvolts", None), (None, "microvolts", EIGHT)],
)
def test_what_was_said_of_the_stream_is_said_to_the_decoder(montage, unit, channels, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    Path("my mi.ts").touch()
    named = None if channels is None else tuple(channels.split(","))
    calibration = CalibrationSpec(montage=montage, unit=unit, channels=named)
    stream = {"stream": "OpenBCI", "source_id": "amp-1"}
    spec = GuidedSpec(subject="S01", montage=montage, unit=unit, out="my mi.ts", calibration=calibration, **stream)
    line = _next(SimpleNamespace(published=None), spec, Path("sessions/S01/2026-11-30-1"))
    program, *words = shlex.split(line.partition("next: ")[2])
    given = vars(build_parser().parse_args(joined(words)))  # an option that nobody gave is not there
    assert (program, given["model"]) == ("neuript-live", "my mi.ts")
    assert (given.get("montage"), given.get("unit"), given.get("channels")) == (montage, unit, channels)
    assert {name: given.get(name) for name in stream} == stream
    assert "sessions/S01/2026-11-30-1/report.html" in line


def test_a_model_that_could_not_be_put_where_it_was_to_be_is_named_where_it_is(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    spec = GuidedSpec(subject="S01", out="mi.ts", calibration=CalibrationSpec())
    line = _next(SimpleNamespace(published=None), spec, Path("sessions/S01/2026-11-30-1"))
    assert "neuript-live --model sessions/S01/2026-11-30-1/model.ts" in line


def test_a_decoder_at_chance_is_not_offered():
    spec = GuidedSpec(subject="S01", out="mi.ts", calibration=CalibrationSpec())
    line = _next(SimpleNamespace(published=SimpleNamespace(above_chance=False)), spec, Path("s"))
    assert "not above chance" in line
    assert "neuript-live" not in line
