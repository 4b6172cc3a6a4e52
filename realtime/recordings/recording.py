"""Recordings in, whatever the format: EEG and events on one clock, numbers and units as they were recorded.

What a recording is, and `read_recording`; the formats are in `read_xdf` and `read_mne`.
"""

from __future__ import annotations

import itertools
import logging
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from neuript.errors import NeuriptError
from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.recordings.header import as_dict

logger = logging.getLogger(__name__)

EEG_TYPES = ("EEG", "EXG")
XDF_SUFFIXES = (".xdf", ".xdfz", ".xdf.gz")
MNE_SUFFIXES = (".edf", ".bdf", ".gdf", ".vhdr", ".fif", ".fif.gz", ".set", ".cnt")
SUFFIXES = XDF_SUFFIXES + MNE_SUFFIXES
OTHER_CLOCK_S = 6 * 3600.0
CLOCK_STEP_S = 5.0
_WHOLE = re.compile(r"^([+-]?\d+)\.0*$")


@dataclass(frozen=True, slots=True)
class Event:
    """A marker or annotation.

    Attributes
    ----------
    time_s : float
        On the same clock as the EEG's `timestamps`.
    label : str
        As recorded.
    stream : str
        Name of the marker stream, or `annotations`, or the stimulus channel.
    """

    time_s: float
    label: str
    stream: str = ""


@dataclass(frozen=True, slots=True)
class Gap:
    """Samples that are missing: `seconds` more than one sample period lie before sample `index`."""

    index: int
    seconds: float
    n_missing: int


@dataclass
class RecordedStream:
    """One stream of a recording, in recorded order.

    Attributes
    ----------
    info : SignalInfo
        What its metadata says.
    values : ndarray, shape (n_times, n_chans), or list of tuple of str
        As recorded, in the recorded number format; text streams hold one tuple per sample.
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
        kind = self.info.stype.lower()
        marker_like = any(word in kind for word in ("marker", "stim", "event", "trigger"))
        return self.is_text or (self.info.sfreq == 0 and len(self.info.ch_names) == 1 and marker_like)

    @property
    def data(self) -> NDArray[np.float32]:
        """The samples as float32 in the stream's own unit, shape (n_times, n_chans).

        Raises
        ------
        ValueError
            For a text stream; see `labels`.
        """
        if isinstance(self.values, list):
            raise ValueError(f"stream '{self.info.name}' holds text, not numbers")  # noqa: TRY004
        if self._data is None:
            self._data = np.ascontiguousarray(self.values, dtype=np.float32)
        return self._data

    @property
    def labels(self) -> list[str]:
        """Each sample as text: the string, or the number (`769`, not `769.0`)."""
        if isinstance(self.values, list):
            return [",".join(row) for row in self.values]
        return [",".join(f"{float(v):g}" for v in row) for row in self.values]

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
            The recording has none.
        """
        if self.eeg_index is None:
            raise NeuriptError(_no_eeg(self))
        return self.streams[self.eeg_index]

    @property
    def marker_streams(self) -> list[RecordedStream]:
        """All streams of events."""
        return [stream for stream in self.streams if stream.is_markers]


def read_recording(path: str | Path, *, eeg: str | None = None, require_eeg: bool = True) -> Recording:
    """Read a recording of any known format.

    Parameters
    ----------
    path : str or Path
        XDF (`.xdf`, `.xdfz`, `.xdf.gz`), or EDF, BDF, GDF, BrainVision (`.vhdr`), FIF, EEGLAB `.set`, `.cnt`
        through MNE. Events beside a FIF file (`X_raw.fif` with `X-eve.fif`) are read too.
    eeg : str, optional
        Name of the stream to take as EEG, if its type does not say so or there are several.
    require_eeg : bool
        False reads files without EEG as well (`neuript inspect`).

    Returns
    -------
    Recording
        Damaged files are read as far as they go; `warnings` says what is missing, and it is logged.

    Raises
    ------
    NeuriptError
        No such file, empty, not of a known format, beyond repair, or without EEG.
    """
    path = Path(path)
    if not path.exists():
        raise NeuriptError(f"there is no file {path}")
    if not path.is_file():
        raise NeuriptError(f"{path} is not a file")
    name = path.name.lower()
    if name.endswith(XDF_SUFFIXES):
        from neuript.realtime.recordings.read_xdf import read_xdf

        recording = read_xdf(path)
    elif name.endswith(MNE_SUFFIXES):
        from neuript.realtime.recordings.read_mne import read_mne

        recording = read_mne(path)
    else:
        raise NeuriptError(
            f"{path} is not a recording that neuript reads; known endings are {' '.join(SUFFIXES)}"
            + (f"; open its header {path.stem}.vhdr" if name.endswith((".eeg", ".vmrk")) else "")
        )
    recording.eeg_index = _choose_eeg(recording, eeg)
    if recording.eeg_index is not None:
        _check_clocks(recording)
    for warning in recording.warnings:
        logger.warning("%s: %s", path.name, warning)
    if require_eeg:
        _ = recording.eeg
    return recording


def events_of(recording: Recording) -> list[Event]:
    """Return the events of all marker streams and annotations, ordered by time.

    Their `time_s` is on the clock of the EEG's `timestamps`. Whole numbers lose their decimals (a recorder's
    `1.000000000000000` is `1`), other labels are as recorded. Streams stamped by another clock (hours
    away from the EEG) are left out; `recording.warnings` names them.
    """
    events = [
        Event(float(time_s), _WHOLE.sub(r"\1", label), stream.info.name)
        for stream in recording.marker_streams
        if recording.eeg_index is None or not _other_clock(recording.eeg, stream)
        for time_s, label in zip(stream.timestamps, stream.labels, strict=True)
    ]
    return sorted(events, key=lambda event: event.time_s)


def find_gaps(timestamps: NDArray[np.float64], sfreq: float) -> tuple[Gap, ...]:
    """Find missing samples in the stamps of a regular stream.

    Bursts are not gaps: a jump counts only if the stamps stay late afterwards, compared over one second
    on both sides, by more than one and a half sample periods and more than the stamps' own noise.

    Parameters
    ----------
    timestamps : ndarray, shape (n_times,)
        Seconds.
    sfreq : float
        Nominal rate in Hz; 0 (irregular) has no gaps.
    """
    n = len(timestamps)
    width = max(int(sfreq), 8)
    if sfreq <= 0 or n < 2:
        return ()
    period = 1.0 / sfreq
    noise = 0.0
    if n > 2 * width:
        spans = timestamps[width:] - timestamps[:-width]
        period = float(np.median(spans)) / width
        noise = float(np.median(np.abs(spans - period * width)))
    if period <= 0:
        return ()
    threshold = max(1.5 * period, 6.0 * noise)
    late = timestamps - period * np.arange(n)
    shifts: dict[int, float] = {}
    for i in (np.flatnonzero(np.diff(timestamps) > period + threshold) + 1).tolist():
        shift = float(np.median(late[i : i + width]) - np.median(late[max(0, i - width) : i]))
        if shift > threshold:
            shifts[i] = shift
    gaps: list[Gap] = []
    for i in sorted(shifts, key=lambda i: -shifts[i]):  # one loss shows at all jumps around it
        if all(abs(i - gap.index) > width for gap in gaps):
            gaps.append(Gap(i, shifts[i], round(shifts[i] / period)))
    gaps.sort(key=lambda gap: gap.index)
    return tuple(gaps)


# --- choosing ---------------------------------------------------------------------------------


def segments_between(n: int, cuts: list[int]) -> tuple[tuple[int, int], ...]:
    """Return the half-open runs of `n` samples between cuts."""
    edges = sorted({0, n, *cuts})
    return tuple(itertools.pairwise(edges))


def _choose_eeg(recording: Recording, name: str | None) -> int | None:
    numeric = [i for i, s in enumerate(recording.streams) if not s.is_text]
    if name is not None:
        found = [i for i in numeric if recording.streams[i].info.name == name]
        if not found:
            names = ", ".join(f"'{recording.streams[i].info.name}'" for i in numeric) or "none"
            raise NeuriptError(f"{recording.path} has no numeric stream named '{name}'; it has {names}")
    else:
        found = [i for i in numeric if recording.streams[i].info.stype.upper() in EEG_TYPES]
    usable = [i for i in found if len(recording.streams[i]) and recording.streams[i].info.sfreq > 0]
    if not usable:
        return None
    best = max(usable, key=lambda i: len(recording.streams[i]))
    if len(usable) > 1:
        names = ", ".join(f"'{recording.streams[i].info.name}'" for i in usable)
        recording.warnings.append(f"{len(usable)} EEG streams ({names}); using '{recording.streams[best].info.name}'")
    return best


def _no_eeg(recording: Recording) -> str:
    for stream in recording.streams:
        if stream.info.stype.upper() in EEG_TYPES and not stream.is_text:
            why = "holds no samples" if not len(stream) else "has no sampling rate"
            return f"{recording.path}: its EEG stream '{stream.info.name}' {why}"
    names = ", ".join(f"'{s.info.name}' ({s.info.stype})" for s in recording.streams)
    return f"{recording.path} has no stream of type EEG; it has {names or 'no streams at all'}"


def _other_clock(eeg: RecordedStream, stream: RecordedStream) -> bool:
    if not len(stream):
        return False
    first, last = float(eeg.timestamps.min()), float(eeg.timestamps.max())
    before = first - float(stream.timestamps.max())
    after = float(stream.timestamps.min()) - last
    return max(before, after) > OTHER_CLOCK_S


def _check_clocks(recording: Recording) -> None:
    for stream in recording.streams:
        if _other_clock(recording.eeg, stream):
            hours = (stream.timestamps[0] - recording.eeg.timestamps[0]) / 3600
            recording.warnings.append(
                f"stream '{stream.info.name}' is stamped by another clock ({hours:+.1f} h from the EEG); "
                "its samples cannot be placed"
            )


# --- XDF --------------------------------------------------------------------------------------
