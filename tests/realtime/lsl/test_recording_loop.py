"""The loop of a recorder on real streams: senders that start again, others that say the same, disks that fill."""

from __future__ import annotations

import time
import uuid
from types import SimpleNamespace

import numpy as np
import pytest
import pyxdf
from waiting import wait_for

from neuript.realtime.lsl import recording_loop
from neuript.realtime.lsl.library import pylsl
from neuript.realtime.lsl.recording_loop import RecordingLoop
from neuript.realtime.lsl.recording_rule import RecordingRule
from neuript.realtime.lsl.stream_tap import StreamTap

pytestmark = pytest.mark.lsl


class Sender:
    """An outlet of one channel that counts."""

    def __init__(self, source_id: str, *, label: str = "Cz", sfreq: float = 0.0) -> None:
        info = pylsl.StreamInfo("counter", "Count", 1, sfreq, "int32", source_id)
        info.desc().append_child("channels").append_child("channel").append_child_value("label", label)
        self._outlet: pylsl.StreamOutlet | None = pylsl.StreamOutlet(info)

    def send(self, *numbers: int) -> None:
        for number in numbers:
            self._outlet.push_sample([number])

    def heard(self) -> bool:
        return bool(self._outlet.wait_for_consumers(0.01))

    def end(self) -> None:
        self._outlet = None


@pytest.fixture
def source_id() -> str:
    return f"loop-{uuid.uuid4().hex[:8]}"


@pytest.fixture
def loop(tmp_path, source_id):
    """A recorder of the streams of this test alone."""
    made = RecordingLoop(tmp_path / "a.xdf", RecordingRule(source_ids=(source_id,), others="markers"))
    yield made
    made.finish()


def until(loop: RecordingLoop, condition, within_s: float = 30) -> None:
    def turn() -> bool:
        loop.turn()
        time.sleep(0.02)
        return bool(condition())

    wait_for(turn, within_s)


def ours(loop: RecordingLoop, source_id: str) -> list:
    return [s for s in loop.streams if s.info.source_id == source_id]


def numbers(path, source_id: str) -> list[list[int]]:
    streams, _ = pyxdf.load_xdf(path, synchronize_clocks=False, dejitter_timestamps=False)
    found = [s for s in streams if s["info"]["source_id"][0] == source_id]
    return [np.asarray(s["time_series"]).ravel().tolist() for s in found]


def test_a_sender_that_starts_again_is_gone_on_with_and_another_beside_it_is_not(loop, source_id):
    first = Sender(source_id)
    until(loop, first.heard)
    first.send(1, 2, 3)
    until(loop, lambda: [s.n_written for s in ours(loop, source_id)] == [3])
    beside = Sender(source_id)  # says the same while the first is there
    until(loop, lambda: len(ours(loop, source_id)) == 2)
    beside.send(100)
    first.send(4)
    until(loop, lambda: [s.n_written for s in ours(loop, source_id)] == [4, 1])
    beside.end()
    first.end()
    until(loop, lambda: not any(s.is_open for s in ours(loop, source_id)))
    again = Sender(source_id)
    until(loop, again.heard)
    again.send(5, 6)  # before it is clear whose place it takes
    until(loop, lambda: sum(s.n_written for s in ours(loop, source_id)) == 7)
    other = Sender(source_id, label="Pz")
    until(loop, other.heard)
    other.send(200)
    until(loop, lambda: len(ours(loop, source_id)) == 3)
    loop.finish()
    found = numbers(loop.path, source_id)
    assert sorted(map(sorted, found)) == [[1, 2, 3, 4, 5, 6], [100], [200]] or sorted(map(sorted, found)) == [
        [1, 2, 3, 4], [5, 6, 100], [200],
    ]  # fmt: skip


def test_what_finds_no_room_waits_and_is_written_when_there_is_some(loop, source_id, monkeypatch):
    sender = Sender(source_id)
    until(loop, sender.heard)
    sender.send(1)
    until(loop, lambda: [s.n_written for s in ours(loop, source_id)] == [1])
    monkeypatch.setattr(recording_loop, "room_bytes", lambda _folder: -1.0)
    loop._room = 0.0
    sender.send(2, 3)
    until(loop, lambda: loop.trouble)
    until(loop, lambda: ours(loop, source_id)[0].n_arrived == 3)
    assert "is full" in loop.trouble
    assert ours(loop, source_id)[0].n_written == 1
    monkeypatch.undo()
    until(loop, lambda: not loop.trouble)
    stream = ours(loop, source_id)[0]
    assert (stream.n_arrived, stream.n_written, stream.n_lost) == (3, 3, 0)
    loop.finish()
    assert numbers(loop.path, source_id) == [[1, 2, 3]]


def test_what_finds_no_room_to_the_end_is_counted(loop, source_id, monkeypatch):
    sender = Sender(source_id)
    until(loop, sender.heard)
    sender.send(1)
    until(loop, lambda: [s.n_written for s in ours(loop, source_id)] == [1])
    monkeypatch.setattr(recording_loop, "room_bytes", lambda _folder: -1.0)
    monkeypatch.setattr(recording_loop, "MOST_WAITING_BYTES", 0)
    loop._room = 0.0
    sender.send(2, 3)
    until(loop, lambda: ours(loop, source_id)[0].n_lost == 2)
    sender.send(4)
    loop.finish()
    stream = ours(loop, source_id)[0]
    assert (stream.n_arrived, stream.n_written, stream.n_lost) == (4, 1, 3)
    assert numbers(loop.path, source_id) == [[1]]


def test_a_stream_that_is_announced_and_cannot_be_connected_to_is_named(loop, source_id, monkeypatch):
    monkeypatch.setattr(recording_loop, "UNANSWERED_S", 0.3)
    nobody = pylsl.StreamInfo("behind a firewall", "Markers", 1, 0.0, "string", source_id)  # announced by no outlet
    monkeypatch.setattr(loop, "_resolver", SimpleNamespace(results=lambda: [nobody]))
    loop.turn()
    assert loop.status()["unanswered"] == []
    until(loop, lambda: loop.status()["unanswered"])
    assert "'behind a firewall' (Markers)" in loop.status()["unanswered"][0]
    assert loop.streams == []


def test_a_disk_that_takes_writes_and_keeps_nothing_is_trouble_until_it_does(loop, monkeypatch):
    def fails() -> None:
        raise OSError(5, "Input/output error")

    with monkeypatch.context() as patched:
        patched.setattr(loop._file, "keep", fails)
        loop._keep.at = 0.0
        loop.turn()
        loop._write_at = 0.0
        loop.turn()  # a write that succeeds says nothing about what is on the disk
        assert loop.trouble == "the recording cannot be written: Input/output error"
    loop._keep.at = 0.0
    loop.turn()
    assert loop.trouble == ""


def test_what_a_recorder_has_left_is_gone_on_with_where_it_has_left_something(tmp_path):
    rule = RecordingRule(others="markers")
    empty = tmp_path / "empty.xdf"
    empty.touch()
    for path in (empty, tmp_path / "none.xdf"):
        made = RecordingLoop(path, rule, go_on=True)
        made.finish()
        assert path.read_bytes().startswith(b"XDF:")


def test_an_instance_whose_place_another_has_taken_is_not_joined_again(loop, source_id, monkeypatch):
    replaced = pylsl.StreamInfo("counter", "Count", 1, 0.0, "int32", source_id)
    tap, joined = StreamTap(replaced), []
    monkeypatch.setattr(tap, "join", lambda: joined.append(tap))
    monkeypatch.setattr(loop, "_resolver", SimpleNamespace(results=lambda: [replaced]))
    loop._taps[replaced.uid()] = tap
    loop._done.add(replaced.uid())
    loop.turn()
    assert joined == []
    loop._done.clear()
    loop._retry.at = 0.0
    loop.turn()
    assert joined == [tap]
