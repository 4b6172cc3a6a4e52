"""`--config`: a file says what a command line could, strictly, and the command line wins."""

from __future__ import annotations

import hashlib

import pytest

from neuript.cli.calibrate import build_parser as calibrate
from neuript.cli.config_file import parse_with_config
from neuript.cli.live import build_parser as live
from neuript.cli.record import build_parser as record
from neuript.cli.train.population import build_parser as population
from neuript.cli.window_options import window_settings
from neuript.errors import NeuriptError
from neuript.realtime.live.options import LiveOptions

BOTH = """\
channels: [Fz, C3, Cz, C4, Pz, PO7, PO8, "-"]   # for every verb
unit: microvolts
event: {left_hand: 769, right_hand: [770, "7 70"]}
live:
  model: my model.ts
  hop: 0.25
  speed: max
  classes: [a, b]
  headless: true
  json: false
record:
  out: run 1.xdf
  duration: 300
calibrate:
  from: [run1.xdf, run 2.xdf]
  epoch: [0.5, 4]
population:
  sources: [P1=a.xdf, P2=b]
"""


@pytest.fixture
def config(tmp_path):
    def write(text: str) -> str:
        path = tmp_path / "my config.yaml"
        path.write_text(text, encoding="utf-8")
        return str(path)

    return write


def test_one_file_serves_all_verbs(config):
    path = config(BOTH)
    of_live = vars(parse_with_config("live", live(), ["--config", path, "--hop", "0.5"]))
    assert of_live.pop("config") == path
    options = LiveOptions.from_mapping({**of_live, "speed": "max"})
    assert (options.model, options.hop_s, options.headless, options.json) == ("my model.ts", 0.5, True, False)
    assert (options.classes, options.unit) == (("a", "b"), "microvolts")
    assert options.channels == ("Fz", "C3", "Cz", "C4", "Pz", "PO7", "PO8", "-")
    of_record = parse_with_config("record", record(), [f"--config={path}", "--duration=5"])
    assert (of_record.out, of_record.duration_s) == ("run 1.xdf", 5.0)
    of_calibrate = parse_with_config("calibrate", calibrate(), ["--config", path, "--out", "mi.ts"])
    assert of_calibrate.files == ["run1.xdf", "run 2.xdf"]
    assert of_calibrate.event == ["left_hand=769", "right_hand=770", "right_hand=7 70"]
    assert of_calibrate.epoch == [0.5, 4.0]
    learn = parse_with_config("population", population(), ["--config", path, "--out", "lab.safetensors"])
    assert learn.sources == ["P1=a.xdf", "P2=b"]


def test_a_model_can_say_which_file_its_settings_came_from(config):
    path = config(BOTH)
    settings = window_settings(parse_with_config("calibrate", calibrate(), ["--config", path]))
    assert settings["config_file_sha256"] == hashlib.sha256(BOTH.encode()).hexdigest()
    assert window_settings(calibrate().parse_args([]))["config_file_sha256"] == ""


def test_the_command_line_wins_also_where_options_add_up_and_for_arguments(config):
    path = config(BOTH)
    given = ["--config", path, "--event", "feet=771", "--event", "rest=1", "--from", "other.xdf", "--out", "mi.ts"]
    parsed = parse_with_config("calibrate", calibrate(), given)
    assert parsed.event == ["feet=771", "rest=1"]
    assert parsed.files == ["other.xdf"]
    assert parse_with_config("record", record(), ["mine.xdf", "--config", path]).out == "mine.xdf"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("hopp: 1", r"config.yaml: hopp is no option; did you mean hop\?"),
        ("live: {eventt: 1}", r"live: eventt is no option"),
        ("record: {hop: 1}", r"record: hop is no option"),
        ("hop: fast", r"config.yaml: argument --hop: invalid float value: 'fast'"),
        ("headless: maybe", "headless is a switch; write true or false"),
        ("unit: {a: 1}", "must be text or a number"),
        ("[1, 2]", "must be a table of options"),
        ("just words", "must be a table of options"),
        ("a: [", "not valid YAML"),
        ("a: &a [*a]", "stands inside what it names"),
        ("trust: true", "on the command line, one file at a time"),
        ("live: {trust: true}", "on the command line, one file at a time"),
    ],
)
def test_what_a_file_may_not_say(config, text, words):
    with pytest.raises(NeuriptError, match=words):
        parse_with_config("live", live(), ["--config", config(text)])


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(NeuriptError, match=r"cannot be read: .* check the path"):
        parse_with_config("live", live(), ["--config", str(tmp_path / "no.yaml")])


def test_an_empty_file_says_nothing(config):
    assert parse_with_config("record", record(), ["a.xdf", "--config", config("")]).out == "a.xdf"
