"""`neuript live --alignment`: where windows are seen from, over a recording, without LSL."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import xdf_writer
from builders import NAMES, make_manifest, save_power_model

from neuript import cli
from neuript.errors import NeuriptError
from neuript.modelfile.deployable import save_model
from neuript.modelfile.describe import describe_model
from neuript.network.stack import HybridClassifier
from neuript.network.tangent import TangentBranch
from neuript.realtime.chain.alignment import AlignmentSpec, Reference
from neuript.realtime.chain.preprocess import PreprocessSpec
from neuript.realtime.live.options import LiveOptions

SFREQ, SECONDS = 125.0, 24.0
ALIGNMENT = AlignmentSpec(bands_hz=((8.0, 12.0), (12.0, 30.0)), memory_s=20.0, settle_s=8.0)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A recording, a model with a reference, one without, and one that does not recentre at all."""
    folder = tmp_path_factory.mktemp("aligned")
    draw = np.random.default_rng(6)
    n = round(SECONDS * SFREQ)
    rhythm = 10 * np.sin(2 * np.pi * (10 * np.arange(n)[:, None] / SFREQ + np.arange(4) / 7))
    x = (rhythm + draw.normal(scale=8, size=(n, 4))).astype(np.float32)
    stamps = 100.0 + np.arange(n) / SFREQ
    xdf_writer.session(x, stamps, [(101.0, "go")], sfreq=SFREQ, labels=list(NAMES)).save(folder / "run.xdf")
    reference = Reference(np.stack([20 * np.eye(4)] * 3), np.full(3, 2.0), 20.0).to_arrays()
    manifest = make_manifest(
        model={"architecture": "hybrid", "network": None, "weights": [0.0, 1.0]},
        preprocess=PreprocessSpec(alignment=ALIGNMENT),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("NEURIPT_CONFIG_DIR", str(folder / "config"))
        for name, kept in (("taught", reference), ("untaught", {})):
            branch = TangentBranch(torch.tensor(draw.normal(size=(2, 20))), torch.zeros(2))
            values = {field: torch.tensor(value) for field, value in kept.items()}
            module = HybridClassifier(None, branch, (0.0, 1.0), torch.zeros(2), values)
            save_model(folder / f"{name}.ts", module, manifest)
        save_power_model(folder / "plain.ts")
        yield folder


def decoded(folder: Path, model: str, *options: str) -> Any:
    """Decode the recording, whose rows go to stdout; return what the report says of the alignment."""
    command = ["live", "--model", str(folder / f"{model}.ts"), "--replay", str(folder / "run.xdf"), "--mains", "0"]
    report = folder / "report.json"
    assert cli.main([*command, "--json", "--headless", "--report", str(report), *options]) == 0
    return json.loads(report.read_text())["alignment"]


def states_of(text: str) -> list[tuple[str, Any]]:
    return [(row["state"], row["proba"]) for row in map(json.loads, text.splitlines())]


def n_warm(rows: list[tuple[str, Any]]) -> int:
    return [state for state, _ in rows].index("OK")


def test_moving_begins_with_the_calibration_and_follows_the_person(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = decoded(files, "taught")
    by_default = states_of(capsys.readouterr().out)
    assert decoded(files, "taught", "--alignment", "moving") == report
    assert states_of(capsys.readouterr().out) == by_default
    assert (report["moving"], report["settled"], report["seconds"]) == (True, True, 20.0)
    assert report["moved_typical_distances"] > 0.3
    assert n_warm(by_default) * 0.125 < 4


def test_frozen_stays_with_the_calibration(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    decoded(files, "taught")
    moving = states_of(capsys.readouterr().out)
    report = decoded(files, "taught", "--alignment", "frozen")
    frozen = states_of(capsys.readouterr().out)
    assert report == {"moving": False, "settled": True, "seconds": 20.0, "moved_typical_distances": 0.0, "recentred": 0}
    assert [state for state, _ in frozen] == [state for state, _ in moving]
    assert frozen[-1] != moving[-1]


def test_new_forgets_the_calibration_and_learns_from_the_stream(
    files: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = decoded(files, "taught", "--alignment", "new")
    rows = states_of(capsys.readouterr().out)
    warm_s = n_warm(rows) * 0.125
    assert ALIGNMENT.settle_s < warm_s < ALIGNMENT.settle_s + 3
    assert {state for state, _ in rows[: n_warm(rows)]} == {"WARMUP"}
    assert 0 < report["moved_typical_distances"] < 1  # from where it first settled, not from the calibration
    assert decoded(files, "untaught") == report
    assert n_warm(states_of(capsys.readouterr().out)) == n_warm(rows)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pseudo-terminals of this kind")
@pytest.mark.parametrize(("typed", "words"), [("r", "nothing is decoded before there are 8 s"), ("x", "is no command")])
def test_what_is_typed_at_the_terminal_recentres(
    files: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, typed: str, words: str
) -> None:
    keyboard, terminal = os.openpty()
    with os.fdopen(terminal) as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        os.write(keyboard, f"{typed}\n".encode())
        report = decoded(files, "taught", "--speed", "20")
    os.close(keyboard)
    captured = capsys.readouterr()
    assert words in captured.err
    assert report["recentred"] == (typed == "r")
    warm_s = n_warm(states_of(captured.out)) * 0.125
    assert (warm_s > ALIGNMENT.settle_s) == (typed == "r")


@pytest.mark.parametrize("model", ["untaught", "plain"])
def test_frozen_without_a_reference_is_refused_in_one_sentence(
    files: Path, model: str, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["live", "--model", str(files / f"{model}.ts"), "--replay", str(files / "run.xdf")]
    assert cli.main([*command, "--headless", "--alignment", "frozen"]) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert said[-1] == (
        "neuript live: --alignment frozen stays with the reference of the calibration, but the model has none; "
        "leave it out"
    )


@pytest.mark.parametrize("wrong", ["shape", "field"])
def test_a_reference_that_cannot_be_one_is_refused_in_one_sentence(
    files: Path, wrong: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEURIPT_CONFIG_DIR", str(tmp_path / "config"))
    fields = Reference(np.stack([np.eye(4)] * 3), np.ones(3), 20.0).to_arrays()
    match wrong:
        case "shape":
            fields["mean"] = np.stack([np.eye(5)] * 3)
        case "field":
            del fields["distance"]
    branch = TangentBranch(torch.ones(2, 20), torch.zeros(2))
    values = {field: torch.tensor(value) for field, value in fields.items()}
    module = HybridClassifier(None, branch, (0.0, 1.0), torch.zeros(2), values)
    manifest = make_manifest(
        model={"architecture": "hybrid", "network": None, "weights": [0.0, 1.0]},
        preprocess=PreprocessSpec(alignment=ALIGNMENT),
    )
    save_model(tmp_path / "odd.ts", module, manifest)
    command = ["live", "--model", str(tmp_path / "odd.ts"), "--replay", str(files / "run.xdf"), "--headless"]
    assert cli.main(command) == 5
    said = capsys.readouterr().err.strip().splitlines()[-1]
    assert said.startswith("neuript live: the model's reference cannot be used: ")
    assert cli.main([*command, "--alignment", "new"]) == 0  # it is not asked for
    capsys.readouterr()


def test_a_model_without_an_alignment_reports_none(files: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert decoded(files, "plain") is None
    assert decoded(files, "plain", "--alignment", "new") is None
    capsys.readouterr()


def test_the_choices_are_named() -> None:
    with pytest.raises(NeuriptError, match=r"alignment='sideways' must be moving, frozen or new"):
        LiveOptions(model="mi.ts", alignment="sideways")
    assert LiveOptions.from_mapping({"model": "mi.ts", "alignment": "frozen"}).alignment == "frozen"
    hashes = {LiveOptions(model="mi.ts", alignment=name).sha256 for name in ("moving", "frozen", "new")}
    assert len(hashes) == 3


def test_the_description_of_a_model_says_how_it_recentres(files: Path) -> None:
    assert "recentred on the person's running mean of 20.0 s; bands 8-12, 12-30 Hz" in describe_model(
        files / "taught.ts"
    )
    assert "recentred" not in describe_model(files / "plain.ts")
