from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from builders import make_manifest

from neuript.errors import NeuriptError
from neuript.montages import load_montage, plan_channels
from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.chain.preprocess import PreprocessSpec
from neuript.realtime.decoding.policy import PolicySpec
from neuript.realtime.decoding.scoring import Trial
from neuript.realtime.recordings.gaps import find_gaps, segments_between
from neuript.realtime.recordings.header import header_xml
from neuript.realtime.recordings.read import read_recording
from neuript.realtime.recordings.recording import RecordedStream, Recording
from neuript.realtime.recordings.replay_source import ReplaySource
from neuript.training.windows.cleaning import clean, cut, good_runs
from neuript.training.windows.epochs import collect_windows

PAPER = load_montage("double-banana")


def recording(x_uv, sfreq=128.0, names=PAPER.electrodes, stamps=None, unit="microvolts"):
    x_uv = np.asarray(x_uv, dtype=np.float32)
    stamps = 100.0 + np.arange(len(x_uv)) / sfreq if stamps is None else stamps
    info = SignalInfo(
        name="made", sfreq=sfreq, ch_names=tuple(names), units=(unit,) * len(names), ch_types=("EEG",) * len(names)
    )
    gaps = find_gaps(stamps, sfreq)
    stream = RecordedStream(
        info, x_uv, stamps, stamps, header_xml(info), segments_between(len(x_uv), [g.index for g in gaps]), gaps
    )
    return Recording(Path("made.xdf"), [stream], "XDF", [], 0)


@pytest.fixture
def noise(rng):
    """Thirty seconds of noise of about 20 µV in the band, 17 electrodes at 128 Hz."""
    return 30 * rng.standard_normal((30 * 128, 17)) + 500 * rng.standard_normal(17)


def test_windows_are_those_of_the_live_decoder(noise) -> None:
    made = recording(noise)
    cleaned = clean(made, PAPER, mains_hz=None)
    preprocess = PreprocessSpec()
    manifest = make_manifest(
        classes=("a", "b"), montage=PAPER, preprocess=preprocess, policy=PolicySpec(), window_s=4.0
    )
    plan = plan_channels(made.eeg.info.ch_names, PAPER)
    trials = [Trial("a", 105.0, 0), Trial("a", 113.0, 0), Trial("b", 119.5, 0)]
    live = collect_windows(ReplaySource(made, chunk=37), plan.matrix, np.full(17, 1e-6), manifest, trials, (4.0, 6.0))
    assert len(live) > 20
    for window, stamp in zip(live.x, live.stamp - 100.0, strict=True):
        end = int(np.abs(cleaned.stamps - stamp).argmin())
        assert abs(cleaned.stamps[end] - stamp) < 1e-6
        np.testing.assert_allclose(cleaned.x[end - 255 : end + 1].T, window, atol=1e-12)
        assert cleaned.ok[end - 255 : end + 1].all()


def test_a_tone_keeps_its_size_and_mains_vanish(rng) -> None:
    t = np.arange(20 * 256) / 256
    x = 20 * np.sin(2 * np.pi * 10 * t)[:, None] * np.linspace(1, 2, 17)
    x = x + 300 * np.sin(2 * np.pi * 50 * t)[:, None] * np.linspace(0.5, 1.5, 17)
    x += 0.5 * rng.standard_normal(x.shape)
    cleaned = clean(recording(x, 256.0), PAPER)
    assert cleaned.mains_hz == 50.0
    tail = cleaned.x[640:1152].astype(np.float64)  # 8 s, whole periods
    spectrum = np.abs(np.fft.rfft(tail, axis=0)) / len(tail) * 2
    index = {name: i for i, name in enumerate(PAPER.electrodes)}
    gain = np.linspace(1, 2, 17)
    pairs = [name.split("-") for name in PAPER.ch_names]
    expected = [20e-6 * abs(gain[index[a]] - gain[index[b]]) for a, b in pairs]
    np.testing.assert_allclose(spectrum[80], expected, rtol=0.03, atol=0.1e-6)
    spectrum[80] = 0
    assert spectrum[8:].max() < 0.5e-6


def test_the_start_and_a_gap_are_not_ok_and_no_window_crosses_them(noise) -> None:
    stamps = 100.0 + np.arange(len(noise)) / 128
    stamps[1280:] += 3.0
    cleaned = clean(recording(noise, stamps=stamps), PAPER)
    runs = good_runs(cleaned.ok)
    assert len(runs) == 2
    settle = 1.55
    assert cleaned.stamps[runs[0][0]] == pytest.approx(settle, abs=0.05)
    assert cleaned.stamps[runs[1][0]] == pytest.approx(13 + settle, abs=0.05)
    x, start_s = cut(cleaned, None, 4.0)
    assert x.shape == (6, 20, 256)
    assert not ((start_s < 13) & (start_s + 4 > 10.01)).any()
    _, asked = cut(cleaned, [0.0, 3.0, 8.0, 11.0, 15.0, 29.5, 99.0], 4.0)
    assert asked.tolist() == [3.0, 15.0]


def test_a_second_of_lost_contact_is_left_out(noise) -> None:
    whole = clean(recording(noise), PAPER)
    hurt = noise.copy()
    hurt[1280:1290, 4] += 80_000.0
    cleaned = clean(recording(hurt), PAPER)
    lost = cleaned.stamps[whole.ok & ~cleaned.ok]
    assert lost.min() <= 9.8
    assert lost.max() >= 10.1
    assert lost.max() < 16  # the step through the filters has to settle
    before = cleaned.stamps < 10.0
    np.testing.assert_array_equal(cleaned.x[before], whole.x[before])


def test_a_dead_electrode_is_estimated_and_named(noise) -> None:
    noise[:, 7] = 0.0
    cleaned = clean(recording(noise), PAPER)
    assert any("interpolated: C3" in note for note in cleaned.notes)
    assert cleaned.ok.mean() > 0.9
    with pytest.raises(NeuriptError, match="may be interpolated"):
        clean(recording(noise), PAPER, max_interpolated=0.0)


def test_missing_numbers_do_not_reach_the_output(noise) -> None:
    noise[2000:2600] = np.nan
    cleaned = clean(recording(noise), PAPER)
    assert np.isfinite(cleaned.x).all()
    inside = (cleaned.stamps > 2100 / 128) & (cleaned.stamps < 2600 / 128)
    assert not cleaned.ok[inside].any()
    assert cleaned.ok[cleaned.stamps > 2600 / 128 + 6].all()


def test_units_are_not_believed_blindly(noise) -> None:
    with pytest.raises(NeuriptError, match=r"made\.xdf: .*--unit microvolts"):
        clean(recording(noise, unit="volts"), PAPER)
    told = clean(recording(noise, unit="volts"), PAPER, unit="microvolts")
    np.testing.assert_array_equal(told.x, clean(recording(noise), PAPER).x)
    scaled = clean(recording(noise * 777, unit=""), PAPER, rescale=True)
    assert 10e-6 < np.median(scaled.x[scaled.ok].std(axis=0)) < 40e-6
    assert any("rescaled" in note for note in scaled.notes)


def test_cut_refuses_a_broken_window_and_takes_an_empty_list(noise) -> None:
    cleaned = clean(recording(noise), PAPER)
    with pytest.raises(ValueError, match="whole number"):
        cut(cleaned, None, 0.11)
    x, start_s = cut(cleaned, [], 1.0)
    assert x.shape == (0, 20, 64)
    assert len(start_s) == 0


def test_too_short(noise) -> None:
    with pytest.raises(NeuriptError, match="at least 2 s"):
        clean(recording(noise[:100]), PAPER)


@pytest.mark.recordings
def test_real_mental_arithmetic(data_dir) -> None:
    made = read_recording(data_dir / "eegmat-128hz" / "Subject03_2.edf")
    x, _ = cut(clean(made, PAPER), None, 5.0)
    assert len(x) >= 11
    assert 2e-6 < x.std() < 40e-6


@pytest.mark.parametrize("kind", ["EXG", "exg", " EXG ", ""])
def test_channels_of_type_exg_are_eeg(noise, kind) -> None:
    made = recording(noise)
    made.eeg.info = replace(made.eeg.info, ch_types=(kind,) * 17)
    plain, cleaned = clean(recording(noise), PAPER), clean(made, PAPER)
    np.testing.assert_array_equal(cleaned.x, plain.x)
    np.testing.assert_array_equal(cleaned.ok, plain.ok)
    assert cleaned.notes == plain.notes == ()


def test_what_is_beside_the_eeg_changes_nothing(noise) -> None:
    beside = np.stack([3e4 * np.sin(np.arange(len(noise)) / 3), np.zeros(len(noise))], axis=1)
    beside[[500, 1500], [0, 1]] = np.inf
    made = recording(np.concatenate([beside, noise], axis=1), names=("X1", "Trigger", *PAPER.electrodes))
    info = made.eeg.info
    made.eeg.info = replace(info, ch_types=("AUX", "TRG") + ("EXG",) * 17, units=("g", "number", *info.units[2:]))
    plain, cleaned = clean(recording(noise), PAPER), clean(made, PAPER)
    np.testing.assert_array_equal(cleaned.x, plain.x)
    np.testing.assert_array_equal(cleaned.ok, plain.ok)
