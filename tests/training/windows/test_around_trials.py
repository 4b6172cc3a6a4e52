"""Windows of pauses hold no moment of a task."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from neuript.realtime.chain.alignment import Window
from neuript.realtime.decoding.event_scoring import EARLIEST_S
from neuript.realtime.decoding.scoring import Trial
from neuript.realtime.decoding.states import State
from neuript.training.windows.around_trials import PAUSE_STEP_S, PauseCollector, Pauses, PreCue

HOP_S, WINDOW_S, TASK_S = 0.125, 2.0, 4.5
SHAPE = (2, 4)


def trial(label: str, onset: float, *epochs: float) -> Trial:
    return Trial(label, onset, epochs_s=epochs) if epochs else Trial(label, onset)


def walked(collector: PauseCollector, end: float, *, state: State = State.OK, hop_s: float = HOP_S) -> np.ndarray:
    """Ends of the windows that are kept of a walk over so many seconds."""
    nothing = np.zeros((4, 2), dtype=np.float32)
    for t in np.arange(WINDOW_S, end, hop_s):
        row = SimpleNamespace(t=float(t), state=state)
        collector.offer(row, Window(nothing, nothing, np.full(3, t, dtype=np.float32)))  # type: ignore[arg-type]
    return collector.collected(np.array([0.0]), np.array([0]), SHAPE, 3).tangent[:, 0]


def test_no_window_touches_a_task_and_rest_is_none() -> None:
    trials = [trial("go", 10.0), trial("rest", 20.0), trial("go", 30.0, 30.0, 32.0)]
    ends = walked(PauseCollector(trials, "rest", TASK_S, WINDOW_S), 50.0)
    for begin, last in ((10.0, 10.0), (30.0, 32.0)):
        touching = (ends > begin + EARLIEST_S) & (ends - WINDOW_S < last + TASK_S)
        assert not touching.any()
    assert ((ends > 21.0) & (ends < 25.0)).any()
    assert ends.min() == WINDOW_S
    assert ends.max() > 48.0
    assert np.diff(ends).min() >= PAUSE_STEP_S - 1e-6


def test_every_trial_is_a_task_where_nothing_is_no_command() -> None:
    ends = walked(PauseCollector([trial("rest", 10.0)], None, TASK_S, WINDOW_S), 30.0)
    assert not ((ends > 10.0 + EARLIEST_S) & (ends < 10.0 + TASK_S + WINDOW_S)).any()


@pytest.mark.parametrize("state", [State.GAP, State.BAD_SIGNAL, State.WARMUP])
def test_what_could_not_command_is_not_learnt_from(state: State) -> None:
    collector = PauseCollector([trial("go", 100.0)], "rest", TASK_S, WINDOW_S)
    assert not len(walked(collector, 30.0, state=state))
    collector.offer(SimpleNamespace(t=31.0, state=State.OK), None)  # type: ignore[arg-type]
    assert not len(collector.collected(np.array([0.0]), np.array([0]), SHAPE, 3).trial)


def test_a_pause_belongs_to_the_trial_that_is_nearest() -> None:
    trials = [trial("go", 10.0), trial("go", 40.0)]
    collector = PauseCollector(trials, "rest", TASK_S, WINDOW_S)
    walked(collector, 60.0)
    found = collector.collected(np.array([14.5, 44.5]), np.array([7, 8]), SHAPE, 3)
    ends = found.tangent[:, 0]
    np.testing.assert_array_equal(found.trial, np.where(ends <= 29.5, 7, 8))
    np.testing.assert_array_equal(found.end_s, ends)
    assert found.signal.shape == (len(ends), *SHAPE)
    assert not len(collector.collected(np.array([]), np.array([], dtype=np.int64), SHAPE, 3).trial)


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
