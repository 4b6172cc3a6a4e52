"""Settings of a calibration: checked when built, JSON-safe, the same as those of the command line."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

from neuript.cli.calibrate import build_parser, spec_of
from neuript.errors import NeuriptError
from neuript.training.calibration.calibration_spec import PRETRAINED, CalibrationSpec

EVENTS = {"left_hand": "769", "rest": ("771", "772")}


def test_settings_survive_json():
    spec = CalibrationSpec(
        event_map=EVENTS, montage="peterson-15", epoch_s=(1, 4), max_false_per_minute=3, mains_hz=None
    )
    again = CalibrationSpec(**json.loads(json.dumps(asdict(spec))))
    assert again == spec
    assert again.event_map == {"left_hand": ("769",), "rest": ("771", "772")}
    assert again.cap.name == "peterson-15"


def test_numbers_and_paths_become_texts(tmp_path):
    cap = tmp_path / "cap.yaml"
    cap.write_text("electrodes: [C3, Cz, C4]\n")
    spec = CalibrationSpec(event_map={"a": 769, "b": [770, "x"]}, montage=cap, network=Path(PRETRAINED), mains_hz=50)
    assert spec.event_map == {"a": ("769",), "b": ("770", "x")}
    assert (spec.montage, spec.network) == (str(cap), str(PRETRAINED))
    assert CalibrationSpec(**json.loads(json.dumps(asdict(spec)))) == spec


def test_the_command_line_has_the_same_defaults():
    arguments = ["--from", "a.xdf", "--out", "mi.ts", "--event", "left_hand=769", "--event", "rest=771"]
    args = build_parser().parse_args([*arguments, "--event", "rest=772"])
    assert spec_of(args) == CalibrationSpec(event_map=EVENTS)


@pytest.mark.parametrize(("given", "idle"), [(None, "rest"), ("left_hand", "left_hand")])
def test_rest_is_no_command_unless_told(given, idle):
    assert CalibrationSpec(event_map=EVENTS, idle_class=given).idle == idle
    assert CalibrationSpec(event_map={"a": "1", "b": "2"}).idle is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"event_map": {"left_hand": "769"}}, "names 1 class; at least two are needed"),
        ({"event_map": {"a": "1", "b": ["2", "1"]}}, "marker '1' was given to both 'a' and 'b'"),
        ({"event_map": {"a": "1", "b": []}}, "class 'b' has no marker"),
        ({"idle_class": "pause"}, "idle pause is not one of the classes left_hand, rest .*idle_class"),
        ({"epoch_s": (4.0, 1.0)}, "epoch 4 1: give two numbers of seconds.*epoch_s"),
        ({"window_s": 0.0}, "window 0 s is not larger than 0.*window_s"),
        ({"hop_s": float("nan")}, "hop nan s is not larger than 0.*hop_s"),
        ({"n_folds": 1}, "folds 1: at least 2 blocks.*n_folds"),
        ({"max_false_per_minute": 0}, "max-false-per-minute 0 is not larger than 0.*max_false_per_minute"),
        ({"event_map": {"a": 1.0, "b": 2}}, r"marker 1\.0 of class 'a' is neither text nor a whole number"),
        ({"event_map": {"a": "1", "b": [2, True]}}, "marker True of class 'b' is neither text nor a whole number"),
        ({"event_map": {"a": 1, "b": "1"}}, "marker '1' was given to both 'a' and 'b'"),
        ({"event_map": {769: "a", 770: "b"}}, "does not say the marker of each class"),
        ({"event_map": ["a=769"]}, "does not say the marker of each class"),
        ({"epoch_s": (1.0,)}, r"epoch_s=\(1.0,\) must be a list of two finite numbers"),
        ({"epoch_s": ("0", "4")}, "epoch_s=.* must be a list of two finite numbers"),
        ({"epoch_s": 4.0}, "epoch_s=4.0 must be a list of two finite numbers"),
        ({"window_s": "2"}, "window_s='2' must be a finite number"),
        ({"mains_hz": 55}, "mains 55 is not 50, 60, none or auto.*mains_hz"),
        ({"mains_hz": True}, "mains True is not 50, 60, none or auto"),
        ({"montage": "zzz"}, "unknown montage 'zzz'"),
        ({"reference": "avg"}, "reference avg is not known; use one of as recorded, average"),
        ({"montage": "double-banana", "reference": "average"}, "reference 'average' is not possible"),
        ({"unit": "parsec"}, "unit 'parsec' is not known; use one of volts"),
        ({"network": "zz"}, "network zz is no checkpoint file; give one of"),
        ({"sfreq": 10.0}, "sfreq=10.0 would fold"),
        ({"step_s": 0.0}, "step_s=0.0 must be larger than 0 s"),
    ],
)
def test_what_cannot_be_is_refused_at_once_with_its_name_in_python(change, message):
    with pytest.raises(NeuriptError, match=message):
        CalibrationSpec(**{"event_map": EVENTS, **change})


def test_classes_may_be_left_to_the_recordings_or_to_people_but_not_to_nobody():
    spec = CalibrationSpec()
    with pytest.raises(NeuriptError, match="hold no markers, so nothing says when which task was done"):
        spec.completed([])
    people = CalibrationSpec(population="shipped")
    assert people.completed([]).event_map == {}
    with pytest.raises(NeuriptError, match="--idle rest names a class, and --event none"):
        CalibrationSpec(population="shipped", idle_class="rest").completed([])
    given = CalibrationSpec(event_map=EVENTS)
    assert given.completed([]) is given
