"""The `.csv` of Muse recorders, read by the same function as every other recording."""

from __future__ import annotations

import numpy as np
import pytest

from neuript.errors import NeuriptError
from neuript.realtime.recordings.read import is_recording, read_recording
from neuript.realtime.recordings.recording import events_of
from neuript.realtime.recordings.replay_source import ReplaySource

MUSE = ("TP9", "AF7", "AF8", "TP10")
SFREQ = 256.0


@pytest.fixture
def muse(tmp_path, rng):
    """Eight seconds of four electrodes, an auxiliary input and a marker column; the path and the microvolts."""
    n = round(8 * SFREQ)
    table = np.zeros((n, 7))
    table[:, 0] = 1500 + np.arange(n) / SFREQ
    table[:, 1:6] = 12 * rng.standard_normal((n, 5))
    table[[300, 301, 900], 6] = 1, 2, 1  # one row an event, also side by side
    path = tmp_path / "m.csv"
    head = ",".join(["timestamps", *MUSE, "Right AUX", "Marker0"])
    np.savetxt(path, table, delimiter=",", header=head, comments="", fmt="%.7f")
    return path, table


def test_electrodes_become_eeg_in_microvolts(muse):
    path, table = muse
    eeg = read_recording(path).eeg
    assert eeg.info.ch_names == MUSE
    assert (eeg.info.sfreq, set(eeg.info.units), set(eeg.info.ch_types)) == (SFREQ, {"microvolts"}, {"EEG"})
    np.testing.assert_allclose(eeg.data, table[:, 1:5], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(eeg.timestamps, table[:, 0], atol=1e-6)


def test_marker_columns_become_events(muse):
    path, table = muse
    events = events_of(read_recording(path))
    assert [(e.label, e.stream) for e in events] == [("1", "Marker0"), ("2", "Marker0"), ("1", "Marker0")]
    np.testing.assert_allclose([e.time_s for e in events], table[[300, 301, 900], 0], atol=1e-6)


def test_a_marker_that_is_held_is_one_event(muse):
    path, table = muse
    table[600:650, 6] = 7
    head = ",".join(["timestamps", *MUSE, "Right AUX", "Marker0"])
    np.savetxt(path, table, delimiter=",", header=head, comments="", fmt="%.7f")
    assert [e.label for e in events_of(read_recording(path))] == ["1", "2", "7", "1"]


def test_it_replays_like_any_recording(muse):
    path, _ = muse
    recording = read_recording(path)
    assert len(ReplaySource(recording).pull(0.0)) == 32
    with pytest.raises(NeuriptError, match="no stream with the name, source id or type 'x'; it has"):
        read_recording(path, eeg="x")


def test_what_is_none_of_them_is_refused_in_words(tmp_path):
    for name, content, sentence in (
        ("t.csv", b"timestamps,TP9,AF7\n0,1,oops\n", "cannot be read"),
        ("b.csv", b"\xff\xfe\x00", "is not a recording"),
        ("s.csv", b"subject,age\n1,30\n", "must name 'timestamps'"),
        ("z.csv", b"", "is not a recording"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(NeuriptError, match=sentence):
            read_recording(tmp_path / name)
    assert not is_recording(tmp_path / "b.csv")
    assert not is_recording(tmp_path / "s.csv")
    assert is_recording(tmp_path / "t.csv")
