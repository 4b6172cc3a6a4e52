from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuript.realtime.timestamps import StampEvent, StampFit, StampKind

N, SFREQ = 15_000, 250.0
TRUE = 1000.0 + np.arange(N) / SFREQ


def follow(
    stamps: np.ndarray, sfreq: float = SFREQ
) -> tuple[np.ndarray, list[StampEvent], StampFit]:
    fit = StampFit(sfreq)
    times, events = fit.update(stamps)
    return times, events, fit


def breaks(events: list[StampEvent]) -> list[tuple[int, StampKind]]:
    return [(e.index, e.kind) for e in events if e.kind in (StampKind.GAP, StampKind.STEP)]


def messy(seed: int) -> np.ndarray:
    """Jitter, a gap, a step, a burst, missing stamps, equal stamps, all in one minute."""
    rng = np.random.default_rng(seed)
    s = TRUE + rng.exponential(0.003, N)
    a, b, c, d = np.sort(rng.integers(0, N - 300, 4))
    s[a:] += rng.uniform(0.1, 3)
    s[b:] -= rng.uniform(0.1, 30)
    s[c : c + 200] = s[c + 200]
    s[rng.random(N) < 0.01] = np.nan
    s[d:] = s[d:].repeat(5)[: N - d] if seed % 3 == 0 else s[d:]
    return s


@settings(deadline=None, derandomize=True, max_examples=30)
@given(seed=st.integers(0, 50), sizes=st.lists(st.integers(0, 2000), max_size=40))
def test_chunks_make_no_difference(seed: int, sizes: list[int]) -> None:
    stamps = messy(seed)
    whole, events, _ = follow(stamps)
    fit, at, parts, events2 = StampFit(SFREQ), 0, [], []
    for n in [*sizes, N]:
        times, more = fit.update(stamps[at : at + n])
        parts.append(times)
        events2 += more
        at += n
    np.testing.assert_array_equal(np.concatenate(parts), whole)
    assert events2 == events
    assert fit.total == N


def test_the_future_changes_nothing(rng: np.random.Generator) -> None:
    stamps = messy(1)
    whole, _, _ = follow(stamps)
    for at in (1, 100, 7000, 14_000):
        other = stamps.copy()
        other[at:] += rng.normal(0, 1, N - at)
        np.testing.assert_array_equal(follow(other)[0][:at], whole[:at])


@pytest.mark.parametrize("ratio", [1.0, 1 + 1e-5, 1 - 1e-3, 1.02])
@pytest.mark.parametrize("sfreq", [100.0, 250.0, 2048.0])
def test_regular_stamps_come_out_within_half_a_sample(sfreq: float, ratio: float) -> None:
    """Even while the rate is being learned; a clock that is off by 2 % takes a little more."""
    true = 50.0 + np.arange(20_000) / (sfreq * ratio)
    times, events, fit = follow(true, sfreq)
    assert not events
    assert np.abs(times - true).max() < 0.3 * abs(ratio - 1) + 1e-9
    if abs(ratio - 1) < 2e-4:
        assert np.abs(times - true).max() < 0.5 / sfreq
    assert np.abs(times - true)[-2000:].max() < 0.12 * abs(ratio - 1) + 1e-9
    assert fit.rate_hz == pytest.approx(sfreq * ratio, rel=1e-3)


def test_jitter_is_smoothed(rng: np.random.Generator) -> None:
    times, events, fit = follow(TRUE + rng.normal(0, 0.01, N))
    assert not breaks(events)
    assert np.std((times - TRUE)[2500:]) < 0.001
    assert np.diff(times).min() > 0
    assert fit.jitter_s == pytest.approx(0.01 * np.sqrt(2 / np.pi), rel=0.15)
    assert fit.rate_hz == pytest.approx(SFREQ, rel=2e-4)


@pytest.mark.parametrize("packet", [2, 5, 10, 25, 50])
def test_equal_stamps_in_packets_come_out_smooth(packet: int) -> None:
    stamps = TRUE.reshape(-1, packet)[:, -1].repeat(packet)
    times, events, fit = follow(stamps)
    assert not breaks(events)
    steps = np.diff(times) * SFREQ
    assert steps.min() > 0.4
    assert np.abs(steps[7500:] - 1).max() < 0.2
    assert fit.rate_hz == pytest.approx(SFREQ, rel=1e-3)
    lateness = (times - TRUE)[7500:] * SFREQ
    assert np.ptp(lateness) < 0.2 * packet
    assert abs(lateness.mean() - (packet - 1) / 2) < 0.5


@pytest.mark.parametrize("seconds", [0.02, 0.1, 0.5, 2.0, 4.9])
@pytest.mark.parametrize("jitter", [0.0, 0.001])
def test_a_gap_is_found_and_measured(
    seconds: float, jitter: float, rng: np.random.Generator
) -> None:
    stamps = TRUE + rng.normal(0, jitter, N)
    stamps[5000:] += seconds
    times, events, fit = follow(stamps)
    assert [e.kind for e in events] == [StampKind.SUSPECT, StampKind.GAP]
    suspect, gap = events
    assert suspect.index == 5000 == gap.detail["first"]
    assert 5000 < gap.index <= 5000 + 0.11 * SFREQ
    assert gap.detail["seconds"] == pytest.approx(seconds, abs=0.002)
    assert fit.missing_samples == pytest.approx(seconds * SFREQ, abs=0.6)
    assert np.abs(times[gap.index :] - TRUE[gap.index :] - seconds).max() < 0.002


@pytest.mark.parametrize("seconds", [-0.1, -15.0, 15.0, 1e6, -1e9])
def test_a_clock_step_is_found(seconds: float) -> None:
    stamps = TRUE.copy()
    stamps[5000:] += seconds
    times, events, fit = follow(stamps)
    assert [e.kind for e in events] == [StampKind.SUSPECT, StampKind.STEP]
    step = events[1]
    assert step.index <= 5000 + 0.11 * SFREQ
    assert step.detail["seconds"] == pytest.approx(seconds, abs=1e-4, rel=1e-6)
    assert fit.missing_samples == 0
    np.testing.assert_allclose(times[step.index :], stamps[step.index :], rtol=0, atol=1e-4)


@pytest.mark.parametrize("seconds", [0.2, 0.5, 2.0])
def test_late_samples_that_catch_up_are_no_gap(seconds: float) -> None:
    stamps = TRUE.copy()
    n = int(seconds * SFREQ)
    stamps[5000 : 5000 + n] = TRUE[5000 + n]
    times, events, _ = follow(stamps)
    assert [e.kind for e in events] == [StampKind.SUSPECT, StampKind.BURST]
    assert events[1].index < 5000 + n
    np.testing.assert_allclose(times, TRUE, rtol=0, atol=1e-3)


@pytest.mark.parametrize("speed", [1.15, 1.5, 4.0])
def test_late_samples_that_catch_up_slowly_are_no_gap(
    speed: float, rng: np.random.Generator
) -> None:
    """As in real wireless recordings: half a second late, then a little faster than the rate."""
    late = np.maximum(0, 0.5 - np.arange(N - 5000) / SFREQ * (1 - 1 / speed))
    stamps = TRUE + rng.normal(0, 0.002, N)
    stamps[5000:] += late
    times, events, _ = follow(stamps)
    assert not breaks(events)
    assert StampKind.BURST in {e.kind for e in events}
    assert np.abs(times - TRUE)[1000:].max() < 0.01


def test_a_gap_in_a_lumpy_stream_is_found_later_but_right(rng: np.random.Generator) -> None:
    lumps = TRUE.reshape(-1, 20)[:, -1].repeat(20) + 0.01 * rng.standard_normal(N // 20).repeat(20)
    lumps[5000:] += 0.6
    _, events, fit = follow(lumps)
    (index, kind), *more = breaks(events)
    assert (kind, more) == (StampKind.GAP, [])
    assert 5000 < index < 5000 + 1.1 * SFREQ
    assert fit.missing_samples == pytest.approx(150, abs=8)


def test_single_late_stamps_do_not_move_the_line(rng: np.random.Generator) -> None:
    stamps = TRUE.copy()
    stamps[rng.choice(np.arange(3000, N), 100, replace=False)] += 0.05
    times, events, _ = follow(stamps)
    assert {e.kind for e in events} == {StampKind.SUSPECT, StampKind.BURST}
    assert np.abs(times - TRUE).max() < 1e-4


def test_a_changed_rate_is_reported_again_and_again() -> None:
    stamps = np.r_[TRUE[:5000], TRUE[4999] + np.arange(1, 5001) / 500]
    _, events, _ = follow(stamps)
    steps = [e for e in events if e.kind is StampKind.STEP]
    assert len(steps) > 100
    assert np.median([e.detail["rate_hz"] for e in steps]) == pytest.approx(500, rel=0.05)


def test_missing_stamps_are_bridged() -> None:
    stamps = TRUE.copy()
    stamps[::3] = np.nan
    stamps[:4] = np.nan
    stamps[500:900] = np.inf
    times, events, _ = follow(stamps)
    assert np.isnan(times[:4]).all()
    np.testing.assert_allclose(times[4:], TRUE[4:], rtol=0, atol=1e-3)
    assert not breaks(events)


def test_reset_forgets() -> None:
    fit = StampFit(SFREQ)
    first, _ = fit.update(TRUE[:3000])
    fit.reset()
    assert fit.total == 0
    again, events = fit.update(TRUE[:3000])
    np.testing.assert_array_equal(again, first)
    assert not events
    assert not fit.suspect


@pytest.mark.parametrize("sfreq", [0.0, -1.0, float("nan"), float("inf")])
def test_a_rate_must_be_positive(sfreq: float) -> None:
    with pytest.raises(ValueError, match="positive rate"):
        StampFit(sfreq)
