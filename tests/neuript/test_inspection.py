"""`neuript.inspect` from Python: typed reports of recordings and models."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

import numpy as np
import pytest
import xdf_writer

import neuript
from neuript.errors import NeuriptError
from neuript.inspection import ModelReport
from neuript.realtime.recordings.recording_report import RecordingReport

SFREQ = 250.0


@pytest.fixture
def session(tmp_path, rng):
    """Eight seconds of two electrodes with 50 Hz, a gap of 0.4 s, three events, and a second signal."""
    n = 2000
    stamps = 100 + np.arange(n) / SFREQ
    stamps[1600:] += 0.4
    hum = 60 * np.sin(2 * np.pi * 50 * np.arange(n) / SFREQ)
    data = (15 * rng.standard_normal((n, 2)) + hum[:, None]).astype(np.float32)
    out = xdf_writer.session(data, stamps, [(101.0, "b"), (102.0, "a"), (103.0, "b")], labels=["C3", "C4"])
    out.stream(3, "Raw", "Misc", 2, SFREQ, "float32", xdf_writer.channels_xml(["P3", "P4"]))
    for i in range(0, n, 50):
        out.samples(3, stamps[i : i + 50].tolist(), 15 * rng.standard_normal((50, 2)))
    return out.save(tmp_path / "s.xdf")


def test_a_recording(session):
    report = neuript.inspect(session)
    assert isinstance(report, RecordingReport)
    assert (report.path, report.file_format, report.n_bytes) == (session, "XDF", session.stat().st_size)
    eeg, markers, raw = report.streams
    assert [s.is_eeg for s in report.streams] == [True, False, False]
    assert (eeg.n_chans, eeg.n_times, eeg.sfreq, set(eeg.units)) == (2, 2000, SFREQ, {"microvolts"})
    assert [(g.index, g.n_missing) for g in eeg.gaps] == [(1600, 100)]
    assert eeg.gaps_after_s == pytest.approx([1599 / SFREQ])
    assert (markers.events, raw.events, markers.is_markers) == ({"b": 2, "a": 1}, {}, True)
    assert report.duration_s == pytest.approx(1999 / SFREQ + 0.4)
    assert report.eeg.unit_ok
    assert report.eeg.mains_hz == 50.0
    assert [(c.label, c.verdict, c.odd) for c in report.eeg.channels] == [("C3", "ok", False), ("C4", "ok", False)]


def test_another_stream_as_the_eeg(session):
    report = neuript.inspect(str(session), eeg="Raw")
    assert [s.is_eeg for s in report.streams] == [False, False, True]
    assert [c.label for c in report.eeg.channels] == ["P3", "P4"]
    assert report.eeg.mains_hz is None


def test_a_recording_without_eeg(tmp_path):
    out = xdf_writer.XdfWriter().stream(1, "M", "Markers", fmt="string").samples(1, [1.0], ["a"])
    assert neuript.inspect(out.save(tmp_path / "m.xdf")).eeg is None


@pytest.mark.parametrize("name", ["demo.ts", "twin-micro.safetensors"])
def test_a_model(name):
    with resources.as_file(resources.files("neuript.weights")) as folder:
        report = neuript.inspect(folder / name)
        assert report.path == Path(folder) / name
    assert isinstance(report, ModelReport)
    assert report.manifest.n_chans > 1
    assert " ".join(report.manifest.ch_names) in report.description


def test_what_is_neither(tmp_path):
    for name in ("none.xdf", "none.ts", "notes.txt"):
        with pytest.raises(NeuriptError, match=name):
            neuript.inspect(tmp_path / name)
