from __future__ import annotations

import socket
from types import SimpleNamespace

import numpy as np
import pytest

from neuript.realtime.live.recording_ledger import REMEMBER_S, RecordingLedger, StampTally
from neuript.realtime.recordings.write_xdf import XdfFile, header_chunk, numbers_chunk

HEADER = (
    "<info><name>amp</name><type>EEG</type><channel_count>1</channel_count><nominal_srate>100</nominal_srate>"
    "<channel_format>float32</channel_format><uid>u</uid></info>"
)


def tally_of(stamps: np.ndarray, first: float | None, at: int) -> StampTally:
    """Feed stamps in odd pieces; the recorder's first stamp becomes known after `at` samples."""
    tally, done = StampTally("amp", "a"), 0
    for n in [1, 7, 0, 30] * (len(stamps) // 38 + 1):
        tally.add(stamps[done : done + n])
        done += n
        if first is not None and done >= at:
            tally.begin(first)
    return tally


@pytest.mark.parametrize("first", [0.0, 1.005, 2.5, 99.0])
@pytest.mark.parametrize("at", [0, 400, 950])
def test_samples_are_counted_from_the_recorders_first_stamp_on_whenever_that_is_known(rng, first, at):
    stamps = rng.permutation(np.arange(1000) / 100)
    tally = tally_of(stamps, first, at)
    assert tally.n == np.sum(stamps >= first)
    assert tally.newest == stamps.max()


def test_what_is_kept_meanwhile_is_bounded():
    tally = tally_of(np.arange(200_000) / 100, None, 0)
    assert sum(map(len, tally._recent)) < 100 * (REMEMBER_S + 2)


def test_stamps_that_are_no_numbers_are_no_samples_of_any_span():
    tally = StampTally("amp", "a")
    tally.add([np.nan, 1.0])
    tally.begin(0.5)
    tally.add([np.nan, 2.0])
    assert (tally.n, tally.newest) == (2, 2.0)


def recorded(tmp_path, in_file: np.ndarray, *, hostname: str = "", offset_s: float = 0.0, lost: int = 0, **more):
    """A recorder that has ended, and what it left."""
    path = tmp_path / "a.xdf"
    file = XdfFile.new(path)
    file.write(header_chunk(1, HEADER))
    for k in range(0, len(in_file), 50):
        part = in_file[k : k + 50]
        file.write(numbers_chunk(1, np.zeros((len(part), 1)), part, "float32"))
    file.close()
    status = {"id": 1, "uid": "u", "name": "amp", "type": "EEG", "source_id": "a", "instances": 1,
              "hostname": hostname or socket.gethostname(), "offset_s": offset_s, "arrived": len(in_file) + lost,
              "written": len(in_file), "lost": lost, "first": in_file[0], "last": in_file[-1]}  # fmt: skip
    plain = {"path": path, "losses": [], "problems": [], "refuses": "", "n_restarts": 0, "streams": [status]}
    plain["joined_after_s"] = {1: 0.2}
    recorder = SimpleNamespace(**{**plain, **more}, close=lambda: None)
    recorder.stream = lambda name, source_id: status if (name, source_id) == ("amp", "a") else None
    return recorder


def closed(recorder, sent: np.ndarray):
    tally = StampTally("amp", "a")
    tally.add(sent)
    return RecordingLedger(recorder, [tally]).close()


STAMPS = np.arange(1000) / 100


def test_a_whole_file_is_whole(tmp_path):
    result = closed(recorded(tmp_path, STAMPS[150:]), STAMPS[:980])  # joined later, and took what came after the end
    assert result.missing == ()
    assert result.figures["complete"] is True
    assert result.figures["streams"][0] == {
        "name": "amp", "type": "EEG", "source_id": "a", "joined_after_s": 0.2, "sent": 830, "arrived": 850,
        "in_file": 850, "missing": 0,
    }  # fmt: skip


@pytest.mark.parametrize("n", [1, 300])
def test_what_came_here_and_is_not_in_the_file_is_missing_to_the_sample(tmp_path, n):
    hole = np.r_[STAMPS[:400], STAMPS[400 + n :]]
    result = closed(recorded(tmp_path, hole), STAMPS)
    assert result.figures["streams"][0]["missing"] == n
    assert f"{n} samples of 'amp' are missing from a.xdf: it holds {1000 - n}, and 1000 were sent" in result.missing[0]
    error = result.incomplete(tmp_path / "a.xdf")
    assert error.exit_code == 6


def test_what_arrived_at_the_recorder_and_was_not_written_is_missing(tmp_path):
    result = closed(recorded(tmp_path, STAMPS[:500], lost=42, refuses="the disk is full"), STAMPS[:500])
    assert result.missing[0] == "the disk is full"
    assert "42 samples of 'amp'" in result.missing[1]


def test_stamps_of_another_computer_are_compared_on_its_clock_with_some_room(tmp_path):
    recorder = recorded(tmp_path, STAMPS[100:], hostname="elsewhere", offset_s=5000.0)
    ours = STAMPS + 5000.003  # the offset is only measured
    assert closed(recorder, ours).missing == ()
    (tmp_path / "b").mkdir()
    hole = recorded(tmp_path / "b", np.r_[STAMPS[100:300], STAMPS[500:]], hostname="elsewhere", offset_s=5000.0)
    assert closed(hole, ours).figures["streams"][0]["missing"] >= 190


def test_a_stream_that_the_recorder_never_had_is_said(tmp_path):
    recorder = recorded(tmp_path, STAMPS)
    recorder.stream = lambda name, source_id: None
    assert "'amp' is not in a.xdf at all" in closed(recorder, STAMPS).missing[0]


def test_a_file_that_is_gone_or_torn_is_said(tmp_path):
    recorder = recorded(tmp_path, STAMPS)
    with recorder.path.open("ab") as file:
        file.write(b"\x04\xff")
    assert closed(recorder, STAMPS).missing == ("the last 2 bytes of a.xdf are torn",)
    recorder.path.unlink()
    assert "cannot be read" in closed(recorder, STAMPS).missing[0]


def test_a_recorder_that_died_makes_it_incomplete(tmp_path):
    result = closed(recorded(tmp_path, STAMPS, losses=["it has died"], n_restarts=1), STAMPS)
    assert result.missing == ("it has died",)
    assert result.figures["recorder_restarts"] == 1
