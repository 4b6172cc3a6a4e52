"""`neuript train population` from files to a decoder of the next person, before and after their first trials."""

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from made_up_people import QUICK
from processes import neuript, running
from twin_people import CLASSES, OPTIONS, session, write, write_people

from neuript import cli
from neuript.files import file_sha256
from neuript.modelfile.deployable import open_model
from neuript.modelfile.describe import read_manifest
from neuript.training.population import population_file
from neuript.training.population.learning import Learning
from neuript.training.population.population_file import load_population

EVENTS = ("--event", "left_hand=left_hand", "--event", "right_hand=right_hand")
FAST = ("--network", "none", *OPTIONS, "--mains", "none")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Recordings of three people and of a fourth, and the population of the three."""
    folder = tmp_path_factory.mktemp("lab")
    write_people(folder / "bids")
    write(folder / "new.xdf", session(9))
    write(folder / "later.xdf", session(9, 1))
    write(folder / "unlabelled.xdf", session(9, 2), markers=False)
    assert population(folder / "bids", folder / "lab.safetensors", "--report", str(folder / "report.json")) == 0
    return folder


@pytest.fixture(autouse=True)
def own_configuration(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEURIPT_CONFIG_DIR", str(tmp_path / "config"))


def population(source: Path | str, out: Path, *options: str, events: tuple[str, ...] = EVENTS) -> int:
    return cli.main(["train", "population", str(source), *events, "--out", str(out), *FAST, *options])


def calibrate(lab: Path, recording: str, out: Path, *options: str, events: tuple[str, ...] = EVENTS) -> int:
    command = ["calibrate", "--from", str(lab / recording), *events, "--out", str(out), *OPTIONS, "--mains", "none"]
    return cli.main([*command, "--population", str(lab / "lab.safetensors"), *options])


def decoded(recording: Path, capsys: pytest.CaptureFixture[str], *options: str) -> tuple[list[dict[str, Any]], str]:
    """Rows on stdout and what was said beside them."""
    capsys.readouterr()
    command = ["live", "--replay", str(recording), "--mains", "0", "--headless", "--json", *options]
    assert cli.main(command) == 0
    said = capsys.readouterr()
    return [json.loads(line) for line in said.out.splitlines()], said.err


def n_right(rows: list[dict[str, Any]], day: int = 0) -> tuple[int, int]:
    """Trials of the fourth person whose mean probability is right, and trials in all."""
    right = n = 0
    cues = session(9, day).streams[1]
    for t, row in zip(cues.timestamps, cues.values, strict=True):
        mine = [r["proba"] for r in rows if r["proba"] and 3.0 <= r["t"] - 100.0 - t <= 4.0]
        if row[0] in CLASSES and mine:
            n += 1
            right += max(CLASSES, key=lambda name: sum(p[name] for p in mine)) == row[0]
    return right, n


def test_a_population_is_learnt_from_a_folder(lab: Path) -> None:
    found = load_population(lab / "lab.safetensors")
    assert found.people == ("01", "02", "03")
    assert found.learnt.network is None
    report = json.loads((lab / "report.json").read_text())
    assert found.manifest.metrics == report
    assert report["left_out"]["Stack (published)"]["0"]["people"].keys() == {"01", "02", "03"}


def test_what_is_found_and_the_table_are_said(lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "two.safetensors"
    people = [f"P{k}={lab}/bids/sub-0{k}/eeg/sub-0{k}_eeg.xdf" for k in (1, 2)]
    assert cli.main(["train", "population", *people, f"P9={lab}/new.xdf", *EVENTS, "--out", str(out), *FAST]) == 0
    said = capsys.readouterr()
    assert "P1: 8 left_hand, 8 right_hand trials" in said.err
    assert f"next: neuript-live --population {out}" in said.err
    told = " ".join(said.out.split())
    assert "Balanced accuracy of 3 people left out in turn, by their trials per class" in told
    assert "no trial" in told
    assert re.search(r"Riemannian branch without a trial, learnt from 1 person \d+\.\d%, 2 people \d+\.\d%\.$", told)
    assert load_population(out).people == ("P1", "P2", "P9")


def test_no_table_says_nothing_of_it(lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    capsys.readouterr()
    assert population(lab / "bids", tmp_path / "x.safetensors", "--no-table") == 0
    assert capsys.readouterr().out == ""
    assert "left_out" not in load_population(tmp_path / "x.safetensors").manifest.metrics


def test_the_next_person_is_decoded_before_the_first_label(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """WARMUP for half a minute of signal, then decisions to the end."""
    rows, said = decoded(lab / "new.xdf", capsys, "--population", str(lab / "lab.safetensors"))
    states = [row["state"] for row in rows]
    warm = states.index("OK")
    assert set(states[:warm]) == {"WARMUP"}
    assert 28 <= warm * 0.5 <= 36
    assert set(states[warm:]) == {"OK"}
    assert all(row["proba"] is None for row in rows[:warm])
    assert all(set(row["proba"]) == set(CLASSES) for row in rows[warm:])
    assert "not calibrated on this person: decoding by what 3 earlier people say" in said
    right, n = n_right(rows)
    assert n >= 8
    assert right >= 0.7 * n


def test_the_report_says_that_nobody_calibrated(lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    report = tmp_path / "report.json"
    options = ("--population", str(lab / "lab.safetensors"), "--report", str(report), "--duration", "40")
    decoded(lab / "unlabelled.xdf", capsys, *options)
    told = json.loads(report.read_text())["model"]
    assert told["calibrated"] is False


def test_a_person_calibrates_with_the_people_and_is_decoded_from_the_first_window(
    lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, report = tmp_path / "mi.ts", tmp_path / "report.json"
    assert calibrate(lab, "new.xdf", model, "--subject", "S09", "--report", str(report)) == 0
    said = capsys.readouterr()
    assert "8 left_hand, 8 right_hand trials" in said.err
    assert "The decoder began with what 3 earlier people say." in said.out
    assert "Held-out accuracy over 16 trials" in said.out
    assert "Controls on the same trials: before the cue" in " ".join(said.out.split())
    manifest = read_manifest(model)
    assert manifest.calibrated
    assert manifest.provenance["population"] == file_sha256(lab / "lab.safetensors")
    assert manifest.metrics == json.loads(report.read_text())["calibration"]
    assert manifest.metrics["operating_point"]["max_false_per_minute"] == 1.0
    rows, told = decoded(lab / "later.xdf", capsys, "--model", str(model))
    assert [row["state"] for row in rows].index("OK") * 0.5 < 5
    assert "not calibrated" not in told
    right, n = n_right(rows, day=1)
    assert n == 16
    assert right >= 0.7 * n


def test_without_a_label_the_recording_gives_a_reference(
    lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model = tmp_path / "mi.ts"
    assert calibrate(lab, "unlabelled.xdf", model, events=()) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "Not calibrated on this person yet: 0 trials are too few to hold some out" in said
    assert open_model(model).reference
    rows, told = decoded(lab / "later.xdf", capsys, "--model", str(model))
    assert [row["state"] for row in rows].index("OK") * 0.5 < 5
    assert "not calibrated on this person" in told


def test_a_small_cap_is_decoded_by_the_people_too(
    lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small = write(tmp_path / "small.xdf", session(9, names=("F4", "C3", "Cz", "C4", "P3", "Pz")))
    rows, said = decoded(small, capsys, "--population", str(lab / "lab.safetensors"))
    assert rows[-1]["state"] == "OK"
    assert "F3" in said


@pytest.mark.parametrize(
    ("options", "events", "words"),
    [
        (("--exclude-people", "01"), EVENTS, "2 people are too few to say anything of another; give recordings of at"),
        (("--exclude-people", "0*"), EVENTS, "the folders hold recordings of nobody"),
        (("--exclude-people", "1"), EVENTS, "--exclude-people 1 fits nobody; the folders hold 01, 02, 03"),
        (("--include", "*.edf"), EVENTS, "holds no recordings that the patterns take"),
        ((), EVENTS[:2], "--event names 1 class; at least two are needed"),
        ((), (*EVENTS[:2], "--event", "feet=771"), "01: the marker '771' of class 'feet' does not occur"),
        (("--montage", "11-20"), EVENTS, "11-20"),
        (("--montage", "muse-4"), EVENTS, "share 0 good channels"),
        (("--window", "0"), EVENTS, "--window 0 s is not larger than 0"),
        (("--seed", "-1"), EVENTS, "seed"),
        (("--idle", "rest"), EVENTS, "--idle rest is not one of the classes left_hand, right_hand"),
        (("--unit", "furlongs"), EVENTS, "'furlongs' is not known"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(
    lab: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    events: tuple[str, ...],
    words: str,
) -> None:
    out = tmp_path / "lab.safetensors"
    assert population(lab / "bids", out, *options, events=events) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.startswith("neuript")
    assert words in last
    assert not out.exists()


@pytest.mark.parametrize(
    ("sources", "words"),
    [
        (["{lab}/nowhere"], "there is no folder"),
        (["P1={lab}/nowhere.xdf"], "there is no folder"),
        (["{lab}/bids", "01={lab}/new.xdf"], "two people are called 01"),
        (["{lab}/bids", "04={lab}/bids/sub-02"], "sub-02_eeg.xdf of 04 is there twice (the other one is of 02)"),
        (["{lab}/bids", "P 4={lab}/new.xdf"], "write ALIAS=PATH"),
        (["{lab}/bids", "04={lab}/unlabelled.xdf"], "04: "),
    ],
)
def test_people_who_cannot_be_are_refused(
    lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], sources: list[str], words: str
) -> None:
    given = [source.format(lab=lab) for source in sources]
    assert cli.main(["train", "population", *given, *EVENTS, "--out", str(tmp_path / "x.safetensors"), *FAST]) == 2
    assert words in capsys.readouterr().err.strip().splitlines()[-1]


@pytest.mark.parametrize("out", ["lab.ts", "no/folder/lab.safetensors"])
def test_a_file_that_cannot_be_written_is_said_before_any_work(
    lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], out: str
) -> None:
    assert population(lab / "bids", tmp_path / out) == 2
    assert "trials" not in capsys.readouterr().err


def test_a_recording_is_never_written_over(lab: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recording = lab / "bids" / "sub-01" / "eeg" / "sub-01_eeg.xdf"
    before = recording.read_bytes()
    assert population(lab / "bids", recording) == 2
    assert population(lab / "bids", lab / "y.safetensors", "--report", str(recording)) == 2
    assert recording.read_bytes() == before
    assert not (lab / "y.safetensors").exists()


@pytest.mark.parametrize(
    ("options", "events", "words"),
    [
        (
            ("--event", "feet=left_hand", "--event", "hand=right_hand"),
            (),
            "tells left_hand, right_hand apart, not feet",
        ),
        (("--window", "1.5"), EVENTS, "the population's windows are 2 s at 64 Hz, not 1.5 s"),
        (("--reference", "average"), EVENTS, "leave out --reference"),
        (("--population", "nowhere.safetensors"), EVENTS, "--population nowhere.safetensors is no file"),
    ],
)
def test_a_calibration_that_does_not_fit_is_refused(
    lab: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: tuple[str, ...],
    events: tuple[str, ...],
    words: str,
) -> None:
    assert calibrate(lab, "new.xdf", tmp_path / "mi.ts", *options, events=events) == 2
    assert words in capsys.readouterr().err.strip().splitlines()[-1]
    assert not (tmp_path / "mi.ts").exists()


def test_one_of_the_people_cannot_calibrate(lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copy(lab / "bids" / "sub-03" / "eeg" / "sub-03_eeg.xdf", tmp_path / "mine.xdf")
    assert calibrate(lab, str(tmp_path / "mine.xdf"), tmp_path / "mi.ts") == 2
    assert "is one of the recordings that the population was learnt from" in capsys.readouterr().err


def test_what_is_no_population_is_refused_with_exit_code_5(
    lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    encoder = Path(cli.__file__).parents[1] / "weights" / "twin-micro.safetensors"
    damaged = tmp_path / "damaged.safetensors"
    damaged.write_bytes((lab / "lab.safetensors").read_bytes()[:-100])
    for path, words in ((encoder, "is no population of earlier people"), (damaged, "damaged")):
        assert calibrate(lab, "new.xdf", tmp_path / "mi.ts", "--population", str(path)) == 5
        assert words in capsys.readouterr().err.strip().splitlines()[-1]
    replay = ["live", "--replay", str(lab / "new.xdf"), "--headless"]
    assert cli.main([*replay, "--population", str(damaged)]) == 5
    assert cli.main([*replay, "--population", str(encoder)]) == 5


def test_the_windows_are_the_populations_where_nobody_says_otherwise(lab: Path, tmp_path: Path) -> None:
    options = [option for option in OPTIONS if option not in ("--window", "2")]
    assert len(options) == len(OPTIONS) - 2
    out = tmp_path / "mi.ts"
    command = ["calibrate", "--from", str(lab / "new.xdf"), *EVENTS, "--out", str(out), *options, "--mains", "none"]
    assert cli.main([*command, "--population", str(lab / "lab.safetensors")]) == 0
    assert read_manifest(out).window_s == 2


def test_a_model_is_not_taken_for_a_population_nor_a_population_for_a_model(
    lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    model, renamed = tmp_path / "mi.ts", tmp_path / "mi.safetensors"
    assert calibrate(lab, "new.xdf", model) == 0
    shutil.copy(model, renamed)
    replay = ["live", "--replay", str(lab / "later.xdf"), "--headless", "--mains", "0"]
    for given, code, words in (
        (model, 2, "does not end in .safetensors, so it is no population of earlier people; `neuript-train"),
        (renamed, 5, "mi.safetensors"),
    ):
        assert cli.main([*replay, "--population", str(given)]) == code
        assert words in capsys.readouterr().err.strip().splitlines()[-1]
        assert calibrate(lab, "new.xdf", tmp_path / "other.ts", "--population", str(given)) == code
        assert words in capsys.readouterr().err.strip().splitlines()[-1]
    assert cli.main([*replay, "--model", str(lab / "lab.safetensors")]) == 2
    assert "next: neuript-live --population" in capsys.readouterr().err.strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--model", "mi.ts"), "--population decodes by what earlier people say; leave it out where there is a model"),
        (("--demo",), "--population decodes by what earlier people say"),
        (("--classes", "feet,rest"), "but feet, rest were asked for"),
        (("--alignment", "frozen"), "--alignment frozen stays with the reference of the calibration"),
    ],
)
def test_live_refuses_what_does_not_go_with_a_population(
    lab: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], words: str
) -> None:
    replay = () if "--demo" in options else ("--replay", str(lab / "new.xdf"))
    command = ["live", *replay, "--headless", "--population", str(lab / "lab.safetensors"), *options]
    assert cli.main(command) == (5 if "--classes" in options else 2)
    assert words in capsys.readouterr().err.strip().splitlines()[-1]


def test_live_refuses_too_small_a_cap(lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = write(tmp_path / "small.xdf", session(9, trials=2, names=("C3", "Cz", "C4")))
    command = ["live", "--replay", str(small), "--headless", "--population", str(lab / "lab.safetensors")]
    assert cli.main(command) == 2
    assert "3 of these 8 are here and good, at least 4 are needed" in capsys.readouterr().err.strip().splitlines()[-1]


def test_with_a_network_the_same_commands_work(
    lab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The network is trained in two steps, so the people leave it out or give it little."""
    monkeypatch.setattr(population_file, "Learning", lambda data, config, **how: Learning(data, config, QUICK, **how))
    out, model = tmp_path / "lab.safetensors", tmp_path / "mi.ts"
    command = ["train", "population", str(lab / "bids"), *EVENTS, "--out", str(out), *OPTIONS, "--mains", "none"]
    assert cli.main([*command, "--no-table", "--seed", "5"]) == 0
    found = load_population(out)
    assert found.learnt.network is not None
    assert found.manifest.provenance["seed"] == 5
    rows, _ = decoded(lab / "new.xdf", capsys, "--population", str(out))
    right, n = n_right(rows)
    assert right >= 0.7 * n
    assert calibrate(lab, "new.xdf", model, "--population", str(out)) == 0
    assert "NeurIPT" in capsys.readouterr().out
    assert set(read_manifest(model).metrics["stack_weights"]) == {"network", "riemannian"}
    assert calibrate(lab, "unlabelled.xdf", model, "--population", str(out), events=()) == 0
    assert not read_manifest(model).calibrated
    assert read_manifest(model).policy["centre_s"] > 0


@pytest.mark.skipif(os.name == "nt", reason="signals")
def test_ctrl_c_leaves_no_file_and_says_so_in_one_line(lab: Path, tmp_path: Path) -> None:
    out = tmp_path / "x.safetensors"
    with running(neuript("train", "population", lab / "bids", *EVENTS, "--out", out, *OPTIONS)) as child:
        child.wait_until_it_says("03: 8 left_hand")
        child.interrupt()
        assert child.wait() == 130
        assert "Traceback" not in child.err
    assert list(tmp_path.iterdir()) == []
