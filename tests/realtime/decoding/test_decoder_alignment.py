"""Recentred windows through the decoder: the same bits however the signal comes, and when nothing is decoded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from builders import make_manifest, montage_of

from neuript.errors import NeuriptError
from neuript.realtime.chain.alignment import AlignedWindows, AlignmentSpec, Reference
from neuript.realtime.chain.chunk import Chunk, SignalInfo, SourceStatus
from neuript.realtime.chain.preprocess import PreprocessSpec
from neuript.realtime.decoding.decision import Decision
from neuript.realtime.decoding.decoder import Decoder
from neuript.realtime.decoding.policy import PolicySpec
from neuript.realtime.decoding.states import State

NAMES = ("C3", "Cz", "C4", "Pz")
N_CHANS, WINDOW_S, HOP_S, SETTLE_S = 4, 2.0, 0.125, 5.0
SPEC = AlignmentSpec(bands_hz=((8.0, 12.0), (12.0, 30.0)), signal_band_hz=(4.0, 30.0), memory_s=10.0, settle_s=SETTLE_S)
ZERO = 50.0


class Keeper:
    """An engine that keeps what it is given and says what depends on all of it."""

    def __init__(self, cost_s: float = 0.0, clock: Clock | None = None) -> None:
        self.seen: list[tuple[bytes, bytes]] = []
        self._cost_s, self._clock = cost_s, clock

    def infer(self, signal: np.ndarray, tangent: np.ndarray) -> np.ndarray:
        assert signal.shape == (128, N_CHANS)
        assert tangent.shape == (20,)
        self.seen.append((signal.tobytes(), tangent.tobytes()))
        if self._clock is not None:
            self._clock.now += self._cost_s
        return np.array([1e5 * signal[-1].sum(), tangent.sum()], np.float32)


class Clock:
    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class Script:
    """A source that plays prepared chunks, then ends; a chunk may be made when its turn comes."""

    def __init__(self, chunks: list[Chunk | Callable[[], Chunk]], sfreq: float) -> None:
        self.chunks = list(chunks)
        self.info = SignalInfo(name="fake", sfreq=sfreq, ch_names=NAMES, uid="u1")

    def pull(self, timeout_s: float, n_min: int = 1) -> Chunk:
        if not self.chunks:
            return Chunk(np.empty((0, N_CHANS), np.float32), np.empty(0), SourceStatus.ENDED)
        item = self.chunks.pop(0)
        return item() if callable(item) else item

    def close(self) -> None:
        pass


def microvolts(rng: np.random.Generator, seconds: float, sfreq: float) -> np.ndarray:
    n = round(seconds * sfreq)
    t = np.arange(n)[:, None] / sfreq
    swell = 1 + 0.6 * np.sin(2 * np.pi * t / (2.3 + np.arange(N_CHANS)))
    rhythm = 10 * swell * np.sin(2 * np.pi * (10 * t + np.arange(N_CHANS) / 7))
    return (rhythm + rng.normal(scale=8, size=(n, N_CHANS))).astype(np.float32)


def cut(x: np.ndarray, stamps: np.ndarray, size: int) -> list[Chunk | Callable[[], Chunk]]:
    return [Chunk(x[i : i + size], stamps[i : i + size]) for i in range(0, len(x), size)]


def decoder_of(source: Script, engine: Keeper, spec: AlignmentSpec = SPEC, **options: Any) -> Decoder:
    manifest = make_manifest(
        classes=("left", "right"),
        montage=montage_of(*NAMES),
        preprocess=PreprocessSpec(alignment=spec),
        policy=PolicySpec(smoothing_s=0.2, threshold=0.6, release=0.5, dwell_s=0.125, refractory_s=0.0),
        window_s=WINDOW_S,
        hop_s=HOP_S,
    )
    return Decoder.from_manifest(source, np.eye(N_CHANS), 1e-6, manifest, engine, **options)


def reference_of(decoder: Decoder) -> Reference | None:
    assert isinstance(decoder.windows, AlignedWindows)
    return decoder.windows.reference


def bits(reference: Reference | None) -> tuple[bytes, ...]:
    return () if reference is None else tuple(part.tobytes() for part in reference.to_arrays().values())


def steps(decoder: Decoder) -> Iterator[Decision]:
    while not decoder.ended:
        yield from decoder.step(0.0)


Session = tuple[list[tuple[Any, ...]], list[tuple[bytes, bytes]], tuple[bytes, ...]]


def session(chunks: list[Chunk | Callable[[], Chunk]], sfreq: float, **options: Any) -> Session:
    """Rows without their latencies, what the engine saw, and where the alignment ended."""
    engine = Keeper()
    decoder = decoder_of(Script(chunks, sfreq), engine, **options)
    rows = [(r.t, r.state, r.proba, r.decision) for r in steps(decoder)]
    return rows, engine.seen, bits(reference_of(decoder))


# -- bits ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("sfreq", [100.0, 125.0, 250.0, 512.0, 1000.0])
def test_any_chunking_gives_the_same_windows_vectors_and_references(rng: np.random.Generator, sfreq: float) -> None:
    """Through a bad channel, a gap and a step of the clock."""
    x = microvolts(rng, 32.0, sfreq)
    x[round(12 * sfreq) : round(13 * sfreq), 1] += 4000
    stamps = ZERO + np.arange(len(x)) / sfreq
    keep = np.r_[0 : round(18 * sfreq), round(18.5 * sfreq) : len(x)]
    x, stamps = x[keep], stamps[keep]
    stamps[round(24 * sfreq) :] -= 700.0
    whole = session(cut(x, stamps, len(x)), sfreq)
    assert {row[1] for row in whole[0]} == {State.WARMUP, State.OK, State.BAD_SIGNAL, State.GAP, State.CLOCK}
    assert len(whole[1]) > 70
    assert len({tangent for _, tangent in whole[1]}) == len(whole[1])
    for size in (7, 33, round(5.3 * sfreq)):
        assert session(cut(x, stamps, size), sfreq) == whole


def test_single_samples_give_the_same_windows_vectors_and_references(rng: np.random.Generator) -> None:
    x = microvolts(rng, 12.0, 125.0)
    stamps = ZERO + np.arange(len(x)) / 125.0
    one, whole = (session(cut(x, stamps, size), 125.0) for size in (1, len(x)))
    assert one == whole
    assert len(whole[1]) > 20


@pytest.mark.parametrize("size", [11, 50, 333])
def test_a_restart_of_the_stream_gives_the_same_bits_in_any_chunks(rng: np.random.Generator, size: int) -> None:
    """The filters forget, the reference stays."""
    sfreq = 250.0
    x, later = microvolts(rng, 12.0, sfreq), microvolts(rng, 12.0, sfreq)

    def play(size: int) -> tuple[list[Any], list[tuple[bytes, bytes]], tuple[bytes, ...], tuple[bytes, ...]]:
        source = Script(cut(x, ZERO + np.arange(len(x)) / sfreq, size), sfreq)
        first, *rest = cut(later, 90.0 + np.arange(len(later)) / sfreq, size)
        assert isinstance(first, Chunk)

        def returned() -> Chunk:
            source.info = replace(source.info, uid="u2")
            kept.append(bits(reference_of(decoder)))
            return replace(first, status=SourceStatus.RECOVERED)

        source.chunks += [returned, *rest]
        engine, kept = Keeper(), []
        decoder = decoder_of(source, engine)
        rows, seen_from = [], []
        for row in steps(decoder):
            rows.append((row.t, row.state, row.proba))
            seen_from.append(bits(reference_of(decoder)))
        during = {b for r, b in zip(rows, seen_from, strict=True) if r[1] is State.RECOVERED}
        assert during
        assert size > 50 or during == set(kept)
        return rows, engine.seen, bits(reference_of(decoder)), kept[0]

    whole, parts = play(len(x)), play(size)
    assert parts == whole
    states = [row[1] for row in whole[0]]
    assert states[-1] is State.OK
    assert State.RECOVERED in states
    assert State.WARMUP not in states[states.index(State.OK) :]


@pytest.mark.parametrize("broken_by", ["a gap", "a new stream"])
def test_no_window_behind_a_break_depends_on_what_was_before(rng: np.random.Generator, broken_by: str) -> None:
    """Seen from a frozen reference, which alone remembers."""
    sfreq = 250.0
    x, other, later = (microvolts(rng, seconds, sfreq) for seconds in (9.0, 9.0, 8.0))
    start = Reference(np.stack([np.eye(N_CHANS) * 50] * 3), np.ones(3), 60.0)

    def behind(before: np.ndarray) -> list[tuple[bytes, bytes]]:
        engine = Keeper()
        source = Script(cut(before, ZERO + np.arange(len(before)) / sfreq, 50), sfreq)
        first, *rest = cut(later, ZERO + 12.0 + np.arange(len(later)) / sfreq, 50)
        assert isinstance(first, Chunk)

        def returned() -> Chunk:
            source.info = replace(source.info, uid="u2")
            return replace(first, status=SourceStatus.RECOVERED)

        source.chunks += [first if broken_by == "a gap" else returned, *rest]
        decoder = decoder_of(source, engine, reference=start, moving=False)
        n_before = sum(row.proba is not None for row in steps(decoder) if row.t < ZERO + 9.0)
        return engine.seen[n_before:]

    plain = behind(x)
    assert len(plain) > 20
    assert behind(other) == plain


def test_nothing_depends_on_the_future(rng: np.random.Generator) -> None:
    sfreq = 250.0
    x = microvolts(rng, 20.0, sfreq)
    stamps = ZERO + np.arange(len(x)) / sfreq
    later = x.copy()
    at = round(14.0 * sfreq)
    later[at:] = 3 * microvolts(rng, 6.0, sfreq)
    plain, changed = (session(cut(signal, stamps, 40), sfreq) for signal in (x, later))
    n_rows = sum(row[0] < stamps[at] for row in plain[0])
    n_seen = sum(row[0] < stamps[at] and row[2] is not None for row in plain[0])
    assert n_seen > 40
    assert changed[0][:n_rows] == plain[0][:n_rows]
    assert changed[1][:n_seen] == plain[1][:n_seen]
    assert changed[1][n_seen] != plain[1][n_seen]
    assert changed[2] != plain[2]


def test_hops_that_are_skipped_under_overload_move_the_reference_all_the_same(rng: np.random.Generator) -> None:
    sfreq = 250.0
    x = microvolts(rng, 30.0, sfreq)

    def live(cost_s: float) -> tuple[dict[int, tuple[bytes, bytes]], tuple[bytes, ...], int, set[State]]:
        clock = Clock()
        begin, sent = clock.now, 0

        def chunk() -> Chunk:  # all that has arrived by now
            nonlocal sent
            clock.now = max(clock.now, begin + (sent + 25) / sfreq)
            part = slice(sent, min(len(x), int((clock.now - begin) * sfreq + 1e-6)))
            sent = part.stop
            return Chunk(x[part], begin + np.arange(len(x))[part] / sfreq, pulled_at=clock.now)

        engine = Keeper(cost_s, clock)
        decoder = decoder_of(Script([chunk] * 400, sfreq), engine, clock=clock, perf=clock)
        rows = []
        while sent < len(x):
            rows += decoder.step()
        decoded = [row.window_index for row in rows if row.proba is not None]
        by_index = dict(zip(decoded, engine.seen, strict=True))
        return by_index, bits(reference_of(decoder)), decoder.skipper.n_skipped, {row.state for row in rows}

    fast, there, none_skipped, _ = live(0.001)
    slow, here, n_skipped, states = live(0.3)
    assert none_skipped == 0
    assert n_skipped > 50
    assert State.OVERLOAD in states
    assert 20 < len(slow) < len(fast)
    assert slow == {index: fast[index] for index in slow}
    assert here == there


# -- when nothing is decoded ---------------------------------------------------------------------


def test_nothing_is_decoded_before_there_is_a_settled_reference(rng: np.random.Generator) -> None:
    sfreq = 250.0
    x = microvolts(rng, 20.0, sfreq)
    engine = Keeper()
    decoder = decoder_of(Script(cut(x, ZERO + np.arange(len(x)) / sfreq, 10), sfreq), engine)
    rows = []
    for row in steps(decoder):
        rows.append(row)
        if row.state is State.WARMUP:
            assert not engine.seen
            assert (row.proba, row.decision, row.committed) == (None, None, False)
    states = [row.state for row in rows]
    first = states.index(State.OK)
    assert set(states[:first]) == {State.WARMUP}
    assert set(states[first:]) == {State.OK}
    began = decoder.conditioner.chain.settle_s  # of the first whole window; each band is seen every third hop
    assert began + SETTLE_S - HOP_S <= rows[first].t - ZERO <= began + SETTLE_S + 3 * HOP_S + 0.01
    assert len(engine.seen) == states.count(State.OK)


def test_a_reference_of_a_calibration_decodes_from_the_first_whole_window(rng: np.random.Generator) -> None:
    sfreq = 250.0
    x = microvolts(rng, 20.0, sfreq)
    stamps = ZERO + np.arange(len(x)) / sfreq
    taught = decoder_of(Script(cut(x, stamps, 50), sfreq), Keeper())
    assert any(row.state is State.OK for row in steps(taught))
    start = reference_of(taught)
    rows, seen, there = session(cut(x, stamps, 50), sfreq, reference=start)
    first = next(row for row in rows if row[1] is State.OK)
    assert first[0] - ZERO == pytest.approx(taught.conditioner.chain.settle_s + WINDOW_S, abs=HOP_S + 0.01)
    assert there != bits(start)
    _, seen_frozen, there = session(cut(x, stamps, 50), sfreq, reference=start, moving=False)
    assert there == bits(start)
    assert len(seen_frozen) == len(seen)
    assert seen_frozen[-1] != seen[-1]


def test_bad_signal_moves_nothing_and_does_not_count(rng: np.random.Generator) -> None:
    """Neither before there is a reference nor after."""
    sfreq = 250.0
    x = microvolts(rng, 34.0, sfreq)
    for begin, end in ((6.0, 10.0), (20.0, 23.0)):
        part = slice(round(begin * sfreq), round(end * sfreq))
        x[part, 2] += 3000 * np.sin(2 * np.pi * 3 * np.arange(part.stop - part.start) / sfreq)
    decoder = decoder_of(Script(cut(x, ZERO + np.arange(len(x)) / sfreq, 10), sfreq), Keeper())
    assert isinstance(decoder.windows, AlignedWindows)
    before, seen = (bits(None), 0.0), []
    for row in steps(decoder):
        now = bits(reference_of(decoder)), decoder.windows.seconds
        if row.state is State.BAD_SIGNAL:
            assert now == before
        seen.append((row.t - ZERO, row.state, decoder.windows.settled))
        before = now
    assert not [t for t, _, settled in seen if settled and t < 10.0 + WINDOW_S]
    bad = [t for t, state, _ in seen if state is State.BAD_SIGNAL]
    assert sum(t < 15 for t in bad) > 30
    assert sum(t > 15 for t in bad) > 25
    assert all(settled for t, _, settled in seen if t > 19)
    assert [state for t, state, _ in seen if t > 33] == [State.OK] * 8
    assert not [t for t, state, _ in seen if 12.5 < t < 13 and state is State.OK]


def test_late_data_are_decoded_but_move_nothing_while_they_are_suspect(rng: np.random.Generator) -> None:
    """Without a hole: the windows are whole, and no command is given for half a second."""
    sfreq = 250.0
    x = microvolts(rng, 16.0, sfreq)
    chunks = cut(x, ZERO + np.arange(len(x)) / sfreq, 10)
    late = round(12.0 * sfreq / 10)
    first = chunks[late]
    assert isinstance(first, Chunk)
    chunks[late] = replace(first, status=SourceStatus.RECOVERED)
    decoder = decoder_of(Script(chunks, sfreq), Keeper())
    before, states = bits(None), []
    for row in steps(decoder):
        now = bits(reference_of(decoder))
        if row.state is State.RECOVERED:
            assert row.proba is not None
            assert now == before
        elif row.state is State.OK:
            assert now != before
        states.append(row.state)
        before = now
    assert states.count(State.RECOVERED) == 4
    assert states[-1] is State.OK


def test_what_was_flagged_leaves_no_trace_in_the_reference(rng: np.random.Generator) -> None:
    """Whatever the bad stretch held: what rings on behind it is a thousandth of a typical distance."""
    sfreq = 250.0
    x = microvolts(rng, 24.0, sfreq)
    part = slice(round(12 * sfreq), round(14 * sfreq))
    ends = []
    for seed in (1, 2):
        bad = x.copy()
        bad[part, 1] = 3e4 * np.random.default_rng(seed).normal(size=part.stop - part.start)
        decoder = decoder_of(Script(cut(bad, ZERO + np.arange(len(x)) / sfreq, 50), sfreq), Keeper())
        states = [row.state for row in steps(decoder)]
        assert State.BAD_SIGNAL in states
        assert states[-1] is State.OK
        ends.append(reference_of(decoder))
    assert ends[0] is not None
    assert (ends[0].distance_to(ends[1]) < 0.01).all()


def test_recentring_in_the_middle_warms_up_again(rng: np.random.Generator) -> None:
    sfreq = 250.0
    x = microvolts(rng, 30.0, sfreq)
    decoder = decoder_of(Script(cut(x, ZERO + np.arange(len(x)) / sfreq, 10), sfreq), Keeper())
    assert isinstance(decoder.windows, AlignedWindows)
    states = []
    for row in steps(decoder):
        states.append(row.state)
        if len(states) == round(15 / HOP_S):
            decoder.windows.recentre()
    again = states[round(15 / HOP_S) :]
    n_warm = again.index(State.OK)
    assert set(again[:n_warm]) == {State.WARMUP}
    assert SETTLE_S - WINDOW_S <= n_warm * HOP_S <= SETTLE_S + 3 * HOP_S
    assert set(again[n_warm:]) == {State.OK}


def test_a_start_of_another_cap_is_refused(rng: np.random.Generator) -> None:
    start = Reference(np.stack([np.eye(3)] * 3), np.ones(3), 60.0)
    with pytest.raises(ValueError, match="4 channels"):
        decoder_of(Script([], 250.0), Keeper(), reference=start)


# -- anew ----------------------------------------------------------------------------------------


def test_recentring_decodes_nothing_until_it_has_settled_and_undo_goes_back(rng: np.random.Generator) -> None:
    sfreq = 125.0
    x = microvolts(rng, 60.0, sfreq)
    stamps = ZERO + np.arange(len(x)) / sfreq
    decoder = decoder_of(Script(cut(x, stamps, 25), sfreq), Keeper())

    def until(second: float) -> list[Decision]:
        rows: list[Decision] = []
        while not rows or rows[-1].t < ZERO + second:
            rows += decoder.step(0.0)
        return rows

    until(20.0)
    before = reference_of(decoder)
    decoder.recentre()
    rows = until(20.0 + SETTLE_S - 0.5)
    assert {row.state for row in rows} == {State.WARMUP}
    assert until(20.0 + SETTLE_S + WINDOW_S + 0.5)[-1].state is State.OK
    decoder.undo_recentre()
    assert bits(reference_of(decoder)) == bits(before)
    assert decoder.step(0.0)[-1].state is State.OK


def test_a_model_that_does_not_recentre_cannot_begin_anew() -> None:
    manifest = make_manifest(classes=("left", "right"), montage=montage_of(*NAMES))
    decoder = Decoder.from_manifest(Script([], 125.0), np.eye(N_CHANS), 1e-6, manifest, Keeper())
    for action in (decoder.recentre, decoder.undo_recentre):
        with pytest.raises(NeuriptError, match="does not recentre"):
            action()


def test_the_size_of_the_persons_own_signal_is_what_verdicts_compare_with() -> None:
    spec = AlignmentSpec()
    mean = np.stack([4.0 * np.eye(N_CHANS)] * spec.n_references)
    reference = Reference(mean, np.ones(spec.n_references), 60.0)
    known = decoder_of(Script([], 125.0), Keeper(), spec, reference=reference)
    unknown = decoder_of(Script([], 125.0), Keeper(), spec)
    assert known.conditioner.plausibility.usual_v == pytest.approx(2e-6 * np.sqrt(len(spec.bands_hz)))
    assert unknown.conditioner.plausibility.usual_v is None
