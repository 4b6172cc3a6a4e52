"""What is printed as the next step fits what was seen, and can be pasted."""

from __future__ import annotations

import shlex

import pytest
from cue_sessions import write_cue_session
from twin_recordings import NAMES, write_run

from neuript import inspect
from neuript.cli.calibrate import build_parser as calibrate_parser
from neuript.cli.record import build_parser as record_parser
from neuript.realtime.live.suggestions import after_recording, cued_classes, montages_with, recording_command


def test_a_recording_with_cues_leads_to_a_calibration(tmp_path):
    folder = tmp_path / "my runs"
    folder.mkdir()
    path = write_run(folder / "run 1.xdf", 2, {"left_hand": "769", "right_hand": "770"})
    program, *arguments = shlex.split(after_recording(inspect(path)))
    parsed = calibrate_parser().parse_args(arguments)
    assert (program, parsed.files, parsed.montage) == ("neuript-calibrate", [str(path)], None)
    assert sorted(parsed.event) == ["left_hand=769", "right_hand=770"]
    nameless = inspect(path, channels=["Ch 1", *NAMES[1:]])
    assert "--montage" not in after_recording(nameless)


def test_a_session_that_neuript_cued_needs_no_event(tmp_path):
    path = write_cue_session(tmp_path / "session.xdf", 1)
    assert after_recording(inspect(path)) == f"neuript-calibrate --from {path} --out mi.ts"


def test_markers_that_are_no_cues_lead_nowhere(tmp_path):
    path = write_run(tmp_path / "run.xdf", 2, {"left_hand": "go", "right_hand": "stop"})
    assert after_recording(inspect(path)) == ""


@pytest.mark.parametrize(
    ("labels", "classes"),
    [
        ({"769": 20, "770": 20, "768": 40}, {"left_hand": "769", "right_hand": "770"}),
        ({"left_hand": 20, "rest": 20, "trial_start": 40}, {"left_hand": "left_hand", "rest": "rest"}),
        ({"left_hand": 20, "right_hand": 4}, {"left_hand": "left_hand"}),
        ({"hello": 20}, {}),
    ],
)
def test_cues_are_known_by_word_or_code(labels, classes):
    assert cued_classes(labels) == classes


def test_a_stream_without_names_is_recorded_with_a_montage_of_its_size():
    program, verb, *arguments = shlex.split(recording_command("a b.xdf", [""] * 8))
    parsed = record_parser().parse_args(arguments)
    assert (program, verb, parsed.out, parsed.montage) == ("neuript", "record", "a b.xdf", "openbci-8")
    assert recording_command("a.xdf", ["C3", "Cz"]) == "neuript record a.xdf"
    assert recording_command("a.xdf", [""] * 77) == "neuript record a.xdf"
    assert montages_with(8) == ["openbci-8", "crown-8", "unicorn-8"]
