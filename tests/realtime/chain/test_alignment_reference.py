"""What moves the reference of recentred windows and how far, and settling, recentring and undoing it."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from aligned_play import HOP, HOP_S, N_CHANS, N_REFS, N_TIMES, SFREQ, SPEC, Play, aligned, bits, eeg, same
from pyriemann.geometry.distance import distance_riemann

from neuript.realtime.chain.alignment import AlignedWindows, AlignmentSpec, Reference

# -- what moves it, and how far ------------------------------------------------------------------


@pytest.mark.parametrize("channels", [slice(None), slice(1, 2)])
@pytest.mark.parametrize("seconds", [10.0, 60.0])
def test_an_artefact_that_nobody_flagged_moves_it_a_bounded_way_and_it_comes_back(
    rng: np.random.Generator, seconds: float, channels: slice
) -> None:
    x = eeg(rng, 200.0)
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
    play(x[-round(120 * SFREQ) :])
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


def test_the_usual_size_is_known_where_the_bands_cover_what_is_measured() -> None:
    spec = AlignmentSpec()
    mean = np.stack([9.0 * np.eye(3)] * spec.n_references)
    reference = Reference(mean, np.ones(spec.n_references), 60.0)
    assert reference.usual_v(spec) == pytest.approx(math.sqrt(9.0 * len(spec.bands_hz)) * 1e-6)
    one = AlignmentSpec(bands_hz=((8.0, 12.0),))
    assert Reference(mean[:2], np.ones(2), 60.0).usual_v(one) is None
