"""A decoder with nothing real around it: a source that plays a script, a matrix as engine, a clock that is set."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from neuript.realtime.chain.chunk import Chunk, SignalInfo, SourceStatus
from neuript.realtime.chain.preprocess import PreprocessSpec
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
    noise = rng.normal(scale=8 * np.sqrt(sfreq / 250), size=(n, N_CHANS))  # as much of it below 30 Hz at any rate
    return (rhythm + noise).astype(np.float32)  # microvolts


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
