"""What the simulated EEG looks like, measured with SciPy; that it is the same however it is read; that it is fast."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import signal

from neuript.errors import NeuriptError
from neuript.montages import load_montage
from neuript.realtime.twin.background import Rhythms, SlowNoise, pink_sos
from neuript.realtime.twin.cues import CueProtocol
from neuript.realtime.twin.signal import TwinSignal, record_session
from neuript.realtime.twin.subject import SessionConditions, Subject

CALM = {"blinks_per_min": 0.0, "saccades_per_min": 0.0, "muscle_bursts_per_min": 0.0}
CLEAN = SessionConditions(mains_uv=0.0, drift_uv=0.0, offset_uv=0.0, pops_per_min=0.0, gain_spread=0.0)


def spectrum(x, sfreq, seconds=4.0):
    return signal.welch(x, sfreq, nperseg=round(seconds * sfreq), axis=0)


def rms_in(x, sfreq, low, high):
    f, p = spectrum(x, sfreq)
    band = (f >= low) & (f <= high)
    return np.sqrt(p[band].sum(axis=0) * f[1])


@pytest.fixture(scope="module")
def plain():
    """Five minutes of the default person on 64 channels."""
    return record_session("biosemi-64", 250.0, Subject(seed=3), duration_s=300.0, seed=3)


# --- sameness ---


@settings(max_examples=12, deadline=None)
@given(cuts=st.lists(st.integers(0, 700), min_size=1, max_size=12), seed=st.integers(0, 3))
def test_any_cutting_gives_the_same_bits(cuts, seed):
    whole = TwinSignal("unicorn-8", 250.0, seed=seed).read(sum(cuts))
    twin = TwinSignal("unicorn-8", 250.0, seed=seed)
    parts = []
    for i, n in enumerate(cuts):
        if i % 3 == 1:
            twin.prepare(2 * n)
            twin.events(0.0, 5.0 * i)  # looking ahead changes nothing
        parts.append(twin.read(n))
    assert np.concatenate(parts).tobytes() == whole.tobytes()
    assert twin.n_read == len(whole)


def test_a_plan_with_an_end_does_not_change_the_signal_it_shares():
    """The whole plan is known at once with trials_per_class, and bit by bit without."""
    protocol = CueProtocol(trials_per_class=4)
    recorded = record_session("unicorn-8", 250.0, protocol=protocol, seed=5)
    twin = TwinSignal("unicorn-8", 250.0, protocol=protocol, seed=5)
    read = np.concatenate([twin.read(125) for _ in range(len(recorded.data) // 125)])
    assert read.tobytes() == recorded.data[: len(read)].tobytes()
    assert [e for e in recorded.events if e.time_s < 10] == twin.events(0.0, 10.0)


def test_seeds_and_people_differ():
    first = TwinSignal("unicorn-8", 250.0, seed=1).read(500)
    assert not np.array_equal(first, TwinSignal("unicorn-8", 250.0, seed=2).read(500))
    other = TwinSignal("unicorn-8", 250.0, Subject(seed=9), seed=1)
    assert not np.array_equal(first, other.read(500))


def test_the_plan_is_the_same_at_any_rate_and_on_any_cap():
    one = TwinSignal("unicorn-8", 250.0, seed=4)
    two = TwinSignal("biosemi-32", 512.0, seed=4)
    assert one.events(0, 60) == two.events(0, 60)
    assert one.intent_events(0, 60) == two.intent_events(0, 60)


@pytest.mark.parametrize("sfreq", [100.0, 128.0, 250.0, 512.0, 2048.0])
def test_levels_do_not_depend_on_the_rate(sfreq):
    x = record_session("unicorn-8", sfreq, Subject(**CALM), CLEAN, duration_s=60.0).data
    reference = record_session("unicorn-8", 250.0, Subject(**CALM), CLEAN, duration_s=60.0).data
    ours, theirs = (rms_in(d, fs, 1, 40).mean() for d, fs in ((x, sfreq), (reference, 250.0)))
    assert ours == pytest.approx(theirs, rel=0.15)


# --- what is in it ---


def test_data_are_float32_microvolts_of_scalp_eeg(plain):
    assert plain.data.dtype == np.float32
    assert plain.data.shape == (75_000, 64)
    assert np.isfinite(plain.data).all()
    level = rms_in(plain.data, 250.0, 1, 40)
    assert 4 < np.median(level) < 20
    assert level.max() < 60


@pytest.mark.parametrize("slope", [1.0, 1.5])
@pytest.mark.parametrize("sfreq", [250.0, 1000.0])
def test_pink_noise_has_its_slope_and_level(slope, sfreq, rng):
    x = signal.sosfilt(pink_sos(slope, sfreq), rng.standard_normal(int(400 * sfreq)))
    f, p = spectrum(x, sfreq, 8.0)
    band = (f > 1) & (f < 45)
    measured = -np.polyfit(np.log(f[band]), np.log(p[band]), 1)[0]
    assert measured == pytest.approx(slope, abs=0.12)
    assert rms_in(x, sfreq, 1, 40) == pytest.approx(1.0, rel=0.08)


def test_background_falls_as_the_person_says():
    person = Subject(background_slope=1.3, mu_uv=0.01, alpha_uv=0.01, beta_uv=0.01, visual_uv=0.0, **CALM)
    quiet = SessionConditions(
        mains_uv=0.0, drift_uv=0.0, pops_per_min=0.0, sensor_nv_per_rthz=1.0, reference="infinity"
    )
    x = record_session("biosemi-32", 250.0, person, quiet, duration_s=200.0).data
    f, p = spectrum(x, 250.0)
    band = (f > 1.5) & (f < 18)  # above, the faint muscle tone shows
    slopes = -np.polyfit(np.log(f[band]), np.log(p[band].mean(axis=1)), 1)[0]
    assert slopes == pytest.approx(1.3, abs=0.15)


def test_rhythms_are_narrow_unit_and_at_their_place():
    rhythms = Rhythms([10.0, 21.0], 2.0, 250.0, np.random.default_rng(1))
    z = np.concatenate([rhythms.block((k * 125 + np.arange(125)) / 250) for k in range(2400)], 1)
    for row, centre in enumerate((10.0, 21.0)):
        f, p = spectrum(z[row].real, 250.0, 8.0)
        assert f[np.argmax(p)] == pytest.approx(centre, abs=0.8)
        half = p[np.abs(f - centre) < 1.0].sum() / p.sum()  # within the width at half power
        u = 1.287 / 2  # closed form for two equal one-poles
        assert half == pytest.approx(2 / np.pi * (np.arctan(u) + u / (1 + u * u)), abs=0.06)
        assert z[row].real.std() == pytest.approx(1.0, abs=0.08)


def test_slow_noise_is_stationary_from_its_first_sample():
    first = np.concatenate([SlowNoise(50, 0.05, 250.0, np.random.default_rng(k)).block(3)[:, :1] for k in range(40)])
    assert first.std() == pytest.approx(1.0, abs=0.06)


def test_alpha_peaks_at_the_back(plain):
    f, p = spectrum(plain.data, 250.0, 4.0)
    names = plain.ch_names
    peak = p[(f > 9) & (f < 11.5)].max(axis=0)
    floor = (p[(f > 6) & (f < 7.5)].mean(axis=0) + p[(f > 14) & (f < 16)].mean(axis=0)) / 2
    ratio = dict(zip(names, peak / floor, strict=True))
    assert min(ratio[c] for c in ("Oz", "O1", "O2", "POz")) > 6
    assert ratio["Oz"] > 4 * max(ratio[c] for c in ("Fp1", "Fp2", "AF7", "AF8"))


def test_alpha_waxes_and_wanes(plain):
    sos = signal.butter(4, (8.5, 12), "bandpass", fs=250.0, output="sos")
    oz = signal.sosfiltfilt(sos, plain.data[:, plain.ch_names.index("Oz")])
    envelope = np.abs(signal.hilbert(oz))
    seconds = envelope[: len(envelope) // 250 * 250].reshape(-1, 250).mean(axis=1)
    assert seconds.std() / seconds.mean() > 0.3


def test_blinks_are_seen_above_the_eyes_and_not_at_the_back():
    person = Subject(blinks_per_min=12.0, saccades_per_min=0.0, muscle_bursts_per_min=0.0)
    twin = TwinSignal("biosemi-64", 250.0, person, CLEAN, seed=2)
    x = signal.sosfiltfilt(signal.butter(2, (0.5, 15), "bandpass", fs=250.0, output="sos"), twin.read(45_000), axis=0)
    times = [t for t in twin._eyes.blink_times_s if 1.0 < t < 179.0]
    assert 20 < len(times) < 55  # 12 a minute for 3 minutes
    height = np.mean([x[round(t * 250)] for t in times], axis=0)
    at = dict(zip(twin.ch_names, height, strict=True))
    assert 70 < (at["Fp1"] + at["Fp2"]) / 2 < 190
    assert at["Fp1"] == pytest.approx(at["Fp2"], rel=0.25)
    assert 0.1 < at["Fz"] / at["Fp1"] < 0.45
    assert abs(at["Oz"]) < 0.08 * at["Fp1"]


def test_saccades_have_opposite_signs_at_the_temples():
    person = Subject(blinks_per_min=0, saccades_per_min=40, saccade_uv=80, muscle_bursts_per_min=0)
    x = record_session("biosemi-64", 250.0, person, CLEAN, duration_s=120.0)
    sos = signal.butter(2, (0.3, 5), "bandpass", fs=250.0, output="sos")
    f7, f8 = (signal.sosfilt(sos, x.data[:, x.ch_names.index(c)]) for c in ("F7", "F8"))
    assert np.corrcoef(f7, f8)[0, 1] < -0.5


def test_muscles_are_at_the_temples_and_fast():
    person = Subject(blinks_per_min=0, saccades_per_min=0, muscle_bursts_per_min=60, muscle_uv=40)
    loud = record_session("biosemi-64", 1000.0, person, CLEAN, duration_s=60.0)
    calm = record_session("biosemi-64", 1000.0, Subject(**CALM), CLEAN, duration_s=60.0)
    more = rms_in(loud.data, 1000.0, 40, 200) / rms_in(calm.data, 1000.0, 40, 200)
    at = dict(zip(loud.ch_names, more, strict=True))
    assert min(at["T7"], at["T8"]) > 2.5
    assert at["Cz"] < 1.6  # the reference at the ears feels the temples, too
    assert at["Fpz"] > 4


@pytest.mark.parametrize("hz", [50.0, 60.0])
def test_mains_hum_is_a_line_of_the_said_height(hz):
    day = SessionConditions(mains_hz=hz, mains_uv=20.0)
    x = record_session("biosemi-32", 500.0, Subject(**CALM), day, duration_s=60.0).data
    f, p = spectrum(x, 500.0, 4.0)
    line = np.sqrt(p[np.abs(f - hz) < 1].sum(axis=0) * f[1])
    assert np.median(line) == pytest.approx(20.0, rel=0.4)
    assert (p[np.argmin(np.abs(f - hz))] > 100 * p[np.argmin(np.abs(f - hz + 5))]).all()


def test_harmonics_above_half_the_rate_do_not_fold():
    day = SessionConditions(mains_hz=60.0, mains_uv=50.0)
    x = record_session("unicorn-8", 128.0, Subject(**CALM), day, duration_s=60.0).data
    f, p = spectrum(x, 128.0)
    quiet = (f > 30) & (f < 50)
    assert p[quiet].max() < 3.0  # uV^2/Hz; 180 and 300 Hz would land at 52 and 44 Hz


def test_sensor_noise_is_white_with_its_density():
    person = Subject(mu_uv=0.01, alpha_uv=0.01, beta_uv=0.01, background_uv=0.01, **CALM)
    x = record_session("unicorn-8", 1000.0, person, CLEAN, duration_s=60.0).data
    f, p = spectrum(x, 1000.0)
    density = np.sqrt(p[(f > 300) & (f < 480)].mean()) * 1000
    assert density == pytest.approx(CLEAN.sensor_nv_per_rthz, rel=0.1)


def test_average_reference_sums_to_zero():
    day = SessionConditions(
        reference="average", mains_uv=0, drift_uv=0, offset_uv=0, gain_spread=0, pops_per_min=0, sensor_nv_per_rthz=0
    )
    x = TwinSignal("biosemi-32", 250.0, conditions=day).read(500)
    assert np.abs(x.mean(axis=1)).max() < 1e-4 * x.std()


def test_cap_shift_changes_the_picture_but_not_the_brain():
    base = record_session("motor-16", 250.0, Subject(**CALM), CLEAN, duration_s=60.0, seed=2)
    day = SessionConditions(
        cap_shift_mm=(10.0, 10.0, 0.0), mains_uv=0, drift_uv=0, offset_uv=0, pops_per_min=0, gain_spread=0
    )
    moved = record_session("motor-16", 250.0, Subject(**CALM), day, duration_s=60.0, seed=2)
    assert base.events == moved.events
    correlation = [np.corrcoef(base.data[:, k], moved.data[:, k])[0, 1] for k in range(16)]
    assert 0.7 < min(correlation) < 0.99


# --- cost and refusals ---


def test_generation_is_fast():
    """Twenty minutes of 16 channels in seconds; 64 channels at 1 kHz at a fraction of a core."""
    for montage, sfreq, seconds, budget in (("openbci-16", 250.0, 60.0, 0.02), ("biosemi-64", 1000.0, 10.0, 0.15)):
        twin = TwinSignal(montage, sfreq)
        twin.read(1)
        begin = time.process_time()
        twin.read(round(seconds * sfreq))
        assert (time.process_time() - begin) / seconds < budget


@pytest.mark.parametrize(
    ("build", "words"),
    [
        (lambda: TwinSignal("openbci-8", 50.0), "sfreq is 50 Hz; the twin runs at 100 to 20000 Hz$"),
        (lambda: TwinSignal("openbci-8", 250.0, seed=-1), "seed"),
        (lambda: Subject(skill=1.5), "skill"),
        (lambda: Subject(mu_hz=0.0), "mu_hz"),
        (lambda: SessionConditions(mains_hz=55.0), "50 or 60"),
        (lambda: SessionConditions(reference="Cz"), "ears"),
        (lambda: CueProtocol(classes=("left_foot",)), "left_foot"),
        (lambda: CueProtocol(classes=("feet", "feet")), "twice"),
        (lambda: CueProtocol(classes=()), "nothing"),
        (lambda: CueProtocol(trials_per_class=0), "trials_per_class"),
        (lambda: CueProtocol(pause_s=(3.0, 1.0)), "pause_s"),
        (lambda: record_session("openbci-8", protocol=CueProtocol()), "no end"),
    ],
)
def test_nonsense_is_refused_with_a_sentence(build, words):
    with pytest.raises(NeuriptError, match=words):
        build()


def test_negative_read_is_refused():
    with pytest.raises(ValueError, match="negative"):
        TwinSignal("openbci-8", 250.0).read(-1)


def test_bipolar_montage_streams_its_electrodes():
    twin = TwinSignal("double-banana", 250.0)
    assert twin.ch_names == load_montage("double-banana").electrodes


def test_population_varies_and_stays_in_range(rng):
    people = [Subject.sample(rng) for _ in range(200)]
    skills = np.array([p.skill for p in people])
    assert 0.45 < np.median(skills) < 0.7
    assert (skills < 0.3).mean() > 0.05
    assert all(9.0 <= p.mu_hz <= 13.0 for p in people)
    days = [SessionConditions.sample(rng) for _ in range(50)]
    assert 2.0 < np.std([d.cap_shift_mm[0] for d in days]) < 8.0
    assert Subject.sample(rng, skill=0.3).skill == 0.3
