"""The one `step()`: fake sources, a fake clock, every fault; no thread, no network."""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest

from neuript.errors import NeuriptError
from neuript.realtime.chain.alignment import AlignmentSpec
from neuript.realtime.chain.chunk import Chunk, SignalInfo, SourceStatus
from neuript.realtime.chain.preprocess import PreprocessSpec
from neuript.realtime.chain.windowing import hop_samples
from neuript.realtime.decoding.decoder import Decoder
from neuript.realtime.decoding.policy import PolicySpec
from neuript.realtime.decoding.states import State

CLASSES = ("left", "right")
N_CHANS = 4
NAMES = ("C3", "Cz", "C4", "Pz")
EAGER = PolicySpec(smoothing_s=0.2, threshold=0.6, release=0.5, dwell_s=0.125, refractory_s=0.0)


PLAIN = PreprocessSpec()


def manifest(policy=EAGER, preprocess=PLAIN):
    return SimpleNamespace(
        classes=CLASSES,
        preprocess=preprocess.to_dict(),
        policy=policy.to_dict(),
        window_s=4.0,
        hop_s=0.125,
        n_times=256,
    )


class LinearEngine:
    """Logits that depend on every number of the window; keeps what it saw."""

    def __init__(self, cost_s=0.0, perf=None, sure=False):
        weights = np.random.default_rng(5).normal(size=(256, N_CHANS, 2))
        self.weights = weights * 1e4
        self.windows = []
        self.cost_s, self.perf, self.sure = cost_s, perf, sure

    def infer(self, window, tangent):
        self.windows.append(np.array(window))
        if self.perf is not None:
            self.perf.now += self.cost_s
        if self.sure:
            return np.array([8.0, -8.0], np.float32)
        return np.einsum("tc,tck->k", window, self.weights).astype(np.float32)


class Clock:
    def __init__(self, now=1000.0):
        self.now = now

    def __call__(self):
        return self.now


class Script:
    """A source that plays prepared chunks, then ends."""

    def __init__(self, chunks, sfreq, uid="u1"):
        self.chunks = list(chunks)
        self.info = SignalInfo(name="fake", sfreq=sfreq, ch_names=NAMES, uid=uid)

    def pull(self, timeout_s, n_min=1):
        if not self.chunks:
            nothing = np.empty((0, N_CHANS), np.float32)
            return Chunk(nothing, np.empty(0), SourceStatus.ENDED)
        item = self.chunks.pop(0)
        return item() if callable(item) else item

    def close(self):
        pass


def empty(status, at):
    return Chunk(np.empty((0, N_CHANS), np.float32), np.empty(0), status, at)


def signal(rng, seconds, sfreq):
    n = round(seconds * sfreq)
    t = np.arange(n)[:, None] / sfreq
    rhythm = 10 * np.sin(2 * np.pi * (10 * t + np.arange(N_CHANS) / 7))
    return (rhythm + rng.normal(scale=8, size=(n, N_CHANS))).astype(np.float32)  # microvolts


def cut(x, stamps, size):
    edges = range(0, len(x), size)
    return [Chunk(x[i : i + size], stamps[i : i + size]) for i in edges]


def decode(chunks, sfreq, *, engine=None, spec=PLAIN, **kwargs):
    decoder = Decoder.from_manifest(
        Script(chunks, sfreq), np.eye(N_CHANS), 1e-6, manifest(preprocess=spec), engine or LinearEngine(), **kwargs
    )
    rows = []
    while not decoder.ended:
        rows += decoder.step()
    return decoder, rows


def play(rng, seconds=9.0, sfreq=250.0, *, size=32, edit=None, engine=None):
    """Decode a made-up signal after `edit(x, stamps)`; return rows and decoder."""
    x = signal(rng, seconds, sfreq)
    stamps = 50.0 + np.arange(len(x)) / sfreq
    if edit is not None:
        x, stamps = edit(x, stamps)
    decoder, rows = decode(cut(x, stamps, size), sfreq, engine=engine or LinearEngine(sure=True))
    return rows, decoder


def runs_of_states(rows):
    """States in order, without repeats."""
    return [r.state for i, r in enumerate(rows) if i == 0 or r.state is not rows[i - 1].state]


def check_promises(rows):
    """What must hold in every session."""
    for row in rows:
        if row.state is not State.OK:
            assert row.decision is None
            assert not row.committed
        if row.state not in (State.OK, State.OVERLOAD, State.RECOVERED):
            assert row.proba is None
        if row.state is State.OK:
            assert row.proba is not None
            assert sum(row.proba.values()) == pytest.approx(1.0)


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
    y[at] += 5000.0
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


# -- states --------------------------------------------------------------------------------------


def test_warmup_then_ok_and_commands(rng):
    rows, decoder = play(rng)
    check_promises(rows)
    assert runs_of_states(rows) == [State.WARMUP, State.OK]
    first = next(r for r in rows if r.state is State.OK)
    assert first.t - 50.0 == pytest.approx(4.0 + decoder.conditioner.chain.settle_s, abs=0.13)
    assert any(r.committed for r in rows)
    assert rows[-1].rec_t == pytest.approx(rows[-1].t - 50.0)


def test_a_gap_is_flagged_and_nothing_of_it_enters_a_window(rng):
    lost = slice(1800, 1875)

    def edit(x, stamps):
        return np.delete(x, np.r_[lost], 0), np.delete(stamps, np.r_[lost])

    rows, decoder = play(rng, 16.0, edit=edit)
    check_promises(rows)
    assert runs_of_states(rows) == [State.WARMUP, State.OK, State.GAP, State.OK]
    assert (decoder.admission.n_gaps, decoder.admission.n_missing) == (1, 75)
    ok_again = next(r for r in rows if r.state is State.OK and r.t > 50 + 1875 / 250)
    assert ok_again.t - (50 + 1875 / 250) >= 4.0
    in_hole = [r for r in rows if 0 <= r.t - (50 + 1875 / 250) < 4.0]
    assert in_hole
    assert all(r.state is State.GAP for r in in_hole)


@pytest.mark.parametrize("jump", [-20.0, 3600.0])
def test_a_clock_step_is_flagged(rng, jump):
    def edit(x, stamps):
        stamps = stamps.copy()
        stamps[1800:] += jump
        return x, stamps

    rows, decoder = play(rng, 16.0, edit=edit)
    check_promises(rows)
    assert runs_of_states(rows) == [State.WARMUP, State.OK, State.CLOCK, State.OK]
    assert decoder.admission.n_clock_steps == 1
    assert rows[-1].t == pytest.approx(50 + 16.0 + jump, abs=0.2)


def test_bursts_are_no_gaps(rng):
    def edit(x, stamps):
        chunked = stamps.reshape(-1, 25)[:, -1:].repeat(25, 1).ravel()  # all of a chunk alike
        return x, chunked

    rows, decoder = play(rng, 9.0, edit=edit, size=25)
    check_promises(rows)
    assert runs_of_states(rows) == [State.WARMUP, State.OK]
    assert decoder.admission.n_gaps == 0


@pytest.mark.parametrize("value", [np.nan, 3.0, 4e9])
def test_a_bad_channel_is_flagged_until_it_has_left_the_window(rng, value):
    def edit(x, stamps):
        x = x.copy()
        x[1750:2250, 2] = value
        return x, stamps

    rows, _ = play(rng, 18.0, edit=edit)
    check_promises(rows)
    assert runs_of_states(rows) == [State.WARMUP, State.OK, State.BAD_SIGNAL, State.OK]
    bad = [r.t - 50.0 for r in rows if r.state is State.BAD_SIGNAL]
    assert 7.0 < bad[0] < 8.3  # within the second that the verdict looks at
    assert bad[-1] >= 9.0 + 4.0 - 0.13


def test_channels_that_the_model_does_not_use_may_be_bad(rng):
    x = signal(rng, 7.0, 250.0)
    x[:, 3] = np.nan
    decoder = Decoder.from_manifest(
        Script(cut(x, np.arange(len(x)) / 250.0, 50), 250.0),
        np.eye(4)[[0, 1, 2, 2]],
        1e-6,
        manifest(),
        LinearEngine(sure=True),
    )
    rows = []
    while not decoder.ended:
        rows += decoder.step()
    assert runs_of_states(rows) == [State.WARMUP, State.OK]


def lost_contact(rng, n):
    """Slow waves of about 5 mV peak to peak, and 50 mV of offset."""
    t = np.arange(n) / 250.0
    return 5e4 + 2500 * np.sin(2 * np.pi * 1.3 * t) + rng.normal(scale=20, size=n)


def test_absurd_amplitude_in_the_band_is_flagged_from_the_start(rng, caplog):
    """Raw volts are fine for an amplifier (no rail, below 50 mV); behind the filters it is no brain."""

    def edit(x, stamps):
        x[:, 2] = lost_contact(rng, len(x))
        return x, stamps

    rows, decoder = play(rng, 12.0, edit=edit)
    check_promises(rows)
    assert not decoder.conditioner.input_quality.bad.any()
    assert runs_of_states(rows) == [State.WARMUP, State.BAD_SIGNAL]
    said = [r.getMessage() for r in caplog.records if "electrode" in r.getMessage()]
    assert len(said) == 1
    assert said[0].startswith("C4: more than 1.5 mV within the EEG band")


def test_absurd_amplitude_is_flagged_until_it_has_left_the_window(rng):
    def edit(x, stamps):
        x[2000:2500, 1] += 3000 * np.sin(2 * np.pi * 3 * np.arange(500) / 250.0)
        return x, stamps

    rows, _ = play(rng, 22.0, edit=edit)
    check_promises(rows)
    assert runs_of_states(rows) == [State.WARMUP, State.OK, State.BAD_SIGNAL, State.OK]
    bad = [r.t - 50.0 for r in rows if r.state is State.BAD_SIGNAL]
    assert 8.0 < bad[0] < 8.5
    assert bad[-1] >= 10.0 + 4.0


def test_blinks_muscle_mains_and_offsets_are_no_lost_contact(rng):
    def edit(x, stamps):
        t = np.arange(len(x)) / 250.0
        for at in np.arange(2, 20, 1.7):  # blinks of 250 uV
            x[:, 0] += 250 * np.exp(-0.5 * ((t - at) / 0.08) ** 2)
        burst = rng.normal(scale=150, size=len(x)) * (np.sin(0.8 * t) > 0.3)
        x[:, 1] += burst  # clenched teeth, about 1 mV peak to peak before the filters
        x[:, 2] += 9000 * np.sin(2 * np.pi * 50 * t) + 30_000
        x[:, 3] += -12_000 + 40 * t  # an offset that drifts
        return x, stamps

    x = signal(rng, 20.0, 250.0)
    x, stamps = edit(x, np.arange(len(x)) / 250.0)
    spec = PreprocessSpec(mains_hz=50.0)
    _, rows = decode(cut(x, stamps, 40), 250.0, spec=spec)
    assert runs_of_states(rows) == [State.WARMUP, State.OK]


def test_absurd_amplitude_after_a_gap(rng):
    """The verdict starts anew with the filters, and comes back before a window is full."""

    def edit(x, stamps):
        x[:, 2] = lost_contact(rng, len(x))
        return np.delete(x, np.r_[2000:2100], 0), np.delete(stamps, np.r_[2000:2100])

    rows, _ = play(rng, 16.0, edit=edit)
    check_promises(rows)
    assert runs_of_states(rows) == [State.WARMUP, State.BAD_SIGNAL, State.GAP, State.BAD_SIGNAL]


def test_aligned_windows_are_judged_in_volts_like_all_others(rng):
    x = signal(rng, 12.0, 250.0)
    x[:, 2] = lost_contact(rng, len(x))
    chunks = cut(x, np.arange(len(x)) / 250.0, 40)
    decoder, rows = decode(chunks, 250.0, spec=PreprocessSpec(alignment=AlignmentSpec()))
    assert runs_of_states(rows) == [State.WARMUP, State.BAD_SIGNAL]
    assert decoder.windows.reference is None


@pytest.mark.parametrize("sfreq", [125.0, 250.0, 1000.0])
def test_verdicts_of_the_band_do_not_depend_on_chunks(rng, sfreq):
    x = signal(rng, 20.0, sfreq)
    for start in (3.1, 11.03, 17.21):
        part = slice(round(start * sfreq), round((start + 0.4) * sfreq))
        x[part, 1] += 4000 * rng.normal()
    stamps = 50.0 + np.arange(len(x)) / sfreq
    stamps[round(9 * sfreq) :] += 0.5

    def rows(size):
        return [(r.t, r.state, r.proba) for r in decode(cut(x, stamps, size), sfreq)[1]]

    reference = rows(len(x))
    assert {state for _, state, _ in reference} >= {State.OK, State.BAD_SIGNAL, State.GAP}
    for size in (7, 33, 1001):
        assert rows(size) == reference


def test_an_engine_that_gives_nan_commands_nothing(rng):
    class Broken:
        def infer(self, window, tangent):
            return np.full(2, np.nan, np.float32)

    rows, _ = play(rng, engine=Broken())
    check_promises(rows)
    assert rows[-1].state is State.BAD_SIGNAL


def live_source(rng, seconds, sfreq, clock, *, delay=0.004, size=25):
    """Chunks that are pulled `delay` after their last sample, on a fake LSL clock."""
    x = signal(rng, seconds, sfreq)
    begin = clock.now
    stamps = begin + np.arange(len(x)) / sfreq

    def at(i):
        def chunk():
            stop = min(i + size, len(x))
            clock.now = max(clock.now, stamps[stop - 1] + delay)
            return Chunk(x[i:stop], stamps[i:stop], SourceStatus.OK, clock.now)

        return chunk

    return [at(i) for i in range(0, len(x), size)], x, stamps


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

    more = [
        lambda i=i: Chunk(x[i : i + 25], 1009.0 + np.arange(i, i + 25) / 250.0, pulled_at=clock.now)
        for i in range(0, 500, 25)
    ]
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
    assert len(recovered) == 4
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
