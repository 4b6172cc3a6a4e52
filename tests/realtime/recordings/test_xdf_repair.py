"""What is saved of a damaged XDF file never costs another file."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import xdf_writer

from neuript.cli import main
from neuript.errors import NeuriptError
from neuript.realtime.recordings import xdf_repair
from neuript.realtime.recordings.xdf_repair import save_whole_chunks
from neuript.realtime.recordings.xdf_walk import clean_bytes, scan

SOMEBODYS = b"somebody's recording"


@pytest.fixture
def cut(tmp_path, rng):
    """Write a session that breaks off within a chunk; its path."""
    data = rng.standard_normal((500, 2)).astype(np.float32)
    whole = xdf_writer.session(data, 10 + np.arange(500) / 250.0, []).bytes()
    path = tmp_path / "cut.xdf"
    path.write_bytes(whole[:4000])
    return path


def test_the_whole_chunks_are_saved(cut, tmp_path):
    blob = cut.read_bytes()
    found = scan(blob)
    save_whole_chunks(blob, found, tmp_path / "new.xdf")
    saved = (tmp_path / "new.xdf").read_bytes()
    assert saved == clean_bytes(blob, found)
    assert scan(saved).intact


def test_a_file_that_appears_before_the_writing_is_not_replaced(cut, tmp_path, monkeypatch):
    """Somebody makes the file when the whole chunks are gathered: whoever looked before saw none."""
    out = tmp_path / "new.xdf"

    def gather(blob, found):
        out.write_bytes(SOMEBODYS)
        return clean_bytes(blob, found)

    monkeypatch.setattr(xdf_repair, "clean_bytes", gather)
    blob = cut.read_bytes()
    with pytest.raises(NeuriptError, match="exists already; give another name"):
        save_whole_chunks(blob, scan(blob), out)
    assert out.read_bytes() == SOMEBODYS


def test_no_look_decides_whether_a_file_is_replaced(cut, tmp_path, monkeypatch, capsys):
    """A look that came too early sees no file, though there is one now."""
    out = tmp_path / "new.xdf"
    out.write_bytes(SOMEBODYS)
    monkeypatch.setattr(Path, "exists", lambda self, **_: False)
    assert main(["xdf", "repair", str(cut), str(out)]) == 2
    assert "exists already" in capsys.readouterr().err
    assert out.read_bytes() == SOMEBODYS
    assert sorted(os.listdir(tmp_path)) == ["cut.xdf", "new.xdf"]


def test_a_file_that_could_not_be_written_whole_does_not_stay(cut, tmp_path, monkeypatch):
    def full(_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    blob = cut.read_bytes()
    with pytest.raises(NeuriptError, match="cannot be written: No space left on device; choose another place"):
        save_whole_chunks(blob, scan(blob), tmp_path / "new.xdf")
    assert os.listdir(tmp_path) == ["cut.xdf"]


def test_a_folder_that_is_not_there(cut, tmp_path):
    blob = cut.read_bytes()
    with pytest.raises(NeuriptError, match="cannot be written: No such file or directory"):
        save_whole_chunks(blob, scan(blob), tmp_path / "no" / "new.xdf")
