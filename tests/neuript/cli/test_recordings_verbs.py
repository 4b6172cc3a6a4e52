"""`neuript inspect`, `neuript xdf` and the arguments of `neuript-replay`."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import xdf_writer
from processes import finished, python

import neuript.weights
from neuript.cli import main
from neuript.realtime.recordings.read import read_recording

SFREQ = 250.0


@pytest.fixture
def session(tmp_path, rng):
    """Eight seconds of 5 channels: good, good, flat, a counter, partly NaN; a gap of 0.4 s."""
    n = 2000
    stamps = 100 + np.arange(n) / SFREQ
    stamps[1600:] += 0.4
    data = (15 * rng.standard_normal((n, 5))).astype(np.float32)
    data[:, 2] = 7
    data[:, 3] = np.arange(n)
    data[700:800, 4] = np.nan
    return xdf_writer.session(
        data, stamps, [(101.0, "left"), (102.0, "left"), (103.0, "[red]right")],
        labels=["C3", "Cz", "C4", "Counter", "Pz"],
    ).save(tmp_path / "s.xdf")  # fmt: skip


def test_inspect_for_programs(session, capsys):
    assert main(["inspect", str(session), "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    eeg, markers = said["streams"]
    assert (eeg["is_eeg"], eeg["n_chans"], eeg["n_times"]) == (True, 5, 2000)
    assert [(g["index"], g["n_missing"]) for g in eeg["gaps"]] == [(1600, 100)]
    assert eeg["effective_sfreq"] == pytest.approx(250, abs=0.01)
    assert markers["events"] == {"left": 2, "[red]right": 1}
    channels = {c["label"]: c for c in said["eeg"]["channels"]}
    assert channels["C3"]["verdict"] == "ok"
    assert channels["C4"]["verdict"] == "flat"
    assert "counter" in channels["Counter"]["verdict"]
    assert "not a number" in channels["Pz"]["verdict"]
    assert channels["Pz"]["rms_1_40hz"] is None
    white = 15 * np.sqrt(39 / 125)  # the part of white noise between 1 and 40 Hz
    assert channels["C3"]["rms_1_40hz"] == pytest.approx(white, rel=0.2)
    assert said["eeg"]["unit_ok"]


def test_inspect_for_people(session, capsys):
    assert main(["inspect", str(session)]) == 0
    text = capsys.readouterr().out
    for part in ("s.xdf", "Amp", "microvolts", "plausible", "100 samples (0.400 s) missing after 0:06.4",
                 "flat", "left", "[red]right"):  # fmt: skip
        assert part in text


def test_inspect_says_when_units_cannot_be_right(tmp_path, rng, capsys):
    data = (15 * rng.standard_normal((1000, 3))).astype(np.float32)
    out = xdf_writer.session(data, 5 + np.arange(1000) / SFREQ, [], unit="volts")
    assert main(["inspect", str(out.save(tmp_path / "v.xdf")), "--json"]) == 0
    verdict = json.loads(capsys.readouterr().out)["eeg"]
    assert not verdict["unit_ok"]
    assert "--unit microvolts" in verdict["unit_verdict"]


def test_inspect_of_a_file_without_eeg(tmp_path, capsys):
    out = xdf_writer.XdfWriter().stream(1, "M", "Markers", fmt="string").samples(1, [1.0], ["a"])
    assert main(["inspect", str(out.save(tmp_path / "m.xdf"))]) == 0
    assert "no EEG in this file" in capsys.readouterr().out


@pytest.mark.parametrize("verb", ["inspect", "replay", "xdf check"])
def test_bad_files_give_one_line_and_code_2(tmp_path, verb, capsys):
    (tmp_path / "zero.xdf").touch()
    (tmp_path / "pdf.xdf").write_bytes(b"%PDF")
    for name, sentence in (("zero", "0 bytes"), ("pdf", "not an XDF"), ("none", "no file")):
        assert main([*verb.split(), str(tmp_path / f"{name}.xdf")]) == 2
        err = capsys.readouterr().err
        assert sentence in err
        assert len(err.strip().splitlines()) == 1


@pytest.mark.parametrize("options", [["--chunk", "0"], ["--chunk", "many"], ["--speed", "x"]])
def test_replay_usage(session, options, capsys):
    assert main(["replay", str(session), *options]) == 2
    assert options[0] in capsys.readouterr().err


def test_xdf_check_and_repair(session, tmp_path, capsys):
    assert main(["xdf", "check", str(session)]) == 0
    assert "whole: " in capsys.readouterr().out
    cut = tmp_path / "cut.xdf"
    cut.write_bytes(session.read_bytes()[:20_000])
    assert main(["xdf", "check", str(cut)]) == 2
    assert "DAMAGED" in capsys.readouterr().out
    fixed = tmp_path / "fixed.xdf"
    assert main(["xdf", "repair", str(cut), str(fixed)]) == 0
    assert main(["xdf", "check", str(fixed)]) == 0
    before, after = read_recording(cut).eeg, read_recording(fixed).eeg
    assert len(after) > 500
    np.testing.assert_array_equal(after.data, before.data)
    np.testing.assert_array_equal(after.timestamps, before.timestamps)
    kept = fixed.read_bytes()
    assert main(["xdf", "repair", str(cut), str(fixed)]) == 2
    assert "exists already" in capsys.readouterr().err
    assert fixed.read_bytes() == kept
    assert main(["xdf", "repair", str(cut), str(tmp_path / "no" / "x.xdf")]) == 2
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cut.xdf", "fixed.xdf", "s.xdf"]


def test_help_is_light():
    """No PyTorch, SciPy, MNE, pyxdf, pylsl or rich to print a help text."""
    code = (
        "import sys; from neuript.cli import main\n"
        "for verb in ('replay', 'inspect', 'xdf'): main([verb, '--help'])\n"
        "print([m for m in ('torch','scipy','mne','pyxdf','pylsl','rich','numpy') if m in sys.modules])"
    )
    done = finished(python(code), ok=True)
    assert done.stdout.strip().splitlines()[-1] == "[]"


@pytest.mark.parametrize("kind", ["EXG", "exg", ""])
def test_inspect_of_channels_of_type_exg_beside_others(tmp_path, rng, capsys, kind):
    """The auxiliary input and the trigger have no say in the unit and in what is typical."""
    data = (15 * rng.standard_normal((1500, 5))).astype(np.float32)
    data[:, 3] = 4e5 * np.sin(np.arange(1500) / 8)
    data[:, 4] = 0
    out = xdf_writer.session(
        data, 5 + np.arange(1500) / SFREQ, [], labels=["C3", "Cz", "C4", "X1", "Trigger"], stype="EXG",
        kind=[kind, kind, kind, "AUX", "TRG"], unit=["uV", "uV", "uV", "g", "number"],
    )  # fmt: skip
    assert main(["inspect", str(out.save(tmp_path / "e.xdf")), "--json"]) == 0
    eeg = json.loads(capsys.readouterr().out)["eeg"]
    assert eeg["unit_ok"], eeg["unit_verdict"]
    verdicts = {c["label"]: c["verdict"] for c in eeg["channels"]}
    assert verdicts == {"C3": "ok", "Cz": "ok", "C4": "ok", "X1": "", "Trigger": "flat"}


@pytest.mark.parametrize(
    "words",
    [
        ["live", "--model", "DEMO", "--replay"],
        ["calibrate", "--event", "a=1", "--event", "b=2", "--out", "OUT.ts", "--from"],
        ["score", "DECISIONS", "--event", "a=1", "--event", "b=2", "--recording"],
        ["replay"],
        ["inspect"],
    ],
    ids=lambda words: words[0],
)
def test_the_stream_to_take_as_eeg_is_chosen_by_name_wherever_a_recording_is_read(words, tmp_path, rng, capsys):
    data = rng.standard_normal((500, 2)).astype(np.float32)
    path = xdf_writer.session(data, 10 + np.arange(500) / 250.0, []).save(tmp_path / "two.xdf")
    (tmp_path / "d.jsonl").write_text('{"t": 1.0, "rec_t": 1.0, "proba": null, "decision": null, "state": "OK"}\n')
    names = {
        "DEMO": str(Path(neuript.weights.__path__[0]) / "demo.ts"),
        "OUT.ts": str(tmp_path / "out.ts"),
        "DECISIONS": str(tmp_path / "d.jsonl"),
    }
    assert main([*(names.get(word, word) for word in words), str(path), "--eeg", "Nobody"]) == 2
    said = capsys.readouterr().err
    assert "has no stream with the name, source id or type 'Nobody'; it has" in said
    assert "'Amp' (EEG): 2 channels, 250 Hz, 0:02.0, source id amp-1" in said


def test_live_needs_no_name_of_a_recorded_stream(capsys):
    assert main(["live", "--model", "mi.ts", "--eeg", "Amp"]) == 2
    assert "--eeg chooses a stream of the recording given with --replay" in capsys.readouterr().err


def test_inspect_shows_labels_as_they_can_be_typed_and_as_they_are_read(tmp_path, rng, capsys):
    data = (15 * rng.standard_normal((1500, 3))).astype(np.float32)
    stamps = 5 + np.arange(1500) / SFREQ
    marks = [(5.5 + 0.1 * i, f"{('left', 'right')[i % 2]}_{1.7e9 + i:.3f} \n") for i in range(40)]
    out = xdf_writer.session(data, stamps, marks, labels=["EEG C3-AA", "Cz", "t4"])
    assert main(["inspect", str(out.save(tmp_path / "a.xdf"))]) == 0
    shown = capsys.readouterr().out
    assert "40 events of Amp markers (40 labels; * stands for any text)" in " ".join(shown.split())
    assert [line.split()[1] for line in shown.splitlines() if "_*" in line] == ["left_*", "right_*"]
    read = shown.partition("read as electrodes\n")[2].splitlines()
    assert [line.split(maxsplit=1) for line in read[:2]] == [["C3", "EEG C3-AA"], ["T8", "t4"]]
