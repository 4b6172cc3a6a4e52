"""The state machine of a block: its times, and what commands at any moment do to it."""

from __future__ import annotations

import random
from collections.abc import Iterator

import numpy as np
import pytest

from neuript.errors import NeuriptError
from neuript.realtime.paradigm.graz_timing import SHORTEST_S, GrazTiming
from neuript.realtime.paradigm.trial_run import IN_TRIAL, Change, CuedTrial, Phase, TrialRun
from neuript.realtime.recordings.cue_markers import cue_label, cue_marker, plain_labels

TIMING = GrazTiming()
TRIALS = [CuedTrial(trial=i, cls=name) for i, name in enumerate(("left_hand", "right_hand", "rest"), start=1)]
WISHES = ("pause", "go_on", "repeat", "skip", "stop")


def new(trials=TRIALS, **how) -> TrialRun:
    return TrialRun(trials, TIMING, now=0.0, **how)


def to_the_end(run: TrialRun, now: float = 0.0) -> Iterator[tuple[float, Change]]:
    """Each change at the time that it is due."""
    while run.next_due is not None:
        now = max(now, run.next_due)
        change = run.advance(now)
        assert change is not None
        yield now, change


def until(run: TrialRun, phase: Phase, now: float = 0.0) -> float:
    return next(at for at, change in to_the_end(run, now) if change.phase is phase)


def test_a_block_without_commands_keeps_the_graz_times():
    seen = [(round(now, 6), c.phase, c.trial, [m.ev for m in c.marks]) for now, c in to_the_end(new(feedback=True))]
    t = TIMING.pause_s[0]
    expected = []
    for trial in TRIALS:
        expected += [
            (t, Phase.FIXATION, trial, ["trial_start", "cross"]),
            (t + 1, Phase.BEEP, trial, ["beep"]),
            (t + 2, Phase.CUE, trial, ["cue"]),
            (t + 3.25, Phase.IMAGERY, trial, ["feedback"]),
            (t + 6, Phase.PAUSE, trial, ["trial_end"]),
        ]
        t += 6 + TIMING.pause_after(trial.trial, 0)
    expected.append((t, Phase.OVER, TRIALS[-1], []))
    assert seen == [(round(t, 6), *rest) for t, *rest in expected]


def test_nothing_is_left_out_however_late_somebody_asks():
    run = new()
    changes = [change for k in range(40) if (change := run.advance(1000.0 * (k + 1)))]
    assert [c.phase for c in changes[:5]] == [Phase.FIXATION, Phase.BEEP, Phase.CUE, Phase.IMAGERY, Phase.PAUSE]
    assert changes[-1].phase is Phase.OVER
    assert changes[2].due == pytest.approx(2001.0)  # one second after the beep was really there


@pytest.mark.parametrize("phase", sorted(IN_TRIAL))
def test_a_pause_in_a_trial_rejects_it_and_shows_it_again(phase):
    run = new()
    now = until(run, phase)
    held = run.pause(now + 0.1)
    assert (held.phase, [m.ev for m in held.marks], held.ended) == (Phase.HELD, ["rejected"], (TRIALS[0], "aborted"))
    assert run.advance(now + 1e6) is None
    assert run.pause(now + 1e6) is None
    assert run.go_on(now + 1e6).phase is Phase.PAUSE
    rest = [c.ended for _, c in to_the_end(run) if c.ended]
    assert rest == [(trial, "done") for trial in TRIALS]


def test_a_pause_between_two_trials_costs_none():
    run = new()
    now = until(run, Phase.IMAGERY)
    now = until(run, Phase.PAUSE, now)
    held = run.pause(now + 0.2)
    assert (held.phase, held.marks, held.ended) == (Phase.HELD, (), None)
    run.go_on(now + 50)
    assert [c.ended[0] for _, c in to_the_end(run) if c.ended] == TRIALS[1:]


def test_the_last_trial_can_be_repeated_or_skipped_until_the_next_begins():
    for doing, outcome in (("repeat", "aborted"), ("skip", "skipped")):
        run = new()
        now = until(run, Phase.PAUSE, until(run, Phase.IMAGERY))
        change = getattr(run, doing)(now + 0.1)
        assert ([m.ev for m in change.marks], change.ended) == (["rejected"], (TRIALS[0], outcome))
        first = next(c.trial for _, c in to_the_end(run) if c.phase is Phase.FIXATION)
        assert first == TRIALS[0 if doing == "repeat" else 1]


def test_a_trial_that_was_aborted_by_the_pause_can_be_skipped_while_held():
    run = new()
    run.pause(until(run, Phase.CUE))
    change = run.skip(30.0)
    assert (change.phase, change.marks, change.ended) == (Phase.HELD, (), (TRIALS[0], "skipped"))
    run.go_on(31.0)
    assert [c.ended for _, c in to_the_end(run) if c.ended] == [(t, "done") for t in TRIALS[1:]]


def test_before_the_first_trial_there_is_nothing_to_repeat_and_the_first_is_skipped():
    run = new()
    assert run.repeat(0.1) is None
    assert run.skip(0.2).ended == (TRIALS[0], "skipped")


def test_stop_ends_at_once():
    run = new()
    change = run.stop(until(run, Phase.CUE) + 0.3)
    assert (change.phase, [m.ev for m in change.marks]) == (Phase.OVER, ["rejected"])
    assert run.stopped
    assert run.advance(1e9) is None
    assert not any(getattr(run, wish)(1e9) for wish in WISHES)


def test_a_block_without_trials_is_refused():
    with pytest.raises(NeuriptError, match="no trials"):
        new([])


def driven_at_random(seed: int) -> tuple[TrialRun, list[tuple[float, Change]], dict[int, str]]:
    """A block with commands at random moments; its changes, and the last word about each trial."""
    rng = random.Random(seed)
    run, now, seen, said = new(), 0.0, [], {}
    while run.phase is not Phase.OVER:
        now += rng.expovariate(1.25)
        if rng.random() < 0.15 or run.next_due is None:
            (wish,) = rng.choices(WISHES, (30, 30, 20, 18, 2))
            change = getattr(run, wish)(now)
        else:
            change = run.advance(now)
        if change is not None:
            seen.append((now, change))
            if change.ended is not None:
                said[change.ended[0].trial] = change.ended[1]
    return run, seen, said


def test_whatever_is_commanded_the_markers_tell_what_became_of_each_trial():
    outcomes = set()
    for seed in range(1000):
        run, seen, said = driven_at_random(seed)
        marks = [mark for _, change in seen for mark in change.marks]
        texts = [
            cue_marker(m.ev, cls=m.trial.cls, trial=m.trial.trial, block=1, gdf=0, practice=False, late=False)
            for m in marks
        ]
        counted = [
            m.trial.trial
            for m, label in zip(marks, plain_labels(texts), strict=True)
            if label == cue_label(m.trial.cls)
        ]
        assert sorted(counted) == sorted(trial for trial, word in said.items() if word == "done"), seed
        open_trial = None
        for mark in marks:  # a trial that began ends before another begins
            if mark.ev == "trial_start":
                assert open_trial is None, seed
                open_trial = mark.trial
            elif mark.ev in ("trial_end", "rejected"):
                assert mark.ev == "rejected" or open_trial == mark.trial, seed
                open_trial = None
        if not run.stopped:
            assert set(said) == {1, 2, 3}, seed
            assert set(said.values()) <= {"done", "skipped"}, seed
        outcomes |= set(said.values())
    assert outcomes == {"done", "skipped", "aborted"}


def test_nothing_changes_by_itself_more_than_three_times_a_second():
    timing = GrazTiming(
        fixation_s=2 * SHORTEST_S,
        beep_s=SHORTEST_S,
        cue_s=SHORTEST_S,
        imagery_s=2 * SHORTEST_S,
        pause_s=(SHORTEST_S, 0.4),
    )
    times = [now for now, _ in to_the_end(TrialRun(TRIALS, timing, now=0.0))]
    assert np.diff(times).min() >= SHORTEST_S - 1e-9
