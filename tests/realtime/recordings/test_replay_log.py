"""The log of a replay leads from the recording's clock to that of the stream, or is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest

from neuript.errors import NeuriptError
from neuript.realtime.recordings.replay_log import ReplayNote, read_clock_offset

STARTED = ReplayNote(
    event="started",
    lsl_start=5000.0,
    recorded_start=800.0,
    recorded_first_eeg=800.5,
    speed=1.0,
    recorded_stamps=False,
    duration_s=60.0,
    n_samples=0,
)


def write(path, *notes):
    path.write_text("".join(note.to_json_line() + "\n" for note in notes))
    return path


def test_the_offset_is_that_of_the_start(tmp_path):
    ended = replace(STARTED, event="ended", n_samples=7500)
    assert read_clock_offset(write(tmp_path / "log", STARTED, ended)) == 4200.0


def test_another_speed_needs_the_recorded_spacing(tmp_path):
    fast = replace(STARTED, speed=4.0)
    with pytest.raises(NeuriptError, match=r"at speed 4\.0.*--recorded-stamps"):
        read_clock_offset(write(tmp_path / "log", fast))
    assert read_clock_offset(write(tmp_path / "log", replace(fast, recorded_stamps=True))) == 4200.0


def test_what_is_no_log_is_refused(tmp_path):
    (tmp_path / "text").write_text("hello\n")
    (tmp_path / "other").write_text('{"event": "ready"}\n')
    for name, message in {"text": "cannot use", "other": "does not say when", "absent": "cannot use"}.items():
        with pytest.raises(NeuriptError, match=message):
            read_clock_offset(tmp_path / name)
