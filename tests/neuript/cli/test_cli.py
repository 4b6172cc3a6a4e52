"""The command line: instant, lazy, one sentence per error, the promised exit codes."""

from __future__ import annotations

import os
import sys
import types
from pathlib import Path

import pytest
from processes import finished, python

from neuript import cli
from neuript.errors import ModelRefusedError, NeuriptError, StreamLostError, StreamNotFoundError
from neuript.realtime.live.options import LiveOptions

HEAVY = ("torch", "numpy", "scipy", "mne", "pylsl", "PyQt6", "qtpy", "sklearn", "rich")


def test_an_interrupt_while_modules_load_ends_with_130_too(tmp_path):
    """Dataclasses are made by `exec`, from which CPython takes an interrupt for unhandled."""
    (tmp_path / "early.py").write_text(
        "import sys\n"
        "from neuript import cli\n"
        "cli._run = lambda *_: exec('raise KeyboardInterrupt')\n"
        "if __name__ == '__main__':\n"
        "    sys.exit(cli.run_verb('doctor', []))\n"
    )
    path = os.pathsep.join([str(tmp_path), os.environ.get("PYTHONPATH", "")])
    done = finished([sys.executable, "-P", "-m", "early"], env={"PYTHONPATH": path})
    assert done.stderr == "neuript doctor: interrupted\n"
    assert done.returncode == 130


def fake_verb(monkeypatch, run):
    module = types.ModuleType("neuript.cli.live")
    module.run = run
    monkeypatch.setitem(sys.modules, "neuript.cli.live", module)


@pytest.mark.parametrize("arguments", [["--help"], ["live", "--help"], ["streams", "--help"], ["train", "--help"]])
def test_help_loads_nothing_heavy(arguments):
    code = (
        "import sys; from neuript.cli import main; code = main(sys.argv[1:]); "
        f"bad = [m for m in {HEAVY} if m in sys.modules]; "
        "print('LOADED', bad, 'CODE', code)"
    )
    done = finished(python(code, *arguments))
    assert "LOADED [] CODE 0" in done.stdout, done.stdout + done.stderr
    assert "usage" in done.stdout


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (NeuriptError, 2),
        (StreamNotFoundError, 3),
        (StreamLostError, 4),
        (ModelRefusedError, 5),
        (KeyboardInterrupt, 130),
        (ZeroDivisionError, 1),
    ],
)
def test_errors_become_a_line_and_a_code(monkeypatch, capsys, error, code):
    def run(argv):
        raise error("what happened")

    fake_verb(monkeypatch, run)
    assert cli.main(["live", "--x"]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("neuript live: ")
    assert "Traceback" not in err


def test_arguments_and_exit_code_are_passed_on(monkeypatch):
    seen = []

    def run(argv):
        seen.append(argv)
        return 7

    fake_verb(monkeypatch, run)
    assert cli.main(["-v", "live", "--model", "m.ts", "--verbose"]) == 7
    assert seen == [["--model", "m.ts"]]


def test_the_first_channel_may_be_left_out(monkeypatch):
    seen = []
    fake_verb(monkeypatch, lambda argv: seen.append(argv) or 0)
    assert cli.main(["live", "--channels", "-,C3,-", "--json"]) == 0
    assert seen == [["--channels=-,C3,-", "--json"]]


def test_unknown_verb_says_which_was_meant(capsys):
    assert cli.main(["liev"]) == 2
    assert "did you mean 'live'" in capsys.readouterr().err


def test_training_verbs_are_found_by_name(monkeypatch, capsys):
    seen = []
    module = types.ModuleType("neuript.cli.train.sweep")
    module.run = lambda argv: seen.append(argv) or 7
    monkeypatch.setitem(sys.modules, "neuript.cli.train.sweep", module)
    assert cli.main(["train", "sweep", "--seeds", "1"]) == 7
    assert seen == [["--seeds", "1"]]
    assert cli.main(["train", "sweeep"]) == 2
    assert "did you mean 'sweep'" in capsys.readouterr().err
    assert cli.main(["train"]) == 0
    assert "neuript-train VERB" in capsys.readouterr().out


def test_usage_errors_are_2(capsys):
    assert cli.main(["live", "--no-such-flag"]) == 2
    assert "no-such-flag" in capsys.readouterr().err


def test_version(capsys):
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("neuript ")


def test_live_needs_a_model(capsys):
    assert cli.main(["live", "--headless"]) == 2
    assert "--model" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"model": "m", "speed": "fast"}, "speed='fast' must be a number"),
        ({"model": "m", "duration_s": -1}, "--duration -1.0 must be larger than 0"),
        ({"model": "m", "mains": 55}, "50, 60 or 0"),
        ({"model": "m", "hopp": 1}, "unknown field hopp; known are model,"),
        ({"model": "m", "headless": "yes"}, "true or false"),
        ({"demo": True, "replay": "x.xdf"}, "leave out --replay"),
        ({"model": "m", "speed": 2.0}, "--speed 2 is the speed of a --replay"),
        ({"model": "m", "seed": 2}, "--seed chooses the person of the --demo"),
        ({"model": "m", "network": True}, "--network opens the --demo"),
        ({"model": "m", "replay": "x.xdf", "stim": True}, "--stim is for a live stream"),
        ({"model": "m", "replay": "x.xdf", "give_up_s": 3}, "--give-up is for a live stream"),
        ({"model": "m", "headless": True, "console": True}, "leave one of them out"),
        ({"demo": True, "montage": "10-20"}, "--demo knows its own cap"),
        ({"model": "m", "channels": "C3,,Cz"}, "name 2 is empty"),
        ({"model": "m", "replay": "x.xdf", "source_id": "y"}, "leave out --stream"),
    ],
)
def test_options_are_checked(given, match):
    with pytest.raises(NeuriptError, match=match):
        LiveOptions.from_mapping(given)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["inspect", "mi.ts", "--channels", "C3,Cz"], "--eeg and --channels speak of recordings"),
        (["streams", "--channels", "C3,Cz"], "add --montage NAME or --model FILE"),
        (["replay", "a.xdf", "--recorded-stamps"], "--recorded-stamps is for other speeds than 1"),
        (
            ["calibrate", "--from", "a.xdf", "--out", "a.ts", "--population", "shipped", "--network", "none"],
            "--population brings its own network; leave out --network none",
        ),
        (
            ["calibrate", "--from", "a.xdf", "--out", "a.ts", "--population", "shipped", "--idle", "rest"],
            "--idle speaks of trials",
        ),
        (["train", "prepare", "a", "--out", "b", "--rescale", "--unit", "uV"], "leave one of them out"),
        (["train", "population", "a", "--out", "b.safetensors", "--network", "none", "--seed", "3"], "--seed is the"),
    ],
)
def test_options_that_would_do_nothing_are_refused(capsys, arguments, words):
    assert cli.main(arguments) == 2
    assert words in capsys.readouterr().err


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_what_is_left_for_a_full_stdout_does_not_change_the_exit_code():
    code = (
        "import sys, types; from neuript import cli; from neuript.errors import NeuriptError\n"
        "def run(argv):\n"
        "    print('left in the buffer')\n"
        "    raise NeuriptError('bad')\n"
        "module = types.ModuleType('neuript.cli.score'); module.run = run\n"
        "sys.modules['neuript.cli.score'] = module\n"
        "sys.exit(cli.run_verb('score', []))"
    )
    with open("/dev/full", "w") as full:
        done = finished(python(code), stdout=full, env={"PYTHONUNBUFFERED": ""})
    assert (done.returncode, done.stderr.strip()) == (2, "neuript score: bad")
