from __future__ import annotations

import errno
import os
import random

import numpy as np
import pytest
import pyxdf
from processes import finished, python

from neuript.realtime.recordings import write_xdf
from neuript.realtime.recordings.read import read_recording
from neuript.realtime.recordings.write_xdf import (
    XdfFile,
    boundary_chunk,
    footer_chunk,
    header_chunk,
    numbers_chunk,
    offset_chunk,
    texts_chunk,
)
from neuript.realtime.recordings.xdf_bytes import load_bytes
from neuript.realtime.recordings.xdf_skim import skim
from neuript.realtime.recordings.xdf_walk import DTYPES, scan

TEXTS = [b"left hand", "grün".encode(), b"", b"x" * 300]


def header(name: str, n_chans: int, sfreq: float, channel_format: str) -> str:
    return (
        f"<info><name>{name}</name><type>EEG</type><channel_count>{n_chans}</channel_count><nominal_srate>{sfreq}"
        f"</nominal_srate><channel_format>{channel_format}</channel_format><uid>{name}</uid></info>"
    )


def write_session(path, rng, n_chunks: int = 20) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """Write EEG and markers; return samples, stamps, and the size of the file after each chunk."""
    file, ends = XdfFile.new(path), []

    def put(data: bytes) -> None:
        file.write(data)
        ends.append(file.n_bytes)

    put(header_chunk(1, header("amp", 3, 250.0, "float32")))
    put(header_chunk(2, header("cues", 1, 0.0, "string")))
    x = rng.normal(size=(25 * n_chunks, 3)).astype(np.float32)
    t = 100 + np.arange(len(x)) / 250
    for k in range(n_chunks):
        part = slice(25 * k, 25 * (k + 1))
        put(numbers_chunk(1, x[part], t[part], "float32"))
        if k % 5 == 0:
            put(offset_chunk(1, float(t[part][0]), 0.0))
            put(texts_chunk(2, [[TEXTS[k // 5]]], [float(t[part][0])]))
            put(boundary_chunk())
    file.close()
    return x, t, ends


def test_pyxdf_reads_what_was_written_bit_for_bit(tmp_path, rng):
    path = tmp_path / "a.xdf"
    x, t, _ = write_session(path, rng)
    streams, _ = pyxdf.load_xdf(path, synchronize_clocks=False, dejitter_timestamps=False)
    amp, cues = streams
    assert np.array_equal(amp["time_series"], x)
    assert np.array_equal(amp["time_stamps"], t)
    assert [row[0].encode() for row in cues["time_series"]] == TEXTS
    assert np.array_equal(cues["time_stamps"], t[::125])
    assert scan(load_bytes(path)).intact


@pytest.mark.parametrize("channel_format", list(DTYPES))
def test_every_number_format(tmp_path, channel_format):
    x = np.array([[1, -2], [3, 4], [100, -100]]).astype(DTYPES[channel_format])
    file = XdfFile.new(tmp_path / "a.xdf")
    file.write(header_chunk(7, header("amp", 2, 100.0, channel_format)))
    file.write(numbers_chunk(7, x, np.array([1.0, 1.01, 1.02]), channel_format))
    file.write(footer_chunk(7, 3, 1.0, 1.02))
    file.close()
    (stream,), _ = pyxdf.load_xdf(tmp_path / "a.xdf", dejitter_timestamps=False)
    assert np.array_equal(stream["time_series"], x)
    assert stream["footer"]["info"]["sample_count"] == ["3"]
    assert skim(tmp_path / "a.xdf").ended


def test_a_file_that_is_there_is_never_overwritten(tmp_path):
    (tmp_path / "a.xdf").write_bytes(b"somebody's")
    with pytest.raises(FileExistsError):
        XdfFile.new(tmp_path / "a.xdf")
    assert (tmp_path / "a.xdf").read_bytes() == b"somebody's"


def test_a_power_cut_anywhere_costs_no_more_than_the_chunk_that_it_cuts(tmp_path, rng):
    """200 cuts: what is recovered, and what is gone on with, ends at the last whole chunk."""
    path, cut = tmp_path / "a.xdf", tmp_path / "cut.xdf"
    _, _, ends = write_session(path, rng)
    blob, places = path.read_bytes(), random.Random(5)
    for at in sorted(places.sample(range(ends[1], len(blob)), 200)):
        cut.write_bytes(blob[:at])
        whole = max(end for end in ends if end <= at)
        assert skim(cut).n_whole == whole
        assert scan(blob[:at]).n_kept == whole
        file = XdfFile.go_on(cut)
        file.write(numbers_chunk(1, np.zeros((2, 3), np.float32), np.array([900.0, 901.0]), "float32"))
        file.close()
        assert cut.read_bytes()[:whole] == blob[:whole]
        found = scan(load_bytes(cut))
        assert found.intact
        assert found.streams[1].n_samples == scan(blob[:whole]).streams[1].n_samples + 2


def test_what_a_cut_leaves_is_read_like_any_recording(tmp_path, rng):
    path = tmp_path / "a.xdf"
    x, _, ends = write_session(path, rng)
    path.write_bytes(path.read_bytes()[: ends[-1] - 7])
    assert len(read_recording(path, eeg="amp").eeg) == len(x) - 25


def test_a_chunk_for_which_there_is_no_room_is_taken_back(tmp_path, rng, monkeypatch):
    path = tmp_path / "a.xdf"
    write_session(path, rng)
    before, real, calls = path.read_bytes(), os.write, []

    def half(descriptor: int, data: memoryview) -> int:
        calls.append(len(data))
        if len(calls) == 1:
            return real(descriptor, data[: len(data) // 2])
        raise OSError(errno.ENOSPC, "No space left on device")

    file = XdfFile.go_on(path)
    size = file.n_bytes
    monkeypatch.setattr(write_xdf.os, "write", half)
    with pytest.raises(OSError, match="No space left"):
        file.write(boundary_chunk())
    monkeypatch.undo()
    assert path.stat().st_size == size
    assert len(calls) == 2
    file.write(boundary_chunk())  # there is room again
    file.close()
    assert scan(load_bytes(path)).intact
    assert path.read_bytes().startswith(before)


@pytest.mark.skipif(os.name != "posix", reason="moves an open file")
def test_a_file_that_is_moved_away_is_known(tmp_path):
    file = XdfFile.new(tmp_path / "a.xdf")
    assert file.is_in_place
    file.close()
    assert file.is_in_place
    file = XdfFile.go_on(tmp_path / "a.xdf")
    (tmp_path / "a.xdf").rename(tmp_path / "b.xdf")
    assert not file.is_in_place
    (tmp_path / "a.xdf").write_bytes(b"another")
    assert not file.is_in_place
    file.close()


@pytest.mark.skipif(os.name != "posix", reason="needs RLIMIT_FSIZE")
def test_a_real_limit_on_the_file_leaves_it_whole(tmp_path):
    path = tmp_path / "a.xdf"
    code = """
import resource, sys, pathlib
from neuript.realtime.recordings.write_xdf import XdfFile, boundary_chunk
resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))
file, n = XdfFile.new(pathlib.Path(sys.argv[1])), 0
try:
    while True: file.write(boundary_chunk()); n += 1
except OSError as error:
    print(n, error.strerror)
"""
    done = finished(python(code, path), ok=True)
    n, words = done.stdout.strip().split(" ", 1)
    assert words == "File too large"
    found = scan(load_bytes(path))
    assert found.intact
    assert found.n_chunks == int(n) + 1
