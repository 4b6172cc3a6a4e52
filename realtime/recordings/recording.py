"""What a recording is: EEG and events on one clock, numbers and units as they were recorded."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from neuript.errors import NeuriptError
from neuript.montages.stream_labels import is_eeg_stream
from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.recordings.cue_markers import CODES, cue_classes_in, plain_labels
from neuript.realtime.recordings.header import as_dict
from neuript.realtime.recordings.marker_labels import plain_label, sample_label

APART_S = 6 * 3600.0
"""A stream whose samples end so many seconds before the EEG, or begin so many after it, is stamped by another clock."""
CLOCK_STEP_S = 5.0
"""Stamps that step back by more seconds than this are a clock that was set, not a burst."""
TRUTH_TYPE = "Intent"
"""Type of the stream in which the twin says what its person truly imagined."""


@dataclass(frozen=True, slots=True)
class Event:
    """A marker or annotation.

    Attributes
    ----------
    time_s : float
        Time of the event in seconds, on the same clock as the EEG's `timestamps`.
    label : str
        Text of the marker or annotation, in the spelling of `marker_labels.py`.
    stream : str
        Name of the marker stream, or `annotations`, or the stimulus channel.
    n_values : int
        Number of values of a sample of that stream, which stand in the label with commas between.
    """

    time_s: float
    label: str
    stream: str = ""
    n_values: int = field(default=1, compare=False)


@dataclass(frozen=True, slots=True)
class Gap:
    """Samples that are missing: `seconds` more than one sample period lie before sample `index`."""

    index: int
    seconds: float
    n_missing: int


def is_event_stream(stype: str, channel_format: str, sfreq: float) -> bool:
    """Tell whether a stream holds events: text, or numbers of a marker type without a rate.

    Parameters
    ----------
    stype, channel_format : str
        Type and number format of the stream, as announced.
    sfreq : float
        Nominal rate in Hz; 0 for an irregular one.
    """
    marker_like = any(word in stype.lower() for word in ("marker", "stim", "event", "trigger"))
    return channel_format == "string" or (sfreq == 0 and marker_like)


@dataclass
class RecordedStream:
    """One stream of a recording, in recorded order.

    Attributes
    ----------
    info : SignalInfo
        What the metadata of the stream says.
    values : ndarray, shape (n_times, n_chans), or list of tuple of str
        The samples as recorded, in the recorded number format; text streams hold one tuple per sample.
    timestamps : ndarray, shape (n_times,)
        Seconds, float64, on the clock of the recording computer (XDF: raw stamps plus the measured
        clock offsets) or from the start of the recording (other formats). Not smoothed, not sorted.
    raw_timestamps : ndarray, shape (n_times,)
        The stamps as the sender wrote them.
    segments : tuple of (start, stop)
        Half-open runs of samples between gaps and clock resets.
    gaps : tuple of Gap
        Missing samples, as far as the stamps tell.
    n_clock_resets : int
        How often the sender's clock was found to restart.
    marked_bad : tuple of (start, stop)
        Half-open runs of samples that the file calls bad.
    header : Element
        The full stream header (`<info>` with `<desc>`), for publishing it again.
    """

    info: SignalInfo
    values: NDArray[Any] | list[tuple[str, ...]]
    timestamps: NDArray[np.float64]
    raw_timestamps: NDArray[np.float64]
    header: Element
    segments: tuple[tuple[int, int], ...] = ()
    gaps: tuple[Gap, ...] = ()
    n_clock_resets: int = 0
    marked_bad: tuple[tuple[int, int], ...] = ()
    _data: NDArray[np.float32] | None = field(default=None, repr=False)

    def __len__(self) -> int:
        """Return the number of samples."""
        return len(self.timestamps)

    @property
    def is_text(self) -> bool:
        """True for a stream of strings."""
        return self.info.channel_format == "string"

    @property
    def is_markers(self) -> bool:
        """True for streams of events: text, or numbers of a marker type without a rate."""
        return is_event_stream(self.info.stype, self.info.channel_format, self.info.sfreq)

    @property
    def data(self) -> NDArray[np.float32]:
        """The samples as float32 in the stream's own unit, shape (n_times, n_chans).

        Raises
        ------
        ValueError
            If this is a text stream; see `labels`.
        """
        if isinstance(self.values, list):
            raise ValueError(f"stream '{self.info.name}' holds text, not numbers")  # noqa: TRY004
        if self._data is None:
            self._data = np.ascontiguousarray(self.values, dtype=np.float32)
        return self._data

    @property
    def labels(self) -> list[str]:
        """Each sample as text: the string as recorded, or the number (`769`, not `769.0`)."""
        if isinstance(self.values, list):
            return [",".join(row) for row in self.values]
        return [sample_label(row) for row in self.values]

    @property
    def event_labels(self) -> list[str]:
        """Each event as `--event` names it: `plain_label`, but `cue/left_hand` for a cue of a session with cues."""
        return plain_labels(self.labels) if self.cue_classes else [plain_label(label) for label in self.labels]

    @property
    def cue_classes(self) -> tuple[str, ...]:
        """Classes of the session whose cues this stream holds; none for any other stream."""
        return cue_classes_in(self.header)

    @property
    def desc(self) -> dict[str, list[object]]:
        """The free metadata as nested dictionaries of lists."""
        desc = self.header.find("desc")
        return {} if desc is None else as_dict(desc)

    @property
    def duration_s(self) -> float:
        """Seconds from the earliest to the latest stamp."""
        return float(np.ptp(self.timestamps)) if len(self) else 0.0

    @property
    def effective_sfreq(self) -> float:
        """Measured rate in Hz over the stretches without gaps; NaN where it cannot be told."""
        n = sum(stop - start - 1 for start, stop in self.segments)
        seconds = sum(float(self.timestamps[stop - 1] - self.timestamps[start]) for start, stop in self.segments)
        return n / seconds if seconds > 0 and self.info.sfreq > 0 else float("nan")


@dataclass
class Recording:
    """All streams of a file, and what was noticed while reading it."""

    path: Path
    streams: list[RecordedStream]
    file_format: str
    warnings: list[str] = field(default_factory=list)
    eeg_index: int | None = None

    @property
    def eeg(self) -> RecordedStream:
        """The EEG stream.

        Raises
        ------
        NeuriptError
            If the recording has no EEG stream.
        """
        if self.eeg_index is None:
            raise NeuriptError(_no_eeg(self))
        return self.streams[self.eeg_index]

    @property
    def marker_streams(self) -> list[RecordedStream]:
        """All streams of events."""
        return [stream for stream in self.streams if stream.is_markers]

    @property
    def cue_classes(self) -> tuple[str, ...]:
        """Classes of the session with cues that was recorded; none where the recording does not say them itself."""
        return next((stream.cue_classes for stream in self.marker_streams if stream.cue_classes), ())


def events_of(recording: Recording) -> list[Event]:
    """Return the events of all marker streams and annotations, ordered by time.

    Their `time_s` is on the clock of the EEG's `timestamps`. Labels are in one spelling (`marker_labels.py`), the cues
    of a session with cues are `cue/left_hand` and so on (`cue_markers.py`). Streams stamped by another clock (hours
    away from the EEG) are left out; `recording.warnings` names them. So are the GDF codes beside such cues, which
    cannot say what was rejected, and what a simulated person truly imagined where there are cues: it names the same
    tasks, and would count every trial twice.
    """
    twice = bool(recording.cue_classes)
    streams = [s for s in recording.marker_streams if s.info.stype != TRUTH_TYPE] or recording.marker_streams
    events = [
        Event(float(time_s), label, stream.info.name, len(stream.info.ch_names))
        for stream in streams
        if recording.eeg_index is None or not other_clock(recording.eeg, stream)
        if not (twice and cue_classes_in(stream.header, CODES))
        for time_s, label in zip(stream.timestamps, stream.event_labels, strict=True)
    ]
    return sorted(events, key=lambda event: event.time_s)


def other_clock(eeg: RecordedStream, stream: RecordedStream) -> bool:
    """Tell whether a stream was stamped by another clock than the EEG: hours lie between the two."""
    if not len(stream):
        return False
    first, last = float(eeg.timestamps.min()), float(eeg.timestamps.max())
    before = first - float(stream.timestamps.max())
    after = float(stream.timestamps.min()) - last
    return max(before, after) > APART_S


def _no_eeg(recording: Recording) -> str:
    for stream in recording.streams:
        if is_eeg_stream(stream.info.stype) and not stream.is_text:
            why = "holds no samples" if not len(stream) else "has no sampling rate"
            return f"{recording.path}: its EEG stream '{stream.info.name}' {why}"
    names = ", ".join(f"'{s.info.name}' ({s.info.stype or 'no type'})" for s in recording.streams)
    sampled = [s.info for s in recording.streams if not s.is_text and len(s) and s.info.sfreq > 0]
    one = sampled[0] if len(sampled) == 1 else None
    hint = "; if one of them is the EEG, name it with --eeg NAME" if sampled else ""
    if one is not None:
        hint = f"; if that is the EEG: --eeg {shlex.quote(one.name or one.source_id)}"
    return f"{recording.path} has no stream of type EEG; it has {names or 'no streams at all'}{hint}"
