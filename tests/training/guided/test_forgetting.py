"""A person is forgotten: all that is kept under the alias is listed, and removed when confirmed, and nothing else."""

from __future__ import annotations

import io
import json
import os
import sys
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest
import toy_model
import xdf_writer
from made_up_windows import dataset, fitted

from neuript.cli import main
from neuript.files import file_sha256
from neuript.locks import locked
from neuript.modelfile.deployable import save_model
from neuript.realtime.recordings.recording import Recording
from neuript.training.calibration.calibration_spec import CalibrationSpec
from neuript.training.calibration.to_model import to_model
from neuript.training.guided.forgetting import kept_of, purge


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


def model(path: Path, who: str, *hashes: str) -> None:
    told = {"simulated": False, "data": ["recording 1"], "recordings": list(hashes), "subject": who}
    save_model(path, toy_model.toy_network(), toy_model.make_manifest(provenance=told))


def of_s02(folder: Path) -> set[str]:
    return {name for name in files_of(folder) if "S02" in name}


def test_a_model_of_the_wrong_recording_takes_nobody_elses(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--subject S01 --from S02.xdf`, once, by a slip."""
    session = lab / "sessions" / "S02" / "2026-11-30-1" / "session.xdf"
    model(lab / "slip.ts", "S01", file_sha256(lab / "eeg" / "S02.xdf"), file_sha256(session))
    (lab / "sessions" / "S01" / "2026-11-30-1" / "session.xdf").write_bytes(b"of S01")
    (session.parent / "S01.json").write_text(json.dumps({"subject": "S01", "calibration": {}}))
    before = of_s02(lab)
    assert main(["purge", "S01", "--in", ".", "--yes"]) == 0
    assert of_s02(lab) == before
    assert not (lab / "slip.ts").exists()
    out = capsys.readouterr().out
    for name in ("eeg/S02.xdf", "sessions/S02/2026-11-30-1/session.xdf", "sessions/S02/2026-11-30-1/S01.json"):
        assert f"kept       {name} (also of S02)" in out.splitlines()


def test_a_model_in_anothers_session_and_a_population_speak_for_their_people(lab: Path) -> None:
    theirs, ours = lab / "eeg" / "S02.xdf", lab / "eeg" / "S04.xdf"
    ours.write_bytes(b"of S04")
    model(lab / "eeg" / "slip.ts", "S01", file_sha256(theirs), file_sha256(ours))
    (lab / "eeg" / "S02.ts").rename(lab / "sessions" / "S02" / "2026-11-30-1" / "model.ts")
    told = {"simulated": False, "kind": "population", "people": ["S03", "S04"], "file_hashes": [file_sha256(ours)]}
    save_model(lab / "eeg" / "two.ts", toy_model.toy_network(), toy_model.make_manifest(provenance=told))
    kept = kept_of("S01", "sessions", ["eeg"])
    assert kept.recordings == (Path("eeg/S01.xdf"),)
    assert set(kept.shared) == {(Path("eeg/S02.xdf"), "S02"), (Path("eeg/S04.xdf"), "S03, S04")}


def test_another_folder_of_sessions_is_known_by_what_lies_in_it(lab: Path) -> None:
    (lab / "sessions").rename(lab / "old")
    model(lab / "slip.ts", "S01", file_sha256(lab / "old" / "S02" / "2026-11-30-1" / "session.xdf"))
    for sessions, folders in (("sessions", ["."]), ("old", ["old", "eeg", "."]), (".", ["."])):
        kept = kept_of("S01", sessions, folders)
        assert Path("eeg/S01.ts") in kept.models
        assert [(path.name, whose) for path, whose in kept.shared] == [("session.xdf", "S02")]
        assert "S02" not in "".join(map(str, kept.all))


def brainvision(folder: Path, name: str, samples: bytes) -> Path:
    header = folder / f"{name}.vhdr"
    header.write_text("Brain Vision Data Exchange Header File Version 1.0\n[Common Infos]\nDataFile=$b.eeg\n")
    (folder / f"{name}.eeg").write_bytes(samples)
    (folder / f"{name}.vmrk").write_bytes(b"markers")
    return header


def test_headers_and_samples_go_together_and_the_same_header_of_another_stays(lab: Path) -> None:
    one, two = brainvision(lab / "eeg", "a", b"one"), brainvision(lab / "eeg", "b", b"two")
    (lab / "eeg" / "c.set").write_bytes(b"header")
    (lab / "eeg" / "c.fdt").write_bytes(b"samples")
    (lab / "eeg" / "lost.eeg").write_bytes(b"lost its header")
    data = Recording(one, [], "BrainVision"), Recording(lab / "eeg" / "c.set", [], "EEGLAB")
    rng = np.random.default_rng(0)
    windows = dataset(rng)
    spec = CalibrationSpec(event_map={"left": "769", "right": "770"}, subject="S03")
    result = to_model(windows, fitted(windows, alone=True), None, (), spec, data, 1.0)
    result.save(lab / "eeg" / "S03.ts")
    model(lab / "eeg" / "S03b.ts", "S03", file_sha256(lab / "eeg" / "lost.eeg"))
    assert one.read_bytes() == two.read_bytes()
    before = files_of(lab)
    assert main(["purge", "S03", "--in", "eeg", "--yes"]) == 0
    gone = {"a.vhdr", "a.eeg", "a.vmrk", "c.set", "c.fdt", "lost.eeg", "S03.ts", "S03b.ts"}
    engines = {"config/cache/engines/a.json"}
    assert before - files_of(lab) == {f"eeg/{name}" for name in gone} | engines


def test_a_markers_file_that_another_recording_names_stays(lab: Path) -> None:
    one, two = brainvision(lab / "eeg", "a", b"one"), brainvision(lab / "eeg", "b", b"two")
    two.write_text(f"{two.read_text()}MarkerFile=a.vmrk\n")
    model(lab / "eeg" / "S03.ts", "S03", file_sha256(one.with_suffix(".eeg")))
    assert [p.name for p in kept_of("S03", "sessions", ["eeg"]).recordings] == ["a.vhdr", "a.eeg"]


@pytest.mark.parametrize("folders", [["eeg", "."], ["eeg", "eeg"], [".", "sessions/S01"]])
@pytest.mark.parametrize("is_absolute", [False, True])
def test_what_is_found_twice_goes_once(
    lab: Path, folders: list[str], is_absolute: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files_of(lab)
    options = [word for folder in folders for word in ("--in", str(lab / folder) if is_absolute else folder)]
    assert main(["purge", "S01", *options, "--yes"]) == 0
    assert not [name for name in files_of(lab) if "S01" in name]
    assert len(before - files_of(lab)) == 7
    assert "removed 7 files of S01" in capsys.readouterr().out


def test_one_that_cannot_be_removed_stops_no_other_and_is_found_again(
    lab: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (lab / "eeg" / "copy.xdf").write_bytes((lab / "eeg" / "S01.xdf").read_bytes())
    unlink, order = Path.unlink, []

    def refuse(path: Path, missing_ok: bool = False) -> None:
        order.append(path.name)
        if path.name in ("S01.xdf", "session.xdf"):
            raise PermissionError(13, "Permission denied", str(path))
        unlink(path, missing_ok)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "unlink", refuse)
        assert main(["purge", "S01", "--in", "eeg", "--yes"]) == 2
    said = capsys.readouterr()
    assert set(order[:2]) == {"copy.xdf", "S01.xdf"}
    assert "removed 5 files of S01" in said.out
    lines = said.err.splitlines()
    assert [line.split(" ")[0] for line in lines] == [
        "eeg/S01.xdf",
        "sessions/S01/2026-11-30-1/session.xdf",
        "eeg/S01.ts",
    ]
    assert "cannot be removed: Permission denied" in lines[0]
    assert "stays" in lines[2]
    assert main(["purge", "S01", "--in", "eeg", "--yes"]) == 0
    assert not [name for name in files_of(lab) if "S01" in name]
    assert not (lab / "sessions" / "S01").exists()


def test_what_is_gone_already_is_done(lab: Path) -> None:
    kept = kept_of("S01", "sessions", ["eeg"])
    (lab / "eeg" / "S01.xdf").unlink()
    (lab / "sessions" / "S01" / "2026-11-30-1" / "session.xdf").unlink()
    assert purge(kept) == (5, [])
    assert purge(kept) == (0, [])


def test_an_alias_in_other_letters_is_another_one(lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As on a disk for which sessions/s01 and sessions/S01 are one folder."""
    is_dir = Path.is_dir
    monkeypatch.setattr(Path, "is_dir", lambda path: is_dir(path) or is_dir(path.with_name(path.name.upper())))
    assert Path("sessions/s01").is_dir()
    assert kept_of("s01", "sessions", ["eeg"]).all == ()
    assert kept_of("S01", "sessions").sessions == (Path("sessions/S01"),)


def test_a_session_that_began_while_it_asked_is_not_touched(
    lab: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    running = ExitStack()

    def answer() -> str:
        new = lab / "sessions" / "S01" / "2026-11-30-2"
        new.mkdir()
        (new / "config.yaml").write_text("format: neuript-session-1\n")
        running.enter_context(locked(new / ".lock"))
        return "S01\n"

    stdin = io.StringIO()
    monkeypatch.setattr(stdin, "isatty", lambda: True)
    monkeypatch.setattr(stdin, "readline", answer)
    monkeypatch.setattr(sys, "stdin", stdin)
    before = files_of(lab)
    with running:
        assert main(["purge", "S01", "--in", "eeg"]) == 2
    assert "2026-11-30-2 is running" in capsys.readouterr().err
    assert before <= files_of(lab)


@pytest.mark.parametrize(
    ("page", "is_report"),
    [
        ("<title>Calibration report: S01, motor-imagery</title>", True),
        ("<title>Calibration report: S01, a &amp; b</title><p>Calibration report: S01, a &amp; b</p>", True),
        ("<title>Everybody</title><p>Calibration report: S01, a</p><p>Calibration report: S02, a</p>", False),
        ("<title>Calibration report: S02, a</title><p>Calibration report: S01, a</p>", False),
        ("<title>Calibration report: S01, S02, motor-imagery</title>", False),
        ("<title>Calibration report: S01, a</title><title>Calibration report: S02, a</title>", False),
        ("Calibration report: S01, a", False),
    ],
)
def test_a_page_is_of_the_person_in_its_title(lab: Path, page: str, is_report: bool) -> None:
    (lab / "page.html").write_text(page)
    assert (Path("page.html") in kept_of("S01", "sessions", ["."]).reports) is is_report


@pytest.mark.parametrize("name", ["S02.ts", "S02.xdf", "S02.json", "S02.html", "muse.csv"])
def test_a_file_that_cannot_be_read_is_said_and_nothing_goes(
    lab: Path, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (lab / "eeg" / name).touch()
    before, opened = files_of(lab), io.open

    def refuse(file: object, *args: object, **options: object) -> object:
        if str(file).endswith(f"eeg/{name}"):
            raise PermissionError(13, "Permission denied", str(file))
        return opened(file, *args, **options)  # type: ignore[call-overload]

    monkeypatch.setattr(io, "open", refuse)
    assert main(["purge", "S01", "--in", "eeg", "--yes"]) == 2
    assert f"eeg/{name} cannot be read (Permission denied)" in capsys.readouterr().err
    assert files_of(lab) == before


@pytest.mark.parametrize("name", ["eeg", "2026-11-30-1"])
def test_a_folder_that_cannot_be_read_is_said_and_nothing_goes(
    lab: Path, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    before, look = files_of(lab), os.scandir

    def refuse(path: str) -> object:
        if Path(path).name == name:
            raise PermissionError(13, "Permission denied", str(path))
        return look(path)

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", refuse)
        assert main(["purge", "S01", "--in", ".", "--yes"]) == 2
    assert f"{name} cannot be read (Permission denied)" in capsys.readouterr().err
    assert files_of(lab) == before


def test_links_are_not_followed(lab: Path) -> None:
    (lab / "sessions" / "S03").symlink_to(lab / "sessions" / "S02")
    (lab / "eeg" / "link.ts").symlink_to(lab / "eeg" / "S01.ts")
    assert kept_of("S03", "sessions").all == ()
    assert Path("eeg/link.ts") not in kept_of("S01", "sessions", ["eeg"]).models
