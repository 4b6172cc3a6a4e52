"""An error of a reader is called what it is: not every file that cannot be read is damaged."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from neuript.errors import NeuriptError
from neuript.realtime.live.computer import check_formats
from neuript.realtime.recordings.read import read_recording

mne = pytest.importorskip("mne")


def refusal(path) -> str:
    with pytest.raises(NeuriptError) as refused:
        read_recording(path)
    text = str(refused.value)
    assert "damaged" not in text
    assert "\n" not in text
    assert str(path) in text
    return text


@pytest.mark.parametrize(
    ("ending", "held"),
    [("epo", "epochs"), ("ave", "averages"), ("cov", "a covariance"), ("other", "epochs or averages")],
)
def test_a_fif_file_of_something_else(tmp_path, rng, ending, held):
    events = np.array([[100, 0, 1], [300, 0, 1], [500, 0, 1]])
    raw = mne.io.RawArray(1e-5 * rng.standard_normal((2, 1000)), mne.create_info(["C3", "C4"], 200.0, "eeg"))
    epochs = mne.Epochs(raw, events, tmin=0, tmax=0.4, baseline=None, preload=True, verbose="error")
    made = {"ave": epochs.average, "cov": lambda: mne.compute_covariance(epochs, verbose="error")}
    path = tmp_path / f"a-{ending}.fif"
    made.get(ending, lambda: epochs)().save(tmp_path / f"a-{ending.replace('other', 'epo')}.fif", verbose="error")
    if ending == "other":
        (tmp_path / "a-epo.fif").rename(path)
    assert f"holds {held} and no continuous recording; export the continuous recording" in refusal(path)


def write_set(path, data, **more):
    from scipy.io import savemat

    channels = np.array([("Cz",), ("Pz",)], dtype=[("labels", object)])
    eeg = {
        "data": data, "srate": 100.0, "nbchan": 2.0, "pnts": 100.0, "trials": 1.0, "xmin": 0.0, "xmax": 0.99,
        "chanlocs": channels, "event": np.zeros((0, 0)), "setname": "a", "ref": "common",
    }  # fmt: skip
    savemat(path, {"EEG": eeg | more}, appendmat=False)
    return path


def test_a_set_file_of_epochs(tmp_path, rng):
    path = write_set(tmp_path / "a.set", rng.standard_normal((2, 100, 5)).astype(np.float32), trials=5.0)
    assert "is cut into epochs; export the continuous recording" in refusal(path)


def test_a_data_file_that_was_renamed(tmp_path):
    path = tmp_path / "a.vhdr"
    path.write_text(
        "Brain Vision Data Exchange Header File Version 1.0\n[Common Infos]\nDataFile=pilot7.eeg\n"
        "DataFormat=BINARY\nDataOrientation=MULTIPLEXED\nNumberOfChannels=1\nSamplingInterval=5000\n"
        "[Binary Infos]\nBinaryFormat=INT_16\n[Channel Infos]\nCh1=Cz,,0.1,uV\n"
    )
    assert "refers to pilot7.eeg, which is not beside it; put it there" in refusal(path)
    assert "refers to pilot7.fdt, which" in refusal(write_set(tmp_path / "a.set", "pilot7.fdt"))


@pytest.mark.parametrize(
    ("name", "begin", "package"),
    [
        ("a.cnt", b"RIFF\x00\x00\x00\x00CNT eeph", "antio"),
        ("a.set", b"MATLAB 7.3 MAT-file, Platform: GLNXA64", "pymatreader"),
    ],
)
def test_a_reader_that_is_not_installed_is_named(tmp_path, monkeypatch, name, begin, package):
    monkeypatch.setitem(sys.modules, package, None)
    (tmp_path / name).write_bytes(begin.ljust(600, b"\x00"))
    assert f'needs the package {package}: pip install "neuript[formats]"' in refusal(tmp_path / name)


def test_doctor_names_what_cannot_be_read(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda package: None if package == "antio" else object())
    status, detail, _ = check_formats()
    assert status == "ok"
    assert "all but CNT of ANT eego: pip install 'neuript[formats]'" in detail


@pytest.mark.parametrize("name", ["a.edf", "a.bdf", "a.gdf", "a.cnt", "a.vhdr", "a.set", "a.fif"])
def test_a_damaged_file_is_called_damaged(tmp_path, name):
    (tmp_path / name).write_bytes(b"nonsense" * 100)
    with pytest.raises(NeuriptError, match=r"cannot be read as a recording \(.+\): it is damaged") as refused:
        read_recording(tmp_path / name)
    assert "\n" not in str(refused.value)
    assert "one of)" not in str(refused.value)
