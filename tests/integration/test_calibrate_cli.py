"""`neuript calibrate` from files to a model that decodes, bad input, and Ctrl-C; and one real person."""

from __future__ import annotations

import html
import json
import os

import numpy as np
import pytest
import xdf_writer
from processes import neuript, running
from twin_recordings import NAMES, write_run

from neuript import cli

pytestmark = pytest.mark.timeout(300)  # a few seconds each on a machine that is not busy

EVENTS = ("--event", "left_hand=left_hand", "--event", "right_hand=right_hand")
SHORT = ("--window", "2", "--epoch", "1", "4", "--hop", "0.5")
FAST = ("--network", "none", *SHORT)


@pytest.fixture(scope="module")
def recordings(tmp_path_factory):
    """Two runs of a skilled simulated person, each 12 + 12 trials, as XDF files."""
    folder = tmp_path_factory.mktemp("runs")
    return [str(write_run(folder / f"run{seed}.xdf", seed)) for seed in (3, 4)]


@pytest.fixture(autouse=True)
def own_configuration(tmp_path, monkeypatch):
    """The list of trusted models is that of the test."""
    monkeypatch.setenv("NEURIPT_CONFIG_DIR", str(tmp_path / "config"))


def calibrate(files, out, *options, events=EVENTS):
    return cli.main(["calibrate", "--from", *files, *events, "--out", str(out), *options])


def decode(model, recording, lines, capsys):
    """Replay a recording through a model into a file of decisions."""
    capsys.readouterr()
    arguments = ["live", "--replay", recording, "--model", str(model), "--speed", "max"]
    assert cli.main([*arguments, "--headless", "--json"]) == 0
    lines.write_text(capsys.readouterr().out)


def score(lines, recording, capsys, *options, events=EVENTS):
    capsys.readouterr()
    assert cli.main(["score", str(lines), "--recording", recording, *events, *options, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def test_a_person_is_calibrated_on_one_run_and_decoded_on_the_next(recordings, tmp_path, capsys):
    from neuript.modelfile.deployable import open_model

    model, report, page = tmp_path / "mi.ts", tmp_path / "report.json", tmp_path / "report.html"
    options = (*SHORT, "--subject", "S01")
    assert calibrate(recordings[:1], model, *options, "--report", str(report), "--report", str(page)) == 0
    said = capsys.readouterr()
    assert "12 left_hand, 12 right_hand trials" in said.err
    assert f"next: neuript-live --model {model}" in said.err
    for name in ("CSP+LDA", "TS+LR", "NeurIPT", "Riemannian branch", "Stack (published)"):
        assert name in said.out

    engine = open_model(model)
    manifest = engine.manifest
    assert manifest.classes == ("left_hand", "right_hand")
    assert manifest.ch_names == tuple(n for n in manifest.montage["ch_names"] if n in NAMES)
    assert manifest.n_chans == len(NAMES)
    assert manifest.simulated
    assert manifest.provenance["subject"] == "S01"
    assert manifest.provenance["data"][0].startswith("recording 1 (XDF, ")
    assert model.stat().st_mode & 0o777 == report.stat().st_mode & 0o777 == page.stat().st_mode & 0o777 == 0o600
    for file in (model, report, page):
        assert "run3.xdf" not in file.read_text("utf-8", "ignore")
    told = json.loads(report.read_text())
    figures = told["calibration"]
    assert manifest.metrics == figures
    assert html.escape(told["headline"]["title"]) in page.read_text()
    assert figures["trials"] == {"left_hand": 12, "right_hand": 12}
    assert figures["decoders"]["Riemannian branch"]["accuracy"] > 0.7

    lines = tmp_path / "run4.jsonl"
    decode(model, recordings[1], lines, capsys)
    card = score(lines, recordings[1], capsys, "--window-end", "3", "4")
    assert card["n_trials"] == 24
    assert card["above_chance"], card


def test_the_same_command_writes_the_same_weights(recordings, tmp_path):
    from neuript.modelfile.deployable import open_model

    engines = []
    for name in ("a.ts", "b.ts"):
        options = (*SHORT, "--folds", "2")
        assert calibrate(recordings[:1], tmp_path / name, *options) == 0
        engines.append(open_model(tmp_path / name))
    assert engines[0].manifest.weights_sha256 == engines[1].manifest.weights_sha256
    draw = np.random.default_rng(1)
    seen = (draw.normal(size=(128, 8)) * 1e-5).astype(np.float32), draw.normal(size=engines[0].manifest.n_tangent)
    np.testing.assert_array_equal(engines[0].infer(*seen), engines[1].infer(*seen))
    assert set(engines[0].reference) == {"mean", "distance", "seconds"}
    for name, values in engines[0].reference.items():
        np.testing.assert_array_equal(values, engines[1].reference[name])


def test_two_runs_and_three_classes_by_way_of_a_fif_file(recordings, tmp_path, capsys):
    """Also a format that MNE reads, with annotations as markers."""
    import mne

    from neuript.realtime.recordings.read import read_recording
    from neuript.realtime.recordings.recording import events_of

    fifs = []
    for i, path in enumerate(recordings):
        recording = read_recording(path)
        info = mne.create_info(list(NAMES), 125.0, "eeg")
        raw = mne.io.RawArray(recording.eeg.data.T * 1e-6, info, verbose="error")
        start = recording.eeg.timestamps[0]
        found = events_of(recording)
        onsets = [e.time_s - start for e in found]
        # the pauses before the cues are the third class
        labels = ["pause" if e.label == "trial_start" else e.label for e in found]
        raw.set_annotations(mne.Annotations(onsets, [0.0] * len(onsets), labels))
        raw.crop(tmax=raw.times[-1] / 2).save(tmp_path / f"run{i}_raw.fif", verbose="error")
        fifs.append(str(tmp_path / f"run{i}_raw.fif"))
    events = (*EVENTS, "--event", "rest=pause")
    options = ("--network", "none", "--window", "1.5", "--epoch", "-1.5", "4", "--hop", "0.5")
    assert calibrate(fifs, tmp_path / "mi.ts", *options, events=events) == 0
    said = capsys.readouterr()
    assert "11 left_hand, 13 right_hand, 24 rest trials" in said.err
    assert "Guessing stays below 64.6%" in said.out  # always saying rest is right in half of the trials


UNKNOWN = ("--event", "left_hand=left_hand", "--event", "feet=771")


@pytest.mark.parametrize(
    ("options", "events", "message"),
    [
        ((), UNKNOWN, "the marker '771' of class 'feet' does not occur.*'right_hand' x12"),
        ((), EVENTS[:2], "--event names 1 class; at least two are needed"),
        ((), ("--event", "a=left_hand", "--event", "a =right_hand"), "--event names 1 class;"),
        ((), (), "not made with neuript's own cues.*'right_hand' x12"),
        ((), ("--event", "left_hand"), "'left_hand' is not of the form class=marker"),
        (("--unit", "furlongs"), EVENTS, "'furlongs' is not known; use one of volts"),
        (("--montage", "11-20"), EVENTS, "11-20.*10-20"),
        (("--montage", "muse-4"), EVENTS, "share 0 good channels"),
        (("--idle", "rest"), EVENTS, "--idle rest is not one of the classes left_hand, right_hand"),
        (("--folds", "1"), EVENTS, "--folds 1: at least 2 blocks"),
        (("--folds", "13"), EVENTS, "24 trials cannot be cut into 13 blocks"),
        (("--window", "0"), EVENTS, "--window 0 s is not larger than 0"),
        (("--window", "nan"), EVENTS, "--window nan s is not larger than 0"),
        (("--window", "0.5"), EVENTS, "windows of 0.5 s are too short.*--window 1.5"),
        (("--hop", "0.1"), EVENTS, "a hop of 0.1 s is 6.4 samples"),
        (("--epoch", "4", "1"), EVENTS, "--epoch 4 1: give two numbers of seconds"),
        (("--max-false-per-minute", "0"), EVENTS, "--max-false-per-minute 0 is not larger than 0"),
        (("--task", "my task"), EVENTS, "task='my task' must be letters and digits"),
        (("--trial-start", "Go"), EVENTS, "does not occur"),
    ],
)
def test_bad_input_is_one_sentence_and_exit_code_2(recordings, tmp_path, capsys, options, events, message):
    import re

    out = tmp_path / "mi.ts"
    out.write_bytes(b"the old model")
    assert calibrate(recordings[:1], out, *FAST, *options, events=events) == 2
    said = capsys.readouterr().err.strip().splitlines()
    assert re.search(message, said[-1]), said
    assert "internal error" not in said[-1]
    assert out.read_bytes() == b"the old model"
    assert [p.name for p in tmp_path.iterdir() if p.name != "config"] == ["mi.ts"]


def test_too_few_trials(tmp_path, capsys, rng):
    data = rng.normal(size=(4000, 8)) * 10
    markers = [(100.0 + 3 * i, ("left_hand", "right_hand")[i % 2]) for i in range(1, 9)]
    file = xdf_writer.session(data, 100 + np.arange(4000) / 125, markers, sfreq=125.0, labels=list(NAMES))
    path = str(file.save(tmp_path / "short.xdf"))
    assert calibrate([path], tmp_path / "mi.ts", *FAST) == 2
    said = capsys.readouterr().err
    assert "class 'left_hand' has 4 trials, at least 5 are needed" in said


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere.xdf", "there is no file"),
        ("empty.xdf", "empty.xdf"),
        ("notes.txt", "is not a recording that neuript reads"),
        (".", "is not a file"),
    ],
)
def test_a_file_that_is_no_recording(tmp_path, capsys, name, message):
    (tmp_path / "empty.xdf").touch()
    (tmp_path / "notes.txt").write_text("hello")
    assert calibrate([str(tmp_path / name)], tmp_path / "mi.ts", *FAST) == 2
    assert message in capsys.readouterr().err


def test_the_same_file_twice(recordings, tmp_path, capsys):
    assert calibrate(recordings[:1] * 2, tmp_path / "mi.ts", *FAST) == 2
    assert "is given twice" in capsys.readouterr().err


def test_an_output_that_cannot_be_written_is_refused_before_the_work(recordings, tmp_path, capsys, monkeypatch):
    (tmp_path / "folder.ts").mkdir()
    cases = {
        "missing/mi.ts": "there is no folder",
        "folder.ts": "is a folder; give a file name",
        "model.pt": "does not end in .ts",
    }
    for name, message in cases.items():
        assert calibrate(recordings[:1], tmp_path / name, *FAST) == 2
        said = capsys.readouterr().err
        assert message in said
        assert "reading" not in said
    report = str(tmp_path / "report.pdf")
    assert calibrate(recordings[:1], tmp_path / "mi.ts", *FAST, "--report", report) == 2
    assert "ends in neither .html" in capsys.readouterr().err
    report = str(tmp_path / "missing" / "report.json")
    assert calibrate(recordings[:1], tmp_path / "mi.ts", *FAST, "--report", report) == 2
    assert "there is no folder" in capsys.readouterr().err
    (tmp_path / "mi.ts").write_bytes(b"the old model")
    with monkeypatch.context() as patch:  # permissions do not stop the superuser
        patch.setattr(os, "access", lambda *_args: False)
        assert calibrate(recordings[:1], tmp_path / "mi.ts", *FAST) == 2
    assert "no permission; choose another place" in capsys.readouterr().err
    assert (tmp_path / "mi.ts").read_bytes() == b"the old model"


def test_nothing_given(capsys):
    assert cli.main(["calibrate", "--out", "mi.ts"]) == 2
    assert "name recordings with --from FILE" in capsys.readouterr().err
    assert cli.main(["calibrate", "--from", "a.xdf", *EVENTS]) == 2
    assert "--out is missing" in capsys.readouterr().err


def test_classes_are_named_by_their_events(capsys):
    """An option that was taken and never read is refused."""
    assert cli.main(["calibrate", "--from", "a.xdf", *EVENTS, "--out", "mi.ts", "--classes", "left_hand,feet"]) == 2
    assert "--event, --from: leave out; a guided session records its own trials" in capsys.readouterr().err


@pytest.mark.parametrize("moment", ["reading 1 recording", "trials, "])
def test_ctrl_c_ends_with_130_and_keeps_the_old_model(recordings, tmp_path, moment):
    out = tmp_path / "mi.ts"
    out.write_bytes(b"the old model")
    options = ("--out", out)
    with running(neuript("calibrate", "--from", recordings[0], *EVENTS, *options), cwd=tmp_path) as child:
        child.wait_until_it_says(moment)
        child.interrupt()
        assert child.wait(120) == 130, child.err
        assert child.err.strip().endswith("neuript calibrate: interrupted")
        assert "Traceback" not in child.err
        assert child.out == ""
    assert out.read_bytes() == b"the old model"
    assert [p.name for p in tmp_path.iterdir() if p.name != "config"] == ["mi.ts"]


@pytest.mark.recordings
def test_a_real_person_is_decoded_above_chance(data_dir, tmp_path, capsys):
    """Peterson et al. 2022, first person: calibrated on two runs, decoded on the next one."""
    person = data_dir / "peterson2022-mi-rest" / "edf01"
    if not person.is_dir():
        pytest.skip("the Peterson recordings are not among the data")
    runs = [str(person / run / "eeg.edf") for run in ("002", "003", "004")]
    events = ("--event", "right_hand=OVTK_GDF_Right", "--event", "rest=OVTK_GDF_Tongue")
    model, lines = tmp_path / "mi.ts", tmp_path / "004.jsonl"
    options = ("--network", "none", "--hop", "0.5")
    assert calibrate(runs[:2], model, *options, events=events) == 0
    decode(model, runs[2], lines, capsys)
    card = score(lines, runs[2], capsys, events=events)
    assert card["n_trials"] == 30
    assert card["chance_bound_5"] == pytest.approx(20 / 30)
    assert card["accuracy"] >= card["chance_bound_5"], card
