from __future__ import annotations

import os
import time
from itertools import pairwise

import pytest
from processes import python
from waiting import wait_for

from neuript.errors import NeuriptError
from neuript.realtime.lsl import recorder as module
from neuript.realtime.lsl.recorder import Recorder, check_recording
from neuript.realtime.lsl.recording_rule import RecordingRule

STATUS = {"id": 1, "uid": "u", "name": "amp", "type": "EEG", "source_id": "a", "first_uid": "u", "text": "'amp'",
          "events": False, "open": True, "missed_s": None, "instances": 1, "offset_s": 0.0, "arrived": 5, "written": 5,
          "elsewhere": False, "lost": 0, "first": 1.0, "last": 2.0}  # fmt: skip
SAY = f"""
import json, sys, time, signal
STATUS = {STATUS!r}
task = json.loads(sys.argv[1])
open(task["path"], "a").write("x")
def say(**more): print(json.dumps(dict(bytes=10, trouble="", refused={{}}, streams=[STATUS]) | more), flush=True)
"""


@pytest.fixture
def stand_in(tmp_path, monkeypatch):
    """Put a few lines of Python in the place of the recorder; gives a watched one, its log and what it was told."""

    def make(code: str) -> Recorder:
        tasks = []

        def command(task):
            tasks.append(task)
            return python(SAY + code, f'{{"path": "{task.path}"}}')

        monkeypatch.setattr(module, "_command", command)
        monkeypatch.setattr(module, "CHECK_EVERY_S", 0.0)
        watched = Recorder(tmp_path / "a.xdf", RecordingRule())
        watched.tasks = tasks
        made.append(watched)
        watched.start()
        return watched

    made: list[Recorder] = []
    yield make
    for watched in made:
        watched.close()


def until(watched: Recorder, condition) -> None:
    def turn() -> bool:
        watched.check()
        return bool(condition())

    wait_for(turn, 20)


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("taken.xdf", "never overwritten"),
        ("session.edf", "must end in .xdf"),
        ("no/such/folder.xdf", "there is no folder"),
        ("folder.xdf", "is a folder"),
    ],
)
def test_files_that_cannot_be_recorded_to_are_refused(tmp_path, name, sentence):
    (tmp_path / "taken.xdf").write_bytes(b"somebody's recording")
    (tmp_path / "folder.xdf").mkdir()
    with pytest.raises(NeuriptError, match=sentence):
        check_recording(tmp_path / name)
    assert (tmp_path / "taken.xdf").read_bytes() == b"somebody's recording"
    assert check_recording(tmp_path / "new.xdf") == tmp_path / "new.xdf"


def test_it_is_told_to_end_and_what_it_said_last_is_kept(stand_in):
    watched = stand_in("say(); sys.stdin.readline(); STATUS['written'] = 99; say(bytes=11, finished=True)")
    until(watched, lambda: watched.n_bytes == 10)
    watched.close()
    watched.close()
    assert watched.stream("u")["written"] == 99
    assert watched.problems == []


@pytest.mark.skipif(os.name != "posix", reason="kills a process")
def test_a_dead_one_is_started_again_on_the_same_file_and_said(stand_in):
    watched = stand_in("say(); sys.stdin.readline()")
    until(watched, lambda: watched.n_bytes)
    first = watched.pid
    os.kill(first, 9)
    until(watched, lambda: watched.pid != first)
    assert [task.go_on for task in watched.tasks] == [False, True]
    assert "has died (ended by signal 9); it is started again" in watched.losses[0]
    assert watched.n_restarts == 1


def test_one_that_dies_again_and_again_is_started_ever_more_rarely_and_decoding_goes_on(stand_in, monkeypatch):
    now = [0.0]
    watched = stand_in("say(); sys.exit(3)")
    monkeypatch.setattr(watched, "_clock", lambda: now[0])
    starts, deadline = [], time.monotonic() + 60
    while len(starts) < 4 and time.monotonic() < deadline:
        n = len(watched.tasks)
        watched.check()
        if len(watched.tasks) > n:
            starts.append(now[0])
        if watched._process.poll() is not None:
            now[0] += 0.5
        time.sleep(0.01)
    pauses = [b - a for a, b in pairwise(starts)]
    assert pauses == sorted(pauses)
    assert pauses[-1] >= 2 * pauses[0]


def test_what_cannot_begin_is_said_in_its_own_words(stand_in):
    watched = stand_in("print(json.dumps({'failed': 'no permission'}), flush=True); sys.exit(1)")
    until(watched, lambda: len(watched.tasks) == 2)
    assert "did not begin: no permission" in watched.losses[0]
    assert not any(task.go_on for task in watched.tasks)  # what it could not open may be somebody else's


@pytest.mark.parametrize("end", ["say(finished=True); sys.exit(1)", "say()", "say(failed='the disk is gone')"])
def test_one_that_does_not_say_that_it_has_finished_has_lost_something(stand_in, end):
    watched = stand_in(f"say(); sys.stdin.readline(); {end}")
    until(watched, lambda: watched.n_bytes)
    watched.close()
    assert len(watched.losses) == 1
    assert "did not finish the recording (" in watched.losses[0]
    assert watched.path.name not in watched.losses[0]


def test_one_that_cannot_even_be_killed_is_waited_for_for_a_while_alone(stand_in, monkeypatch):
    monkeypatch.setattr(module, "STOP_TIMEOUT_S", 0.1)
    monkeypatch.setattr(module, "KILL_TIMEOUT_S", 0.1)
    watched = stand_in("say(); time.sleep(60)")
    until(watched, lambda: watched.n_bytes)
    process = watched._process
    kill = process.kill
    monkeypatch.setattr(process, "kill", lambda: None)  # as one that waits for a dead disk
    watched.close()
    assert watched.stuck
    assert "cannot be ended, since its disk does not answer" in watched.losses[0]
    kill()
    process.wait()
    watched._reader.join()
    module._let_go(process)


def test_a_stream_that_does_not_answer_is_said_at_once_and_missing_if_it_never_did(stand_in):
    watched = stand_in(
        "say(unanswered=['amp2', 'amp3']); sys.stdin.readline(); say(unanswered=['amp2'], finished=True)"
    )
    until(watched, lambda: watched.problems)
    watched.check()
    assert len(watched.problems) == 2
    assert "amp2 is announced, and does not answer" in watched.problems[0]
    assert watched.losses == []
    watched.close()
    assert watched.losses == ["amp2 is not in the recording: it was announced, and could not be connected to"]


def test_trouble_is_said_once_and_so_is_its_end(stand_in, caplog):
    watched = stand_in(
        "for _ in range(5): say(trouble='the disk of a.xdf is full'); time.sleep(0.05)\nsay(); sys.stdin.readline()"
    )
    until(watched, lambda: watched.refuses)
    until(watched, lambda: not watched.refuses)
    assert len(watched.problems) == 1
    assert "the disk of a.xdf is full: what comes from here on waits for room" in watched.problems[0]
    assert watched.problems[0].isprintable()
    assert all(record.getMessage().isprintable() for record in caplog.records)
    assert watched.losses == []  # what is missing is counted


def test_one_that_says_nothing_is_noticed(stand_in, monkeypatch):
    now = [0.0]
    watched = stand_in("say(); sys.stdin.readline(); say(); sys.stdin.readline()")
    until(watched, lambda: watched.n_bytes)
    monkeypatch.setattr(watched, "_clock", lambda: watched._heard_at + now[0])
    now[0] = 4.0
    watched.check()
    assert watched.problems == []
    now[0] = 8.0
    watched.check()
    watched.check()
    assert len(watched.problems) == 1
    assert "has said nothing for 8 s" in watched.problems[0]


def test_one_that_does_not_end_is_killed(stand_in, monkeypatch):
    monkeypatch.setattr(module, "STOP_TIMEOUT_S", 0.3)
    watched = stand_in("say(); time.sleep(60)")
    until(watched, lambda: watched.n_bytes)
    watched.close()
    assert "did not end within 0.3 s and was killed" in watched.losses[0]


def test_a_file_that_is_moved_away_is_said_once(stand_in):
    watched = stand_in("say(in_place=False); sys.stdin.readline()")
    until(watched, lambda: watched.problems)
    watched.check()
    assert len(watched.problems) == 1
    assert "somebody has moved or removed" in watched.problems[0]


def test_a_stream_that_cannot_be_recorded_is_said_once(stand_in):
    watched = stand_in("say(refused={'amp2': 'it has no name'}); sys.stdin.readline()")
    until(watched, lambda: watched.losses)
    watched.check()
    assert watched.losses == ["amp2 is not recorded: it has no name"]
