"""One conditioner for live and recorded samples: the same pieces for any chunking, and what a plain loop gives."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from neuript.realtime.chain.alignment import AlignmentSpec
from neuript.realtime.chain.conditioner import Conditioner, InputChange, Stretch
from neuript.realtime.chain.plausibility import PlausibilityMonitor
from neuript.realtime.chain.preprocess import CausalChain, PreprocessSpec
from neuript.realtime.chain.quality import BAND_LIMITS, QualityMonitor
from neuript.realtime.chain.timestamps import StampEvent, StampFit, StampKind

SFREQ, N_CHANS, MICRO = 250.0, 3, 1e-6
SPEC = PreprocessSpec(mains_hz=50.0)
MATRIX = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, -1.0]])


def recording(rng):
    """Microvolts and stamps with jitter, a hole, a step of the clock, a flat channel and a head that moves (3 mV)."""
    n = round(24.0 * SFREQ)
    x = rng.normal(scale=12.0, size=(n, N_CHANS)).astype(np.float32)
    x += 10 * np.sin(2 * np.pi * 10 * np.arange(n) / SFREQ, dtype=np.float64)[:, None].astype(np.float32)
    stamps = 100.0 + np.arange(n) / SFREQ + rng.normal(scale=2e-4, size=n)
    x[round(5 * SFREQ) : round(7 * SFREQ), 1] = 3.0
    moved = slice(round(12 * SFREQ), round(14 * SFREQ))
    x[moved, 0] += 3000 * np.sin(2 * np.pi * 5 * np.arange(round(2 * SFREQ)) / SFREQ)
    keep = np.ones(n, dtype=bool)
    keep[round(9 * SFREQ) : round(9.4 * SFREQ)] = False
    stamps[round(17 * SFREQ) :] -= 30.0
    return x[keep], stamps[keep]


def pieces_of(x, stamps, size, **options):
    conditioner = Conditioner(SPEC, MATRIX, MICRO, SFREQ, **options)
    found = []
    for a in range(0, len(x), size):
        found += conditioner.push(x[a : a + size], stamps[a : a + size])
    return found, conditioner


def joined(pieces):
    """All outputs in a row, and everything else in order."""
    stretches = [p for p in pieces if isinstance(p, Stretch)]
    arrays = [np.concatenate([getattr(s, name) for s in stretches]) for name in ("y", "newest", "t")]
    band = [(c.index, c.verdicts.tolist()) for s in stretches for c in s.band]
    inputs = [(p.index, p.verdicts.tolist(), p.lost) for p in pieces if isinstance(p, InputChange)]
    return arrays, band, inputs, [p for p in pieces if isinstance(p, StampEvent)]


def judged_by_both(quality, plausible, y):
    """What two monitors say, a block at a time; the first one goes before."""
    said = [0] * y.shape[1]
    for a in range(0, len(y) - 15, 16):
        quality.update(y[a : a + 16])
        plausible.update(y[a : a + 16])
        now = [int(q or p) for q, p in zip(quality.verdicts, plausible.verdicts, strict=True)]
        if now != said:
            yield a + 16, now
        said = now


@pytest.mark.parametrize("size", [1, 17, 250, 4096])
def test_any_chunking_gives_the_same_pieces_to_the_last_bit(rng, size):
    x, stamps = recording(rng)
    whole, _ = pieces_of(x, stamps, len(x))
    parts, conditioner = pieces_of(x, stamps, size)
    (y, newest, t), band, inputs, events = joined(whole)
    (y2, newest2, t2), band2, inputs2, events2 = joined(parts)
    np.testing.assert_array_equal(y2, y)
    np.testing.assert_array_equal(newest2, newest)
    np.testing.assert_array_equal(t2, t)
    assert (band2, inputs2, events2) == (band, inputs, events)
    assert {e.kind for e in events} >= {StampKind.GAP, StampKind.STEP}
    assert any(lost for _, _, lost in inputs)
    assert band
    assert (conditioner.n_in, conditioner.n_out) == (len(x), len(y))


def test_stretches_follow_each_other_without_a_hole(rng):
    pieces, _ = pieces_of(*recording(rng), 100)
    at = 0
    for piece in pieces:
        if isinstance(piece, Stretch):
            assert piece.first == at
            at += len(piece.y)


def test_it_is_the_chain_and_the_monitors_of_a_plain_loop(rng):
    """Independent of the class: fit all stamps, cut where they broke, filter each part from a fresh start."""
    x, stamps = recording(rng)
    t, events = StampFit(SFREQ).update(stamps)
    edges = [0, *(e.index for e in events if e.kind in (StampKind.GAP, StampKind.STEP)), len(x)]
    volts = x * np.float32(MICRO)
    ys, times, band, n_out = [], [], [], 0
    for a, b in itertools.pairwise(edges):
        chain = CausalChain(SPEC, MATRIX, SFREQ)
        y, newest = chain.process(volts[a:b])
        monitor = QualityMonitor(len(MATRIX), SPEC.sfreq, BAND_LIMITS)
        begin = n_out + chain.settle_samples
        plausible = PlausibilityMonitor(MATRIX, SPEC.sfreq)
        band += [(begin + i, v) for i, v in judged_by_both(monitor, plausible, y[chain.settle_samples :])]
        ys.append(y)
        times.append(t[newest + a])
        n_out += len(y)
    raw = QualityMonitor(N_CHANS, SFREQ).update(volts)
    (y, _, found_t), found_band, inputs, _ = joined(pieces_of(x, stamps, 64)[0])
    np.testing.assert_array_equal(y, np.concatenate(ys))
    np.testing.assert_array_equal(found_t, np.concatenate(times))
    assert found_band == band
    assert [(i, v) for i, v, _ in inputs] == [(c.index, c.verdicts.tolist()) for c in raw]


def test_a_channel_that_the_model_does_not_need_is_reported_and_not_lost(rng):
    x, stamps = recording(rng)
    x[: round(4 * SFREQ), 0] = 7.0
    pieces = Conditioner(SPEC, [[0.0, 1.0, 0.0]], MICRO, SFREQ).push(x, stamps)
    first = next(p for p in pieces if isinstance(p, InputChange))
    assert first.verdicts[0] != 0
    assert not first.lost


def test_another_instance_of_the_stream_starts_over(rng):
    x, stamps = (part[:1000] for part in recording(rng))
    conditioner = Conditioner(SPEC, MATRIX, MICRO, SFREQ)
    list(conditioner.push(x[:600], stamps[:600]))
    conditioner.restart_stream()
    n_out = conditioner.n_out
    again = list(conditioner.push(x[:300], stamps[:300] + 5000.0))
    fresh = list(Conditioner(SPEC, MATRIX, MICRO, SFREQ).push(x[:300], stamps[:300] + 5000.0))
    assert not [p for p in again if isinstance(p, StampEvent)]  # other stamps, yet no step of the clock
    np.testing.assert_array_equal(again[0].y, fresh[0].y)
    assert again[0].first == n_out
    np.testing.assert_array_equal(again[0].newest, fresh[0].newest + 600)


@pytest.mark.parametrize("sfreq", [100.0, 250.0, 256.0, 1000.0, 1024.5])
def test_it_knows_how_many_samples_complete_an_output(rng, sfreq):
    conditioner = Conditioner(SPEC, np.eye(2), MICRO, sfreq)
    x = rng.normal(size=(4000, 2)).astype(np.float32)
    at = 0
    for output in (7, 8, 100, 101, 163):
        n = conditioner.inputs_until(output)
        list(conditioner.push(x[at : at + n - 1], np.arange(at, at + n - 1) / sfreq))
        assert conditioner.n_out == output
        list(conditioner.push(x[at + n - 1 : at + n], [(at + n - 1) / sfreq]))
        assert conditioner.n_out == output + 1
        assert conditioner.inputs_until(output) <= 0
        at += n


def test_an_alignment_behind_the_chain_changes_neither_samples_nor_verdicts(rng):
    x, stamps = recording(rng)
    plain, aligned = (
        joined(list(Conditioner(spec, MATRIX, MICRO, SFREQ).push(x, stamps)))
        for spec in (SPEC, replace(SPEC, alignment=AlignmentSpec()))
    )
    for one, other in zip(plain[0], aligned[0], strict=True):
        np.testing.assert_array_equal(one, other)
    assert aligned[1:] == plain[1:]
    assert plain[1]  # something was judged


def test_no_samples_give_no_pieces():
    conditioner = Conditioner(SPEC, MATRIX, MICRO, SFREQ)
    assert list(conditioner.push(np.empty((0, N_CHANS), np.float32), [])) == []
    assert np.isnan(conditioner.newest_t)
