"""The one `step()`: fake sources, a fake clock; the bits of its rows, its latency, its limits."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scripted_source import N_CHANS, Clock, LinearEngine, Script, cut, decode, empty, live_source, manifest, signal

from neuript.errors import NeuriptError
from neuript.realtime.chain.chunk import Chunk, SourceStatus
from neuript.realtime.chain.windowing import hop_samples
from neuript.realtime.decoding.decision import STAGES
from neuript.realtime.decoding.decoder import Decoder

# -- exactness -----------------------------------------------------------------------------------


@pytest.mark.parametrize("sfreq", [100.0, 125.0, 250.0, 256.0, 500.0, 1000.0, 2048.0])
def test_any_chunking_gives_the_same_rows_to_the_last_bit(rng, sfreq):
    x = signal(rng, 7.0, sfreq)
    stamps = 50.0 + np.arange(len(x)) / sfreq + rng.normal(scale=1e-4, size=len(x))

    def rows(size):
        return [
            (r.t, r.window_index, r.state, r.proba, r.decision, r.confidence)
            for r in decode(cut(x, stamps, size), sfreq)[1]
        ]

    reference = rows(len(x))
    assert len(reference) == 7 * 8
    assert reference[-1][3] is not None
    for size in (7, 32, 1001) if sfreq > 130 else (1, 32):
        assert rows(size) == reference


def test_empty_chunks_change_nothing(rng):
    x = signal(rng, 6.0, 250.0)
    stamps = np.arange(len(x)) / 250.0
    chunks = cut(x, stamps, 50)
    holes = [c for chunk in chunks for c in (empty(SourceStatus.OK, math.nan), chunk)]
    _, plain = decode(chunks, 250.0)
    _, holed = decode(holes, 250.0)
    assert [(r.t, r.proba) for r in holed] == [(r.t, r.proba) for r in plain]


@pytest.mark.parametrize("sfreq", [125.0, 250.0, 512.0, 1000.0])
def test_a_row_is_stamped_with_the_newest_sample_of_its_window(rng, sfreq):
    x = signal(rng, 7.0, sfreq)
    true = 50.0 + np.arange(len(x)) / sfreq
    noisy = true + rng.uniform(-1, 1, len(x)) * 2e-4
    _, rows = decode(cut(x, noisy, 16), sfreq)
    for row in rows:
        last_output = (row.window_index + 1) * 8 - 1  # at 64 Hz, counted from the first sample
        newest = math.floor(last_output * sfreq / 64)
        assert abs(row.t - true[newest]) <= 0.5 / sfreq


def test_the_stamp_marks_what_the_engine_saw(rng):
    """A pulse later than the stamp of a row cannot be in its window; one at the stamp is."""
    sfreq, at = 250.0, 1800
    x = signal(rng, 9.0, sfreq)
    stamps = np.arange(len(x)) / sfreq
    plain, pulsed = LinearEngine(), LinearEngine()
    _, rows = decode(cut(x, stamps, 25), sfreq, engine=plain)
    y = x.copy()
    y[at] += 400.0
    decode(cut(y, stamps, 25), sfreq, engine=pulsed)
    decoded = [r for r in rows if r.proba is not None]
    for row, a, b in zip(decoded, plain.windows, pulsed.windows, strict=True):
        if row.t < stamps[at] - 1e-9:
            np.testing.assert_array_equal(a, b)
        elif row.t < stamps[at] + 2:
            assert np.abs(a - b).max() > 1e-7


def test_nothing_depends_on_the_future(rng):
    x = signal(rng, 8.0, 250.0)
    stamps = np.arange(len(x)) / 250.0
    y = x.copy()
    y[1500:] = signal(rng, 2.0, 250.0) * 3
    (_, a), (_, b) = decode(cut(x, stamps, 40), 250.0), decode(cut(y, stamps, 40), 250.0)
    past = [k for k, r in enumerate(a) if r.t < stamps[1500] - 1e-9]
    assert len(past) > 40
    assert all((a[k].t, a[k].proba) == (b[k].t, b[k].proba) for k in past)
    assert any(r.proba != s.proba for r, s in zip(a[len(past) :], b[len(past) :], strict=True))


def test_a_thousand_steps_use_no_more_memory(rng):
    import tracemalloc

    x = signal(rng, 0.125, 250.0)
    n = {"k": 0}

    def chunk():
        n["k"] += 1
        start = (n["k"] - 1) * len(x)
        return Chunk(x, (start + np.arange(len(x))) / 250.0)

    decoder = Decoder.from_manifest(Script([chunk] * 1400, 250.0), np.eye(N_CHANS), 1e-6, manifest(), FlatCost())
    tracemalloc.start()
    try:
        for _ in range(300):
            decoder.step()
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(1000):
            decoder.step()
        after = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    assert decoder.conditioner.n_in == 1300 * len(x)
    assert after - before < 50_000


class FlatCost:
    def infer(self, window, tangent):
        return np.zeros(2, np.float32)


# -- latency -------------------------------------------------------------------------------------


def test_time_spent_shows_in_its_stage(rng):
    clock = Clock()
    chunks, _, _ = live_source(rng, 7.0, 250.0, clock, delay=0.004)

    class SlowSink:
        def publish(self, decision):
            clock.now += 0.002

    class Listener:
        def __init__(self):
            self.rows = []

        def publish(self, decision):
            self.rows.append(dict(decision.latency_ms))

    listener = Listener()
    _, rows = decode(
        chunks, 250.0, engine=LinearEngine(cost_s=0.015, perf=clock), clock=clock, perf=clock,
        sinks=[SlowSink(), listener],
    )  # fmt: skip
    decoded = [(r, seen) for r, seen in zip(rows, listener.rows, strict=True) if r.proba]
    assert decoded
    for row, seen in decoded:
        assert seen["infer"] == pytest.approx(15.0, abs=0.01)
        assert seen["publish"] == pytest.approx(2.0, abs=0.01)
        assert seen["filter"] == pytest.approx(0.0, abs=0.01)
        assert seen["total"] == pytest.approx(17.0, abs=0.01)
        assert row.sample_age_ms == pytest.approx(4.0, abs=0.6)


@pytest.mark.parametrize("stage", ["pull", "filter", "window", "infer", "decide", "publish"])
def test_a_delay_of_15_ms_shows_in_its_stage_and_in_no_other(rng, stage):
    clock = Clock()
    chunks, _, _ = live_source(rng, 7.0, 250.0, clock, delay=0.004)

    def late(call):
        def called(*args, **kwargs):
            result = call(*args, **kwargs)
            clock.now += 0.015
            return result

        return called

    class Late:
        def publish(self, decision):
            clock.now += 0.015

    sinks = [Late()] if stage == "publish" else []
    decoder = Decoder.from_manifest(
        Script(chunks, 250.0), np.eye(N_CHANS), 1e-6, manifest(), LinearEngine(), sinks, clock=clock, perf=clock
    )
    match stage:
        case "pull":
            decoder.source.pull = late(decoder.source.pull)
        case "filter":
            decoder.conditioner.push = late(decoder.conditioner.push)
        case "window":
            decoder.windows.window = late(decoder.windows.window)
        case "infer":
            decoder.engine.infer = late(decoder.engine.infer)
        case "decide":
            decoder.policy.update = late(decoder.policy.update)
    rows = []
    while not decoder.ended:
        rows += decoder.step()
    decoded = [row.latency_ms for row in rows if row.proba]
    assert decoded
    for taken in decoded:
        assert taken[stage] == pytest.approx(15.0, abs=1.0)
        assert all(taken[other] < 1.0 for other in STAGES if other not in (stage, "total"))
        assert taken["total"] == pytest.approx(15.0, abs=1.0)


# -- arguments -----------------------------------------------------------------------------------


@pytest.mark.parametrize("hop_s", [0.01, 0.1, 0.0])
def test_a_hop_must_be_whole_samples(hop_s):
    with pytest.raises(NeuriptError, match="multiple of"):
        hop_samples(hop_s, 64.0)


def test_the_decoder_waits_for_exactly_the_samples_of_the_next_window(rng):
    """With a patient source, one pull ends with the sample that completes the window."""
    sfreq = 1000.0
    x = signal(rng, 7.0, sfreq)
    asked = []

    class Patient(Script):
        at = 0

        def pull(self, timeout_s, n_min=1):
            asked.append(n_min)
            part = slice(self.at, min(self.at + n_min, len(x)))
            self.at = part.stop
            status = SourceStatus.ENDED if part.start == part.stop else SourceStatus.OK
            return Chunk(x[part], np.arange(len(x))[part] / sfreq, status)

    decoder = Decoder.from_manifest(Patient([], sfreq), np.eye(4), 1e-6, manifest(), LinearEngine())
    n_rows = 0
    while not decoder.ended:
        rows = decoder.step()
        n_rows += len(rows)
        assert len(rows) <= 1
        if rows:  # the newest sample pulled is the newest of the window
            assert rows[0].t == pytest.approx((decoder.conditioner.n_in - 1) / sfreq, abs=1e-6)
    assert n_rows == 56
    assert max(asked) <= 30


def test_the_decoder_stays_small(rng):
    """What it holds are its parts; a new duty gets a class of its own."""
    decoder, _ = decode(cut(signal(rng, 1.0, 250.0), np.arange(250) / 250.0, 50), 250.0)
    assert len(vars(decoder)) <= 20
