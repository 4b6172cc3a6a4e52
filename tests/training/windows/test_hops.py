"""A walk that keeps every decision has the bits that the live decoder hands its engine, also behind breaks."""

from __future__ import annotations

import numpy as np
import pytest
from builders import make_manifest

from neuript.modelfile.manifest import Manifest
from neuript.montages import load_montage
from neuript.realtime.chain.alignment import AlignmentSpec
from neuript.realtime.chain.chunk import Chunk, SignalInfo, SourceStatus
from neuript.realtime.chain.preprocess import PreprocessSpec
from neuript.realtime.decoding.decoder import Decoder
from neuript.realtime.decoding.states import State
from neuript.training.windows.hops import Hops, walk_hops

NAMES = ("C3", "Cz", "C4")
SFREQ, ZERO, WINDOW_S, SCALE = 250.0, 700.0, 2.0, 1e-6
ALIGNMENTS = {
    "none": None,
    "broadband": AlignmentSpec(bands_hz=((8.0, 12.0),), memory_s=20.0, settle_s=4.0),
    "band": AlignmentSpec(bands_hz=((8.0, 12.0),), signal_band_hz=(4.0, 30.0), memory_s=20.0, settle_s=4.0),
}


class Tape:
    """A source that plays a signal in chunks of one size."""

    def __init__(self, x: np.ndarray, stamps: np.ndarray, chunk: int) -> None:
        self.info = SignalInfo(name="fake", sfreq=SFREQ, ch_names=NAMES)
        self._chunks = [Chunk(x[i : i + chunk], stamps[i : i + chunk]) for i in range(0, len(x), chunk)]

    def pull(self, timeout_s: float, n_min: int) -> Chunk:
        """Return the next chunk."""
        if self._chunks:
            return self._chunks.pop(0)
        return Chunk(np.empty((0, len(NAMES)), np.float32), np.empty(0), SourceStatus.ENDED)

    def close(self) -> None:
        """Nothing to let go of."""


class Listener:
    """An engine that keeps what it is handed."""

    def __init__(self) -> None:
        self.signals: list[np.ndarray] = []
        self.tangents: list[np.ndarray] = []

    def infer(self, signal: np.ndarray, tangent: np.ndarray) -> np.ndarray:
        """Keep both."""
        self.signals.append(signal.copy())
        self.tangents.append(tangent.copy())
        return np.zeros(2, np.float32)


@pytest.fixture(scope="module")
def broken() -> tuple[np.ndarray, np.ndarray]:
    """Half a minute of microvolts with a gap, a step of the clock and a channel that is flat for a while."""
    rng = np.random.default_rng(4)
    n = round(32 * SFREQ)
    t = np.arange(n) / SFREQ
    x = 10 * np.sin(2 * np.pi * (10 * t[:, None] + np.arange(3) / 7)) + rng.normal(scale=8, size=(n, 3)) + 1000
    x[round(24 * SFREQ) : round(26 * SFREQ), 1] = 1000
    stamps = ZERO + t
    stamps[round(12 * SFREQ) :] += 0.5
    stamps[round(18 * SFREQ) :] += 300
    return x.astype(np.float32), stamps


@pytest.fixture(params=ALIGNMENTS)
def manifest(request: pytest.FixtureRequest) -> Manifest:
    preprocess = PreprocessSpec(mains_hz=50.0, alignment=ALIGNMENTS[request.param])
    montage = load_montage("10-20").pick(NAMES)
    return make_manifest(classes=("left", "right"), montage=montage, preprocess=preprocess, window_s=WINDOW_S)


def walked(broken: tuple[np.ndarray, np.ndarray], manifest: Manifest) -> Hops:
    return walk_hops(Tape(*broken, 512), np.eye(3), SCALE, manifest, None)


def test_rows_and_windows_are_those_of_the_live_decoder(
    broken: tuple[np.ndarray, np.ndarray], manifest: Manifest
) -> None:
    engine = Listener()
    live = Decoder.from_manifest(Tape(*broken, 11), np.eye(3), SCALE, manifest, engine)
    rows = []
    while not live.ended:
        rows += live.step(0.0)
    hops = walked(broken, manifest)
    assert {State.OK, State.GAP, State.CLOCK, State.BAD_SIGNAL, State.WARMUP} <= set(hops.state)
    np.testing.assert_array_equal(hops.t, [row.t for row in rows])
    assert hops.state == tuple(row.state for row in rows)
    np.testing.assert_array_equal(hops.row, [i for i, row in enumerate(rows) if row.proba is not None])
    assert len(hops.row) == len(engine.signals) > 60
    everything = np.arange(len(hops.row))
    np.testing.assert_array_equal(hops.signal(everything), [signal.T for signal in engine.signals])
    np.testing.assert_array_equal(hops.tangent, engine.tangents)
    assert hops.tangent.shape == (len(hops.row), manifest.n_tangent)


@pytest.mark.parametrize("batch_bytes", [1, 7000])
def test_tangent_vectors_do_not_depend_on_how_many_are_computed_at_once(
    broken: tuple[np.ndarray, np.ndarray], manifest: Manifest, batch_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    together = walked(broken, manifest)
    monkeypatch.setattr("neuript.training.windows.hops.BATCH_BYTES", batch_bytes)
    np.testing.assert_array_equal(walked(broken, manifest).tangent, together.tangent)


def test_a_window_may_be_asked_for_alone_and_in_any_order(
    broken: tuple[np.ndarray, np.ndarray], manifest: Manifest
) -> None:
    hops = walked(broken, manifest)
    which = np.array([40, 3, 3, 17])
    for cut in (hops.signal, hops.volts):
        together = cut(which)
        assert together.shape == (4, 3, manifest.n_times)
        assert together.dtype == np.float32
        assert together.flags.c_contiguous
        for k, i in enumerate(which):
            np.testing.assert_array_equal(together[k], cut([i])[0])
        assert cut([]).shape == (0, 3, manifest.n_times)
    assert (manifest.n_tangent == 0) == np.array_equal(hops.signal(which), hops.volts(which))


def test_a_command_could_be_given_where_the_state_is_ok(
    broken: tuple[np.ndarray, np.ndarray], manifest: Manifest
) -> None:
    hops = walked(broken, manifest)
    assert [hops.state[i] for i in hops.row[hops.could_command]] == [State.OK] * int(hops.could_command.sum())
    np.testing.assert_array_equal(hops.window_t, hops.t[hops.row])


def test_a_recording_without_a_whole_window_has_no_windows(manifest: Manifest) -> None:
    n = round(1.5 * SFREQ)
    x = np.random.default_rng(1).normal(scale=8, size=(n, 3)).astype(np.float32)
    hops = walk_hops(Tape(x, ZERO + np.arange(n) / SFREQ, 512), np.eye(3), SCALE, manifest, None)
    assert len(hops.t) == len(hops.state) > 5
    assert hops.reference is None
    assert hops.signal(hops.row).shape == hops.volts(hops.row).shape == (0, 3, manifest.n_times)
