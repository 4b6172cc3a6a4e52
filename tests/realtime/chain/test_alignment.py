"""Recentring against pyRiemann and SciPy: what windows are seen from, what is left of them, and their bits."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from aligned_play import HOP, HOP_S, N_CHANS, N_REFS, N_TIMES, SPEC, Play, aligned, bits, eeg, same, seen_by_scipy
from hypothesis import given, settings
from hypothesis import strategies as st
from pyriemann.geometry.base import invsqrtm, logm
from pyriemann.geometry.distance import distance_riemann
from pyriemann.geometry.mean import mean_riemann
from pyriemann.geometry.tangentspace import upper

from neuript.realtime.chain import alignment
from neuript.realtime.chain.alignment import AlignmentSpec, PlainWindows, Reference
from neuript.training.fitting.tangent_readout import fit_readout

# -- what windows are seen from ------------------------------------------------------------------


@pytest.mark.parametrize("signal_band_hz", [None, (4.0, 30.0)])
def test_a_window_is_what_pyriemann_makes_of_it(
    rng: np.random.Generator, signal_band_hz: tuple[float, float] | None
) -> None:
    spec = replace(SPEC, signal_band_hz=signal_band_hz, signal_rms_v=2e-5)
    x = eeg(rng, 20.0)
    play = Play(aligned(spec))
    window = play(x)[-1]
    reference = play.windows.reference
    assert reference is not None
    filtered, covariances = (part[-1] for part in seen_by_scipy(x, spec))
    whitener = invsqrtm(reference.mean)
    np.testing.assert_array_equal(window.volts, x[-N_TIMES:])
    np.testing.assert_allclose(window.signal, 2e-5 * filtered[0] @ whitener[0], rtol=1e-4, atol=1e-9)
    vectors = upper(logm(whitener[1:] @ covariances[1:] @ whitener[1:])) / reference.distance[1:, None]
    np.testing.assert_allclose(window.tangent, vectors.ravel(), atol=1e-5)
    assert window.signal.dtype == window.tangent.dtype == np.float32
    assert window.tangent.shape == (spec.n_tangent(N_CHANS),) == (20,)


def test_after_stationary_signal_the_reference_is_the_riemannian_mean(rng: np.random.Generator) -> None:
    """By equal shares until the memory is full; the running mean and the one that minimises differ a little."""
    x = eeg(rng, 90.0)
    play = Play(aligned(replace(SPEC, memory_s=200.0)))
    play(x)
    reference = play.windows.reference
    assert reference is not None
    _, covariances = seen_by_scipy(x)
    for k in range(N_REFS):
        mean = mean_riemann(covariances[:, k])
        typical = np.mean([distance_riemann(c, mean) for c in covariances[:, k]])
        assert distance_riemann(reference.mean[k], mean) < 0.1 * typical
        assert distance_riemann(np.eye(N_CHANS) * np.trace(mean) / N_CHANS, mean) > typical  # it says something
        assert reference.distance[k] == pytest.approx(typical, rel=0.15)
    assert reference.seconds == pytest.approx(90.0, abs=N_REFS * HOP_S)


def test_recentred_windows_lie_around_the_origin_at_a_typical_distance_of_one(rng: np.random.Generator) -> None:
    found = Play(aligned(replace(SPEC, memory_s=20.0)))(eeg(rng, 120.0))[-480:]
    tangent = np.stack([w.tangent for w in found]).reshape(len(found), 2, -1)
    assert (np.linalg.norm(tangent.mean(axis=0), axis=-1) < 0.2).all()
    np.testing.assert_allclose(np.linalg.norm(tangent, axis=-1).mean(axis=0), 1.0, atol=0.15)
    signal = np.stack([w.signal for w in found]).astype(float)
    spread = np.einsum("ntd,nte->de", signal, signal) / signal[..., 0].size
    np.testing.assert_allclose(spread / SPEC.signal_rms_v**2, np.eye(N_CHANS), atol=0.2)


def test_older_windows_fade_with_the_memory(rng: np.random.Generator) -> None:
    """`memory_s` after a change of the signal, a third of the way back is left."""
    before, after = eeg(rng, 80.0), 1.3 * eeg(rng, 40.0)
    play = Play(aligned(replace(SPEC, max_step=100.0)))
    play(before)
    old, new = play.windows.reference, Play(aligned(replace(SPEC, memory_s=500.0)))
    play(after)
    new(after)
    now = play.windows.reference
    assert old is not None
    assert now is not None
    there = new.windows.reference
    assert there is not None
    for k in range(N_REFS):
        whole = distance_riemann(old.mean[k], there.mean[k])
        assert distance_riemann(now.mean[k], there.mean[k]) / whole == pytest.approx(math.exp(-1), abs=0.1)


def test_without_alignment_a_window_is_the_signal_of_the_chain(rng: np.random.Generator) -> None:
    x = eeg(rng, 5.0)
    windows = PlainWindows(N_TIMES, N_CHANS, 500)
    assert windows.settled
    windows.append(x)
    assert windows.follow(200)
    windows.restart()
    window = windows.window(200)
    np.testing.assert_array_equal(window.volts, x[200 - N_TIMES : 200])
    assert window.signal is window.volts
    assert window.tangent.shape == (0,)


# -- bits ----------------------------------------------------------------------------------------


@settings(deadline=None, derandomize=True, max_examples=15)
@given(sizes=st.lists(st.integers(1, 150), min_size=1, max_size=40), broken=st.integers(0, 20))
def test_any_cut_gives_the_same_bits(sizes: list[int], broken: int) -> None:
    """Windows are asked for as soon as they are whole, or only when more has arrived."""
    x = eeg(np.random.default_rng(5), 20.0)
    at_break = 200 + broken * HOP

    def play(cuts: list[int]) -> tuple[list[bytes], Reference | None]:
        windows, found, at, done = aligned(), [], 0, 0
        edges = sorted({*np.cumsum(cuts).tolist(), at_break, len(x)})
        for edge in edges:
            windows.append(x[at : min(edge, len(x))])
            at = min(edge, len(x))
            while (done + 1) * HOP <= at:
                done += 1
                if done * HOP >= N_TIMES and windows.follow(done * HOP):
                    found.append(windows.window(done * HOP))
            if edge == at_break:
                windows.restart()
        return bits(found), windows.reference

    whole, reference = play([HOP] * 160)
    assert len(whole) > 120
    cut, other = play(sizes * math.ceil(len(x) / sum(sizes)))
    assert cut == whole
    assert same(reference, other)


def test_nothing_depends_on_later_samples(rng: np.random.Generator) -> None:
    x = eeg(rng, 30.0)
    later = x.copy()
    later[1600:] *= 40
    plain, other = (Play(aligned()) for _ in range(2))
    assert bits(plain(x[:1600])) == bits(other(later[:1600]))
    assert same(plain.windows.reference, other.windows.reference)
    assert bits(plain(x[1600:])) != bits(other(later[1600:]))


def test_a_window_that_nobody_decodes_is_followed_all_the_same(rng: np.random.Generator) -> None:
    x = eeg(rng, 20.0)
    play, silent = Play(aligned()), aligned()
    play(x)
    for i in range(0, len(x), HOP):
        silent.append(x[i : i + HOP])
        if i + HOP >= N_TIMES:
            silent.follow(i + HOP)
    assert same(play.windows.reference, silent.reference)


def test_what_is_handed_out_does_not_change_any_more(rng: np.random.Generator) -> None:
    play = Play(aligned())
    window = play(eeg(rng, 15.0))[-1]
    reference = play.windows.reference
    assert reference is not None
    kept = bits([window]), reference.mean.copy(), reference.distance.copy()
    play(2 * eeg(rng, 20.0))
    assert bits([window]) == kept[0]
    np.testing.assert_array_equal(reference.mean, kept[1])
    np.testing.assert_array_equal(reference.distance, kept[2])
    windows = aligned(start=reference)
    Play(windows)(eeg(rng, 20.0))
    np.testing.assert_array_equal(reference.mean, kept[1])


# -- what makes no difference --------------------------------------------------------------------


def of_another_electrode() -> np.ndarray:
    """Against the first channel instead of the reference, which takes its place."""
    mixing = np.eye(N_CHANS)
    mixing[:, 0] = -1
    return mixing


MIXINGS: dict[str, Callable[[], np.ndarray]] = {
    "another reference electrode": of_another_electrode,
    "gains": lambda: np.diag([0.5, 1.0, 2.0, 3.0]),
    "smaller everywhere": lambda: 0.05 * np.eye(N_CHANS),
    "any": lambda: np.eye(N_CHANS) + 0.3 * np.random.default_rng(2).normal(size=(N_CHANS, N_CHANS)),
}


@pytest.mark.parametrize("shrinkage", [1e-9, alignment.SHRINKAGE])
@pytest.mark.parametrize("mixing", MIXINGS.values(), ids=MIXINGS.keys())
def test_mixing_the_channels_leaves_the_distances_of_tangent_vectors_unchanged(
    rng: np.random.Generator, mixing: Callable[[], np.ndarray], shrinkage: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From the running mean, and of each other while the mean stands still; but for the little that is added."""
    monkeypatch.setattr(alignment, "SHRINKAGE", shrinkage)
    monkeypatch.setattr(alignment, "FLOOR_UV2", 1e-3 * shrinkage)
    x = eeg(rng, 60.0)

    def vectors(signal: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        play = Play(aligned())
        moving = play(signal)
        frozen = Play(aligned(start=play.windows.reference, moving=False))(signal)
        norms, still = (np.stack([w.tangent for w in found[::7]]) for found in (moving, frozen))
        return np.linalg.norm(norms, axis=1), np.linalg.norm(still[:, None] - still[None], axis=-1)

    tolerance = 1e-4 if shrinkage < 1e-8 else 0.1
    for plain, mixed in zip(vectors(x), vectors(x.astype(float) @ mixing().T), strict=True):
        assert plain.max() > 1.5
        np.testing.assert_allclose(mixed, plain, atol=tolerance)


def test_the_same_gain_everywhere_changes_no_vector_and_no_signal(rng: np.random.Generator) -> None:
    x = eeg(rng, 20.0)
    plain, louder = (Play(aligned())(gain * x) for gain in (1.0, 8.0))
    for one, other in zip(plain, louder, strict=True):
        np.testing.assert_allclose(other.tangent, one.tangent, atol=1e-3)
        np.testing.assert_allclose(other.signal, one.signal, atol=1e-3 * SPEC.signal_rms_v)


@pytest.mark.parametrize("gains", [[0.5, 1.0, 2.0, 3.0], [1.0, 1.0, 10.0, 1.0]])
def test_a_read_out_fitted_behind_other_gains_decides_the_same(rng: np.random.Generator, gains: list[float]) -> None:
    x = eeg(rng, 80.0)
    y = np.arange(len(x)) // 256 % 2  # four seconds of one class, four of the other
    x[y == 1, 2] *= 1.5

    def logits(signal: np.ndarray) -> np.ndarray:
        vectors = np.stack([w.tangent for w in Play(aligned())(signal)])
        labels = y[HOP - 1 :: HOP][-len(vectors) :]
        half = len(vectors) // 2
        return fit_readout(vectors[:half], labels[:half], 2).logits(vectors[half:])

    plain, other = logits(x), logits((x * gains).astype(np.float32))
    np.testing.assert_allclose(other, plain, atol=0.05 * np.abs(plain).max())
    sure = np.abs(plain[:, 1] - plain[:, 0]) > 0.2
    assert sure.mean() > 0.5
    np.testing.assert_array_equal(other.argmax(1)[sure], plain.argmax(1)[sure])


# -- hardly a signal -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["average reference", "bridged", "one flat", "all flat", "loud", "quiet"])
def test_every_signal_gives_finite_windows(rng: np.random.Generator, kind: str) -> None:
    x = eeg(rng, 30.0)
    match kind:
        case "average reference":
            x = x - x.mean(axis=1, keepdims=True)
        case "bridged":
            x[:, 1] = x[:, 0]
        case "one flat":
            x[:, 2] = 0
        case "all flat":
            x = np.zeros_like(x)
        case "loud":
            x = 1e3 * x
        case "quiet":
            x = 1e-6 * x
    play = Play(aligned())
    found = play(x)
    found += play(eeg(rng, 5.0))  # and back to a good signal
    assert len(found) > 100
    for window in found:
        assert np.isfinite(window.signal).all()
        assert np.isfinite(window.tangent).all()
    reference = play.windows.reference
    assert reference is not None
    assert (np.linalg.eigvalsh(reference.mean) > 0).all()
    np.testing.assert_array_equal(reference.mean, reference.mean.swapaxes(-1, -2))


def test_a_model_without_bands_recentres_the_signal_only(rng: np.random.Generator) -> None:
    spec = replace(SPEC, bands_hz=())
    assert (spec.n_references, spec.n_tangent(N_CHANS), spec.highest_hz) == (1, 0, 0.0)
    x = eeg(rng, 20.0)
    bare, full = Play(aligned(spec))(x), Play(aligned())(x)
    assert bare[-1].tangent.shape == (0,)
    assert bare[-1].signal.std() == pytest.approx(full[-1].signal.std(), rel=0.2)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"bands_hz": ((12.0, 8.0),)}, "12 to 8 Hz is none"),
        ({"bands_hz": ((0.0, 8.0),)}, "0 to 8 Hz is none"),
        ({"signal_band_hz": (8.0, 8.0)}, "8 to 8 Hz is none"),
        ({"signal_band_hz": (8.0,)}, "signal_band_hz"),
        ({"bands_hz": 3}, "bands_hz"),
        ({"memory_s": 0.0}, "memory_s=0.0 must be larger than 0"),
        ({"settle_s": -1.0}, "settle_s=-1.0 must be larger than 0"),
        ({"max_step": 0.0}, "max_step=0.0 must be larger than 0"),
        ({"signal_rms_v": float("nan")}, "signal_rms_v=nan"),
    ],
)
def test_settings_that_cannot_be_are_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        AlignmentSpec(**changes)
