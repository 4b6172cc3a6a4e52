"""A block on a screen that a test holds in its hands: frames come when the test says so."""

from __future__ import annotations

import numpy as np
import pytest

from neuript.realtime.paradigm.block_show import NEVER_SHOWN_S, BlockShow, SmoothBar
from neuript.realtime.paradigm.cue_commands import RunBlock, ShowFeedback, ShowMessage
from neuript.realtime.paradigm.cue_settings import CueSettings
from neuript.realtime.paradigm.frame_log import FrameLog
from neuript.realtime.paradigm.trial_run import CuedTrial, Phase

PERIOD = 1 / 60
SETTINGS = CueSettings(classes=("left_hand", "rest"))


class Screen:
    """A block, the frames of a screen, and what was sent and said."""

    def __init__(self, settings=SETTINGS, *, n=2, practice=False) -> None:
        self.sent, self.said = [], []
        self.frames = FrameLog(PERIOD)
        trials = tuple(CuedTrial(trial=i, cls=("left_hand", "rest")[i % 2]) for i in range(n))
        self.show = BlockShow(
            RunBlock(block=3, n_blocks=4, trials=trials, practice=practice), settings, self.frames, now=0.0,
            send=lambda ev, stamp, **about: self.sent.append({"ev": ev, "t": stamp, **about}),
            say=lambda said, **about: self.said.append({"said": said, **about}),
        )  # fmt: skip
        self.t = 0.0

    def frame(self, after_s=PERIOD, *, drawn=True) -> None:
        """One frame later; `drawn` False is a screen that shows nothing new."""
        self.show.step(self.t + PERIOD)
        if drawn:
            self.show.drawn()
        self.t += after_s
        if drawn:
            self.show.shown(self.t, steady=True)

    def until(self, phase, n=2000) -> None:
        while self.phase is not phase:
            self.frame()
            n -= 1
            assert n, f"never came to {phase}"

    @property
    def phase(self):
        scene = self.show.scene(self.t)
        return Phase.HELD if isinstance(scene, ShowMessage) else scene.phase

    def trial(self):
        """What was said about the last trial that ended."""
        return [one for one in self.said if one["said"] == "trial"][-1]


def test_markers_carry_the_stamp_of_the_frame_that_showed_them():
    screen = Screen()
    screen.until(Phase.OVER)
    cues = [one for one in screen.sent if one["ev"] == "cue"]
    assert [(one["cls"], one["trial"], one["block"], one["practice"], one["late"]) for one in cues] == [
        ("left_hand", 0, 3, False, False),
        ("rest", 1, 3, False, False),
    ]
    frames = np.array([one["t"] for one in screen.sent]) / PERIOD
    np.testing.assert_allclose(frames, frames.round(), atol=1e-6)  # each is a frame's, none is a planned time
    assert [one["cue_t"] for one in screen.said if one["said"] == "trial"] == [one["t"] for one in cues]
    figures = screen.frames.figures()
    assert (figures["n"], figures["late"]) == (2, 0)
    assert 0 <= figures["p50_ms"] <= figures["p99_ms"] <= 1000 * PERIOD
    assert figures["frame_p50_ms"] == pytest.approx(1000 * PERIOD, abs=1e-3)


def test_a_missed_frame_before_the_cue_makes_the_marker_and_the_trial_late():
    screen = Screen()
    screen.until(Phase.BEEP)
    while screen.phase is Phase.BEEP:
        screen.show.step(screen.t + PERIOD)
        if screen.phase is Phase.BEEP:
            screen.frame()
    screen.show.drawn()
    screen.t += 3 * PERIOD
    screen.show.shown(screen.t, steady=True)
    assert (screen.sent[-1]["ev"], screen.sent[-1]["late"]) == ("cue", True)
    screen.until(Phase.PAUSE)
    assert screen.trial()["late"]
    screen.until(Phase.OVER)
    assert not screen.trial()["late"]  # the next one is fine
    assert screen.frames.figures()["late"] == 1


@pytest.mark.parametrize("phase", [Phase.CUE, Phase.IMAGERY])
@pytest.mark.parametrize("how", ["missed", "moved"])
def test_what_happens_while_the_person_imagines_makes_the_trial_late(phase, how):
    screen = Screen()
    screen.until(phase)
    if how == "moved":
        screen.show.disturbed()
    else:
        screen.frame(3 * PERIOD)
    screen.until(Phase.PAUSE)
    assert [one["late"] for one in screen.sent if one["ev"] in ("cue", "trial_end")] == [False, True]
    assert screen.trial()["late"]


def test_a_move_between_trials_harms_none():
    screen = Screen()
    screen.show.disturbed()
    screen.until(Phase.PAUSE) if screen.phase is not Phase.PAUSE else screen.until(Phase.FIXATION)
    screen.show.disturbed()
    screen.until(Phase.OVER)
    assert not any(one["late"] for one in screen.said)


def test_a_cue_that_no_frame_shows_is_stamped_late_and_not_for_ever_waited_for():
    screen = Screen()
    screen.until(Phase.BEEP)
    while screen.phase is Phase.BEEP:
        screen.frame(drawn=False)
    shown = screen.t
    assert screen.sent[-1]["ev"] == "beep"
    screen.show.give_up(shown)
    assert screen.sent[-1]["ev"] == "beep"
    screen.show.give_up(shown + NEVER_SHOWN_S + PERIOD)
    assert (screen.sent[-1]["ev"], screen.sent[-1]["late"]) == ("cue", True)


def test_practice_is_marked_as_such():
    screen = Screen(practice=True)
    screen.until(Phase.OVER)
    assert all(one["practice"] for one in screen.sent)
    assert all(one["practice"] for one in screen.said)


def test_a_pause_rejects_on_the_next_frame_and_says_so():
    screen = Screen()
    screen.until(Phase.IMAGERY)
    assert screen.show.wish("pause", screen.t)
    assert screen.sent[-1]["ev"] == "cue"
    screen.frame()
    assert (screen.sent[-1]["ev"], screen.sent[-1]["t"]) == ("rejected", screen.t)
    assert screen.trial() == {
        "said": "trial", "block": 3, "practice": False, "trial": 0, "cls": "left_hand", "status": "aborted",
        "cue_t": screen.trial()["cue_t"], "late": False,
    }  # fmt: skip
    assert screen.show.held
    assert not screen.show.wish("end", screen.t)
    screen.show.wish("go_on", screen.t)
    screen.until(Phase.OVER)
    assert [one["status"] for one in screen.said] == ["aborted", "done", "done"]
    assert not screen.show.stopped


def test_the_bar_follows_the_cued_class_during_imagery_only():
    screen = Screen(CueSettings(classes=("left_hand", "rest"), feedback=True))
    row = ShowFeedback(proba={"left_hand": 0.9, "rest": 0.1})
    screen.until(Phase.CUE)
    screen.show.feedback(row, screen.t)
    screen.until(Phase.IMAGERY)
    assert screen.sent[-1]["ev"] == "feedback"
    assert screen.show.moves
    lengths = []
    for _ in range(60):
        screen.show.feedback(row, screen.t)
        screen.frame()
        lengths.append(screen.show.scene(screen.t).bar)
    assert lengths[0] < 0.15  # nothing was heard before the imagery, and it does not jump
    assert lengths[-1] == pytest.approx(0.8, abs=0.03)
    assert np.max(np.diff(lengths)) < 0.1
    for _ in range(90):  # nobody says anything any more
        screen.frame()
    assert screen.show.scene(screen.t).bar < 0.2


def test_without_feedback_there_is_no_bar():
    screen = Screen()
    screen.until(Phase.IMAGERY)
    screen.show.feedback(ShowFeedback(proba={"left_hand": 0.9}), screen.t)
    assert screen.show.scene(screen.t).bar is None
    assert not screen.show.moves


def test_a_bar_moves_as_far_whatever_the_frames():
    ends = []
    for n in (5, 50, 500):
        bar = SmoothBar()
        bar.at(0.0)
        bar.aim(1.0, 0.0)
        ends.append([bar.at(t) for t in np.linspace(0, 0.5, n + 1)[1:]][-1])
    np.testing.assert_allclose(ends, 1 - np.exp(-0.5 / 0.2), atol=1e-9)


def test_a_frame_log_tells_a_missed_frame_from_a_rest():
    log = FrameLog(PERIOD)
    assert [log.frame(t * PERIOD) for t in (0, 1, 2, 4, 7)] == [True, True, True, True, False]
    log.rest()
    assert log.frame(1000.0)
    assert log.cue(1.0, 1.0 + 1.4 * PERIOD)
    assert not log.cue(1.0, 1.0 + 1.6 * PERIOD)
    log.late()
    figures = log.figures()
    assert (figures["n"], figures["late"]) == (2, 1)
    assert figures["p50_ms"] == pytest.approx(1500 * PERIOD, abs=1e-3)
    assert FrameLog(PERIOD).figures()["p50_ms"] is None
