"""What the source's pace does to the decoder's state: late, lost and new streams, and too little time."""

from __future__ import annotations

import numpy as np
import pytest
from scripted_source import (
    NAMES,
    Clock,
    LinearEngine,
    Script,
    check_promises,
    cut,
    decode,
    empty,
    live_source,
    manifest,
    runs_of_states,
    signal,
)

from neuript.realtime.chain.chunk import Chunk, SignalInfo, SourceStatus
from neuript.realtime.decoding.decoder import Decoder
from neuript.realtime.decoding.states import State


def test_stale_and_lost_rows_come_at_the_pace_of_the_hop_and_recovery_is_flagged(rng):
    clock = Clock()
    chunks, x, _ = live_source(rng, 7.0, 250.0, clock)

    def silence(status, seconds):
        def chunk():
            clock.now += 0.05
            return empty(status, clock.now)

        return [chunk] * round(seconds / 0.05)

    def back(i):
        def chunk():
            status = SourceStatus.RECOVERED if i == 0 else SourceStatus.OK
            t = 1010.0 + np.arange(i, i + 25) / 250.0
            clock.now = t[-1] + 0.004
            return Chunk(x[i : i + 25], t, status, clock.now)

        return chunk

    script = chunks + silence(SourceStatus.STALE, 1.0) + silence(SourceStatus.LOST, 2.0)
    script += [back(i) for i in range(0, 1750, 25)]
    decoder, rows = decode(script, 250.0, engine=LinearEngine(sure=True), clock=clock, perf=clock)
    check_promises(rows)
    assert runs_of_states(rows) == [
        State.WARMUP, State.OK, State.STALE, State.LOST, State.RECOVERED, State.OK,
    ]  # fmt: skip
    stale = [r for r in rows if r.state is State.STALE]
    assert 6 <= len(stale) <= 10
    assert stale[-1].sample_age_ms > stale[0].sample_age_ms + 500
    assert all(r.t == stale[0].t for r in stale)
    assert decoder.admission.n_gaps == 1


def test_late_data_without_a_hole_recovers_within_half_a_second(rng):
    clock = Clock()
    chunks, x, _ = live_source(rng, 6.0, 250.0, clock)
    late = x[:750], 1006.0 + np.arange(750) / 250.0

    def stale():
        clock.now = 1008.0
        return empty(SourceStatus.STALE, clock.now)

    def burst():
        clock.now = 1009.0
        return Chunk(*late, SourceStatus.RECOVERED, clock.now)

    def goes_on(i):
        def chunk():
            t = 1009.0 + np.arange(i, i + 25) / 250.0
            clock.now = t[-1] + 0.004
            return Chunk(x[i : i + 25], t, pulled_at=clock.now)

        return chunk

    more = [goes_on(i) for i in range(0, 500, 25)]
    decoder, rows = decode(
        [*chunks, stale, burst, *more], 250.0, engine=LinearEngine(sure=True), clock=clock,
        perf=clock,
    )  # fmt: skip
    check_promises(rows)
    assert decoder.admission.n_gaps == 0
    assert runs_of_states(rows) == [
        State.WARMUP, State.OK, State.STALE, State.RECOVERED, State.OK,
    ]  # fmt: skip
    recovered = [r for r in rows if r.state is State.RECOVERED]
    assert len(recovered) == 1 + 4  # the end of what queued up, and half a second
    assert all(r.proba is not None for r in recovered)


def test_a_new_instance_of_the_stream_starts_over(rng):
    clock = Clock()
    chunks, x, _ = live_source(rng, 6.5, 250.0, clock)
    source = Script(chunks, 250.0)

    def returned(i):
        def chunk():
            source.info = SignalInfo(name="fake", sfreq=250.0, ch_names=NAMES, uid="u2")
            status = SourceStatus.RECOVERED if i == 0 else SourceStatus.OK
            clock.now += 0.1
            return Chunk(x[i : i + 25], 70.0 + np.arange(i, i + 25) / 250.0, status, clock.now)

        return chunk

    source.chunks += [returned(i) for i in range(0, 1600, 25)]
    decoder = Decoder.from_manifest(
        source, np.eye(4), 1e-6, manifest(), LinearEngine(sure=True), clock=clock, perf=clock
    )
    rows = []
    while not decoder.ended:
        rows += decoder.step()
    check_promises(rows)
    assert runs_of_states(rows) == [State.WARMUP, State.OK, State.RECOVERED, State.OK]
    assert rows[-1].t == pytest.approx(70.0 + 6.4, abs=0.13)


def test_overload_skips_counts_and_commands_nothing(rng):
    clock = Clock()
    x = signal(rng, 30.0, 250.0)
    begin = clock.now
    sent = {"n": 0}

    def chunk():  # all that has arrived by now
        clock.now = max(clock.now, begin + (sent["n"] + 25) / 250.0)
        stop = min(len(x), int((clock.now - begin) * 250.0 + 1e-6))
        part = slice(sent["n"], stop)
        sent["n"] = stop
        return Chunk(x[part], begin + np.arange(len(x))[part] / 250.0, pulled_at=clock.now)

    engine = LinearEngine(cost_s=0.3, perf=clock, sure=True)
    decoder = Decoder.from_manifest(
        Script([chunk] * 400, 250.0), np.eye(4), 1e-6, manifest(), engine, clock=clock, perf=clock
    )
    rows = []
    while sent["n"] < len(x):
        rows += decoder.step()
    check_promises(rows)
    assert State.OVERLOAD in runs_of_states(rows)
    assert decoder.skipper.n_skipped > 60
    assert rows[-1].sample_age_ms < 400  # nothing queues up
    assert rows[-1].window_index == 30 * 8 - 1
    assert [r.window_index for r in rows] == sorted({r.window_index for r in rows})


def test_two_hops_per_chunk_are_both_decoded_when_there_is_time(rng):
    clock = Clock()
    chunks, _, _ = live_source(rng, 8.0, 250.0, clock, size=250)
    engine = LinearEngine(cost_s=0.02, perf=clock)
    decoder, rows = decode(chunks, 250.0, engine=engine, clock=clock, perf=clock)
    assert decoder.skipper.n_skipped == 0
    assert len(rows) == 64


def test_replay_never_skips(rng):
    perf = Clock()
    x = signal(rng, 8.0, 250.0)
    decoder, rows = decode(
        cut(x, np.arange(len(x)) / 250.0, 500), 250.0,
        engine=LinearEngine(cost_s=1.0, perf=perf), perf=perf,
    )  # fmt: skip
    assert decoder.skipper.n_skipped == 0
    assert len(rows) == 64
