"""Labels, codes and units in odd forms make the same data set as in plain ones, and live agrees."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import xdf_writer

from neuript.errors import NeuriptError
from neuript.montages import load_montage
from neuript.realtime.live.intake import take_in
from neuript.realtime.recordings.read import read_recording
from neuript.realtime.recordings.recording import events_of
from neuript.realtime.recordings.recording_report import eeg_report
from neuript.realtime.recordings.replay_source import ReplaySource
from neuript.training.windows.cleaning import clean
from neuript.training.windows.dataset import load_dataset
from neuript.training.windows.dataset_spec import DatasetSpec
from neuript.training.windows.events import trials_of

SFREQ = 125.0
NAMES = ("Fz", "C3", "Cz", "C4", "Pz", "P3", "P4", "POz")
SPEC = DatasetSpec(
    event_map={"left": "left", "right": "right"}, window_s=2.0, epoch_s=(0.0, 2.5), mains_hz=None, montage="10-10"
)
ONSETS = 508.0 + 4.0 * np.arange(12)
SIDES = ("left", "right")


@pytest.fixture(scope="module")
def signal():
    """A minute of eight channels in microvolts, shape (n_times, 8)."""
    rng = np.random.default_rng(7)
    t = np.arange(round(60 * SFREQ))[:, None] / SFREQ
    return 12 * np.sin(2 * np.pi * (10 * t + np.arange(8) / 7)) + rng.normal(scale=8, size=(len(t), 8))


def write(path, data, labels=NAMES, marks=SIDES, *, fmt="string", unit="microvolts", kind="EEG"):
    """Markers are texts or numbers; a tuple of them is a sample of several values."""
    stamps = 500 + np.arange(len(data)) / SFREQ
    out = xdf_writer.session(data, stamps, [], sfreq=SFREQ, labels=list(labels), unit=unit, kind=kind)
    rows = [marks[i % 2] if callable(marks[0]) else marks[i % len(marks)] for i in range(len(ONSETS))]
    rows = [row(i) if callable(row) else row for i, row in enumerate(rows)]
    rows = [row if isinstance(row, tuple) else (row,) for row in rows]
    out.stream(7, "cues", "Markers", len(rows[0]), 0.0, fmt).samples(7, ONSETS.tolist(), rows)
    return out.save(path)


@pytest.fixture(scope="module")
def plain(tmp_path_factory, signal):
    return load_dataset(write(tmp_path_factory.mktemp("plain") / "plain.xdf", signal), SPEC)


def trials(path, event_map):
    """The trials that a data set has."""
    return tuple(trials_of(events_of(read_recording(path)), replace(SPEC, event_map=event_map).markers))


def same(one, other):
    np.testing.assert_array_equal(one.x, other.x)
    np.testing.assert_array_equal(one.y, other.y)
    assert one.montage.ch_names == other.montage.ch_names


@pytest.mark.parametrize("form", ["EEG {}-AA", "{}_EEG", "{}-ref"])
def test_labels_with_more_than_a_name(tmp_path, signal, plain, form):
    data = load_dataset(write(tmp_path / "x.xdf", signal, [form.format(name) for name in NAMES]), SPEC)
    same(data, plain)
    assert any(note.startswith(f"read as electrodes: Fz ({form.format('Fz')})") for note in data.notes)


def test_labels_that_cannot_be_read_are_refused_with_the_file(tmp_path, signal):
    path = write(tmp_path / "x.xdf", signal, [f"pos={name}" for name in NAMES])
    with pytest.raises(NeuriptError, match=r"x.xdf: .*labels that neuript cannot read \(pos=Fz, ...\)"):
        load_dataset(path, replace(SPEC, montage="openbci-8"))


def test_inputs_that_only_count_are_named_by_the_cap_in_calibration_and_live(tmp_path, signal):
    path = write(
        tmp_path / "x.xdf",
        np.column_stack([np.arange(len(signal)) % 256, signal, 1e9 + np.arange(len(signal))]),
        ["Sample Index", *[f"EXG Channel {i}" for i in range(8)], "Other"],
    )
    cap = load_montage("openbci-8")
    data = load_dataset(path, replace(SPEC, montage="openbci-8"))
    assert data.montage.ch_names == cap.ch_names
    assert any("named in the order of montage openbci-8" in note for note in data.notes)
    live = take_in(ReplaySource(read_recording(path)), cap, cap)
    np.testing.assert_array_equal(live.plan.matrix, np.eye(8, 10, k=1))
    np.testing.assert_array_equal(live.scale[1:9], [1e-6] * 8)


@pytest.mark.parametrize("names", [NAMES, tuple(f"Ch {i}" for i in range(1, 9))])
def test_what_is_no_electrode_is_not_asked_for_its_unit(tmp_path, signal, names):
    """A sender that types all its channels as EEG, also its clock and the quality of its contacts."""
    n = len(signal)
    path = write(
        tmp_path / "x.xdf",
        np.column_stack([1.7e9 + np.arange(n) / SFREQ, 4200 + signal, np.full(n, 90.0), np.arange(n) % 128]),
        ["Clock", *names, "Overall", "Counter"],
        unit=["seconds", *["microvolts"] * 8, "percent", ""],
    )
    cap = load_montage("openbci-8" if names[0] == "Ch 1" else "10-10")
    recording = read_recording(path)
    report = eeg_report(recording.eeg)
    assert report.unit_ok, report.unit_verdict
    data = load_dataset(path, replace(SPEC, montage=cap.name))
    assert set(data.montage.ch_names) == set(cap.ch_names if names[0] == "Ch 1" else NAMES)
    model = cap.pick(data.montage.ch_names)
    live = take_in(ReplaySource(recording), model, cap)
    np.testing.assert_array_equal(live.scale[1:9], [1e-6] * 8)
    assert clean(recording, model, cap=cap, mains_hz=None).x.std() == pytest.approx(data.x.std(), rel=0.2)


def test_electrodes_of_unlike_units_keep_theirs(tmp_path, signal):
    scaled = signal * ([1e-3] * 4 + [1] * 4)
    path = write(tmp_path / "x.xdf", scaled, unit=["millivolts"] * 4 + ["microvolts"] * 4)
    assert load_dataset(path, SPEC).x.std(axis=(0, 2)) == pytest.approx([10e-6] * 8, rel=0.5)


@pytest.mark.parametrize(
    ("fmt", "codes"),
    [
        ("int32", (4128769, 4128770)),
        ("int64", (2**53 + 1, 2**53 + 2)),
        ("double64", (202501021.0, 202501022.0)),
        ("int32", (-8191998, -8191997)),
    ],
)
def test_large_codes_stay_two_classes(tmp_path, signal, plain, fmt, codes):
    path = write(tmp_path / "x.xdf", signal, marks=codes, fmt=fmt)
    left, right = (str(int(code)) for code in codes)
    assert trials(path, {"left": left, "right": right}) == plain.trials
    assert trials(path, {"left": int(codes[0]), "right": int(codes[1])}) == plain.trials


@pytest.mark.parametrize("padding", ["   ", "\n", "\x00\x00", "\t"])
def test_padding_is_dropped_on_both_sides(tmp_path, signal, plain, padding):
    path = write(tmp_path / "x.xdf", signal, marks=[side + padding for side in SIDES])
    assert trials(path, SPEC.event_map) == plain.trials
    assert trials(path, {side: side + padding for side in SIDES}) == plain.trials


@pytest.mark.parametrize(
    ("marks", "fmt", "event_map"),
    [
        ([lambda i: f"left_{1.7e9 + i:.3f}", lambda i: f"right_{1.7e9 + i:.3f}"], "string", ("left_*", "right_*")),
        ([lambda i: f'{{"c":"left","n":{i}}}', lambda i: f'{{"c":"right","n":{i}}}'], "string", ("*left*", "*right*")),
        ([lambda i: ("left", str(i)), lambda i: ("right", str(i))], "string", ("left,*", "right,*")),
        ([lambda i: (1.7e9 + i, 1, 0.5), lambda i: (1.7e9 + i, 2, 0.5)], "double64", ("*,1,0.5", "*,2,*")),
    ],
    ids=["time", "json", "two texts", "three numbers"],
)  # fmt: skip
def test_labels_that_are_all_different_are_named_by_what_they_share(tmp_path, signal, plain, marks, fmt, event_map):
    path = write(tmp_path / "x.xdf", signal, marks=marks, fmt=fmt)
    assert trials(path, dict(zip(SIDES, event_map, strict=True))) == plain.trials
    with pytest.raises(NeuriptError, match=r"x6, .* x6.*\* stands for any text, as in --event 'left_hand="):
        load_dataset(path, SPEC)


def test_markers_of_several_numbers_are_named_with_their_stream(tmp_path, signal):
    marks = [lambda i: (1.7e9 + i, 1, 1.7e9 + i), lambda i: (1.7e9 + i, 2, 1.7e9 + i)]
    with pytest.raises(NeuriptError) as refused:
        load_dataset(write(tmp_path / "x.xdf", signal, marks=marks, fmt="double64"), SPEC)
    said = str(refused.value)
    assert "they hold '*,1,*' x6, '*,2,*' x6 ('cues' has 3 values per sample, which stand with commas between)" in said
    assert "--event 'left_hand=*,1,*'" in said
