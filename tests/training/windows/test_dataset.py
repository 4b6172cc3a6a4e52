"""Recordings to labelled windows: channels, units, mains, trials, refusals."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import xdf_writer

from neuript.errors import NeuriptError
from neuript.realtime.chain.alignment import AlignmentSpec
from neuript.realtime.live.intake import take_in
from neuript.realtime.recordings.read import read_recording
from neuript.realtime.recordings.recording_report import eeg_report
from neuript.realtime.recordings.replay_source import ReplaySource
from neuript.training.windows.cleaning import clean
from neuript.training.windows.dataset import build_dataset, load_dataset
from neuript.training.windows.dataset_spec import DatasetSpec

SFREQ = 125.0
NAMES = ("Fz", "C3", "Cz", "C4", "Pz")
ONSETS = 8.0 + 5.0 * np.arange(12)
SPEC = DatasetSpec(event_map={"left": ("769",), "right": ("770",)}, window_s=2.0, epoch_s=(0.0, 2.5))


@pytest.fixture
def signal(rng):
    """Seventy seconds of five channels in microvolts, shape (n_times, 5)."""
    n = round(70 * SFREQ)
    t = np.arange(n)[:, None] / SFREQ
    rhythm = 12 * np.sin(2 * np.pi * (10 * t + np.arange(5) / 7))
    return (rhythm + rng.normal(scale=8, size=(n, 5))).astype(np.float32)


@pytest.fixture
def record(tmp_path):
    """Write an XDF file and return its path."""
    count = iter(range(100))

    def write(data, labels=NAMES, *, onsets=ONSETS, codes=("769", "770"), start_s=500.0, **kwargs):
        stamps = start_s + np.arange(len(data)) / SFREQ
        markers = [(start_s + s, codes[i % len(codes)]) for i, s in enumerate(onsets)]
        file = xdf_writer.session(np.asarray(data), stamps, markers, sfreq=SFREQ, labels=list(labels), **kwargs)
        return file.save(tmp_path / f"run{next(count)}.xdf")

    return write


def test_trials_windows_and_classes_belong_together(record, signal):
    data = load_dataset([record(signal)], SPEC)
    assert data.classes == ("left", "right")
    assert data.counts == {"left": 6, "right": 6}
    assert [t.label for t in data.trials] == ["left", "right"] * 6
    assert data.x.shape == (len(data.trial), 5, 128)
    assert (np.diff(data.trial) >= 0).all()
    np.testing.assert_array_equal(data.y, data.trial % 2)
    onset = np.array([data.trials[i].onset_s for i in data.trial])
    assert ((data.end_s - onset >= 2.0 - 1e-6) & (data.end_s - onset <= 2.5 + 1e-6)).all()
    assert (data.sfreq, data.manifest.window_s, data.notes) == (64.0, 2.0, ())


@pytest.mark.parametrize("as_given", [str, Path, read_recording])
def test_one_recording_by_itself_is_a_recording(record, signal, as_given):
    path = record(signal)
    data = load_dataset(as_given(path), replace(SPEC, event_map={"left": 769, "right": 770}))
    np.testing.assert_array_equal(data.x, load_dataset([path], SPEC).x)


def test_classes_keep_the_order_of_the_command_line(record, signal):
    spec = replace(SPEC, event_map={"right": ("770",), "left": ("769",)})
    data = load_dataset([record(signal)], spec)
    assert data.classes == ("right", "left")
    np.testing.assert_array_equal(data.y, 1 - data.trial % 2)


def test_channels_are_those_of_the_cap_that_are_measured_in_its_order(record, signal):
    plain = load_dataset([record(signal)], SPEC)
    wanted = tuple(n for n in SPEC.cap.ch_names if n in NAMES)
    assert plain.montage.ch_names == plain.manifest.ch_names == wanted
    more = np.concatenate([signal, signal[:, :1] * 3], axis=1)
    data = load_dataset([record(more, ("EEG Fz-REF", "c3", "CZ", "C4.", "Pz", "X7"))], SPEC)
    assert data.montage.ch_names == wanted
    np.testing.assert_array_equal(data.x, plain.x)


def test_a_second_recording_may_have_its_channels_in_another_order(record, signal, rng):
    other = rng.permutation(signal, axis=0)
    order = [3, 0, 4, 2, 1]
    straight = load_dataset([record(signal), record(other, start_s=90.0)], SPEC)
    mixed = load_dataset([record(signal), record(other[:, order], [NAMES[i] for i in order], start_s=90.0)], SPEC)
    np.testing.assert_array_equal(mixed.x, straight.x)
    assert [t.recording for t in mixed.trials] == [0] * 12 + [1] * 12
    assert not np.array_equal(mixed.x[mixed.trial < 12], mixed.x[mixed.trial >= 12])


def test_a_channel_that_one_recording_lacks_is_left_out_of_all_with_a_note(record, signal):
    data = load_dataset([record(signal), record(signal[:, 1:], NAMES[1:], start_s=3.0)], SPEC)
    assert "Fz" not in data.montage.ch_names
    assert data.montage.n_chans == 4
    assert any("Fz is left out: " in note and "/run1.xdf does not have it" in note for note in data.notes)


@pytest.mark.parametrize("kind", ["flat", "nan", "half of the time"])
def test_a_bad_channel_is_left_out_with_a_note(record, signal, kind):
    bad = signal.copy()
    half = slice(0, len(bad) // 2 if kind == "half of the time" else None)
    bad[half, 2] = np.nan if kind == "nan" else 7.0
    data = load_dataset([record(bad)], SPEC)
    assert "Cz" not in data.montage.ch_names
    assert data.counts == {"left": 6, "right": 6}
    assert any(note.startswith("Cz is left out: flat, stuck or not a number") for note in data.notes)


def test_a_channel_that_is_bad_for_a_moment_costs_its_trials_alone(record, signal):
    bad = signal.copy()
    bad[round(24 * SFREQ) : round(28 * SFREQ), 2] = 7.0  # the trial at 23 s
    data = load_dataset([record(bad)], SPEC)
    assert data.montage.n_chans == 5
    assert data.counts == {"left": 6, "right": 5}
    assert any("1 of 12 trials has no clean window" in note for note in data.notes)
    assert 523.0 not in {t.onset_s for t in data.trials}


def test_average_reference_goes_without_bad_and_missing_electrodes(record, signal):
    bad = signal.copy()
    bad[:, 2] = 7.0
    data = load_dataset([record(bad)], replace(SPEC, reference="average"))
    assert data.montage.ch_names == ("Fz", "C3", "C4", "Pz")
    np.testing.assert_allclose(data.x.sum(axis=1), 0, atol=1e-9)
    plain = load_dataset([record(bad)], SPEC).x
    np.testing.assert_allclose(data.x, plain - plain.mean(axis=1, keepdims=True), atol=1e-10)


def test_the_unit_is_translated(record, signal):
    micro = load_dataset([record(signal)], SPEC)
    milli = load_dataset([record(signal * 1e-3, unit="millivolts")], SPEC)
    np.testing.assert_allclose(milli.x, micro.x, rtol=1e-3, atol=1e-9)
    assert 5e-6 < micro.x.std() < 20e-6


def test_microvolts_called_volts_are_refused_with_the_fix_and_the_file(record, signal):
    path = record(signal, unit="volts")
    with pytest.raises(NeuriptError, match=r"run0.xdf: .*volts.*--unit microvolts"):
        load_dataset([path], SPEC)
    fixed = load_dataset([path], replace(SPEC, unit="microvolts"))
    assert fixed.manifest.units == {"input": "volts", "recordings": "microvolts"}
    np.testing.assert_array_equal(fixed.x, load_dataset([record(signal)], SPEC).x)


def test_an_unknown_unit_lists_the_known_ones(record, signal):
    with pytest.raises(NeuriptError, match="'furlongs' is not known; use one of volts, millivolts"):
        load_dataset([record(signal)], replace(SPEC, unit="furlongs"))


@pytest.mark.parametrize(
    ("given", "hum_hz", "expected"),
    [("auto", 50.0, 50.0), ("auto", 60.0, 60.0), ("auto", None, None), (None, 50.0, None), (60.0, 50.0, 60.0)],
)
def test_mains_are_measured_unless_told(record, signal, given, hum_hz, expected):
    if hum_hz:
        t = np.arange(len(signal))[:, None] / SFREQ
        signal = signal + (20 * np.sin(2 * np.pi * hum_hz * t)).astype(np.float32)
    data = load_dataset([record(signal)], replace(SPEC, mains_hz=given))
    assert data.manifest.mains_hz == expected
    assert data.manifest.preprocess["mains_hz"] == expected


def test_too_few_trials_are_counted(record, signal):
    with pytest.raises(NeuriptError, match=r"class 'right' has 4 trials, at least 5 are needed"):
        load_dataset([record(signal, onsets=ONSETS[:9])], SPEC)


def test_trials_without_a_clean_window_do_not_count(record, signal):
    with pytest.raises(NeuriptError, match="class 'left' has 4 trials with a clean window"):
        load_dataset([record(signal, onsets=[0.2, 0.4, 0.6, *ONSETS[1:9]])], SPEC)


def test_recordings_share_what_each_lacks(record, signal):
    only_left = record(signal, codes=("769",))
    only_right = record(signal[::-1], codes=("770",), start_s=40.0)
    assert load_dataset([only_left, only_right], SPEC).counts == {"left": 12, "right": 12}


def test_trial_start_may_be_absent_from_one_of_the_recordings(record, signal):
    both = record(signal, onsets=np.sort([*ONSETS, *(ONSETS - 1)]), codes=("go", "769", "go", "770"))
    none = record(signal[::-1], codes=("769", "770"), start_s=40.0)
    data = load_dataset([both, none], replace(SPEC, trial_start="go"))
    assert data.counts == {"left": 6, "right": 6}


def test_an_unknown_marker_lists_the_markers_of_all_recordings(record, signal):
    paths = [record(signal, codes=("769", "5")), record(signal[::-1], codes=("6",), start_s=1.0)]
    with pytest.raises(NeuriptError, match=r"'770' of class 'right'.*'6' x12.*'769' x6.*'5' x6"):
        load_dataset(paths, SPEC)


def test_three_classes(record, signal):
    spec = replace(SPEC, event_map={"a": ("1",), "b": ("2",), "c": ("3",)}, idle_class="c", min_trials_per_class=4)
    data = load_dataset([record(signal, codes=("1", "2", "3"))], spec)
    assert data.counts == {"a": 4, "b": 4, "c": 4}
    assert data.manifest.idle_class == data.manifest.policy["idle_class"] == "c"


def test_a_recording_is_not_its_own_test_set(record, signal):
    path = record(signal)
    again = path.parent / "." / path.name
    with pytest.raises(NeuriptError, match="is given twice; name each recording once"):
        load_dataset([path, str(again)], SPEC)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"event_map": {"left": ("769",)}}, "names 1 class; at least two are needed"),
        ({"task": "motor imagery"}, "task='motor imagery' must be letters and digits"),
        ({"window_s": 2.001}, "window_s=2.001 is 128.064 samples"),
        ({"hop_s": 0.1}, "use a multiple of 0.015625 s"),
        ({"montage": "muse-4"}, "share 0 good channels, at least 2 are needed.*Fz, C3"),
    ],
)
def test_settings_that_cannot_be_end_in_a_sentence(record, signal, change, message):
    with pytest.raises(NeuriptError, match=message):
        load_dataset([record(signal)], replace(SPEC, **change))


def test_no_recording_and_a_short_one(record, signal):
    with pytest.raises(NeuriptError, match="no recording was given; at least one"):
        load_dataset([], SPEC)
    short = record(signal[:100], onsets=np.linspace(0, 0.7, 12))
    with pytest.raises(NeuriptError, match=r"run0.xdf holds 0.8 s of EEG"):
        load_dataset([short], SPEC)


def test_simulated_recordings_are_marked(record, signal):
    real = read_recording(record(signal))
    made_up = read_recording(record(signal, name="neuript-twin (simulated)"))
    assert not build_dataset([real], SPEC).manifest.simulated
    assert build_dataset([real, made_up], SPEC).manifest.simulated


@pytest.mark.parametrize(
    ("kind", "stype"),
    [
        ("EXG", "EEG"),
        ("EXG", "EXG"),
        ("exg", "ExG"),
        (" EXG ", "EEG"),
        ("", "EXG"),
        (["EXG", "EEG", "", "eeg", "EXG"], "EXG"),
    ],
)
def test_channels_of_type_exg_are_eeg(record, signal, kind, stype):
    data = load_dataset([record(signal, kind=kind, stype=stype)], SPEC)
    np.testing.assert_array_equal(data.x, load_dataset([record(signal)], SPEC).x)


def test_what_is_beside_the_eeg_changes_nothing(record, signal, rng):
    """An auxiliary input in another unit and with loud mains, and a trigger channel."""
    t = np.arange(len(signal)) / SFREQ
    beside = np.stack([3e4 * np.sin(2 * np.pi * 50 * t), np.round(t) % 2], axis=1)
    mixed = np.concatenate([signal[:, :2], beside, signal[:, 2:]], axis=1)
    labels = [*NAMES[:2], "X1", "Trigger", *NAMES[2:]]
    kinds = ["EXG", "EXG", "AUX", "TRG", "EXG", "EXG", "EXG"]
    units = ["microvolts"] * 2 + ["g", "number"] + ["microvolts"] * 3
    data = load_dataset([record(mixed, labels, kind=kinds, unit=units)], SPEC)
    plain = load_dataset([record(signal)], SPEC)
    np.testing.assert_array_equal(data.x, plain.x)
    assert data.manifest.mains_hz is None


@pytest.mark.parametrize("hz", [50.0, 60.0])
def test_mains_are_those_of_the_eeg(record, signal, hz, rng):
    """Auxiliary inputs without any mains, more of them than electrodes, speak for nothing."""
    t = np.arange(len(signal))[:, None] / SFREQ
    noisy = np.concatenate([signal + 40 * np.sin(2 * np.pi * hz * t), rng.normal(size=(len(t), 7))], axis=1)
    labels, kinds = [*NAMES, *(f"X{i}" for i in range(7))], ["EEG"] * 5 + ["AUX"] * 7
    assert load_dataset([record(noisy, labels, kind=kinds)], SPEC).manifest.mains_hz == hz


def test_the_stream_to_take_as_eeg_may_be_named(record, signal):
    path = record(signal, stype="Data", name="my amp")
    with pytest.raises(NeuriptError, match=r"no stream of type EEG; it has 'my amp' \(Data\)"):
        load_dataset([path], SPEC)
    named = load_dataset([path], replace(SPEC, eeg="my amp"))
    np.testing.assert_array_equal(named.x, load_dataset([record(signal)], SPEC).x)


@pytest.mark.parametrize(
    ("unit", "scale"), [("microvolts", 1.0), ("", 1.0), ("lux", 1.0)], ids=["same unit", "no unit", "another unit"]
)
def test_labels_alone_say_what_is_beside_the_eeg(record, signal, unit, scale):
    """Twenty untyped inputs called EMG and AUX, larger than the EEG and full of 60 Hz: nothing depends on them."""
    t = np.arange(len(signal))[:, None] / SFREQ
    beside = 4000 * np.sin(2 * np.pi * 60 * t + np.arange(20))
    labels = [*NAMES, *(f"EMG{i}" for i in range(1, 11)), *(f"AUX {i}" for i in range(1, 11))]
    units = ["microvolts" if unit != "" else ""] * 5 + [unit] * 20
    path = record(np.concatenate([signal, beside], axis=1), labels, kind="", unit=units)
    data = load_dataset([path], SPEC)
    np.testing.assert_array_equal(data.x, load_dataset([record(signal)], SPEC).x)
    assert data.manifest.mains_hz is None

    recording = read_recording(path)
    cleaned = clean(recording, data.montage)
    assert cleaned.mains_hz is None
    intake = take_in(ReplaySource(recording), data.montage)
    assert intake.mains_hz is None
    assert eeg_report(recording.eeg).unit_ok
    for i in intake.plan.used:
        assert intake.scale[i] == pytest.approx(1e-6 * scale)


def assert_same_reference(one, other):
    for name, values in one.to_arrays().items():
        np.testing.assert_array_equal(values, other.to_arrays()[name], name)


def test_windows_are_recentred_and_the_manifest_says_how(record, signal):
    data = load_dataset([record(signal)], SPEC)
    assert data.manifest.preprocess["alignment"]["memory_s"] == SPEC.alignment.memory_s == AlignmentSpec().memory_s
    assert data.signal.shape == data.x.shape
    assert data.tangent.shape == (len(data.x), data.manifest.n_tangent) == (len(data.x), 6 * 15)
    assert data.signal.std() == pytest.approx(SPEC.alignment.signal_rms_v, rel=0.2)
    assert np.linalg.norm(data.tangent.reshape(len(data.x), 6, 15), axis=-1).mean() == pytest.approx(1, abs=0.3)
    assert data.reference.mean.shape == (7, 5, 5)
    assert data.reference.seconds == pytest.approx(40.0)
    some = data.select(data.trial < 3)
    np.testing.assert_array_equal(some.tangent, data.tangent[data.trial < 3])
    np.testing.assert_array_equal(some.signal, data.signal[data.trial < 3])


def test_without_an_alignment_the_volts_are_read_and_there_are_no_vectors(record, signal):
    path = record(signal)
    data = load_dataset([path], replace(SPEC, alignment=None))
    np.testing.assert_array_equal(data.x, load_dataset([path], SPEC).x)
    np.testing.assert_array_equal(data.signal, data.x)
    assert data.tangent.shape == (len(data.x), 0)
    assert data.reference is None
    assert (data.manifest.preprocess["alignment"], data.manifest.n_tangent) == (None, 0)


def test_labels_have_no_say_in_what_windows_are_seen_from(record, signal):
    plain = load_dataset([record(signal)], SPEC)
    swapped = load_dataset([record(signal, codes=("770", "769", "770", "770", "769", "769"))], SPEC)
    assert not np.array_equal(plain.y, swapped.y)
    for name in ("x", "signal", "tangent"):
        np.testing.assert_array_equal(getattr(swapped, name), getattr(plain, name), name)
    assert_same_reference(swapped.reference, plain.reference)


def test_a_second_recording_goes_on_from_where_the_first_ended(record, signal, rng):
    other = rng.permutation(2 * signal, axis=0)
    first, second = record(signal), record(other, start_s=3000.0)
    both, alone, later = (load_dataset(files, SPEC) for files in ([first, second], [first], [second]))
    of_first = both.trial < 12
    np.testing.assert_array_equal(both.tangent[of_first], alone.tangent)
    np.testing.assert_array_equal(both.signal[of_first], alone.signal)
    np.testing.assert_array_equal(both.x[~of_first], later.x)
    assert not np.array_equal(both.tangent[~of_first], later.tangent)
    distance = alone.reference.distance_to(both.reference), later.reference.distance_to(both.reference)
    assert (distance[1] < 0.75 * distance[0]).all()


def test_a_first_recording_too_short_for_a_reference_is_seen_from_that_of_the_second(record, signal):
    """What a crash has cut short is not lost, and what is learnt of it does not depend on its own labels."""
    short = record(signal[: round(20 * SFREQ)], onsets=(8.0, 13.0))
    whole = record(signal, start_s=3000.0)
    data = load_dataset([short, whole], SPEC)
    assert not any("no clean window" in note for note in data.notes)
    assert data.counts == {"left": 7, "right": 7}
    assert data.played[0].reference is not None
    alone = load_dataset([whole], SPEC).played[0].reference
    assert data.played[0].reference.mean.tobytes() == alone.mean.tobytes()
    assert np.isfinite(data.tangent).all()


@pytest.mark.parametrize(
    ("alignment", "message"),
    [
        (AlignmentSpec(bands_hz=((8.0, 32.0),)), "a band up to 32 Hz needs more than sfreq=64"),
        (AlignmentSpec(signal_band_hz=(4.0, 40.0)), "a band up to 40 Hz needs more than sfreq=64"),
        ("moving", "alignment"),
    ],
)
def test_bands_that_the_rate_cannot_hold_are_refused(alignment, message):
    with pytest.raises(NeuriptError, match=message):
        replace(SPEC, alignment=alignment)
