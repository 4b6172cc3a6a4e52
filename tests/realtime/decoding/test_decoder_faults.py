"""The twin's faults through the decoder, without a network: which states they cost."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from neuript.realtime.chain.preprocess import PreprocessSpec
from neuript.realtime.decoding.decoder import Decoder
from neuript.realtime.decoding.policy import PolicySpec
from neuript.realtime.decoding.states import State
from neuript.realtime.twin.faults import parse_faults
from neuript.realtime.twin.signal import TwinSignal
from neuript.realtime.twin.twin_source import TwinSource

WINDOW_S, HOP_S = 4.0, 0.125


class Even:
    """Knows nothing."""

    def infer(self, window, tangent):
        return np.zeros(2, np.float32)


def decode(script, seconds, *, chunk_s=0.02, seed=1):
    signal = TwinSignal("openbci-8", 250.0, seed=seed)
    source = TwinSource(signal, seconds, chunk_s=chunk_s, faults=parse_faults(script))
    manifest = SimpleNamespace(
        classes=("left", "right"),
        preprocess=PreprocessSpec().to_dict(),
        policy=PolicySpec().to_dict(),
        window_s=WINDOW_S,
        hop_s=HOP_S,
        n_times=int(WINDOW_S * 64),
    )
    decoder = Decoder.from_manifest(source, np.eye(8), 1e-6, manifest, Even())
    rows = []
    while not decoder.ended:
        rows += decoder.step()
    return rows, decoder


def lost_s(rows, since):
    """Seconds without decisions."""
    return HOP_S * sum(row.state is not State.OK for row in rows if row.t > since)


def test_nothing_is_lost_without_faults():
    rows, _ = decode("", 10.0)
    assert lost_s(rows, 6.0) == 0


@pytest.mark.parametrize("chunk_s", [0.004, 0.02, 0.1])
@pytest.mark.parametrize("jitter_ms", [4, 8, 16])
def test_jitter_costs_a_moment(jitter_ms, chunk_s):
    rows, decoder = decode(f"jitter@10:6:{jitter_ms}", 20.0, chunk_s=chunk_s)
    assert (decoder.admission.n_gaps, decoder.admission.n_clock_steps) == (0, 0)
    assert lost_s(rows, 6.0) <= 1.0
    assert lost_s(rows, 12.0) <= 0.25


@pytest.mark.parametrize("at", [10, 10.013])
@pytest.mark.parametrize("lump_s", [0.05, 0.1, 0.25, 0.5])
def test_lumps_cost_a_moment(lump_s, at):
    rows, decoder = decode(f"burst@{at}:6:{lump_s}", 20.0)
    assert (decoder.admission.n_gaps, decoder.admission.n_clock_steps) == (0, 0)
    assert lost_s(rows, 6.0) <= 1.2 + 2 * lump_s
    assert lost_s(rows, 11.0 + 4 * lump_s) == 0


@pytest.mark.parametrize(
    ("script", "at", "lost"),
    [
        ("gap@12:0.052", 12.0, 0.052),
        ("gap@12.3:0.1", 12.3, 0.1),
        ("jitter@8:20:8,gap@12.4:0.25", 12.4, 0.25),
        ("jitter@8:20:8,gap@13:1", 13.0, 1.0),
        ("burst@8:20:0.1,gap@12.4:0.25", 12.4, 0.25),
        ("burst@8:20:0.1,gap@12.433:0.3", 12.433, 0.3),
        ("burst@8:20,gap@12.4:0.6", 12.4, 0.6),
    ],
)
def test_no_window_reaches_across_lost_samples(script, at, lost):
    rows, decoder = decode(script, 22.0)
    assert (decoder.admission.n_gaps, decoder.admission.n_clock_steps) == (1, 0)
    assert decoder.n_missing == pytest.approx(lost * 250, abs=6)
    near = [row.state for row in rows if at + 0.02 < row.t < at + lost + WINDOW_S]
    assert len(near) > 30
    assert set(near) == {State.GAP}
    assert rows[-1].state is State.OK
    assert lost_s(rows, 10.0) < WINDOW_S + 1.55 + 2.6


def test_no_window_reaches_across_a_step_of_the_clock():
    rows, decoder = decode("clock@12:-0.06", 22.0)
    assert (decoder.admission.n_gaps, decoder.admission.n_clock_steps) == (0, 1)
    near = [row.state for row in rows if 12.0 < row.t < 12.0 + WINDOW_S]
    assert set(near) == {State.CLOCK}
    assert rows[-1].state is State.OK
