"""A window that is too old by the clock on the wall commands nothing, however it became so."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scripted_source import Clock, LinearEngine, check_promises, decode, empty, runs_of_states, signal

from neuript.realtime.chain.chunk import Chunk, SourceStatus
from neuript.realtime.decoding.freshness import Freshness
from neuript.realtime.decoding.policy import WALL_SLACK_S, DecisionPolicy, PolicySpec
from neuript.realtime.decoding.states import State

FS, DELAY_S = 250.0, 0.004


def played(rng, arrivals, clock, *, stamp=lambda t: t, engine=None, keep=None):
    """Decode samples of which those up to `n` are pulled at `at` seconds, for each (n, at) of `arrivals`."""
    begin, x = clock.now, signal(rng, arrivals[-1][0] / FS, FS)
    keep = np.ones(len(x), bool) if keep is None else keep(np.arange(len(x)) / FS)
    chunks, first = [], 0
    for n, at in arrivals:
        part = np.arange(first, n)[keep[first:n]]

        def chunk(part=part, at=at):
            clock.now = max(clock.now, begin + at)
            return Chunk(x[part], begin + np.vectorize(stamp)(part / FS), pulled_at=clock.now)

        chunks, first = [*chunks, *([chunk] if len(part) else [])], n
    ages = []
    ages_of = type("Ages", (), {"publish": lambda self, row: ages.append((row, clock.now - begin))})()
    engine = engine or LinearEngine(sure=True)
    decoder, rows = decode(chunks, FS, engine=engine, clock=clock, perf=clock, sinks=[ages_of])
    check_promises(rows)
    return decoder, rows, ages


def steady(until_s, from_s=0.0, chunk_s=0.1, late=lambda t: DELAY_S):
    ends = np.arange(from_s + chunk_s, until_s + 1e-9, chunk_s)
    return [(round(t * FS), t + late(t)) for t in ends]


@pytest.mark.parametrize("frozen_s", [2.0, 5.0, 20.0])
def test_what_queued_up_while_the_decoder_slept_is_filtered_and_only_its_end_is_seen(rng, frozen_s):
    clock = Clock()
    back = 8 + frozen_s
    arrivals = [*steady(8.0), (round(back * FS), back + DELAY_S), *steady(back + 3, back)]
    decoder, rows, at = played(rng, arrivals, clock)
    assert runs_of_states(rows) == [State.WARMUP, State.OK, State.RECOVERED, State.OK]
    assert all(seen - (row.t - 1000.0) < 1.0 for row, seen in at)
    assert decoder.freshness.n_passed_over == round(8 * frozen_s) - 1
    assert rows[-1].window_index == round(8 * (back + 3)) - 1
    ok_again = next(seen for row, seen in at if row.state is State.OK and seen > back)
    assert 0.5 <= ok_again - back < 0.8
    assert decoder.admission.n_gaps == 0


def test_a_sleep_inside_an_inference_commands_nothing_and_is_no_overload_afterwards(rng):
    clock = Clock()

    class Sleeps(LinearEngine):
        def infer(self, window, tangent):
            clock.now += 8.0 if len(self.windows) == 20 else 0.01
            return super().infer(window, tangent)

    decoder, rows, at = played(rng, steady(20.0), clock, engine=Sleeps(sure=True))
    slept = [(row, seen) for row, seen in at if row.latency_ms["infer"] > 7000]
    assert [row.state for row, _ in slept] == [State.OVERLOAD]
    assert all(row.decision is None for row, seen in at if seen - (row.t - 1000.0) > 1.0)
    assert rows[-1].state is State.OK
    assert not decoder.skipper.overloaded


def test_stamps_that_fall_behind_are_stale_from_the_bound_on(rng, caplog):
    clock = Clock()
    _, _, at = played(rng, steady(20.0, late=lambda t: 0.1 * t), clock)
    old = [row for row, seen in at if seen - (row.t - 1000.0) > 1.0]
    assert old
    assert {row.state for row in old} <= {State.STALE, State.WARMUP, State.GAP, State.CLOCK}
    said = [r.getMessage() for r in caplog.records if "--max-age" in r.getMessage()]
    assert 0 < len(said) <= 2
    assert any(row.state is State.OK for row, seen in at if seen - (row.t - 1000.0) < 0.9)


@pytest.mark.parametrize("chunk_s", [2.0, 10.0])
def test_chunks_that_are_longer_than_the_bound_command_nothing(rng, chunk_s):
    _, rows, _ = played(rng, steady(40.0, chunk_s=chunk_s), Clock())
    later = [row for row in rows if row.t > 1006.1]  # what is full and young in the first chunk may command
    assert len(later) >= 3
    assert all(row.decision is None for row in later)
    assert State.OK not in {row.state for row in later}


def test_a_bound_that_somebody_chose_is_kept(rng):
    clock = Clock()
    freshness = Freshness(3.0, clock)
    freshness.arrived(Chunk(np.zeros((1, 4), np.float32), np.array([1000.0]), pulled_at=1000.0))
    clock.now = 1002.9
    assert not freshness.is_old(1000.0)
    clock.now = 1003.0
    assert freshness.is_old(1000.0)
    with pytest.raises(ValueError, match="larger than 0"):
        Freshness(0.0, clock)


def test_silence_is_stale_by_the_bound_even_where_the_source_is_patient(rng):
    clock = Clock()
    freshness = Freshness(1.0, clock)
    assert not freshness.is_old(math.nan)  # nothing has arrived yet
    begin, x = clock.now, signal(rng, 6.0, FS)

    def first():
        clock.now = begin + 6.0
        return Chunk(x, begin + np.arange(len(x)) / FS, pulled_at=clock.now)

    def nothing():
        clock.now += 0.1
        return empty(SourceStatus.OK, clock.now)

    _, rows = decode([first, *[nothing] * 20], FS, clock=clock, perf=clock)
    silent = [row for row in rows if row.sample_age_ms > 990 and row.t > begin + 5.9]
    assert {row.state for row in silent} == {State.STALE}
    assert 4 <= len(silent) <= 9


@pytest.mark.parametrize("ahead_s", [1e6, -1e6])
def test_stamps_of_another_clock_are_as_old_as_they_are_later_than_the_first(rng, ahead_s):
    clock = Clock()
    arrivals = [*steady(8.0), (3000, 12.0), *steady(15.0, 12.0)]
    _, rows, _ = played(rng, arrivals, clock, stamp=lambda t: t + ahead_s)
    assert runs_of_states(rows) == [State.WARMUP, State.OK, State.RECOVERED, State.OK]


@pytest.mark.parametrize(
    ("jump_s", "lost_s", "state", "n_gaps", "n_missing", "n_steps"),
    [
        (2.0, 0.0, State.CLOCK, 0, 0, 1),
        (-2.0, 0.0, State.CLOCK, 0, 0, 1),
        (10.0, 0.0, State.CLOCK, 0, 0, 1),
        (0.0, 2.0, State.GAP, 1, 500, 0),
        (0.0, 10.0, State.GAP, 1, 2500, 0),
    ],
)
def test_time_that_passed_here_tells_lost_samples_from_a_step_of_the_clock(
    rng, jump_s, lost_s, state, n_gaps, n_missing, n_steps
):
    clock = Clock()
    decoder, rows, at = played(
        rng, steady(26.0), clock, stamp=lambda t: t + jump_s * (t >= 8), keep=lambda t: (t < 8) | (t >= 8 + lost_s)
    )
    assert (decoder.admission.n_gaps, decoder.n_missing, decoder.admission.n_clock_steps) == (
        n_gaps,
        n_missing,
        n_steps,
    )
    assert [s for s in runs_of_states(rows) if s is not State.RECOVERED] == [State.WARMUP, State.OK, state, State.OK]
    assert at[-1][1] > 25.8  # fresh until the end, by whatever clock


def test_after_a_step_ahead_of_the_senders_clock_a_late_window_is_still_seen_to_be_late(rng):
    clock = Clock()
    arrivals = [*steady(16.0), (round(19 * FS), 19.0), *steady(22.0, 19.0)]
    decoder, rows, _ = played(rng, arrivals, clock, stamp=lambda t: t + 2.5 * (t >= 8))
    assert decoder.freshness.n_passed_over > 20
    assert rows[-1].state is State.OK


def test_a_replay_knows_no_age(rng):
    freshness = Freshness(1.0, None)
    assert not freshness.live
    assert math.isnan(freshness.age_s(5.0))
    assert not freshness.is_old(-1e9)
    assert freshness.passed_s() == math.inf
    assert not freshness.holding


def test_between_two_commands_passes_the_refractory_time_of_both_clocks():
    spec = PolicySpec(smoothing_s=0.0, threshold=0.7, release=0.6, dwell_s=0.0, refractory_s=1.0)

    def commits(wall_s):
        policy = DecisionPolicy(spec, ("a", "b"), 0.125)
        return [i for i in range(80) if policy.update([4.0 * (-1) ** i, 0.0], State.OK, wall_s=wall_s).committed]

    assert np.diff(commits(0.125)).tolist() == np.diff(commits(math.inf)).tolist()
    flash = np.diff(commits(0.0125))
    assert (flash * 0.0125 >= 1.0 - WALL_SLACK_S - 1e-9).all()
    assert len(flash) > 0
