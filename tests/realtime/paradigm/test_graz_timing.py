"""Times of a trial."""

from __future__ import annotations

import numpy as np
import pytest

from neuript import specs
from neuript.errors import NeuriptError
from neuript.realtime.paradigm.graz_timing import GrazTiming


def test_the_classic_times():
    timing = GrazTiming()
    assert (timing.fixation_s, timing.beep_s, timing.cue_s, timing.imagery_s) == (2.0, 1.0, 1.25, 4.0)
    assert timing.trial_s == 8.0
    assert specs.from_dict(GrazTiming, specs.to_dict(timing), "timing") == timing


def test_pauses_fill_their_range_and_belong_to_the_trial():
    timing = GrazTiming()
    pauses = np.array([timing.pause_after(trial, seed) for trial in range(40) for seed in range(40)])
    assert pauses.min() >= 1.5
    assert pauses.max() <= 2.5
    assert pauses.mean() == pytest.approx(2.0, abs=0.03)
    assert len(set(pauses)) == len(pauses)
    assert timing.pause_after(17, 3) == timing.pause_after(17, 3)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"cue_s": 0.1}, "cue_s=0.1 must be 0.33 to 60 s; nothing on the screen may change more often"),
        ({"beep_s": 0.0}, "beep_s"),
        ({"fixation_s": 1.2}, "fixation_s=1.2 must be 1.33"),
        ({"imagery_s": 1.3}, "imagery_s=1.3 must be 1.58"),
        ({"imagery_s": 1e4}, "imagery_s"),
        ({"pause_s": (2.0, 1.0)}, "pause_s=2, 1 must be two numbers"),
        ({"pause_s": (0.1, 1.0)}, "pause_s"),
        ({"cue_s": "1"}, "cue_s='1' must be a finite number"),
        ({"cue_s": float("nan")}, "cue_s"),
    ],
)
def test_times_that_flicker_or_make_no_sense_are_refused(wrong, words):
    with pytest.raises(NeuriptError, match=words):
        GrazTiming(**wrong)
