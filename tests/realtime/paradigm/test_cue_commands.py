"""Lines on stdin."""

from __future__ import annotations

import json

import pytest

from neuript.errors import NeuriptError
from neuript.realtime.paradigm.cue_commands import RunBlock, ShowCheck, ShowFeedback, ShowMessage, read_command
from neuript.realtime.paradigm.trial_run import CuedTrial


def test_every_command_is_read():
    said = read_command('{"do":"run","block":2,"n_blocks":4,"trials":[{"trial":17,"cls":"left_hand"}]}')
    assert said == RunBlock(block=2, n_blocks=4, trials=(CuedTrial(trial=17, cls="left_hand"),))
    assert read_command('{"do":"message","title":"Break"}') == ShowMessage(title="Break")
    check = read_command('{"do":"check","electrodes":[{"name":"C3","x":-0.5,"y":0,"level":"bad"}],"say":["50 Hz"]}')
    assert isinstance(check, ShowCheck)
    assert (check.electrodes[0].x, check.say, check.go) == (-0.5, ("50 Hz",), False)
    assert [read_command(json.dumps({"do": word})) for word in ("pause", "end")] == ["pause", "end"]


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("hello", "'hello' is no JSON"),
        ("[1]", "is no object"),
        ('{"do":"dance"}', "do='dance' is not known; use one of message, check, run"),
        ('{"do":["run"]}', "is not known"),
        ('{"do":"pause","x":1}', "is not known"),
        ("{}", "do=None is not known"),
        ('{"do":"run","block":1}', "run lacks the field trials"),
        ('{"do":"run","block":1,"trials":[]}', "block 1 has 0 trials"),
        ('{"do":"run","block":1,"trials":[{"trial":1,"cls":"a"},{"trial":1,"cls":"b"}]}', "number of its own"),
        ('{"do":"run","block":true,"trials":[{"trial":1,"cls":"a"}]}', "run: block=True must be a whole number"),
        ('{"do":"check","electrodes":[{"name":"C3","x":NaN,"y":0,"level":"bad"}]}', "check: electrodes"),
        ('{"do":"message","titel":"Break"}', "message: unknown field titel; known are title, text, hint"),
    ],
)
def test_what_is_no_command_is_said_in_a_sentence(line, words):
    with pytest.raises(NeuriptError, match=words):
        read_command(line)


def test_the_bar_begins_where_guessing_ends():
    row = ShowFeedback(proba={"left_hand": 0.6, "right_hand": 0.4})
    assert row.toward("left_hand", 2) == pytest.approx(0.2)
    assert row.toward("right_hand", 2) == 0.0
    assert row.toward("feet", 3) == 0.0
    assert ShowFeedback(proba={"left_hand": 1.0}).toward("left_hand", 3) == 1.0
    assert ShowFeedback(proba={"left_hand": 0.9}, state="STALE").toward("left_hand", 2) == 0.0
