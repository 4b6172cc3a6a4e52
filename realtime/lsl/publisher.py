"""Publish a recording on LSL as if it were live: all its streams, their metadata, timing, gaps and chunks."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass, replace
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from neuript.errors import NeuriptError
from neuript.realtime.lsl.broadcast import TICK_S, Broadcast
from neuript.realtime.lsl.library import lsl_clock
from neuript.realtime.lsl.stream_info import element
from neuript.realtime.recordings.header import header_xml, signal_info, text_of
from neuript.realtime.recordings.recording import APART_S, RecordedStream, Recording
from neuript.realtime.recordings.replay_log import ReplayNote
from neuript.realtime.recordings.replay_source import check_start, chunk_edges, play_times

EARLY_S = 60.0
LINGER_S = 2.0


@dataclass(frozen=True, slots=True)
class ReplayProgress:
    """Where a replay stands."""

    position_s: float
    """Seconds of the recording published in this pass."""
    duration_s: float
    pass_number: int
    """1 for the first time through."""
    n_samples: int
    """Samples published so far, over all streams and passes."""


@dataclass(frozen=True)
class PlaySchedule:
    """What to push when: parallel arrays ordered by time, and the zero of that time.

    Attributes
    ----------
    due_s : ndarray, shape (n,)
        Time at which the last sample of each chunk was there, in seconds since `origin`; never decreasing.
    stream, start, stop : ndarray, shape (n,)
        Index of the stream, and the chunk as a half-open range of its samples.
    origin : float
        Zero of `due_s` in seconds on the recording's clock.
    duration_s : float
        Seconds until the recording could start over: last sample plus one EEG period.
    """

    due_s: NDArray[np.float64]
    stream: NDArray[np.int64]
    start: NDArray[np.int64]
    stop: NDArray[np.int64]
    origin: float
    duration_s: float


def make_schedule(recording: Recording, *, chunk: int | str = "recorded", start_s: float = 0.0) -> PlaySchedule:
    """Merge the chunks of all streams into one order of publication.

    A chunk is due when its last sample was stamped; stamps that run backwards a little never delay
    what was recorded before them, and a clock that jumps back is played on without a pause (its stamps
    keep the jump). Streams stamped by another clock are left out.

    Parameters
    ----------
    recording : Recording
        A recording that has an EEG stream.
    chunk : int or 'recorded'
        Samples per push for streams with a rate, or the amplifier's own chunks as far as the stamps show them.
    start_s : float
        Seconds after the first EEG sample at which to begin.

    Raises
    ------
    NeuriptError
        If `start_s` is negative or behind the end of the EEG.
    """
    eeg = recording.eeg
    play = play_times(eeg)
    check_start(play, start_s)
    included = [(i, stream, play_times(stream)) for i, stream in enumerate(recording.streams) if len(stream)]
    included = [row for row in included if _overlaps(row[2], play)]
    origin = float(play[0]) + start_s
    if start_s == 0:  # markers shortly before the EEG belong to it
        firsts = [float(times[0]) for _, _, times in included]
        origin = max(min(firsts), origin - EARLY_S)
    due, which, starts, stops = [], [], [], []
    for i, stream, times in included:
        first = int(np.searchsorted(times, origin))
        edges = chunk_edges(stream, chunk if stream.info.sfreq > 0 else 1)
        edges = np.concatenate([[first], edges[edges > first]])
        n = len(edges) - 1
        due.append(times[edges[1:] - 1] - origin if n else np.zeros(0))
        which.append(np.full(n, i))
        starts.append(edges[:-1])
        stops.append(edges[1:])
    all_due = np.concatenate(due)
    order = np.argsort(all_due, kind="stable")
    return PlaySchedule(
        due_s=all_due[order],
        stream=np.concatenate(which)[order],
        start=np.concatenate(starts)[order],
        stop=np.concatenate(stops)[order],
        origin=origin,
        duration_s=float(all_due.max()) + 1.0 / eeg.info.sfreq,
    )


def _overlaps(times: NDArray[np.float64], eeg_times: NDArray[np.float64]) -> bool:
    away = max(float(eeg_times[0] - times[-1]), float(times[0] - eeg_times[-1]))
    return away <= APART_S


class LslReplay(Broadcast):
    """Outlets for all streams of a recording, and the loop that feeds them.

    Stamps are `start + (stamp - first stamp) / speed`: at speed 1 they keep their spacing exactly. At other
    speeds the declared nominal rate stays the recorded one (the filters of a consumer must fit the signal),
    so that a decoder that compares stamps with the rate will, rightly, see a broken clock;
    `recorded_spacing` is for that.

    Parameters
    ----------
    recording : Recording
        A recording that has an EEG stream.
    speed : float
        Recorded seconds per second.
    loop : bool
        True starts over at the end, one sample period after the last sample.
    start_s : float
        Seconds after the first EEG sample at which to begin.
    chunk : int or 'recorded'
        Samples per push for streams with a rate; events are always pushed one by one.
    recorded_spacing : bool
        True leaves stamps undivided at other speeds than 1: the spacing fits the rate, and the stamps run ahead of
        (or fall behind) the clock.
    suffix : str
        Text appended to all names and source ids, to tell the replay from the device.

    Examples
    --------
    >>> with LslReplay(read_recording("session.xdf")) as replay:  # doctest: +SKIP
    ...     replay.run()
    """

    def __init__(
        self,
        recording: Recording,
        *,
        speed: float = 1.0,
        loop: bool = False,
        start_s: float = 0.0,
        chunk: int | str = "recorded",
        recorded_spacing: bool = False,
        suffix: str = "",
    ) -> None:
        if not 0 < speed < float("inf"):
            raise NeuriptError(f"--speed {speed:g} must be a positive number, such as 1 or 4")
        super().__init__()
        self.recording = recording
        self.speed = speed
        self.loop = loop
        self.schedule = make_schedule(recording, chunk=chunk, start_s=start_s)
        self._recorded_spacing = recorded_spacing
        self._stamp_speed = 1.0 if recorded_spacing else speed
        self._suffix = suffix

    @property
    def published(self) -> list[RecordedStream]:
        """The streams that are published: all but empty ones stamped by another clock."""
        other = set(range(len(self.recording.streams))) - set(self.schedule.stream.tolist())
        skip = {i for i in other if len(self.recording.streams[i])}
        return [s for i, s in enumerate(self.recording.streams) if i not in skip]

    @property
    def main(self) -> int | None:
        """Index of the EEG stream."""
        return self.recording.eeg_index

    def open(self) -> None:
        """Create the outlets; the streams become visible on the network."""
        published = {id(stream) for stream in self.published}
        for i, stream in enumerate(self.recording.streams):
            if id(stream) in published:
                self._publish_stream(i)

    def require_consumers(self, timeout_s: float, *, stop: Callable[[], bool] = lambda: False) -> None:
        """Wait until somebody listens, or `stop()` says so.

        Raises
        ------
        NeuriptError
            If nobody came within `timeout_s`.
        """
        deadline = time.monotonic() + timeout_s
        while not self.wait_for_consumers(min(0.2, max(0.0, deadline - time.monotonic()))) and not stop():
            if time.monotonic() >= deadline:
                raise NeuriptError(
                    f"nobody listened to '{self.recording.eeg.info.name}' within {timeout_s:g} s; "
                    "start the consumer, or leave out --wait-for-consumers"
                )

    def note(self, event: str) -> ReplayNote:
        """Return where the replay is on both clocks, for its log; only once it has started.

        Raises
        ------
        RuntimeError
            If the replay was not started.
        """
        if self.started_at is None:
            raise RuntimeError("the replay was not started")
        return ReplayNote(
            event=event,
            lsl_start=self.started_at,
            recorded_start=self.schedule.origin,
            recorded_first_eeg=float(self.recording.eeg.timestamps[0]),
            speed=self.speed,
            recorded_stamps=self._recorded_spacing,
            duration_s=self.schedule.duration_s,
            n_samples=self.n_samples,
        )

    def run(
        self,
        *,
        stop: Callable[[], bool] = lambda: False,
        on_progress: Callable[[ReplayProgress], None] = lambda progress: None,
        linger_s: float = LINGER_S,
    ) -> None:
        """Publish until the end, or for ever with `loop`, or until `stop()` says so.

        Parameters
        ----------
        stop : callable
            Asked at least every 50 ms.
        on_progress : callable
            Told at most about every 50 ms.
        linger_s : float
            Seconds that the outlets stay after the last sample, so that it reaches the consumers.
        """
        self.started_at = lsl_clock()
        pass_number = 0
        while not stop():
            before = pass_number * self.schedule.duration_s
            begin = self.started_at + before / self.speed
            stamp_begin = self.started_at + before / self._stamp_speed
            pass_number += 1
            done = self._run_once(begin, stamp_begin, pass_number, stop, on_progress)
            if not (done and self.loop):
                break
        self.sleep_until(lsl_clock() + linger_s, stop)

    def _run_once(
        self,
        begin: float,
        stamp_begin: float,
        pass_number: int,
        stop: Callable[[], bool],
        on_progress: Callable[[ReplayProgress], None],
    ) -> bool:
        plan, told = self.schedule, -np.inf

        def tell(now: float) -> None:
            position = min(max((now - begin) * self.speed, 0.0), plan.duration_s)
            on_progress(ReplayProgress(position, plan.duration_s, pass_number, self.n_samples))

        rows = zip(plan.due_s, plan.stream, plan.start, plan.stop, strict=True)
        for due_s, stream, start, end in rows:
            wanted = begin + float(due_s) / self.speed
            if wanted > told + TICK_S:
                told = wanted
                tell(lsl_clock())
            if not self.sleep_until(wanted, stop, tell):
                return False
            self._push(int(stream), slice(int(start), int(end)), stamp_begin)
        tell(begin + plan.duration_s / self.speed)
        return True

    def _push(self, index: int, part: slice, stamp_begin: float) -> None:
        stream = self.recording.streams[index]
        recorded_s = stream.timestamps[part] - self.schedule.origin
        stamps = stamp_begin + recorded_s / self._stamp_speed
        self.push(index, stream.values[part], stamps.tolist())
        self.n_samples += len(stamps)

    @property
    def eeg_source_id(self) -> str:
        """Identity under which the EEG is published: the amplifier's own, with the suffix."""
        index = self.recording.eeg_index
        assert index is not None
        return (self.recording.eeg.info.source_id or self._own_source_id(index)) + self._suffix

    def _publish_stream(self, index: int) -> None:
        recorded = self.recording.streams[index]
        said = recorded.info
        source_id = said.source_id or self._own_source_id(index)
        desc = deepcopy(recorded.header.find("desc"))
        desc = Element("desc") if desc is None else desc
        sent = signal_info(recorded.header)
        told, shown = ((i.ch_names, i.units, i.ch_types) for i in (said, sent))
        if told != shown:  # what a recorder knew of it is in a stream of its own; what a person says is nowhere
            for old in desc.findall("channels"):
                desc.remove(old)
            channels = header_xml(said).find("desc/channels")
            desc.extend([] if channels is None else [channels])
        desc.append(self._note(recorded))
        self.publish(index, replace(said, name=said.name + self._suffix, source_id=source_id + self._suffix), desc)

    def _note(self, recorded: RecordedStream) -> Element:
        """What tells the replay from the device."""
        return element(
            "replay",
            format=self.recording.file_format,
            speed=f"{self.speed:g}",
            recorded_hostname=recorded.info.hostname,
            recorded_created_at=text_of(recorded.header, "created_at"),
            recorded_first_stamp=repr(float(self.schedule.origin)),
        )

    def _own_source_id(self, index: int) -> str:
        text = f"{self.recording.path.resolve()}|{index}"
        return f"neuript-replay-{hashlib.sha256(text.encode()).hexdigest()[:8]}"
