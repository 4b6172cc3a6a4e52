from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from neuript.realtime.live import recording_ledger
from neuript.realtime.live.recording_ledger import RecordingLedger, StampTally
from neuript.realtime.recordings.write_xdf import XdfFile, header_chunk, numbers_chunk

HEADER = (
    "<info><name>amp</name><type>EEG</type><channel_count>1</channel_count><nominal_srate>100</nominal_srate>"
    "<channel_format>float32</channel_format><uid>u</uid></info>"
)


def tally_of(stamps: np.ndarray, first: float | None, at: int) -> StampTally:
    """Feed stamps in odd pieces; the recorder's first stamp becomes known after `at` samples."""
    tally, done = StampTally("amp", "u"), 0
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


def test_stamps_that_are_no_numbers_are_no_samples_of_any_span():
    tally = StampTally("amp", "u")
    tally.add([np.nan, 1.0])
    tally.begin(0.5)
    tally.add([np.nan, 2.0])
    assert (tally.n, tally.newest) == (2, 2.0)


def recorded(
    tmp_path, in_file: np.ndarray, *, offset_s: float | None = 0.0, lost: int = 0, said: dict | None = None, **more
):
    """A recorder that has ended, and what it left."""
    path = tmp_path / "a.xdf"
    file = XdfFile.new(path)
    file.write(header_chunk(1, HEADER))
    for k in range(0, len(in_file), 50):
        part = in_file[k : k + 50]
        file.write(numbers_chunk(1, np.zeros((len(part), 1)), part, "float32"))
    file.close()
    status = {"id": 1, "uid": "u", "name": "amp", "type": "EEG", "source_id": "a", "instances": 1,
              "first_uid": "u", "elsewhere": offset_s != 0.0, "offset_s": offset_s, "arrived": len(in_file) + lost,
              "written": len(in_file), "lost": lost, "first": in_file[0], "last": in_file[-1]}  # fmt: skip
    status |= said or {}
    plain = {"path": path, "losses": [], "problems": [], "refuses": "", "n_restarts": 0, "streams": [status],
             "stuck": False, "quiet_s": 0.0}  # fmt: skip
    plain["joined_after_s"] = {1: 0.2}
    recorder = SimpleNamespace(**{"close": lambda: None, "check": lambda: None, **plain, **more})
    recorder.stream = lambda uid: status if uid == "u" else None
    recorder.report = recorder.problems.append
    return recorder


def closed(recorder, sent: np.ndarray):
    tally = StampTally("amp", "u")
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
    assert "file" not in result.figures  # a report names no file


@pytest.mark.parametrize("n", [1, 300])
def test_what_came_here_and_is_not_in_the_file_is_missing_to_the_sample(tmp_path, n):
    hole = np.r_[STAMPS[:400], STAMPS[400 + n :]]
    result = closed(recorded(tmp_path, hole), STAMPS)
    assert result.figures["streams"][0]["missing"] == n
    assert (
        f"{n} samples of 'amp' are missing from the recording: it holds {1000 - n}, and 1000 were sent"
        in result.missing[0]
    )
    error = result.incomplete(tmp_path / "a.xdf")
    assert error.exit_code == 6
    assert result.missing[0] in str(error)


def test_what_arrived_at_the_recorder_and_was_not_written_is_missing(tmp_path):
    result = closed(recorded(tmp_path, STAMPS[:500], lost=42, refuses="the disk is full"), STAMPS[:500])
    assert result.missing[0] == "the disk is full"
    assert "42 samples of 'amp'" in result.missing[1]


@pytest.mark.parametrize("offset_s", [5000.0, -5000.0])
def test_stamps_of_another_computer_are_compared_on_its_clock_with_some_room(tmp_path, offset_s):
    ours = STAMPS + offset_s + 0.003  # the offset is only measured
    assert closed(recorded(tmp_path, STAMPS[100:], offset_s=offset_s), ours).missing == ()
    (tmp_path / "b").mkdir()
    hole = recorded(tmp_path / "b", np.r_[STAMPS[100:300], STAMPS[350:]], offset_s=offset_s)
    assert 40 <= closed(hole, ours).figures["streams"][0]["missing"] <= 60


def test_a_clock_that_was_not_measured_yet_is_waited_for_and_one_that_never_was_is_said(tmp_path):
    recorder = recorded(tmp_path, STAMPS[100:], offset_s=None)
    tally = StampTally("amp", "u")
    ledger = RecordingLedger(recorder, [tally])
    tally.add(STAMPS[:500] + 7000.0)
    ledger.check()
    assert not tally.begun
    recorder.streams[0]["offset_s"] = 7000.0
    ledger.check()
    tally.add(STAMPS[500:] + 7000.0)
    assert ledger.close().missing == ()
    assert tally.n == 900
    (tmp_path / "b").mkdir()
    never = closed(recorded(tmp_path / "b", STAMPS[100:], offset_s=None), STAMPS + 7000.0)
    assert never.missing == ()
    assert never.figures["streams"][0]["sent"] is None
    assert "'amp' was not compared" in never.notes[1]


@pytest.mark.parametrize("n", [0, 200])
def test_a_sender_that_came_back_with_another_clock_is_compared_by_its_number_of_samples(tmp_path, n):
    in_file = np.r_[STAMPS[100:400], STAMPS[400 + n :] - 3000.0]  # its computer was started again
    recorder = recorded(tmp_path, in_file, offset_s=5000.0)
    tally = StampTally("amp", "u")
    ledger = RecordingLedger(recorder, [tally])
    tally.add(STAMPS[:400] + 5000.0)
    ledger.check()
    recorder.streams[0] |= {"instances": 2, "offset_s": 8000.0}
    tally.add(STAMPS[400:] + 5000.0)
    assert ledger.close().figures["streams"][0]["missing"] == n


def test_a_namesake_in_the_file_is_another_stream(tmp_path):
    recorder = recorded(tmp_path, STAMPS)
    recorder.streams.insert(0, recorder.streams[0] | {"id": 2, "first_uid": "other", "arrived": 0, "first": None})
    result = closed(recorder, STAMPS)
    assert result.missing == ()
    assert [row["sent"] for row in result.figures["streams"]] == [None, 1000]


def test_what_goes_on_here_and_not_at_the_recorder_is_said_once_while_it_runs(tmp_path):
    now = [0.0]
    recorder, tally = recorded(tmp_path, STAMPS[:100]), StampTally("amp", "u")
    ledger = RecordingLedger(recorder, [tally], clock=lambda: now[0])
    for k in range(10):
        now[0] = float(k)
        tally.add(STAMPS[100 * k : 100 * (k + 1)])
        recorder.streams[0]["arrived"] += 100
        ledger.check()
    for k in range(8):  # the EEG itself has stopped
        now[0] = 10.0 + k
        ledger.check()
    recorder.quiet_s = 9.0
    for k in range(12):  # the recorder stands still, and may catch up
        now[0] = 18.0 + k
        tally.add(np.array([18.0 + k]))
        ledger.check()
    assert recorder.problems == []
    recorder.quiet_s = 0.3
    for k in range(12):
        now[0] = 30.0 + k
        tally.add(np.array([30.0 + k]))
        ledger.check()
    assert len(recorder.problems) == 1
    assert "nothing of it has come to the recorder for 5 s" in recorder.problems[0]


def test_a_second_interrupt_ends_the_comparison_and_not_the_report(tmp_path, caplog):
    def interrupted() -> None:
        raise KeyboardInterrupt

    result = closed(recorded(tmp_path, STAMPS, close=interrupted), STAMPS)
    assert result.figures["complete"] is False
    assert "not compared" in result.missing[0]
    assert result.missing[0] in caplog.text


def test_a_disk_that_does_not_answer_is_not_asked(tmp_path):
    recorder = recorded(tmp_path, STAMPS, stuck=True, losses=["its disk does not answer"])
    recorder.path.unlink()
    assert closed(recorder, STAMPS).missing == ("its disk does not answer",)


def test_a_stream_that_the_recorder_never_had_is_said(tmp_path):
    recorder = recorded(tmp_path, STAMPS)
    recorder.stream = lambda uid: None
    assert "'amp' is not in the recording at all" in closed(recorder, STAMPS).missing[0]


def test_a_file_that_is_gone_or_torn_is_said(tmp_path):
    recorder = recorded(tmp_path, STAMPS)
    with recorder.path.open("ab") as file:
        file.write(b"\x04\xff")
    assert closed(recorder, STAMPS).missing == ("the last 2 bytes of the recording are torn",)
    recorder.path.unlink()
    gone = closed(recorder, STAMPS)
    assert "the recording cannot be read: No such file" in gone.missing[0]
    assert recorder.path.name not in str(gone.figures)


def test_a_recorder_that_died_makes_it_incomplete(tmp_path):
    result = closed(recorded(tmp_path, STAMPS, losses=["it has died"], n_restarts=1), STAMPS)
    assert result.missing == ("it has died",)
    assert result.figures["recorder_restarts"] == 1


def test_what_is_remembered_before_counting_begins_is_bounded_whatever_the_stamps(monkeypatch):
    tally = StampTally("amp", "uid")
    seconds = iter(range(10_000))
    monkeypatch.setattr(recording_ledger.time, "monotonic", lambda: float(next(seconds)))
    tally.add([1000.0, np.nan])
    for k in range(500):
        tally.add([500.0 + k, np.nan])  # the sender's clock went back
    tally.begin(900.0)
    assert tally.n == 61  # of the last minute by the clock here: stamps 939 to 999
