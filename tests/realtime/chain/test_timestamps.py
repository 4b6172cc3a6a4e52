from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuript.realtime.chain.timestamps import StampEvent, StampFit, StampKind
from neuript.realtime.recordings.read import read_recording

N, SFREQ = 15_000, 250.0
TRUE = 1000.0 + np.arange(N) / SFREQ


def follow(stamps: np.ndarray, sfreq: float = SFREQ) -> tuple[np.ndarray, list[StampEvent], StampFit]:
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
    assert abs(lateness.mean()) < 0.1  # the last of a packet waited least


@pytest.mark.parametrize("seconds", [0.02, 0.1, 0.5, 2.0, 4.9])
@pytest.mark.parametrize("jitter", [0.0, 0.001])
def test_a_gap_is_found_and_measured(seconds: float, jitter: float, rng: np.random.Generator) -> None:
    stamps = TRUE + rng.normal(0, jitter, N)
    stamps[5000:] += seconds
    times, events, fit = follow(stamps)
    assert [e.kind for e in events] == [StampKind.SUSPECT, StampKind.GAP]
    suspect, gap = events
    assert suspect.index == 5000 == gap.first
    assert 5000 < gap.index <= 5000 + (min(1.0, 0.03 / seconds) + 0.11) * SFREQ
    assert gap.seconds == pytest.approx(seconds, abs=0.002)
    assert fit.missing_samples == pytest.approx(seconds * SFREQ, abs=0.6)
    assert np.abs(times[gap.index :] - TRUE[gap.index :] - seconds).max() < 0.002


@pytest.mark.parametrize("seconds", [-0.1, -15.0, 15.0, 1e6, -1e9])
def test_a_clock_step_is_found(seconds: float) -> None:
    stamps = TRUE.copy()
    stamps[5000:] += seconds
    times, events, fit = follow(stamps)
    assert [e.kind for e in events] == [StampKind.SUSPECT, StampKind.STEP]
    step = events[1]
    assert step.index <= 5000 + (0.11 if abs(seconds) > 1 else 0.31) * SFREQ
    assert step.seconds == pytest.approx(seconds, abs=1e-4, rel=1e-6)
    assert fit.missing_samples == 0
    np.testing.assert_allclose(times[step.index :], stamps[step.index :], rtol=0, atol=1e-4)


@pytest.mark.parametrize("seconds", [-0.01, -0.045])
def test_a_small_step_back_is_followed_without_a_break(seconds: float) -> None:
    """Nothing is missing, and the clock is as good as before."""
    stamps = TRUE.copy()
    stamps[5000:] += seconds
    times, events, _ = follow(stamps)
    assert events == []
    assert np.diff(times).min() > 0
    np.testing.assert_allclose(times[6000:], stamps[6000:], rtol=0, atol=1e-3)


# -- jitter and lumps that begin on a clean stream -------------------------------------------------


def with_jitter(jitter_s: float, chunk: int, rng: np.random.Generator) -> np.ndarray:
    """Whole chunks early or late, from sample 2500 to 10 000."""
    stamps = TRUE.copy()
    n = 7500 // chunk
    stamps[2500 : 2500 + n * chunk] += jitter_s * rng.standard_normal(n).repeat(chunk)
    return stamps


def in_lumps(lump_s: float, start: int = 2500, stop: int = 10_000, chunk: int = 5) -> np.ndarray:
    """Chunks wait for the next tick of the link, then all get its time."""
    chunks = TRUE.reshape(-1, chunk)[:, -1].repeat(chunk)
    ticks = np.floor((chunks - TRUE[start]) / lump_s) + 1
    stamps = np.minimum(TRUE[start] + ticks * lump_s, TRUE[stop])
    return np.where((np.arange(N) >= start) & (np.arange(N) < stop), stamps, TRUE)


def doubt(events: list[StampEvent]) -> np.ndarray:
    """For each sample whether there was a suspicion."""
    mask = np.zeros(N, dtype=bool)
    for event, end in zip(events[::2], events[1::2], strict=True):
        assert event.kind is StampKind.SUSPECT
        assert end.kind is not StampKind.SUSPECT
        mask[event.index : end.index] = True
    return mask


@pytest.mark.parametrize("chunk", [1, 5, 25, 50])
@pytest.mark.parametrize("jitter_ms", [4, 8, 20])
def test_jitter_that_begins_suddenly_is_a_passing_suspicion(
    jitter_ms: int, chunk: int, rng: np.random.Generator
) -> None:
    for _ in range(5):
        times, events, _ = follow(with_jitter(jitter_ms * 1e-3, chunk, rng))
        assert not breaks(events)
        assert doubt(events).sum() < (1.0 + 0.05 * chunk) * SFREQ
        if chunk <= 5:  # hundreds of chunks were seen within the first second
            assert doubt(events)[2500 + int(SFREQ) :].sum() <= 4 * chunk
        assert np.abs(times - TRUE).max() < 1e-3 * jitter_ms * chunk**0.5
        assert np.diff(times).min() > 0


@pytest.mark.parametrize("start", [2500, 2503, 2511])
@pytest.mark.parametrize("lump_s", [0.05, 0.1, 0.25, 0.5])
def test_lumps_that_begin_and_end_suddenly_are_passing_suspicions(lump_s: float, start: int) -> None:
    times, events, _ = follow(in_lumps(lump_s, start))
    assert not breaks(events)
    mask = doubt(events)
    assert mask[start]
    known = start + int((1.2 + 4 * lump_s) * SFREQ)
    assert not mask[known:9990].any()
    assert not mask[10_000:].any()
    assert np.abs(times - TRUE).max() < 0.03  # of that up to a chunk, by which lumps come late
    assert np.diff(times).min() > 0


@pytest.mark.parametrize("packet", [13, 25, 62])
def test_lumps_stamped_with_their_first_sample(packet: int) -> None:
    stamps = TRUE.copy()
    n = 7500 // packet
    stamps[2500 : 2500 + n * packet] = TRUE[2500 : 2500 + n * packet : packet].repeat(packet)
    _, events, _ = follow(stamps)
    assert not breaks(events)
    assert doubt(events).sum() < (0.3 + 3 * packet / SFREQ) * SFREQ


STREAMS = {  # how it is made, samples lost, samples until the doubt
    "clean": (lambda rng: TRUE, 13, 0),
    "jitter": (lambda rng: with_jitter(0.008, 5, rng), 63, 0),
    "jitter of long chunks": (lambda rng: with_jitter(0.008, 50, rng), 63, 0),
    "lumps": (lambda rng: in_lumps(0.1), 63, 0),
    "lumps of long chunks": (lambda rng: in_lumps(0.1, chunk=25), 63, 0),
    "long lumps": (lambda rng: in_lumps(0.25), 100, 25),
    "10 s after lumps": (lambda rng: in_lumps(0.1, 2500, 4500), 13, 5),
}


@pytest.mark.parametrize("name", STREAMS)
def test_a_gap_is_doubted_at_once_and_until_it_is_reported(name: str, rng: np.random.Generator) -> None:
    """So no decision falls between; 50 ms on a clean stream, 0.25 s where stamps jitter or lump."""
    make, missing, late = STREAMS[name]
    for at in range(7000, 7300, 17):
        stamps = np.delete(make(rng), np.s_[at : at + missing])
        _, events, fit = follow(np.r_[stamps, stamps[-1] + np.arange(1, missing + 1) / SFREQ])
        mask = doubt(events)
        ((index, kind),) = [(i, k) for i, k in breaks(events) if i >= at]
        assert kind is StampKind.GAP
        assert index <= at + 2.5 * SFREQ
        assert mask[at + late : index].all()
        assert fit.missing_samples == pytest.approx(missing, abs=8)


def test_a_step_back_of_60_ms_is_doubted_until_it_is_reported() -> None:
    stamps = TRUE.copy()
    stamps[7000:] -= 0.06
    _, events, _ = follow(stamps)
    ((index, kind),) = breaks(events)
    assert kind is StampKind.STEP
    assert doubt(events)[7000:index].all()


def test_memory_does_not_grow() -> None:
    fit = StampFit(SFREQ)
    rng = np.random.default_rng(3)
    sizes = set()
    for k in range(40):
        fit.update(TRUE[:1000] + 4 * k + rng.exponential(0.2, 1000))
        fit.update([1e4 + 4 * k])  # leaves an excursion open
        sizes.add(len(pickle.dumps(fit)) // 100)
    assert max(sizes) - min(sizes) <= 3


# -- real recordings -------------------------------------------------------------------------------


def test_good_recordings_raise_no_doubt(data_dir: Path) -> None:
    xdf = [path for path in sorted((data_dir / "bci-essentials-xdf").glob("sub-*.xdf")) if "P300" not in path.name]
    edf = sorted((data_dir / "peterson2022-mi-rest").rglob("*.edf"))
    assert len(xdf) == 5
    assert len(edf) >= 30
    for path in [*xdf, *edf]:
        eeg = read_recording(path).eeg
        assert follow(eeg.timestamps, eeg.info.sfreq)[1] == [], path.name


@pytest.mark.parametrize(("name", "expected"), [("EEG.xdf", [(145, 215)]), ("Sub2011001_EEG.xdf", [(52_765, 139)])])
def test_real_losses_are_found(data_dir: Path, name: str, expected: list[tuple[int, int]]) -> None:
    eeg = read_recording(data_dir / "bci4als-xdf" / name).eeg
    _, events, fit = follow(eeg.timestamps, eeg.info.sfreq)
    gaps = [e for e in events if e.kind is StampKind.GAP]
    assert not [e for e in events if e.kind is StampKind.STEP]
    assert gaps[0].first == pytest.approx(expected[0][0], abs=5)
    assert fit.missing_samples == pytest.approx(expected[0][1], abs=10)


@pytest.mark.parametrize("seconds", [0.2, 0.5, 2.0])
def test_late_samples_that_catch_up_are_no_gap(seconds: float) -> None:
    stamps = TRUE.copy()
    n = int(seconds * SFREQ)
    stamps[5000 : 5000 + n] = TRUE[5000 + n]
    times, events, _ = follow(stamps)
    assert [e.kind for e in events] == [StampKind.SUSPECT, StampKind.BURST]
    assert events[1].index <= 5000 + n
    np.testing.assert_allclose(times, TRUE, rtol=0, atol=1e-3)


@pytest.mark.parametrize("speed", [1.15, 1.5, 4.0])
def test_late_samples_that_catch_up_slowly_are_no_gap(speed: float, rng: np.random.Generator) -> None:
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
    assert len(steps) > 20
    assert np.median([e.rate_hz for e in steps]) == pytest.approx(500, rel=0.05)


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
