"""What is kept of a session, and how one goes on that was ended in whatever way."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import pytest

from neuript.errors import NeuriptError
from neuript.realtime.paradigm.graz_timing import GrazTiming
from neuript.realtime.paradigm.task_cues import OwnCue
from neuript.training.calibration.calibration_spec import CalibrationSpec
from neuript.training.guided.guided_spec import GuidedSpec
from neuript.training.guided.session_folder import JOURNAL, SessionFolder, last_finished, sessions_of

CLASSES = ("left_hand", "words")


def spec(**changes: object) -> GuidedSpec:
    fitted = CalibrationSpec(event_map={name: name for name in CLASSES}, montage="openbci-8", subject="S01")
    given = {"own": (OwnCue(name="words", text="think of words"),), "calibration": fitted, **changes}
    return GuidedSpec(subject="S01", classes=CLASSES, montage="openbci-8", **given)


def test_what_was_asked_for_comes_back_whole(tmp_path):
    asked = spec(timing=GrazTiming(imagery_s=3.0), unit="microvolts", out=str(tmp_path / "mi.ts"), seed=7)
    folder = SessionFolder.begin(tmp_path / "sessions", asked, "2026-11-30")
    assert folder.path == tmp_path / "sessions" / "S01" / "2026-11-30-1"
    assert SessionFolder.resume(folder.path).spec == asked
    assert SessionFolder.begin(tmp_path / "sessions", asked, "2026-11-30").path.name == "2026-11-30-2"


@pytest.mark.skipif(os.name != "posix", reason="permission bits are of Unix")
def test_nobody_else_reads_it(tmp_path):
    before = os.umask(0)
    try:
        folder = SessionFolder.begin(tmp_path / "sessions", spec(), "2026-11-30")
        folder.note("trial", trial=1, status="done")
        (folder.path / "session.xdf").write_bytes(b"XDF:")
        folder.keep_private()
    finally:
        os.umask(before)
    assert folder.path.stat().st_mode & 0o077 == 0
    assert [p.name for p in folder.path.iterdir() if p.stat().st_mode & 0o077] == []


def test_a_line_that_a_crash_cut_off_is_left_out_and_the_next_one_is_whole(tmp_path):
    folder = SessionFolder.begin(tmp_path, spec(), "2026-11-30")
    folder.note("trial", trial=1, status="done")
    with (folder.path / JOURNAL).open("ab") as file:
        file.write(b'{"event": "trial", "tri')
    assert [line["trial"] for line in folder.journal()] == [1]
    folder.note("trial", trial=2, status="done")
    assert [line["trial"] for line in folder.journal()] == [1, 2]


def test_recordings_are_in_order_of_time_however_many(tmp_path):
    folder = SessionFolder.begin(tmp_path, spec(), "2026-11-30")
    names = ["session.xdf", *(f"session-{n}.xdf" for n in range(2, 13))]
    for name in names:
        assert folder.next_recording().name == name
        folder.next_recording().touch()
    (folder.path / "session-old.xdf").touch()
    assert [path.name for path in folder.recordings] == names


def test_one_program_at_a_time(tmp_path):
    folder = SessionFolder.begin(tmp_path, spec(), "2026-11-30")
    with folder.held(), pytest.raises(NeuriptError, match="running in another program"), folder.held():
        pass
    with folder.held():
        pass


def test_a_session_of_which_nothing_was_recorded_leaves_nothing_behind(tmp_path):
    folder = SessionFolder.begin(tmp_path, spec(), "2026-11-30")
    folder.note("stream", ch_names=["C3"], sfreq=250.0)
    with folder.held():
        assert folder.give_up_empty()
    assert list((tmp_path / "S01").iterdir()) == []
    folder = SessionFolder.begin(tmp_path, spec(), "2026-11-30")
    (folder.path / "session.xdf").write_bytes(b"XDF:")
    assert not folder.give_up_empty()
    assert SessionFolder.resume(folder.path).spec == folder.spec


def test_the_last_session_with_a_model_is_found(tmp_path):
    assert sessions_of(tmp_path, "S01") == []
    with pytest.raises(NeuriptError, match="no session that was finished"):
        last_finished(tmp_path, "S01")
    days = [*["2026-11-29"] * 11, "2026-11-30"]
    folders = [SessionFolder.begin(tmp_path, spec(), day) for day in days]
    assert [f.path for f in sessions_of(tmp_path, "S01")] == [f.path for f in folders]
    for folder in folders[:-1]:
        folder.note("finished")
    assert last_finished(tmp_path, "S01").path.name == "2026-11-29-11"


@pytest.mark.parametrize("alias", ["", "../x", "a/b", "Jane Doe", ".hidden", "-x", "ä", "x" * 33, "a\nb", "con:"])
def test_an_alias_is_a_plain_word(alias: str):
    with pytest.raises(NeuriptError, match="--subject"):
        replace(spec(), subject=alias)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        (None, "no session folder"),
        ("format: neuript-session-9\n", "was not written by this version"),
        ("a: [", "not valid YAML"),
        ("- 1\n", "was not written by this version"),
        ("format: neuript-session-1\nsubject: S01\ncap: 10-20\n", "cap"),
        ("format: neuript-session-1\nsubject: ../x\n", "calibration"),
    ],
)
def test_what_is_no_session_is_refused(tmp_path: Path, config: str | None, words: str):
    if config is not None:
        (tmp_path / "config.yaml").write_text(config)
    with pytest.raises(NeuriptError, match=words):
        SessionFolder.resume(tmp_path)


@pytest.mark.parametrize(
    "changes",
    [
        {"trials_per_class": 0},
        {"trials_per_block": 51},
        {"practice_per_class": -1},
        {"own": ()},
        {"unit": "parsec"},
        {"stream": "name='X"},
        {"seed": -1},
    ],
)
def test_what_cannot_be_is_refused_before_anybody_waits(changes: dict[str, object]):
    with pytest.raises(NeuriptError):
        spec(**changes)
