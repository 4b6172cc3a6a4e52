"""A recording is known by its samples, and its files are found together: headers, samples, markers, parts, events."""

from __future__ import annotations

import hashlib
from pathlib import Path

import mne
import numpy as np
import pytest

from neuript.errors import NeuriptError
from neuript.realtime.recordings.recording_files import companions, recording_sha256, samples_file
from neuript.training.evaluate.pseudo_online.target_data import PersonSplit

HEADER = "Brain Vision Data Exchange Header File Version 1.0\r\n[Common Infos]\r\nDataFile={}\r\nMarkerFile={}\r\n"


def brainvision(folder: Path, name: str, samples: bytes, *, called: str = "$b") -> Path:
    header = folder / f"{name}.vhdr"
    header.write_bytes(HEADER.format(f"{called}.eeg", f"{called}.vmrk").encode())
    (folder / f"{called.replace('$b', name)}.eeg").write_bytes(samples)
    (folder / f"{called.replace('$b', name)}.vmrk").write_bytes(b"markers")
    return header


def test_companions_are_found(tmp_path: Path) -> None:
    for name in ("a.set", "a.fdt", "b.vhdr", "b.eeg", "b.vmrk", "c.edf"):
        (tmp_path / name).write_text(name)
    assert [p.name for p in companions(tmp_path / "a.set")] == ["a.fdt"]
    assert [p.name for p in companions(tmp_path / "b.vhdr")] == ["b.eeg", "b.vmrk"]
    assert companions(tmp_path / "c.edf") == []
    assert companions(tmp_path / "b.eeg") == []


def test_one_header_for_two_people_does_not_make_them_one(tmp_path: Path) -> None:
    one, two = brainvision(tmp_path, "S01", b"one"), brainvision(tmp_path, "S02", b"two")
    assert one.read_bytes() == two.read_bytes()
    assert recording_sha256(one) == hashlib.sha256(b"one").hexdigest()
    assert recording_sha256(two) == hashlib.sha256(b"two").hexdigest()
    PersonSplit(calibrate=(one,), test=(two,)).check("S01")
    with pytest.raises(NeuriptError, match="both a calibration and a test recording"):
        PersonSplit(calibrate=(one,), test=(one,)).check("S01")


def test_the_header_says_what_the_samples_are_called_and_no_other_folder(tmp_path: Path) -> None:
    header = brainvision(tmp_path, "renamed", b"one", called="first")
    assert [p.name for p in companions(header)] == ["first.eeg", "first.vmrk"]
    assert samples_file(header).name == "first.eeg"
    (tmp_path / "of.bin").write_bytes(b"of")
    (tmp_path / "of.vhdr").write_bytes(HEADER.format("of.bin", "of.vmrk").encode())
    assert samples_file(tmp_path / "of.vhdr").name == "of.bin"
    (tmp_path / "in").mkdir()
    header = tmp_path / "in" / "x.vhdr"
    header.write_bytes(HEADER.format("../first.eeg", "..\\first.vmrk").encode())
    assert companions(header) == []
    assert samples_file(header) == header


@pytest.mark.parametrize("end", ["fif", "fif.gz"])
def test_the_parts_and_the_events_of_fif(tmp_path: Path, end: str) -> None:
    raw = mne.io.RawArray(np.random.default_rng(0).normal(size=(8, 200_000)), mne.create_info(8, 250, "eeg"))
    path = tmp_path / f"x_raw.{end}"
    raw.save(path, split_size="3MB", verbose="error")
    mne.write_events(tmp_path / "x-eve.fif", np.array([[100, 0, 1]]), verbose="error")
    (tmp_path / f"x_raw-9.{end}").write_bytes(b"of somebody else")
    parts = [Path(name).name for name in mne.io.read_raw_fif(path, verbose="error").filenames]
    assert len(parts) > 2
    assert [p.name for p in companions(path)] == [*parts[1:], "x-eve.fif"]
    if end == "fif":
        assert [p.name for p in companions(tmp_path / parts[1])] == parts[2:]
    path.write_bytes(path.read_bytes()[:1000])
    assert [p.name for p in companions(path)] == ["x-eve.fif"]
