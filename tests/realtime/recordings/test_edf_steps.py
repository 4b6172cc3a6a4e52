"""Few records, frequent pauses and rounded begins of EDF+ files: samples lie where the file says."""

from __future__ import annotations

import numpy as np
import pytest
from edf_plus import write_edf_plus

from neuript.errors import NeuriptError
from neuript.realtime.recordings.read import read_recording
from neuript.realtime.recordings.recording import events_of

SFREQ = 100


def read(folder, begins, *, record_s=1.0, kind="EDF+C", decimals=None, notes=(), sfreq=SFREQ):
    """Read a file of these begins; `decimals` are those that its recorder writes."""
    n = round(record_s * sfreq)
    x = np.round(20 * np.random.default_rng(1).standard_normal((len(begins) * n, 2)), 1)
    if decimals is not None:
        begins = [begin if isinstance(begin, bytes) else f"+{begin:.{decimals}f}\x14\x14".encode() for begin in begins]
    path = folder / "a.edf"
    write_edf_plus(path, x, n_per_record=n, record_s=record_s, kind=kind, begins=begins, notes=notes)
    return read_recording(path)


def each_from_its_begin(begins, record_s=1.0, sfreq=SFREQ):
    """Times of all samples of records that last what they declare."""
    return np.add.outer(np.asarray(begins), np.arange(round(record_s * sfreq)) / sfreq).ravel()


@pytest.mark.parametrize("kind", ["EDF+C", "EDF+D"])
@pytest.mark.parametrize(
    ("begins", "record_s", "gaps"),
    [
        (60.06 * np.arange(9), 60.0, [(6000 * k, 6) for k in range(1, 9)]),
        (12.0 * np.arange(5), 10.0, [(1000 * k, 200) for k in range(1, 5)]),
        ([0.0, 40.0], 10.0, [(1000, 3000)]),
        ([0.0, 3.0], 2.5, [(250, 50)]),
        ([0.0, 1.0, 2.0], 0.5, [(50, 50), (100, 50)]),
        ([0, 1, 2, 3.5, 4.5, 5.5, 6.5, 7.5, 10.5], 1.0, [(300, 50), (800, 200)]),
    ],
)
def test_few_records_begin_where_they_say(tmp_path, kind, begins, record_s, gaps):
    last = begins[-1] + 0.5 * record_s
    notes = [(len(begins) - 1, f"+{last:g}\x14go\x14".encode())]
    recording = read(tmp_path, begins, record_s=record_s, kind=kind, notes=notes)
    np.testing.assert_allclose(recording.eeg.timestamps, each_from_its_begin(begins, record_s), atol=1e-6)
    assert [(gap.index, gap.n_missing) for gap in recording.eeg.gaps] == gaps
    (event,) = events_of(recording)
    beside = np.searchsorted(recording.eeg.timestamps, event.time_s - 1e-3)
    assert beside == len(recording.eeg) - round(record_s * SFREQ) // 2
    said = [w for w in recording.warnings if "calls itself continuous" in w and "gap" in w]
    assert len(said) == (kind == "EDF+C")


def test_few_records_of_a_clock_that_is_a_little_off_keep_their_begins(tmp_path):
    begins = np.cumsum([0, 1.004, 0.992, 1.01, 1.008])
    recording = read(tmp_path, begins)
    times = recording.eeg.timestamps
    np.testing.assert_allclose(times[::SFREQ], begins, atol=1e-6)
    assert (np.diff(times) > 0).all()
    assert not recording.eeg.gaps
    assert recording.warnings == []


@pytest.mark.parametrize("kind", ["EDF+C", "EDF+D"])
@pytest.mark.parametrize(("lost_s", "every"), [(0.05, 3), (0.3, 2), (0.3, 4), (0.04, 1.5), (1.0, 3)])
def test_frequent_pauses_are_gaps(tmp_path, kind, lost_s, every):
    begins = np.arange(60) + lost_s * np.floor(np.arange(60) / every)
    recording = read(tmp_path, begins, kind=kind, decimals=2)
    np.testing.assert_allclose(recording.eeg.timestamps, each_from_its_begin(begins), atol=1e-6)
    where = np.flatnonzero(np.diff(begins) > 1.001) + 1
    lost = np.rint((np.diff(begins)[where - 1] - 1) * SFREQ)
    assert [(gap.index, gap.n_missing) for gap in recording.eeg.gaps] == list(zip(SFREQ * where, lost, strict=True))


@pytest.mark.parametrize("short_s", [0.12, 0.115, 0.11, 0.104, 0.096, 0.09])
def test_a_file_that_says_it_pauses_has_no_other_rate(tmp_path, short_s):
    """Records of 10 samples that begin a sample or less too late or early, each time."""
    begins = short_s * np.arange(100)
    if short_s > 0.105:
        begins = begins + 0.01 * np.floor(np.arange(100) / 2)
        recording = read(tmp_path, begins, record_s=0.1, kind="EDF+D")
        np.testing.assert_allclose(recording.eeg.timestamps, each_from_its_begin(begins, 0.1), atol=1e-6)
        assert len(recording.eeg.gaps) == 99
    else:
        with pytest.raises(NeuriptError, match=r"begin 0\.\d+ s apart, and it says that it pauses") as caught:
            read(tmp_path, begins, record_s=0.1, kind="EDF+D")
        assert "--sfreq" not in str(caught.value)


@pytest.mark.parametrize("kind", ["EDF+C", "EDF+D"])
@pytest.mark.parametrize(
    ("record_s", "decimals", "ppm", "sfreq"),
    [(0.128, 2, 0, 125), (0.2, 2, 0, 500), (0.24, 2, 30, 100), (1.0, 3, 80, 2000), (2.5, 0, 0, 100), (1.0, 6, 5, 500)],
)
def test_rounding_and_a_crystal_are_no_pauses(tmp_path, kind, record_s, decimals, ppm, sfreq):
    begins = record_s * (1 + 1e-6 * ppm) * np.arange(150)
    recording = read(tmp_path, begins, record_s=record_s, kind=kind, decimals=decimals, sfreq=sfreq)
    assert not recording.eeg.gaps
    assert recording.warnings == []
    np.testing.assert_allclose(
        recording.eeg.timestamps, each_from_its_begin(begins, record_s, sfreq), atol=10.0**-decimals + 0.5 / sfreq
    )


def test_scatter_is_no_pause_and_a_pause_among_it_is_found(tmp_path):
    begins = 1 + np.arange(200) + np.random.default_rng(5).normal(0, 0.01, 200)
    begins[120:] += 2
    recording = read(tmp_path, begins, kind="EDF+D")
    assert [gap.index for gap in recording.eeg.gaps] == [12000]
    np.testing.assert_allclose(np.diff(recording.eeg.timestamps[:12000]), 0.01, atol=1e-4)


@pytest.mark.parametrize(
    ("begins", "record_s", "said"),
    [
        ([0] * 20, 1.0, "all the same"),
        ([0] * 2, 1.0, "all the same"),
        (np.rint(0.5 * np.arange(20)), 0.5, "rounded"),
        (np.floor(0.5 * np.arange(21)), 0.5, "rounded"),
        (np.floor(0.25 * np.arange(43)), 0.25, "rounded"),
    ],
)
def test_begins_that_are_no_times_leave_a_continuous_file_continuous(tmp_path, begins, record_s, said):
    note = (1, b"+0.75\x14go\x14")
    recording = read(tmp_path, begins, record_s=record_s, decimals=0, notes=[note])
    np.testing.assert_allclose(recording.eeg.timestamps, np.arange(len(recording.eeg)) / SFREQ, atol=1e-9)
    assert [event.time_s for event in events_of(recording)] == [0.75]
    (warning,) = recording.warnings
    assert said in warning
    assert "taken as following one another" in warning
    with pytest.raises(NeuriptError, match="run backwards"):
        read(tmp_path, begins, record_s=record_s, decimals=0, kind="EDF+D")


@pytest.mark.parametrize("begins", [[0, 1, 2, 2, 30, 31], [0, 1, 2, 1, 4, 5]])
def test_a_continuous_file_of_which_time_is_missing_nobody_knows_where_is_refused(tmp_path, begins):
    with pytest.raises(NeuriptError, match="run backwards"):
        read(tmp_path, begins)


def test_annotations_follow_the_rule_for_text(tmp_path):
    texts = ["début".encode(), "début".encode("latin-1"), "début".encode().decode("latin-1").encode(), "Ω é".encode()]
    notes = [(k, b"+%d\x14" % k + text + b"\x14") for k, text in enumerate(texts)]
    recording = read(tmp_path, np.arange(5), notes=notes)
    assert [event.label for event in events_of(recording)] == ["début", "début", "début", "Ω é"]
