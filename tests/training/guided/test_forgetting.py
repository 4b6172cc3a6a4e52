"""A person is forgotten: all that is kept under the alias is listed, and removed when confirmed, and nothing else."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import toy_model
import xdf_writer

from neuript.cli import main
from neuript.files import file_sha256
from neuript.locks import locked
from neuript.modelfile.deployable import save_model
from neuript.training.guided.forgetting import kept_of


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of two people: sessions, a model of each with its recording and reports, a population, something else."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("NEURIPT_CONFIG_DIR", str(tmp_path / "config"))
    (tmp_path / "config" / "cache" / "engines").mkdir(parents=True)
    (tmp_path / "config" / "cache" / "engines" / "a.json").write_text("{}")
    rng = np.random.default_rng(0)
    for who in ("S01", "S02"):
        session = tmp_path / "sessions" / who / "2026-11-30-1"
        session.mkdir(parents=True)
        (session / "config.yaml").write_text("format: neuript-session-1\n")
        (session / "session.xdf").write_bytes(b"x")
        run = tmp_path / "eeg" / f"{who}.xdf"
        run.parent.mkdir(exist_ok=True)
        xdf_writer.session(rng.normal(size=(50, 2)), np.arange(50) / 250, []).save(run)
        told = {"simulated": False, "data": ["recording 1"], "recordings": [file_sha256(run)], "subject": who}
        save_model(tmp_path / "eeg" / f"{who}.ts", toy_model.toy_network(), toy_model.make_manifest(provenance=told))
        (tmp_path / "eeg" / f"{who}.json").write_text(json.dumps({"subject": who, "calibration": {}}))
        (tmp_path / "eeg" / f"{who}.html").write_text(f"<title>Calibration report: {who}, motor-imagery</title>")
    both = {"simulated": False, "people": ["S01", "S02"]}
    save_model(tmp_path / "eeg" / "lab.ts", toy_model.toy_network(), toy_model.make_manifest(provenance=both))
    (tmp_path / "eeg" / "notes.json").write_text('{"subject": "S01"}')
    return tmp_path


def files_of(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_all_of_one_person_goes_and_all_of_the_other_stays(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = files_of(lab)
    assert main(["purge", "S01", "--in", "eeg", "--yes"]) == 0
    gone = before - files_of(lab)
    mine = {f"eeg/S01.{end}" for end in ("xdf", "ts", "json", "html")}
    of_session = {f"sessions/S01/2026-11-30-1/{name}" for name in ("config.yaml", "session.xdf")}
    assert gone == mine | of_session | {"config/cache/engines/a.json"}
    assert not (lab / "sessions" / "S01").exists()
    out = capsys.readouterr().out
    for line in (
        "model      eeg/S01.ts",
        "recording  eeg/S01.xdf",
        "session    sessions/S01",
        "report     eeg/S01.html",
    ):
        assert line in out
    assert "kept       eeg/lab.ts: learnt from S01 among others" in out
    assert "removed 7 files of S01" in out


@pytest.mark.parametrize(("answer", "is_terminal", "code"), [("S02\n", True, 2), ("", False, 2), ("S01\n", True, 0)])
def test_it_asks(
    lab: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    answer: str,
    is_terminal: bool,
    code: int,
) -> None:
    stdin = io.StringIO(answer)
    monkeypatch.setattr(stdin, "isatty", lambda: is_terminal)
    monkeypatch.setattr(sys, "stdin", stdin)
    before = files_of(lab)
    assert main(["purge", "S01"]) == code
    assert (files_of(lab) == before) is (code != 0)
    assert "session    sessions/S01" in capsys.readouterr().out


def test_what_is_refused(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = files_of(lab)
    for words, options in {
        "must be an alias": ["../S01"],
        "nothing is kept under the alias S09": ["S09"],
        "there is no folder nowhere": ["S01", "--in", "nowhere"],
    }.items():
        assert main(["purge", *options, "--yes"]) == 2
        assert words in capsys.readouterr().err
    with locked(lab / "sessions" / "S01" / "2026-11-30-1" / ".lock"):
        assert main(["purge", "S01", "--yes"]) == 2
    assert "is running" in capsys.readouterr().err
    assert files_of(lab) - {"sessions/S01/2026-11-30-1/.lock"} == before


def test_links_are_not_followed(lab: Path) -> None:
    (lab / "sessions" / "S03").symlink_to(lab / "sessions" / "S02")
    (lab / "eeg" / "link.ts").symlink_to(lab / "eeg" / "S01.ts")
    assert kept_of("S03", "sessions").all == ()
    assert Path("eeg/link.ts") not in kept_of("S01", "sessions", ["eeg"]).models
