"""`neuript score`: lines of decisions and a recording in, figures out, and what it refuses."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xdf_writer

from neuript import cli

SFREQ, ZERO = 125.0, 800.0
ONSETS = (5.0, 12.0, 19.0, 26.0)
EVENTS = ("--event", "left=769", "--event", "right=770")


@pytest.fixture
def recording(tmp_path, rng):
    """Four trials, left and right in turn; the first EEG sample is at 800 s."""
    n = round(35 * SFREQ)
    markers = [(ZERO + s, ("769", "770")[i % 2]) for i, s in enumerate(ONSETS)]
    file = xdf_writer.session(rng.normal(size=(n, 2)) * 10, ZERO + np.arange(n) / SFREQ, markers, sfreq=SFREQ)
    return str(file.save(tmp_path / "run.xdf"))


def decisions(path, said, *, clock="rec_t", shift=0.0):
    """One window 4.2 s after each event that speaks for a class, and many elsewhere that lie."""
    rows = []
    for onset, name in zip(ONSETS, said, strict=True):
        for after, truth in ((2.0, False), (4.2, True), (6.0, False)):
            p = 0.8 if (name == "left") == truth else 0.2
            row = {"t": onset + after + shift, "proba": {"left": p, "right": 1 - p}}
            if clock == "rec_t":
                row["rec_t"] = onset + after
                row["t"] += 1e6
            rows.append(row | {"decision": None, "confidence": 0.0, "state": "OK"})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows) + "\n")
    return str(path)


def score(capsys, *arguments, events=EVENTS):
    code = cli.main(["score", *arguments, *events, "--json"])
    said = capsys.readouterr()
    return json.loads(said.out) if code == 0 else (code, said.err)


def test_decisions_of_a_replay(recording, tmp_path, capsys):
    lines = decisions(tmp_path / "d.jsonl", ["left", "right", "right", "right"])
    card = score(capsys, lines, "--recording", recording)
    assert (card["n_hits"], card["n_trials"]) == (3, 4)
    assert card["confusion"] == [[1, 1, 0], [0, 2, 0]]
    assert not card["above_chance"]
    assert cli.main(["score", lines, "--recording", recording, *EVENTS]) == 0
    assert "3 of 4 trials: accuracy 75.0%" in capsys.readouterr().out.replace("\n", " ")


def test_decisions_that_end_before_the_recording_are_noticed(recording, tmp_path, capsys):
    lines = tmp_path / "d.jsonl"
    decisions(lines, ["left", "right"] * 2)
    arguments = ["score", str(lines), "--recording", recording, *EVENTS]
    assert cli.main(arguments) == 0
    assert capsys.readouterr().err == ""
    lines.write_text("".join(lines.read_text().splitlines(keepends=True)[:6]))
    assert cli.main(arguments) == 0
    assert "2 of 4 trials lie outside the 11 s" in capsys.readouterr().err


def test_another_interval_finds_other_windows(recording, tmp_path, capsys):
    lines = decisions(tmp_path / "d.jsonl", ["left", "right"] * 2)
    assert score(capsys, lines, "--recording", recording)["n_hits"] == 4
    card = score(capsys, lines, "--recording", recording, "--window-end", "1.9", "2.1")
    assert card["n_hits"] == 0
    card = score(capsys, lines, "--recording", recording, "--window-end", "2.5", "3")
    assert card["confusion"] == [[0, 0, 2], [0, 0, 2]]


def log_of(path, **fields):
    start = {"event": "start", "lsl_start": 5000.0, "recorded_start": ZERO, "speed": 1.0}
    path.write_text(json.dumps({"event": "ready"}) + "\n" + json.dumps(start | fields) + "\n")
    return str(path)


def test_decisions_over_lsl_are_shifted_by_the_log_of_the_replay(recording, tmp_path, capsys):
    lines = decisions(tmp_path / "d.jsonl", ["left", "right"] * 2, clock="t", shift=5000.0)
    arguments = (lines, "--recording", recording, "--replay-log")
    assert score(capsys, *arguments, log_of(tmp_path / "log"))["n_hits"] == 4
    kept = log_of(tmp_path / "log", speed=4.0, recorded_stamps=True)
    assert score(capsys, *arguments, kept)["n_hits"] == 4
    code, said = score(capsys, *arguments, log_of(tmp_path / "log", speed=4.0))
    assert code == 2
    assert "is of a replay at speed 4.0" in said


def test_refusals(recording, tmp_path, capsys):
    good = decisions(tmp_path / "d.jsonl", ["left", "right"] * 2)
    live = decisions(tmp_path / "live.jsonl", ["left", "right"] * 2, clock="t")
    mixed, bad, empty = tmp_path / "mixed", tmp_path / "bad", tmp_path / "empty"
    with open(good) as a, open(live) as b:
        mixed.write_text(a.read() + b.read())
    bad.write_text('{"t": 1.0, "proba": [0.5, 0.5], "decision": null, "state": "OK"}\n')
    empty.write_text("\n")
    (tmp_path / "log").write_text('{"event": "ready"}\n')
    at = ("--recording", recording)
    cases = [
        (("nowhere.jsonl", *at), EVENTS, "cannot read nowhere.jsonl"),
        ((str(empty), *at), EVENTS, "holds no decision"),
        ((str(bad), *at), EVENTS, "line 1 is not a decision of neuript-live --json"),
        ((str(mixed), *at), EVENTS, "mixes decisions of a replay (with rec_t) and of a live stream"),
        ((live, *at), EVENTS, "give --replay-log"),
        ((live, *at, "--replay-log", str(tmp_path / "log")), EVENTS, "does not say when the replay began"),
        ((good, *at, "--window-end", "4", "3"), EVENTS, "--window-end 4 3"),
        ((good, *at), EVENTS[:2], "--event names 1 class;"),
        ((good, *at), ("--event", "left=769", "--event", "feet=770"), "class 'feet' is not among"),
        ((good, *at), ("--event", "left=769", "--event", "right=5"), "the marker '5' of class 'right'"),
    ]  # fmt: skip
    for arguments, events, message in cases:
        code, said = score(capsys, *arguments, events=events)
        assert code == 2, said
        assert message in said
