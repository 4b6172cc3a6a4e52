from __future__ import annotations

import numpy as np
import pytest
import xdf_writer

from neuript.errors import NeuriptError
from neuript.realtime.recordings.write_xdf import XdfFile, header_chunk, numbers_chunk, texts_chunk
from neuript.realtime.recordings.xdf_bytes import load_bytes
from neuript.realtime.recordings.xdf_skim import skim
from neuript.realtime.recordings.xdf_walk import scan

HEADER = (
    "<info><name>s</name><type>EEG</type><channel_count>2</channel_count><nominal_srate>{rate}</nominal_srate>"
    "<channel_format>{format}</channel_format><uid>u</uid></info>"
)


@pytest.fixture
def recorded(tmp_path, rng):
    """A file, and the stamps of its stream 4 (numbers, not all in order) and 9 (texts)."""
    path = tmp_path / "a.xdf"
    file = XdfFile.new(path)
    file.write(header_chunk(4, HEADER.format(rate=100, format="int16")))
    file.write(header_chunk(9, HEADER.format(rate=0, format="string")))
    stamps = {4: rng.permutation(np.arange(300) / 100), 9: np.sort(rng.uniform(0, 3, 40))}
    for k in range(0, 300, 7):
        part = stamps[4][k : k + 7]
        file.write(numbers_chunk(4, np.ones((len(part), 2)), part, "int16"))
    for k in range(0, 40, 3):
        part = stamps[9][k : k + 3]
        file.write(texts_chunk(9, [[b"a" * (k + 1), b""]] * len(part), part.tolist()))
    file.close()
    return path, stamps


def test_counts_are_those_of_the_walk_over_every_byte(recorded):
    path, stamps = recorded
    found, walked = skim(path), scan(load_bytes(path))
    assert found.n_whole == found.n_bytes == walked.n_kept
    assert {i: s.n_samples for i, s in found.streams.items()} == {i: s.n_samples for i, s in walked.streams.items()}
    for i, stream in found.streams.items():
        assert (stream.first, stream.last) == (stamps[i][0], stamps[i][-1])
    assert not found.ended


@pytest.mark.parametrize("span", [(0.5, 2.0), (-1.0, 9.0), (2.0, 2.0), (3.0, 1.0), (-np.inf, 1.0)])
def test_samples_in_a_span_are_counted(recorded, span):
    path, stamps = recorded
    found = skim(path, {4: span, 9: span})
    for i in (4, 9):
        assert found.streams[i].n_within == np.sum((stamps[i] >= span[0]) & (stamps[i] <= span[1]))


def test_files_of_other_recorders_are_skimmed_up_to_their_counts(tmp_path, rng):
    stamps = np.arange(500) / 250
    path = xdf_writer.session(rng.normal(size=(500, 3)), stamps, [(1.0, "a")]).save(tmp_path / "a.xdf")
    found = skim(path)
    assert [s.n_samples for s in found.streams.values()] == [500, 1]
    assert found.ended


@pytest.mark.parametrize("content", [b"", b"XD", b"no recording"])
def test_what_is_no_xdf_is_refused(tmp_path, content):
    (tmp_path / "a.xdf").write_bytes(content)
    with pytest.raises(NeuriptError, match="not an XDF file"):
        skim(tmp_path / "a.xdf")
