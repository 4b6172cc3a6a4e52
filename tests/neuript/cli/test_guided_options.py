"""What the options of a guided session become, and which do not go together."""

from __future__ import annotations

import pytest

from neuript import cli
from neuript.cli.arguments import given_options
from neuript.cli.calibrate import build_parser, spec_of
from neuript.cli.guided_options import fit_to_session
from neuript.cli.guided_settings import session_of
from neuript.training.guided.guided_spec import GuidedSpec


def spec(*argv: str) -> GuidedSpec:
    parser = build_parser()
    args = parser.parse_args(argv)
    fit_to_session(args, given_options(parser, argv))
    return session_of(args, spec_of(args))


def test_windows_are_as_long_as_the_task():
    asked = spec("--subject", "S01", "--classes", "left_hand,rest", "--imagery", "2.5", "--montage", "openbci-8")
    assert asked.classes == ("left_hand", "rest")
    assert asked.timing.imagery_s == 2.5
    assert asked.calibration.window_s == 2.5
    assert asked.calibration.epoch_s == (0.5, 3.0)
    assert asked.calibration.montage == asked.montage == "openbci-8"
    own = spec("--subject", "S01", "--classes", "left_hand,rest", "--epoch", "1", "4", "--window", "2")
    assert (own.calibration.epoch_s, own.calibration.window_s) == ((1.0, 4.0), 2.0)


def test_own_classes_have_a_text():
    asked = spec("--subject", "S01", "--classes", "words,rest", "--cue-text", "words=think of words")
    assert [(cue.name, cue.text) for cue in asked.own] == [("words", "think of words")]


def test_without_a_seed_two_people_get_two_orders():
    seeds = {spec("--subject", "S01", "--classes", "left_hand,rest").seed for _ in range(8)}
    assert len(seeds) > 1


@pytest.mark.parametrize(
    ("argv", "words"),
    [
        (["--classes", "left_hand,rest"], "--subject is missing"),
        (["--subject", "../x", "--classes", "left_hand,rest"], "--subject '../x' must be an alias"),
        (["--subject", "S01", "--classes", "left_hand,words"], "no cue for class 'words'"),
        (["--subject", "S01", "--classes", "left_hand"], "at least two"),
        (["--subject", "S01", "--classes", "left_hand,rest", "--trials", "3"], "--trials 3 of each class"),
        (["--subject", "S01", "--classes", "left_hand,rest", "--event", "a=1"], "--event: leave out"),
        (["--subject", "S01", "--classes", "left_hand,rest", "--cue-picture", "rest=no.png"], "is not there"),
        (["--subject", "S01", "--classes", "left_hand,rest", "--cue-text", "rest"], "must be NAME=VALUE"),
        (
            ["--subject", "S01", "--classes", "left_hand,right_hand", "--population", "shipped"],
            "right_hand, rest apart",
        ),
        (["--from", "a.xdf", "--out", "mi.ts", "--trials", "9"], "--trials: leave out"),
        (["--from-last"], "--from-last of whom"),
        (["--from-last", "--subject", "S09"], "no session that was finished"),
        (["--from-last", "--subject", "S09", "--montage", "10-20"], "--montage: leave out"),
        (["--resume", "nowhere"], "is no session folder"),
        (["--resume", "nowhere", "--montage", "10-20"], "--montage: leave out"),
        ([], "nothing to learn from"),
    ],
)
def test_what_does_not_go_together_is_one_sentence(argv: list[str], words: str, capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    assert cli.main(["calibrate", *argv]) == 2
    err = capsys.readouterr().err
    assert words in err
    assert "Traceback" not in err
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_is_there_is_not_replaced_by_a_session(capsys, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mi.ts").write_bytes(b"old")
    assert cli.main(["calibrate", "--subject", "S01", "--classes", "left_hand,rest", "--out", "mi.ts"]) == 2
    assert "exists already" in capsys.readouterr().err
    assert (tmp_path / "mi.ts").read_bytes() == b"old"
    assert not (tmp_path / "sessions").exists()
