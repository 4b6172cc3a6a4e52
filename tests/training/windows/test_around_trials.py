"""Windows of pauses hold no moment of a task."""

from __future__ import annotations

import numpy as np
import pytest

from neuript.realtime.decoding.event_scoring import EARLIEST_S
from neuript.realtime.decoding.scoring import Trial
from neuript.realtime.decoding.states import State
from neuript.training.windows.around_trials import PAUSE_STEP_S, Pauses, PreCue, TaskSpans, pauses_of
from neuript.training.windows.epochs import TrialWindows
from neuript.training.windows.hops import Hops

HOP_S, WINDOW_S, TASK_S = 0.125, 2.0, 4.5
SHAPE = (2, 4)


def trial(label: str, onset: float, *epochs: float) -> Trial:
    return Trial(label, onset, epochs_s=epochs) if epochs else Trial(label, onset)


def walk(end: float, *, state: State = State.OK, decoded: bool = True) -> Hops:
    """A walk over so many seconds, whose tangent vectors say when each window ends."""
    t = np.arange(WINDOW_S, end, HOP_S)
    row = np.arange(len(t) if decoded else 0)
    tangent = np.repeat(t[row].astype(np.float32)[:, None], 3, axis=1)
    stream = np.zeros((SHAPE[1], SHAPE[0]), dtype=np.float32)
    ends = np.full(len(row), SHAPE[1])
    return Hops(t, (state,) * len(t), row, tangent, None, SHAPE[1], ends, stream, None, ())


def labelled(*stamps: float) -> TrialWindows:
    """Windows of trials that end at these times."""
    n = len(stamps)
    x, index = np.zeros((n, *SHAPE), dtype=np.float32), np.zeros(n, dtype=np.int64)
    return TrialWindows(x, index, x, np.zeros((n, 3), dtype=np.float32), index, np.zeros(n), np.array(stamps))


def paused(hops: Hops, trials: list[Trial], idle: str | None, *stamps: float, owner: tuple[int, ...] = (0,)) -> Pauses:
    spans = TaskSpans(trials, idle, TASK_S, WINDOW_S)
    return pauses_of(hops, labelled(*stamps), np.array(owner, dtype=np.int64), spans)


def ends_of(trials: list[Trial], idle: str | None, end: float) -> np.ndarray:
    """Ends of the pauses of a walk over so many seconds."""
    return paused(walk(end), trials, idle, 0.0).tangent[:, 0]


def test_no_window_touches_a_task_and_rest_is_none() -> None:
    trials = [trial("go", 10.0), trial("rest", 20.0), trial("go", 30.0, 30.0, 32.0)]
    ends = ends_of(trials, "rest", 50.0)
    for begin, last in ((10.0, 10.0), (30.0, 32.0)):
        touching = (ends > begin + EARLIEST_S) & (ends - WINDOW_S < last + TASK_S)
        assert not touching.any()
    assert ((ends > 21.0) & (ends < 25.0)).any()
    assert ends.min() == WINDOW_S
    assert ends.max() > 48.0
    assert np.diff(ends).min() >= PAUSE_STEP_S - 1e-6


def test_every_trial_is_a_task_where_nothing_is_no_command() -> None:
    ends = ends_of([trial("rest", 10.0)], None, 30.0)
    assert not ((ends > 10.0 + EARLIEST_S) & (ends < 10.0 + TASK_S + WINDOW_S)).any()


@pytest.mark.parametrize("state", [State.GAP, State.BAD_SIGNAL, State.WARMUP])
def test_what_could_not_command_is_not_learnt_from(state: State) -> None:
    trials = [trial("go", 100.0)]
    assert len(paused(walk(30.0), trials, "rest", 0.0).trial)
    assert not len(paused(walk(30.0, state=state), trials, "rest", 0.0).trial)
    assert not len(paused(walk(30.0, decoded=False), trials, "rest", 0.0).trial)


def test_a_pause_belongs_to_the_trial_that_is_nearest() -> None:
    trials = [trial("go", 10.0), trial("go", 40.0)]
    found = paused(walk(60.0), trials, "rest", 14.5, 44.5, owner=(7, 8))
    ends = found.tangent[:, 0]
    np.testing.assert_array_equal(found.trial, np.where(ends <= 29.5, 7, 8))
    np.testing.assert_array_equal(found.end_s, ends)
    assert found.signal.shape == (len(ends), *SHAPE)
    assert not len(paused(walk(60.0), trials, "rest", owner=()).trial)


def test_parts_of_several_recordings_are_put_together_and_taken_apart() -> None:
    parts = [
        Pauses(
            np.full((2, *SHAPE), k, dtype=np.float32),
            np.full((2, 3), k, dtype=np.float32),
            np.array([10.0 * k, 10.0 * k + 2]),
            np.array([k, k + 1]),
        )
        for k in range(3)
    ]
    whole = Pauses.joined(parts)
    assert whole.trial.tolist() == [0, 1, 1, 2, 2, 3]
    taken = np.array([False, True, False, True])
    mine = whole.of_trials(taken, np.cumsum(taken) - 1)
    assert mine.trial.tolist() == [0, 0, 1]
    assert mine.tangent[:, 0].tolist() == mine.signal[:, 0, 0].tolist() == [0.0, 1.0, 2.0]
    assert mine.end_s.tolist() == [2.0, 10.0, 22.0]
    before = PreCue.joined([PreCue(part.tangent, part.trial) for part in parts])
    assert before.of_trials(taken, np.cumsum(taken) - 1).trial.tolist() == [0, 0, 1]
