"""Recentring against pyRiemann and SciPy: what windows are seen from, what is left of them, and what moves it."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyriemann.geometry.base import invsqrtm, logm
from pyriemann.geometry.distance import distance_riemann
from pyriemann.geometry.mean import mean_riemann
from pyriemann.geometry.tangentspace import upper
from scipy.signal import butter, sosfilt

from neuript.realtime.chain import alignment
from neuript.realtime.chain.alignment import AlignedWindows, AlignmentSpec, PlainWindows, Reference, Window
from neuript.training.fitting.tangent_readout import fit_readout

SFREQ, N_CHANS, N_TIMES, HOP = 64.0, 4, 128, 8
SPEC = AlignmentSpec(bands_hz=((8.0, 12.0), (12.0, 30.0)), memory_s=40.0, settle_s=10.0)
HOP_S = HOP / SFREQ
N_REFS = 3


def eeg(rng: np.random.Generator, seconds: float, sfreq: float = SFREQ) -> np.ndarray:
    """Coloured noise of about 10 uV, mixed over the channels, whose 10 Hz rhythms wax and wane; volts, float32."""
    n = round(seconds * sfreq)
    noise = sosfilt(butter(1, 6.0, fs=sfreq, output="sos"), rng.normal(size=(n, N_CHANS)), axis=0)
    t = np.arange(n)[:, None] / sfreq
    swell = 1 + 0.5 * np.sin(2 * np.pi * t / (2.1 + np.arange(N_CHANS)))
    rhythm = swell * np.sin(2 * np.pi * 10 * t + rng.uniform(0, 6, N_CHANS))
    mixing = np.eye(N_CHANS) + 0.4 * rng.normal(size=(N_CHANS, N_CHANS))
    return (1e-5 * (noise + 0.4 * rng.normal(size=(n, N_CHANS)) + rhythm) @ mixing.T).astype(np.float32)


def aligned(spec: AlignmentSpec = SPEC, **options: object) -> AlignedWindows:
    return AlignedWindows(spec, N_TIMES, N_CHANS, SFREQ, 500, hop=HOP, **options)


class Play:
    """Feeds signals to windows, one after the other; `follow` after every hop, as the decoder does."""

    def __init__(self, windows: AlignedWindows) -> None:
        self.windows, self.end = windows, 0

    def __call__(self, x: np.ndarray, *, follow: bool = True) -> list[Window]:
        """Play the hops of a signal and return the windows that could be decoded."""
        found = []
        for i in range(0, len(x) // HOP * HOP, HOP):
            self.windows.append(x[i : i + HOP])
            self.end += HOP
            if self.end < N_TIMES:
                continue
            if self.windows.follow(self.end) if follow else self.windows.settled:
                found.append(self.windows.window(self.end))
        return found


def seen_by_scipy(x: np.ndarray, spec: AlignmentSpec = SPEC) -> tuple[np.ndarray, np.ndarray]:
    """Filtered windows in microvolts (n, 1 + K, T, D) and their covariances (n, 1 + K, D, D), with every hop."""
    signals = []
    for band in (spec.signal_band_hz, *spec.bands_hz):
        sos = None if band is None else butter(2, band, "bandpass", fs=SFREQ, output="sos")
        signals.append(x * 1e6 if sos is None else sosfilt(sos, x.astype(float) * 1e6, axis=0))
    ends = range(N_TIMES, len(x) + 1, HOP)
    windows = np.array([[s[end - N_TIMES : end] for s in signals] for end in ends], dtype=float)
    centred = windows - windows.mean(axis=2, keepdims=True) if spec.signal_band_hz is None else windows
    raw = centred.swapaxes(-1, -2) @ centred / N_TIMES
    added = 1e-4 * np.trace(raw, axis1=-2, axis2=-1) / N_CHANS + 1e-6
    return windows, raw + added[..., None, None] * np.eye(N_CHANS)


def bits(windows: list[Window]) -> list[bytes]:
    return [part.tobytes() for w in windows for part in (w.signal, w.tangent)]


def same(one: Reference | None, other: Reference | None) -> bool:
    """Whether two references are the same to the last bit."""
    assert one is not None
    assert other is not None
    parts = zip(one.to_arrays().values(), other.to_arrays().values(), strict=True)
    return all(a.tobytes() == b.tobytes() for a, b in parts)


@pytest.fixture
def settled(rng: np.random.Generator) -> Reference:
    """The reference after 60 s."""
    play = Play(aligned())
    play(eeg(rng, 60.0))
    assert play.windows.reference is not None
    return play.windows.reference


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
@given(sizes=st.lists(st.integers(1, 150), min_size=1, max_size=40), broken=st.integers(0, 30))
def test_any_cut_gives_the_same_bits(sizes: list[int], broken: int) -> None:
    """Windows are asked for as soon as they are whole, or only when more has arrived."""
    x = eeg(np.random.default_rng(5), 30.0)
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

    whole, reference = play([HOP] * 240)
    assert len(whole) > 200
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


# -- what moves it, and how far ------------------------------------------------------------------


@pytest.mark.parametrize("channels", [slice(None), slice(1, 2)])
@pytest.mark.parametrize("seconds", [10.0, 60.0])
def test_an_artefact_that_nobody_flagged_moves_it_a_bounded_way_and_it_comes_back(
    rng: np.random.Generator, seconds: float, channels: slice
) -> None:
    x = eeg(rng, 400.0)
    artefact = x[: round(seconds * SFREQ)].copy()
    artefact[:, channels] *= 100
    play = Play(aligned())
    play(x[: round(60 * SFREQ)])
    before = play.windows.reference
    assert before is not None
    play(artefact)
    during = play.windows.reference
    assert during is not None
    # each visit moves it by its share of `max_step` typical distances, and artefacts do not say what is typical
    share = N_REFS * HOP_S / SPEC.memory_s
    n_visits = math.ceil(seconds / (N_REFS * HOP_S))
    bound = SPEC.max_step * share * n_visits
    moved = before.distance_to(during)
    assert (moved <= bound).all()
    assert (moved > 0.5 * seconds / SPEC.memory_s).all()
    unbounded = Play(aligned(replace(SPEC, max_step=1e6), start=before))
    unbounded(artefact)
    assert unbounded.windows.reference is not None
    free = before.distance_to(unbounded.windows.reference)
    assert (free > bound).all()
    play(x[-round(200 * SFREQ) :])
    after = play.windows.reference
    assert after is not None
    assert (before.distance_to(after) < 0.5).all()
    np.testing.assert_allclose(after.distance, before.distance, rtol=0.25)


def test_frozen_windows_never_move(rng: np.random.Generator, settled: Reference) -> None:
    play = Play(aligned(start=settled, moving=False))
    found = play(3 * eeg(rng, 60.0))
    assert len(found) == 465
    assert same(play.windows.reference, settled)
    assert play.windows.moved() == pytest.approx(0, abs=1e-6)
    moving = Play(aligned(start=settled))
    moving(3 * eeg(rng, 60.0))
    assert not same(moving.windows.reference, settled)
    assert moving.windows.moved() > 1


def test_frozen_windows_without_a_start_learn_until_they_are_settled(rng: np.random.Generator) -> None:
    play = Play(aligned(moving=False))
    play(eeg(rng, 8.0))
    assert not play.windows.settled
    play(eeg(rng, 4.0))
    assert play.windows.settled
    there = play.windows.reference
    play(3 * eeg(rng, 20.0))
    assert same(play.windows.reference, there)


def test_windows_that_are_not_followed_do_not_move_it(rng: np.random.Generator, settled: Reference) -> None:
    play = Play(aligned(start=settled))
    assert play(50 * eeg(rng, 30.0), follow=False)
    assert same(play.windows.reference, settled)


def test_each_reference_takes_its_turn_so_that_no_hop_costs_more(rng: np.random.Generator, settled: Reference) -> None:
    windows = aligned(start=settled)
    x = eeg(rng, 10.0)
    windows.append(x[:N_TIMES])
    before, moved = settled.mean, []
    for i in range(N_TIMES, N_TIMES + 9 * HOP, HOP):
        windows.follow(i)
        now = windows.reference
        assert now is not None
        moved.append(np.flatnonzero((now.mean != before).any(axis=(1, 2))).tolist())
        before = now.mean
        windows.append(x[i : i + HOP])
    assert moved == [[0], [1], [2]] * 3


# -- settling, recentring ------------------------------------------------------------------------


@pytest.mark.parametrize(("settle_s", "memory_s"), [(10.0, 40.0), (30.0, 40.0), (30.0, 12.0), (1.0, 40.0)])
def test_it_is_settled_after_so_many_seconds_of_followed_signal(
    rng: np.random.Generator, settle_s: float, memory_s: float
) -> None:
    play = Play(aligned(replace(SPEC, settle_s=settle_s, memory_s=memory_s)))
    x = eeg(rng, 40.0)
    needed = max(min(settle_s, memory_s), N_TIMES / SFREQ)
    assert not play(x[: round(needed * SFREQ) - 1])
    assert not play.windows.settled or settle_s <= N_TIMES / SFREQ
    later = play(x[: HOP * N_REFS])
    assert play.windows.settled
    assert later


@pytest.mark.parametrize(("hop_s", "window_s"), [(0.125, 2.0), (0.125, 0.5), (0.5, 2.0), (0.5, 0.5), (1.0, 2.0)])
def test_no_signal_is_missed_however_long_the_hop_and_short_the_window(
    rng: np.random.Generator, hop_s: float, window_s: float
) -> None:
    """With seven references; signal that no window holds cannot be seen."""
    spec = AlignmentSpec(settle_s=10.0, memory_s=30.0)
    n_times, hop = round(window_s * SFREQ), round(hop_s * SFREQ)
    windows = AlignedWindows(spec, n_times, N_CHANS, SFREQ, 500, hop=hop)
    x = eeg(rng, 25.0)
    settled_s = []
    for end in range(hop, len(x) + 1, hop):
        windows.append(x[end - hop : end])
        if end >= n_times and windows.follow(end):
            settled_s.append(end / SFREQ)
            windows.window(end)
    assert settled_s[0] - spec.settle_s <= max(window_s, hop_s)
    assert windows.seconds == pytest.approx(25.0, abs=max(window_s, hop_s))


def test_seconds_that_were_not_followed_do_not_count(rng: np.random.Generator) -> None:
    play = Play(aligned())
    play(eeg(rng, 5.0))
    assert play.windows.seconds == pytest.approx(5.0, abs=N_REFS * HOP_S)
    play(eeg(rng, 30.0), follow=False)
    assert not play.windows.settled
    play(eeg(rng, 1.0))
    assert play.windows.seconds <= 8.01  # no more than what the first window behind the hole holds, and one second


def test_there_is_no_window_before_the_first_clean_one(rng: np.random.Generator) -> None:
    windows = aligned()
    windows.append(eeg(rng, 5.0))
    assert windows.reference is None
    assert windows.moved() == 0
    with pytest.raises(ValueError, match="follow a clean window first"):
        windows.window(200)
    windows.follow(200)
    windows.window(200)
    for end in (321, 100, 400):
        with pytest.raises(ValueError, match="are in the buffer"):
            windows.window(end)


def test_recentring_begins_anew_and_undo_brings_the_bits_back(rng: np.random.Generator, settled: Reference) -> None:
    play = Play(aligned(start=settled))
    play(eeg(rng, 20.0))
    windows, before = play.windows, play.windows.reference
    windows.recentre()
    assert not windows.settled
    assert windows.reference is None
    assert not play(2 * eeg(rng, N_TIMES / SFREQ - 0.1))
    assert windows.reference is None  # no window yet is all of the signal since then
    assert not play(2 * eeg(rng, SPEC.settle_s - N_TIMES / SFREQ))
    assert play(2 * eeg(rng, 1.0))
    assert windows.n_recentred == 1
    assert windows.settled
    there = windows.reference
    windows.recentre()
    windows.undo()
    assert same(windows.reference, there)
    windows.undo()
    assert same(windows.reference, before)
    assert windows.settled
    windows.undo()
    assert same(windows.reference, settled)


def test_recentring_twice_in_a_hurry_still_goes_back_to_where_it_was(
    rng: np.random.Generator, settled: Reference
) -> None:
    play = Play(aligned(start=settled))
    play(eeg(rng, 10.0))
    before = play.windows.reference
    play.windows.recentre()
    play(2 * eeg(rng, N_TIMES / SFREQ + 1.0))
    play.windows.recentre()
    play.windows.undo()
    assert same(play.windows.reference, before)


def test_undo_before_the_first_settling_keeps_what_was_learnt(rng: np.random.Generator) -> None:
    play = Play(aligned())
    play(eeg(rng, N_TIMES / SFREQ + 1.0))
    seconds = play.windows.seconds
    assert seconds > 0
    play.windows.undo()
    assert play.windows.seconds == seconds


def test_undo_without_anything_to_go_back_to_returns_to_where_it_first_settled(rng: np.random.Generator) -> None:
    play, x = Play(aligned()), eeg(rng, 30.0)
    play(x[:300])
    while not play.windows.settled:
        play(x[play.end : play.end + HOP])
    first = play.windows.reference
    assert play.windows.moved() == pytest.approx(0, abs=1e-6)
    play(2 * x[-640:])
    assert play.windows.moved() > 0.1
    play.windows.undo()
    assert same(play.windows.reference, first)


def test_a_window_after_undo_has_the_bits_that_it_had_before(rng: np.random.Generator, settled: Reference) -> None:
    play = Play(aligned(start=settled))
    play(eeg(rng, 20.0))
    before = bits([play.windows.window(play.end)])
    end = play.end
    play.windows.recentre()
    play(eeg(rng, 2 * N_TIMES / SFREQ))
    assert bits([play.windows.window(end)]) != before
    play.windows.undo()
    assert bits([play.windows.window(end)]) == before


@pytest.mark.parametrize(
    ("mean", "distance"), [((2, 4, 4), (2,)), ((3, 5, 5), (3,)), ((3, 4), (3,)), ((4, 4, 4), (4,)), ((3, 4, 4), (2,))]
)
def test_a_start_of_another_shape_is_refused(mean: tuple[int, ...], distance: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="3 bands, 4 channels"):
        aligned(start=Reference(np.ones(mean), np.ones(distance), 30.0))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"mean": np.full((3, 4, 4), np.nan)}, "NaN"),
        ({"distance": np.array([1.0, np.inf, 1.0])}, "infinity"),
        ({"seconds": 0.0}, "no signal"),
        ({"mean": -np.stack([np.eye(4)] * 3)}, "no covariances"),
        ({"mean": np.ones((3, 4, 4))}, "no covariances"),
    ],
)
def test_a_start_from_which_nothing_can_be_seen_is_refused(
    settled: Reference, changes: dict[str, object], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        aligned(start=replace(settled, **changes))


def test_a_reference_survives_as_arrays(settled: Reference) -> None:
    again = Reference.of(settled.to_arrays())
    assert same(again, settled)
    assert Reference.of({}) is None
    np.testing.assert_allclose(settled.distance_to(settled), 0, atol=1e-9)


def test_the_distance_of_references_is_riemannian_in_typical_distances(
    rng: np.random.Generator, settled: Reference
) -> None:
    play = Play(aligned())
    play(eeg(rng, 20.0))
    other = play.windows.reference
    assert other is not None
    expected = [distance_riemann(a, b) for a, b in zip(settled.mean, other.mean, strict=True)] / settled.distance
    np.testing.assert_allclose(settled.distance_to(other), expected, rtol=1e-6)


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
