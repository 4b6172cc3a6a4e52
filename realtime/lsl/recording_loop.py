"""Streams into one XDF file: found, joined whenever they come, counted, and written while there is room."""

from __future__ import annotations

import contextlib
import logging
import math
import socket
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.lsl.discovery import StreamSummary
from neuript.realtime.lsl.library import pylsl
from neuript.realtime.lsl.recording_room import room_bytes
from neuript.realtime.lsl.recording_rule import SAME, SAME_AT_ONCE, RecordingRule
from neuript.realtime.lsl.stream_tap import Arrived, StreamTap
from neuript.realtime.recordings.header import signal_info
from neuript.realtime.recordings.write_xdf import (
    XdfFile,
    boundary_chunk,
    footer_chunk,
    header_chunk,
    numbers_chunk,
    offset_chunk,
    texts_chunk,
)
from neuript.realtime.recordings.xdf_skim import skim

logger = logging.getLogger(__name__)

WRITE_EVERY_S = 0.1
"""Seconds between two turns: what a killed recorder has not written yet."""
KEEP_EVERY_S = 1.0
"""Seconds after which what was written is put on the disk: what a power cut takes."""
BOUNDARY_EVERY_S = 10.0
OFFSETS_EVERY_S = 5.0
ROOM_EVERY_S = 0.5
RETRY_S = 1.0
"""Seconds between two tries to connect to a stream, or to write to a disk that refused."""
FORGET_S = 2.0
"""Seconds after which a stream that is announced no longer counts as gone."""
TWO_AFTER_S, DEAD_AFTER_S = 3.0, 20.0
"""Seconds after which a stream that looks like another is one of its own: where that one is still announced, and where
only its connection still stands (LSL notices after 15 s that nobody is there)."""
MOST_WAITING_BYTES = 32_000_000
"""Bytes that wait for room on the disk; what comes after them is lost, and counted."""
UNANSWERED_S = 5.0
"""Seconds after which a stream that is announced and could not be connected to is said to be missing."""
LAST_ROWS_S = 0.5
"""Seconds at the end in which what was sent before it still arrives."""


@dataclass
class FileStream:
    """One stream of the file, and what is known of its samples."""

    stream_id: int
    info: SignalInfo
    header_xml: str
    tap: StreamTap | None = None
    """Where it comes from; None in a file that is gone on with, before its sender is found."""
    headed: bool = False
    """Whether its header is on its way to the file."""
    n_arrived: int = 0
    n_written: int = 0
    n_lost: int = 0
    """Arrived, and never written: there was no room."""
    first: float = math.nan
    """Stamp of the first sample in the file, in seconds."""
    last: float = math.nan
    """Stamp of the last one."""
    n_instances: int = 1
    """How often its sender was started."""

    @property
    def elsewhere(self) -> bool:
        """Whether its stamps are, or were, of another computer's clock."""
        hosts = {self.info.hostname} | (set() if self.tap is None else {self.tap.summary.hostname})
        return hosts != {socket.gethostname()}

    @property
    def uid(self) -> str:
        """The instance that it comes from at the moment."""
        return self.info.uid if self.tap is None else self.tap.summary.uid

    @property
    def is_open(self) -> bool:
        """True while it is connected."""
        return self.tap is not None and self.tap.open

    def status(self) -> dict[str, Any]:
        """Return how it stands, as plain values for JSON."""
        tap = self.tap
        joined = tap is not None and not math.isnan(tap.joined_at)
        return {
            "id": self.stream_id,
            "uid": self.uid,
            "name": self.info.name,
            "type": self.info.stype,
            "source_id": self.info.source_id,
            "first_uid": self.info.uid,
            "elsewhere": self.elsewhere,
            "text": "" if tap is None else tap.summary.describe(),
            "events": self.info.sfreq == 0 and len(self.info.ch_names) == 1,
            "open": self.is_open,
            "missed_s": tap.joined_at - tap.summary.created_at if tap is not None and joined else None,
            "instances": self.n_instances,
            "offset_s": None if tap is None else tap.offset_s,
            "arrived": self.n_arrived,
            "written": self.n_written,
            "lost": self.n_lost,
            "first": None if math.isnan(self.first) else self.first,
            "last": None if math.isnan(self.last) else self.last,
        }


@dataclass
class _Block:
    """Chunks of one stream that wait to be written."""

    data: bytes
    stream: FileStream | None = None
    n: int = 0
    first: float = math.nan
    last: float = math.nan


@dataclass
class _Due:
    """When something is to be done again."""

    every_s: float
    at: float = field(default=-math.inf)

    def now(self) -> bool:
        now = time.monotonic()
        if now < self.at:
            return False
        self.at = now + self.every_s
        return True


class RecordingLoop:
    """What one recorder does, a turn at a time.

    Parameters
    ----------
    path : Path
        The file.
    rule : RecordingRule
        What is recorded.
    go_on : bool
        True adds to a file that a recorder has left, stream by stream, if there is one; False makes a new one.
    """

    def __init__(self, path: Path, rule: RecordingRule, *, go_on: bool = False) -> None:
        self.path, self.rule = path, rule
        self.streams: list[FileStream] = []
        self._troubles = {"write": "", "keep": ""}
        self._taps: dict[str, StreamTap] = {}
        """Streams that were joined, by their uids."""
        self._visible: set[str] = set()
        self._met: dict[str, float] = {}
        self._done: set[str] = set()
        self._waiting: deque[_Block] = deque()
        self._n_waiting = 0
        self._room = 0.0
        self._keep, self._mark, self._ask = _Due(KEEP_EVERY_S), _Due(BOUNDARY_EVERY_S), _Due(ROOM_EVERY_S)
        self._retry, self._write_at = _Due(RETRY_S), -math.inf
        self._file = self._gone_on() if go_on and _has_begun(path) else XdfFile.new(path)
        self._resolver = pylsl.ContinuousResolver(forget_after=FORGET_S)

    def _gone_on(self) -> XdfFile:
        """Take up the streams of a file that a recorder has left."""
        file = XdfFile.go_on(self.path)
        for stream_id, old in skim(self.path).streams.items():
            stream = FileStream(stream_id, signal_info(old.header_xml), old.header_xml, headed=True)
            stream.n_arrived = stream.n_written = old.n_samples
            stream.first, stream.last = old.first, old.last
            self.streams.append(stream)
        return file

    @property
    def trouble(self) -> str:
        """Why nothing can be written at the moment; empty while it can."""
        return self._troubles["write"] or self._troubles["keep"]

    def turn(self) -> None:
        """Look for streams, take what has come, write what can be written."""
        self._look()
        self._take()
        self._write()
        if self._keep.now():
            with self._as_trouble("keep"):
                self._file.keep()
                self._troubles["keep"] = ""

    def finish(self) -> None:
        """Take what still arrives, write the ends of the streams, and close the file."""
        until = time.monotonic() + LAST_ROWS_S
        while time.monotonic() < until:
            self._take()
            self._write()
            time.sleep(WRITE_EVERY_S / 2)
        for tap in self._taps.values():
            tap.leave()
        for tap, info in self._unplaced():
            self._begin(tap, info)
        self._take()
        self._write_at = -math.inf
        self._write()
        for block in self._waiting:
            _lose(block)
        with self._as_trouble("write"):
            for stream in self.streams:
                first, last = (stream.first, stream.last) if stream.n_written else (0.0, 0.0)
                if stream.headed:
                    self._file.write(footer_chunk(stream.stream_id, stream.n_written, first, last))
        with self._as_trouble("keep"):
            self._file.keep()
        self._file.close()

    def measure_offsets(self, *, all_of_them: bool = True) -> None:
        """Ask every stream, or those that never answered, for its clock; may take seconds: in a thread of its own."""
        for tap in list(self._taps.values()):
            if all_of_them or tap.offset_s is None:
                tap.measure_offset()

    def status(self) -> dict[str, Any]:
        """Return how things stand, as plain values for JSON."""
        return {
            "bytes": self._file.n_bytes,
            "waiting": self._n_waiting,
            "trouble": self.trouble,
            "in_place": self._file.is_in_place,
            "refused": {tap.summary.describe(): tap.refused for tap in self._taps.values() if tap.refused},
            "unanswered": [
                tap.summary.describe()
                for tap in self._taps.values()
                if tap.info is None and not tap.refused and tap.visible_at - tap.found_at > UNANSWERED_S
            ],
            "streams": [stream.status() for stream in self.streams],
        }

    # -- streams ----------------------------------------------------------------------------------------------------

    def _look(self) -> None:
        found = {info.uid(): info for info in self._resolver.results()}
        self._visible = set(found)
        retry = self._retry.now()
        for uid, info in found.items():
            tap = self._taps.get(uid)
            if tap is None:
                if self._is_wanted(StreamSummary.of(info)):
                    self._taps[uid] = tap = StreamTap(info)
                    tap.join()
                continue
            tap.visible_at = time.monotonic()
            if retry and tap.idle and not tap.refused and uid not in self._done:
                tap.join()
        for tap, info in self._unplaced():
            self._place(tap, info)

    def _is_wanted(self, summary: StreamSummary) -> bool:
        """Whether the rule takes it, or it looks like a stream of the file that was started again."""
        return self.rule.takes(summary) or any(
            self.rule.goes_on(stream.info, summary, SAME_AT_ONCE) for stream in self.streams
        )

    def _place(self, tap: StreamTap, info: SignalInfo) -> None:
        """Give what was joined its place in the file: its own, or that of a stream that it goes on with.

        One that looks like a stream that may still be there waits for a while: either that one turns out to be gone,
        or the two are two. What comes meanwhile waits with it.
        """
        alike = [stream for stream in self.streams if self.rule.goes_on(stream.info, info, SAME)]
        gone = next((s for s in alike if s.uid == info.uid or not (s.is_open or s.uid in self._visible)), None)
        waited_s = time.monotonic() - self._met.setdefault(info.uid, time.monotonic())
        if gone is not None:
            if gone.tap is not None:
                self._take_from(gone)
                gone.tap.leave()
                self._done.add(gone.tap.summary.uid)
                gone.n_instances += 1
            gone.tap = tap
        elif not alike or waited_s > (TWO_AFTER_S if any(s.uid in self._visible for s in alike) else DEAD_AFTER_S):
            self._begin(tap, info)

    def _begin(self, tap: StreamTap, info: SignalInfo) -> None:
        stream_id = 1 + max((stream.stream_id for stream in self.streams), default=0)
        self.streams.append(FileStream(stream_id, info, tap.header_xml, tap))

    def _unplaced(self) -> list[tuple[StreamTap, SignalInfo]]:
        placed = {id(stream.tap) for stream in self.streams}
        return [
            (tap, tap.info)
            for tap in self._taps.values()
            if tap.info is not None and id(tap) not in placed and tap.summary.uid not in self._done
        ]

    # -- samples ----------------------------------------------------------------------------------------------------

    def _take(self) -> None:
        for stream in self.streams:
            self._take_from(stream)
        if self._mark.now():
            self._queue(_Block(boundary_chunk()))

    def _take_from(self, stream: FileStream) -> None:
        tap = stream.tap
        if tap is None:
            return
        if not stream.headed:
            stream.headed = True
            self._queue(_Block(header_chunk(stream.stream_id, stream.header_xml)))
        while tap.offsets:
            self._queue(_Block(offset_chunk(stream.stream_id, *tap.offsets.popleft())))
        if arrived := tap.take():
            self._queue(_block_of(stream, arrived))

    def _queue(self, block: _Block) -> None:
        if block.stream is not None:
            block.stream.n_arrived += block.n
            if self._n_waiting + len(block.data) > MOST_WAITING_BYTES:
                _lose(block)
                return
        self._waiting.append(block)
        self._n_waiting += len(block.data)

    def _write(self) -> None:
        if time.monotonic() < self._write_at:
            return
        with self._as_trouble("write"):
            if self._ask.now() or self._n_waiting > self._room:
                self._room = room_bytes(self.path.parent)
            while self._waiting:
                block = self._waiting[0]
                if len(block.data) > self._room:
                    self._troubles["write"] = "the disk of the recording is full"
                    return
                self._file.write(block.data)
                self._waiting.popleft()
                self._n_waiting -= len(block.data)
                self._room -= len(block.data)
                _count(block)
            self._troubles["write"] = ""

    def _as_trouble(self, what: str) -> contextlib.AbstractContextManager[None]:
        return _Trouble(self, what)


class _Trouble(contextlib.AbstractContextManager[None]):
    """A disk that refuses is trouble that may pass, and is tried again later."""

    def __init__(self, loop: RecordingLoop, what: str) -> None:
        self._loop, self._what = loop, what

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if not isinstance(error, OSError):
            return False
        self._loop._troubles[self._what] = f"the recording cannot be written: {error.strerror or error}"
        self._loop._write_at = time.monotonic() + RETRY_S
        return True


def _has_begun(path: Path) -> bool:
    """Whether a recorder has left something of a file; where it left an empty one, that goes."""
    if path.exists() and path.stat().st_size == 0:
        path.unlink()
    return path.exists()


def _block_of(stream: FileStream, arrived: list[Arrived]) -> _Block:
    values = np.concatenate([v for v, _ in arrived]) if len(arrived) > 1 else arrived[0][0]
    stamps = np.concatenate([t for _, t in arrived])
    if values.dtype == object:
        data = texts_chunk(stream.stream_id, values.tolist(), stamps.tolist())
    else:
        data = numbers_chunk(stream.stream_id, values, stamps, stream.info.channel_format)
    return _Block(data, stream, len(stamps), float(stamps[0]), float(stamps[-1]))


def _count(block: _Block) -> None:
    stream = block.stream
    if stream is not None:
        stream.first = block.first if math.isnan(stream.first) else stream.first
        stream.last = block.last
        stream.n_written += block.n


def _lose(block: _Block) -> None:
    if block.stream is not None:
        block.stream.n_lost += block.n
