"""Cues beside commands: which of them were answered, and how."""

from __future__ import annotations

import pytest

from neuript.realtime.dashboard.cue_lane import Answer, CueLane
from neuript.realtime.recordings.cue_markers import cue_marker

CLASSES = ("left", "right")


def lane(rows: dict[float, str], until_s: float) -> CueLane:
    """A row every 0.25 s: what is commanded from each time on."""
    out, held = CueLane(), None
    for k in range(int(until_s * 4) + 1):
        said = rows.get(k / 4, held)
        out.add_row(k / 4, said or None)
        held = said
    return out


def cue(ev: str, cls: str, *, practice: bool = False) -> str:
    return cue_marker(ev, cls=cls, trial=1, block=1, gdf=1, practice=practice, late=False)


@pytest.mark.parametrize(
    ("rows", "answer"),
    [
        ({}, Answer.NONE),
        ({7.0: "left"}, Answer.RIGHT),
        ({7.0: "right"}, Answer.WRONG),
        ({7.0: "right", 8.0: "left"}, Answer.RIGHT),  # what is given at the end counts
        ({7.0: "left", 8.0: ""}, Answer.RIGHT),
        ({2.0: "left"}, Answer.RIGHT),  # held from before, and still given
        ({2.0: "left", 8.5: ""}, Answer.RIGHT),
        ({2.0: "left", 8.5: "right"}, Answer.WRONG),
        ({2.0: "right", 5.5: ""}, Answer.NONE),  # the command of the trial before ends
        ({10.5: "left"}, Answer.RIGHT),  # the decoder lags behind
        ({10.75: "left"}, Answer.NONE),  # too late
    ],
)
def test_a_cue_is_answered_within_its_trial(rows, answer):
    found = lane(rows, 12.0)
    for stamp, text in ((3.0, "trial_start"), (5.0, "left"), (9.0, "trial_end")):
        found.add_marker(text, stamp, CLASSES)
    assert [mark.answer for mark in found.since(0.0) if mark.cue] == [answer]
    assert (found.score.right, found.score.wrong, found.score.none) == (
        answer is Answer.RIGHT, answer is Answer.WRONG, answer is Answer.NONE,
    )  # fmt: skip


def test_a_trial_is_judged_once_it_is_over_and_the_rows_have_reached_its_end():
    found = lane({6.0: "left"}, 8.0)
    found.add_marker("left", 5.0, CLASSES)
    found.add_marker("trial_end", 9.0, CLASSES)
    assert found.since(0.0)[0].answer is Answer.PENDING
    assert found.score.words == ""
    found.add_row(10.4, "left")
    assert found.since(0.0)[0].answer is Answer.PENDING
    found.add_row(10.5, "left")
    assert found.since(0.0)[0].answer is Answer.RIGHT
    assert found.score.words == "1 of 1 cues answered right, 0 wrong, 0 not"
    found.add_marker("right", 12.0, CLASSES)  # nobody ends this one
    found.add_row(23.4, None)
    assert found.since(10.0)[0].answer is Answer.PENDING
    found.add_row(23.5, None)
    assert found.since(10.0)[0].answer is Answer.NONE


def test_the_markers_of_a_cue_program_are_read_and_practice_and_rejected_trials_do_not_count():
    found = lane({6.0: "left"}, 40.0)
    told = [
        (1.0, cue("cross", "left")),
        (5.0, cue("cue", "left", practice=True)),
        (9.0, cue("trial_end", "left", practice=True)),
        (15.0, cue("cue", "left")),
        (19.0, cue("trial_end", "left")),
        (20.0, cue("rejected", "left")),
        (25.0, cue("cue", "left")),
        (29.0, cue("trial_end", "left")),
        (30.0, '{"somebody": "else"}'),
    ]
    for stamp, text in told:
        found.add_marker(text, stamp, CLASSES)
    assert [mark.text for mark in found.since(0.0)] == ["left", "trial_end"] * 2 + ["rejected", "left", "trial_end"]
    assert [mark.answer for mark in found.since(0.0) if mark.cue and mark.counts] == [Answer.RIGHT]
    assert found.score.right == 1


def test_a_trial_in_which_commands_were_paused_is_not_counted():
    found = CueLane()
    for k in range(80):
        found.add_row(k / 4, None, paused=k == 30)
    for stamp in (1.0, 7.0, 12.0):
        found.add_marker("left", stamp, CLASSES)
        found.add_marker("trial_end", stamp + 4, CLASSES)
    assert [mark.counts for mark in found.since(0.0) if mark.cue] == [True, False, True]
    assert found.score.none == 2


def test_a_cue_from_before_the_first_row_is_not_counted_against_the_decoder():
    found = CueLane()
    found.add_marker("left", 1.0, CLASSES)
    found.add_row(3.0, None)
    found.add_row(30.0, None)
    assert not found.since(0.0)[0].counts
    assert found.score.words == ""
