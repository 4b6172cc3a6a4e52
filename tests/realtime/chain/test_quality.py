from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuript.realtime.chain.preprocess import CausalChain, PreprocessSpec, measure_mains
from neuript.realtime.chain.quality import BAND_LIMITS, BLOCKS, Limits, QualityMonitor, Verdict, share_lost
from neuript.realtime.recordings.read import read_recording

SFREQ = 250.0
LOST_CONTACTS = "bci4als-xdf/sub-P001_ses-S001_task-Default_run-001_eeg.xdf"


def patient(rng: np.random.Generator, n: int = 2000) -> np.ndarray:
    """Five channels: good, flat, with holes, clipped, huge."""
    x = rng.standard_normal((n, 5)) * 1e-5
    x[1000:1500, 4] *= 5000
    x += 4e-3
    x[:, 1] = 0.1
    x[700:, 2] = np.nan
    x[:, 3] = np.clip(np.sin(np.arange(n) * 0.08), -0.2, 0.2)
    return x.astype(np.float32)


def slow(x: np.ndarray, limits: Limits) -> np.ndarray:
    """Verdicts of each channel on this second, from the definitions."""
    out = []
    for before, c in zip(x[0], x.T[:, 1:], strict=True):
        good = c[np.abs(c) <= 10]
        stuck = np.mean(c == np.r_[before, c[:-1]])
        spread = np.ptp(good) if len(good) else 0.0
        if 1 - len(good) / len(c) > limits.missing_share:
            out.append(Verdict.MISSING)
        elif spread < limits.flat_pp_v:
            out.append(Verdict.FLAT)
        elif stuck > limits.stuck_share:
            out.append(Verdict.RAIL)
        else:
            out.append(Verdict.HUGE if spread > limits.huge_pp_v else Verdict.OK)
    return np.array(out)


def test_each_fault_by_its_name_and_its_time(rng: np.random.Generator) -> None:
    monitor = QualityMonitor(5, SFREQ)
    changes = monitor.update(patient(rng))
    block = round(SFREQ / BLOCKS)
    assert all(change.index % block == 0 for change in changes)
    history = {c.index: c.verdicts.tolist() for c in changes}
    assert history[block] == [0, Verdict.FLAT, 0, Verdict.RAIL, 0]
    seen = [(i, v[2], v[4]) for i, v in history.items() if i > block]
    missing = next(i for i, v, _ in seen if v == Verdict.MISSING)
    huge = next(i for i, _, v in seen if v == Verdict.HUGE)
    again = next(i for i, _, v in seen if i > huge and v == Verdict.OK)
    assert 700 < missing <= 700 + 2 * block
    assert 1000 < huge <= 1000 + block
    assert 1500 + SFREQ - 2 * block <= again <= 1500 + SFREQ + block
    assert monitor.bad.tolist() == [False, True, True, True, False]


def test_same_as_looking_at_every_second(rng: np.random.Generator) -> None:
    x = patient(rng)
    x[rng.random(x.shape) < 0.02] = np.inf
    monitor = QualityMonitor(5, SFREQ)
    block = round(SFREQ / BLOCKS)
    for end in range(block, len(x) + 1, block):
        monitor.update(x[end - block : end])
        if end > BLOCKS * block:
            expected = slow(x[end - BLOCKS * block - 1 : end], monitor.limits)
            np.testing.assert_array_equal(monitor.verdicts, expected)


@settings(deadline=None, derandomize=True, max_examples=40)
@given(sizes=st.lists(st.integers(0, 300), max_size=20), seed=st.integers(0, 9))
def test_chunks_make_no_difference(sizes: list[int], seed: int) -> None:
    x = patient(np.random.default_rng(seed))
    before = x.copy()
    whole = QualityMonitor(5, SFREQ).update(x)
    monitor, at, parts = QualityMonitor(5, SFREQ), 0, []
    for n in [*sizes, len(x)]:
        parts += monitor.update(x[at : at + n])
        at += n
    assert [c.index for c in parts] == [c.index for c in whole]
    for a, b in zip(parts, whole, strict=True):
        np.testing.assert_array_equal(a.verdicts, b.verdicts)
    np.testing.assert_array_equal(x, before)


def test_one_missing_sample_and_strong_mains_are_no_fault(rng: np.random.Generator) -> None:
    x = rng.standard_normal((1000, 2)) * 1e-5
    x[500, 0] = np.nan
    x[:, 1] += 14e-3 * np.sin(2 * np.pi * 50.2 * np.arange(1000) / SFREQ)
    assert QualityMonitor(2, SFREQ).update(x.astype(np.float32)) == []


def test_behind_the_chain_only_a_lost_contact_is_huge(rng: np.random.Generator) -> None:
    x = rng.standard_normal((256, 3)) * [1e-5, 2e-3, 0.0]
    x[100:110, 0] += 500e-6  # a blink
    monitor = QualityMonitor(3, 64.0, BAND_LIMITS)
    monitor.update(x)
    assert monitor.verdicts.tolist() == [Verdict.OK, Verdict.HUGE, Verdict.FLAT]


def worst_windows(path: Path, used: slice) -> tuple[float, float]:
    """Share of 4 s windows with a second beyond the limit, and the largest second (V), computed plainly."""
    eeg = read_recording(path).eeg
    volts = eeg.data[:, used] * np.float32(1e-6)
    spec = PreprocessSpec(mains_hz=measure_mains(volts, eeg.info.sfreq))
    chain = CausalChain(spec, np.eye(volts.shape[1]), eeg.info.sfreq)
    y = chain.process(volts)[0][chain.settle_samples :]
    seconds = np.lib.stride_tricks.sliding_window_view(y[: len(y) // 16 * 16], 64, axis=0)[::16]
    spread = np.ptp(seconds, axis=-1).max(axis=-1)
    bad = np.lib.stride_tricks.sliding_window_view(spread > BAND_LIMITS.huge_pp_v, 13)
    return float(bad.any(axis=-1).mean()), float(spread.max())


@pytest.mark.recordings
def test_a_good_recording_passes_and_one_with_lost_contacts_does_not(data_dir: Path) -> None:
    good, largest = worst_windows(data_dir / "peterson2022-mi-rest/edf01/002/eeg.edf", slice(None))
    assert good == 0
    assert 1e-4 < largest < BAND_LIMITS.huge_pp_v / 3  # blinks are in it, far from the limit
    lost, _ = worst_windows(data_dir / LOST_CONTACTS, slice(1, None))  # channel 0 counts samples
    assert lost > 0.8


def test_coarse_steps_of_a_converter_are_not_stuck(rng: np.random.Generator) -> None:
    x = np.round(rng.standard_normal((1000, 1)) * 5 / 0.49) * 0.49e-6
    assert QualityMonitor(1, SFREQ).update(x.astype(np.float32)) == []


def test_reset_forgets(rng: np.random.Generator) -> None:
    monitor = QualityMonitor(5, SFREQ)
    first = monitor.update(patient(rng))
    monitor.reset()
    assert not monitor.bad.any()
    assert monitor.update(np.zeros((0, 5))) == []
    second = monitor.update(patient(np.random.default_rng(20251116)))
    assert [c.index for c in first] == [c.index for c in second]


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"expected \(n_times, 5\)"):
        QualityMonitor(5, SFREQ).update(np.zeros((4, 3)))
    with pytest.raises(ValueError, match="need a channel"):
        QualityMonitor(0, SFREQ)


def test_share_of_the_model_that_is_lost() -> None:
    bipolar = np.array([[1.0, -1, 0, 0], [0, 1, -1, 0], [0, 0, 1, -1]])
    assert share_lost(bipolar, [False] * 4) == 0
    assert share_lost(bipolar, [True, False, False, False]) == pytest.approx(1 / 3)
    assert share_lost(bipolar, [False, True, False, False]) == pytest.approx(2 / 3)
    average = np.eye(8) - 1 / 8
    assert share_lost(average, np.arange(8) == 3) == pytest.approx(1 / 8)
