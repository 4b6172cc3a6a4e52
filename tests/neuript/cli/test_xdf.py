"""`neuript xdf repair` saves what is whole, and never costs another file."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import xdf_writer

from neuript.cli import main
from neuript.realtime.recordings import xdf_walk

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
    assert main(["xdf", "repair", str(cut), str(tmp_path / "new.xdf")]) == 0
    blob, saved = cut.read_bytes(), (tmp_path / "new.xdf").read_bytes()
    assert saved == xdf_walk.clean_bytes(blob, xdf_walk.scan(blob))
    assert xdf_walk.scan(saved).intact


def test_a_file_that_appears_before_the_writing_is_not_replaced(cut, tmp_path, monkeypatch, capsys):
    """Somebody makes the file when the whole chunks are gathered: whoever looked before saw none."""
    out, gather = tmp_path / "new.xdf", xdf_walk.clean_bytes

    def slowly(blob, found):
        out.write_bytes(SOMEBODYS)
        return gather(blob, found)

    monkeypatch.setattr(xdf_walk, "clean_bytes", slowly)
    assert main(["xdf", "repair", str(cut), str(out)]) == 2
    assert "exists already and is not replaced; give another name" in capsys.readouterr().err
    assert out.read_bytes() == SOMEBODYS
    assert sorted(os.listdir(tmp_path)) == ["cut.xdf", "new.xdf"]


def test_no_look_decides_whether_a_file_is_replaced(cut, tmp_path, monkeypatch, capsys):
    """A look that came too early sees no file, though there is one now."""
    out = tmp_path / "new.xdf"
    out.write_bytes(SOMEBODYS)
    monkeypatch.setattr(Path, "exists", lambda self, **_: False)
    assert main(["xdf", "repair", str(cut), str(out)]) == 2
    assert "exists already" in capsys.readouterr().err
    assert out.read_bytes() == SOMEBODYS
