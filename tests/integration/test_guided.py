"""A whole guided session: a twin that obeys the cues, cue window, LabRecorder, kill -9, resume, model, live, score."""

from __future__ import annotations

import json
import os
import signal
from collections import Counter
from pathlib import Path

import numpy as np
import psutil
import pytest
import yaml
from processes import finished, neuript, running
from waiting import wait_for

from neuript import cli
from neuript.modelfile.describe import read_manifest
from neuript.realtime.recordings.read import read_recording
from neuript.realtime.recordings.recording import events_of
from neuript.training.guided.session_folder import SessionFolder

pytestmark = [
    pytest.mark.lsl,
    pytest.mark.qt,
    pytest.mark.timeout(600),
    pytest.mark.skipif(os.name != "posix", reason="ends a process as a crash does"),
]
FAST = ("--fixation", "0.8", "--imagery", "2", "--pause", "0.4", "0.5", "--practice", "0", "--go-on-after", "2")
SHOWN = ("--windowed", "--no-sound")


def session(source_id: str, sessions: Path, *options: object) -> tuple[object, ...]:
    return neuript("calibrate", "--subject", "S01", "--montage", "openbci-8", "--unit", "microvolts", "--source-id",
                   source_id, "--sessions", sessions, *FAST, *SHOWN, *options)  # fmt: skip


def done(folder: Path) -> list[int]:
    journal = SessionFolder.resume(folder).journal() if (folder / "config.yaml").is_file() else []
    return [line["trial"] for line in journal if line["event"] == "trial" and line["status"] == "done"]


def test_from_the_cap_to_a_command(tmp_path):
    twin = neuript("simulate", "--obey", "neuript-cues-markers", "--montage", "openbci-8", "--no-labels", "--unit", "",
                   "--imagery", "2", "--skill", "0.95", "--seed", "4", "--source-id", "guided-twin")  # fmt: skip
    sessions, out = tmp_path / "sessions", tmp_path / "mi.ts"
    asked = ("--classes", "left_hand,right_hand", "--trials", "6", "--block", "3", "--seed", "5", "--out", out)
    with running(twin) as amplifier:
        amplifier.wait_until_it_says("Ctrl-C ends")
        with running(session("guided-twin", sessions, *asked)) as first:
            first.wait_until_it_says("recording to", within_s=90)
            folder = next((sessions / "S01").iterdir())
            wait_for(lambda: len(done(folder)) == 2, within_s=120)
            children = psutil.Process(first.process.pid).children(recursive=True)
            first.process.send_signal(signal.SIGKILL)
            first.wait()
            psutil.wait_procs(children, timeout=30)
        assert not [child for child in children if child.is_running() and child.status() != psutil.STATUS_ZOMBIE]
        again = neuript("calibrate", "--resume", folder, "--go-on-after", "2", *SHOWN)
        resumed = finished(again, within_s=240)
        assert resumed.returncode == 0, resumed.stderr
        _the_session_is_whole(folder, resumed.stderr)
        assert out.read_bytes() == (folder / "model.ts").read_bytes()
        manifest = read_manifest(out)
        assert manifest.classes == ("left_hand", "right_hand")
        # without practice the first trial of a recording may come before the filters have settled
        trials = manifest.metrics["trials"]
        assert set(trials) == {"left_hand", "right_hand"}
        assert 10 <= sum(trials.values()) <= 12
        assert manifest.provenance["subject"] == "S01"
        live = ("live", "--model", out, "--montage", "openbci-8", "--unit", "microvolts", "--source-id", "guided-twin")
        rows = finished(neuript(*live, "--headless", "--json", "--duration", "8"), within_s=90)
        assert rows.returncode == 0, rows.stderr
        assert any(json.loads(line)["state"] == "OK" for line in rows.stdout.splitlines())
    over = finished(neuript("calibrate", "--resume", folder, *SHOWN), within_s=60)
    assert over.returncode == 2
    assert "is finished" in over.stderr


def test_without_eeg_nothing_is_left_behind(tmp_path, capsys):
    options = ("--subject", "S01", "--classes", "left_hand,rest", "--sessions", str(tmp_path), "--wait", "0.1")
    assert cli.main(["calibrate", *options, "--source-id", "nobody-there"]) == 3
    err = capsys.readouterr().err
    assert "nothing was recorded yet, so no session is left behind" in err
    assert "--resume" not in err
    assert list((tmp_path / "S01").iterdir()) == []


def _the_session_is_whole(folder: Path, said: str) -> None:
    """Every trial once, in two recordings; the markers are where the window says that it showed the cues."""
    assert sorted(p.name for p in folder.glob("*.xdf")) == ["session-2.xdf", "session.xdf"]
    assert set(done(folder)) == set(range(1, 13))
    assert all(not p.stat().st_mode & 0o077 for p in [folder, *folder.iterdir()])
    assert yaml.safe_load((folder / "config.yaml").read_text())["montage"] == "openbci-8"
    told = {line["trial"]: line for line in SessionFolder.resume(folder).journal() if line["event"] == "trial"}
    found: Counter[str] = Counter()
    for path in SessionFolder.resume(folder).recordings:
        recording = read_recording(path)
        assert recording.cue_classes == ("left_hand", "right_hand")
        assert recording.eeg.info.ch_names[2:4] == ("C3", "C4")
        cues = [e.label.removeprefix("cue/") for e in events_of(recording) if e.label.startswith("cue/")]
        found += Counter(cues)
        shown = np.array([line["cue_t"] for line in told.values()])
        raw = next(s for s in recording.streams if s.info.name == "neuript-cues-markers")
        at = [t for t, text in zip(raw.raw_timestamps, raw.labels, strict=True) if json.loads(text)["ev"] == "cue"]
        assert all(np.abs(shown - t).min() < 1e-6 for t in at[: len(cues)])
        # a marker lies where the EEG of that moment lies, to the sample
        eeg = recording.eeg
        offset = np.median(eeg.timestamps - eeg.raw_timestamps)
        assert np.allclose(raw.timestamps - raw.raw_timestamps, offset, atol=1 / eeg.info.sfreq)
    assert found == {"left_hand": 6, "right_hand": 6}
    assert f"wrote {folder.parents[2] / 'mi.ts'}" in said
