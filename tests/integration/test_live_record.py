"""`neuript live --record` when its recorder dies and streams come late, with LSL that looks on this machine only."""

from __future__ import annotations

import json
import os
import time

import numpy as np
import psutil
import pytest
import pyxdf
from amplifier import plugged_in
from builders import save_power_model
from processes import neuript, python, running
from waiting import wait_for

from neuript.realtime.recordings.xdf_bytes import load_bytes
from neuript.realtime.recordings.xdf_walk import scan

pytestmark = [pytest.mark.lsl, pytest.mark.timeout(180)]
OPTIONS = ("--headless", "--json", "--wait", "20")
LATE = """
import sys, time, pylsl
out = pylsl.StreamOutlet(pylsl.StreamInfo("late cues", "Markers", 1, 0, "string", sys.argv[1]))
print("opened", flush=True)
out.wait_for_consumers(60)
for k in range(60):
    out.push_sample([f"cue {k}"]); time.sleep(0.05)
print("sent", flush=True)
out.wait_for_consumers(1); time.sleep(60)
"""


@pytest.fixture
def machine_only(tmp_path, monkeypatch):
    """LSL that asks this computer alone, by unicast; other programs' streams stay out."""
    config = tmp_path / "lsl_api.cfg"
    config.write_text(f"[multicast]\nResolveScope = machine\n[lab]\nSessionID = test-{os.getpid()}\n")
    monkeypatch.setenv("LSLAPICFG", str(config))
    monkeypatch.setenv("NEURIPT_CONFIG_DIR", str(tmp_path / "config"))


def recorder_of(child) -> psutil.Process:
    found = [p for p in child.process.children() if "record_in_background" in " ".join(p.cmdline())]
    assert len(found) == 1
    return found[0]


@pytest.mark.skipif(os.name != "posix", reason="kills a process")
def test_a_recorder_that_is_killed_is_started_again_and_what_is_missing_is_counted(machine_only, tmp_path):
    model = save_power_model(tmp_path / "power.ts", task="testing")
    path, report = tmp_path / "session.xdf", tmp_path / "report.json"
    with (
        plugged_in() as (source_id, _),
        running(
            neuript("live", "--model", model, "--source-id", source_id, *OPTIONS, "--record", path, "--report", report)
        ) as child,
    ):
        child.wait_until_it_says("records 'test amplifier'")
        with running(python(LATE, f"{source_id}-late")) as late:
            child.wait_until_it_says("records 'late cues'")
            late.wait_until_it_says("sent")
        time_of_death = time.monotonic()
        recorder_of(child).kill()
        child.wait_until_it_says("has died (ended by signal 9); it is started again")
        n_rows = len(child.lines)
        size = path.stat().st_size
        wait_for(lambda: path.stat().st_size > size + 5000, 60, "the file to grow again")
        away_s = time.monotonic() - time_of_death
        assert len(child.lines) > n_rows  # the decoder has gone on
        child.interrupt()
        assert child.wait() == 6, child.err
        assert "is not complete" in child.err
    found = scan(load_bytes(path))
    assert found.intact
    written = json.loads(report.read_text())
    assert written["ended"] == "interrupted"
    recording = written["recording"]
    assert (recording["complete"], recording["recorder_restarts"]) == (False, 1)
    streams, _ = pyxdf.load_xdf(path, synchronize_clocks=False, dejitter_timestamps=False)
    by_name = {s["info"]["name"][0]: s for s in streams}
    rows = {row["name"]: row for row in recording["streams"]}
    eeg, told = by_name["test amplifier"]["time_stamps"], rows["test amplifier"]
    assert told["in_file"] == len(eeg)
    holes = np.round(np.diff(eeg) * 250).astype(int) - 1
    assert 0 < told["missing"] == holes.sum()
    assert np.count_nonzero(holes) == 1
    assert holes.max() / 250 < away_s
    assert rows["neuript-testing-proba"]["missing"] > 0
    late = [row[0] for row in by_name["late cues"]["time_series"]]
    assert late == [f"cue {k}" for k in range(60)]
    assert rows["late cues"]["missing"] == 0
    assert 0 <= rows["late cues"]["joined_after_s"] < 10


@pytest.mark.skipif(os.name != "posix", reason="stops a process")
def test_a_second_interrupt_while_the_recorder_stands_still_costs_neither_report_nor_file(machine_only, tmp_path):
    model = save_power_model(tmp_path / "power.ts", task="testing")
    path, report = tmp_path / "session.xdf", tmp_path / "report.json"
    with (
        plugged_in() as (source_id, _),
        running(
            neuript("live", "--model", model, "--source-id", source_id, *OPTIONS, "--record", path, "--report", report)
        ) as child,
    ):
        child.wait_until_it_says("records 'test amplifier'")
        recorder = recorder_of(child)
        recorder.suspend()
        child.interrupt()
        child.wait_until_it_says("finishing the recording")
        child.interrupt()
        assert child.wait() == 6, child.err
        assert "states: " in child.err  # the summary
        recorder.resume()
        wait_for(lambda: not recorder.is_running(), 20)
    told = json.loads(report.read_text())["recording"]
    assert told["complete"] is False
    assert "it was not compared with what was sent" in told["missing"][0]
    assert path.name not in report.read_text()
    assert scan(load_bytes(path)).intact
