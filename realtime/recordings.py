"""Recordings in, whatever the format: EEG and events on one clock, numbers and units as they were recorded.

XDF is decoded by pyxdf behind `neuript.realtime.xdf`, which lets only whole chunks through. Of pyxdf's options we take
clock synchronisation with clock-reset handling (events and EEG must share a clock), and refuse its
dejittering: it redraws all stamps of a stream as one straight line, using the future, and a live stream
never looks like that. Everything else is read through MNE and kept in the file's own unit.
"""

from __future__ import annotations

import hashlib
import itertools
import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from neuript.errors import NeuriptError
from neuript.realtime import xdf
from neuript.realtime.chunk import SignalInfo
from neuript.realtime.metadata import as_dict, header_xml, signal_info
from neuript.realtime.units import to_volts, unit_name

if TYPE_CHECKING:
    from mne.io import BaseRaw

logger = logging.getLogger(__name__)

EEG_TYPES = ("EEG", "EXG")
XDF_SUFFIXES = (".xdf", ".xdfz", ".xdf.gz")
MNE_SUFFIXES = (".edf", ".bdf", ".gdf", ".vhdr", ".fif", ".fif.gz", ".set", ".cnt")
SUFFIXES = XDF_SUFFIXES + MNE_SUFFIXES
OTHER_CLOCK_S = 6 * 3600.0
CLOCK_STEP_S = 5.0
_WHOLE = re.compile(r"^([+-]?\d+)\.0*$")
_TYPE_BY_LABEL = (("ECG", "ECG"), ("EKG", "ECG"), ("EOG", "EOG"), ("EMG", "EMG"))


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
        return self.is_text or (
            self.info.sfreq == 0 and len(self.info.ch_names) == 1 and marker_like
        )

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
        seconds = sum(
            float(self.timestamps[stop - 1] - self.timestamps[start])
            for start, stop in self.segments
        )
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


def read_recording(
    path: str | Path, *, eeg: str | None = None, require_eeg: bool = True
) -> Recording:
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
        recording = _read_xdf(path)
    elif name.endswith(MNE_SUFFIXES):
        recording = _read_mne(path)
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


def _choose_eeg(recording: Recording, name: str | None) -> int | None:
    numeric = [i for i, s in enumerate(recording.streams) if not s.is_text]
    if name is not None:
        found = [i for i in numeric if recording.streams[i].info.name == name]
        if not found:
            names = ", ".join(f"'{recording.streams[i].info.name}'" for i in numeric) or "none"
            raise NeuriptError(
                f"{recording.path} has no numeric stream named '{name}'; it has {names}"
            )
    else:
        found = [i for i in numeric if recording.streams[i].info.stype.upper() in EEG_TYPES]
    usable = [i for i in found if len(recording.streams[i]) and recording.streams[i].info.sfreq > 0]
    if not usable:
        return None
    best = max(usable, key=lambda i: len(recording.streams[i]))
    if len(usable) > 1:
        names = ", ".join(f"'{recording.streams[i].info.name}'" for i in usable)
        recording.warnings.append(
            f"{len(usable)} EEG streams ({names}); using '{recording.streams[best].info.name}'"
        )
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


def _read_xdf(path: Path) -> Recording:
    blob = xdf.load_bytes(path)
    found = xdf.scan(blob)
    notes = list(found.problems)
    if not found.intact:
        notes.append(
            f"the file is damaged: read {found.n_kept} of {found.n_bytes} bytes "
            f"({100 * found.n_kept / found.n_bytes:.1f} %), "
            f"{sum(s.n_samples for s in found.streams.values())} samples in {len(found.streams)} streams"
        )
    if not found.streams:
        raise NeuriptError(
            f"{path} has no streams: nothing but its first {found.n_kept} bytes is whole"
        )
    raw_stamps: dict[int, list[NDArray[np.float64]]] = {}
    streams = []
    for one in _decode(path, blob, found, raw_stamps, notes):
        scanned = found.streams[one["info"]["stream_id"]]
        if scanned.footer is None and found.intact:
            notes.append(f"stream '{one['info']['name'][0]}' has no footer (recording broken off)")
        streams.append(_xdf_stream(one, scanned, raw_stamps.get(scanned.stream_id, []), notes))
    return Recording(path, streams, "XDF", notes)


def _decode(
    path: Path,
    blob: bytes,
    found: xdf.XdfScan,
    raw_stamps: dict[int, list[NDArray[np.float64]]],
    notes: list[str],
) -> list[dict[str, Any]]:
    import pyxdf

    numbers = {
        stream_id: iter(xdf.decode_numbers(blob, stream))
        for stream_id, stream in found.streams.items()
        if not stream.is_text
    }

    def fill_in(values: Any, stamps: Any, info: Any, stream_id: int) -> tuple[Any, Any, Any]:
        if stream_id in numbers:
            values, stamps = next(numbers[stream_id])
        raw_stamps.setdefault(stream_id, []).append(stamps.copy())
        return values, stamps, info

    with _collect_log("pyxdf", notes), np.errstate(all="ignore"):
        try:
            streams, _ = pyxdf.load_xdf(
                xdf.thin_file(blob, found),
                on_chunk=fill_in,
                synchronize_clocks=True,
                handle_clock_resets=True,
                dejitter_timestamps=False,
            )
        except Exception as error:  # pyxdf raises whatever the bytes lead it to
            raise NeuriptError(f"{path} cannot be decoded as XDF ({error})") from error
    return list(streams)


def _xdf_stream(
    one: dict[str, Any],
    scanned: xdf.ScannedStream,
    raw: list[NDArray[np.float64]],
    notes: list[str],
) -> RecordedStream:
    info = signal_info(scanned.header)
    timestamps = np.asarray(one["time_stamps"], np.float64)
    n = len(timestamps)
    raw_timestamps = np.concatenate(raw)[:n] if raw else np.zeros(0)
    values: NDArray[Any] | list[tuple[str, ...]]
    if info.channel_format == "string":
        values = [tuple(row) for row in one["time_series"]]
    else:
        values = np.ascontiguousarray(one["time_series"])
        values = values.reshape(n, scanned.n_chans)
    resets = [start for start, _ in one["info"]["clock_segments"][1:]]
    if resets:
        notes.append(
            f"the clock of stream '{info.name}' restarted {len(resets)} time(s) during the recording"
        )
    if n and not scanned.n_offsets:
        notes.append(f"stream '{info.name}' has no clock offsets: its stamps are its own clock's")
    if not np.isfinite(timestamps).all():
        raise NeuriptError(f"stream '{info.name}' has time stamps that are not numbers")
    gaps = find_gaps(timestamps, info.sfreq)
    steps_back = (np.flatnonzero(np.diff(timestamps) < -CLOCK_STEP_S) + 1).tolist()
    notes.extend(
        f"the stamps of stream '{info.name}' step back by {timestamps[i - 1] - timestamps[i]:.1f} s at sample {i}"
        for i in steps_back[:5]
    )
    return RecordedStream(
        info=info,
        values=values,
        timestamps=timestamps,
        raw_timestamps=raw_timestamps,
        header=scanned.header,
        segments=_segments(n, [g.index for g in gaps] + resets + steps_back),
        gaps=gaps,
        n_clock_resets=len(resets),
    )


def _segments(n: int, cuts: list[int]) -> tuple[tuple[int, int], ...]:
    edges = sorted({0, n, *cuts})
    return tuple(itertools.pairwise(edges))


@contextmanager
def _collect_log(name: str, notes: list[str]) -> Iterator[None]:
    """Turn what a library logs as a warning into notes, instead of loose lines on stderr."""

    class Collector(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            text = record.getMessage()
            if "clock-segments differ" not in text:  # always so without dejittering
                notes.append(text)

    library, handler = logging.getLogger(name), Collector(logging.WARNING)
    propagate, library.propagate = library.propagate, False
    library.addHandler(handler)
    try:
        yield
    finally:
        library.removeHandler(handler)
        library.propagate = propagate


# --- EDF, BDF, GDF, BrainVision, FIF, SET, CNT through MNE ------------------------------------


def _read_mne(path: Path) -> Recording:
    import mne

    if path.stat().st_size == 0:
        raise NeuriptError(f"{path} is empty (0 bytes)")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            raw = mne.io.read_raw(path, preload=True, verbose="error")
        except Exception as error:  # each MNE reader raises its own kinds
            first_line = (str(error).strip().splitlines() or [type(error).__name__])[0]
            raise NeuriptError(
                f"{path} cannot be read as a recording ({first_line.rstrip(' :')}): it is damaged or not what "
                "its ending says; copy it again, or export it again from the recorder"
            ) from error
    notes = [str(w.message).strip().splitlines()[0] for w in caught]
    suffix = path.name.lower().removesuffix(".gz").rpartition(".")[2]
    streams = [_mne_signal(raw, path), *_mne_markers(raw, path)]
    return Recording(path, streams, suffix.upper(), notes)


def _mne_signal(raw: BaseRaw, path: Path) -> RecordedStream:
    kinds = raw.get_channel_types()
    picks = [i for i, kind in enumerate(kinds) if kind != "stim"]
    sfreq = float(raw.info["sfreq"])
    keep = _acquired(raw)
    values = np.empty((int(keep.sum()), len(picks)), np.float32)
    units = []
    for column, i in enumerate(picks):
        factor, unit = _mne_unit(raw, i)
        values[:, column] = raw.get_data(picks=[i])[0][keep] * factor
        units.append(unit)
    info = SignalInfo(
        name=path.name,
        sfreq=sfreq,
        ch_names=tuple(raw.ch_names[i] for i in picks),
        units=tuple(units),
        ch_types=tuple(_channel_type(raw.ch_names[i], kinds[i]) for i in picks),
        source_id=_source_id(path),
        positions_m=_mne_positions(raw, picks),
    )
    timestamps = np.flatnonzero(keep) / sfreq
    gaps = find_gaps(timestamps, sfreq)
    return RecordedStream(
        info=info,
        values=values,
        timestamps=timestamps,
        raw_timestamps=timestamps,
        header=header_xml(info),
        segments=_segments(len(timestamps), [gap.index for gap in gaps]),
        gaps=gaps,
    )


def _acquired(raw: BaseRaw) -> NDArray[np.bool_]:
    """Return which samples were recorded: a pause is zeros under `BAD_ACQ_SKIP` in MNE, a gap here."""
    keep = np.ones(raw.n_times, np.bool_)
    for note in raw.annotations:
        if note["description"] == "BAD_ACQ_SKIP":
            start = round((note["onset"] - raw.first_time) * raw.info["sfreq"])
            stop = start + round(note["duration"] * raw.info["sfreq"])
            keep[max(0, start) : max(0, stop)] = False
    return keep


def _mne_unit(raw: BaseRaw, i: int) -> tuple[float, str]:
    """Return the factor from MNE's number to ours, and our unit.

    Ours are the file's own numbers, so that `--unit` speaks of what is in the file also where the
    file names a wrong unit. MNE takes numbers of an unknown or blank unit as volts; here they
    have an empty unit, so that whoever needs volts has to find out instead of believing it.
    """
    volts = int(raw.info["chs"][i]["unit"]) == 107  # FIFF_UNIT_V
    said = raw._orig_units.get(raw.ch_names[i])
    if Path(raw.filenames[0]).suffix.lower() == ".gdf":  # MNE keeps only its factor
        known = i < len(factors := raw._raw_extras[0]["units"]) and factors[i] != 1
        said = "µV" if known else "n/a"
    if volts and (said is None or (said.endswith("V") and said != "n/a")):
        unit = unit_name(said or "") or "microvolts"
        return 1.0 / to_volts(unit), unit
    return 1.0, ""


def _channel_type(label: str, mne_type: str) -> str:
    if mne_type == "eeg":
        upper = label.upper()
        return next((kind for word, kind in _TYPE_BY_LABEL if word in upper), "EEG")
    return mne_type.upper()


def _mne_positions(raw: BaseRaw, picks: list[int]) -> dict[str, tuple[float, float, float]]:
    found = {}
    for i in picks:
        x, y, z = (float(v) for v in raw.info["chs"][i]["loc"][:3])
        if np.isfinite([x, y, z]).all() and (x, y, z) != (0.0, 0.0, 0.0):
            found[raw.ch_names[i]] = (x, y, z)
    on_a_head = all(0.02 < float(np.linalg.norm(p)) < 0.3 for p in found.values())
    return found if on_a_head else {}


def _mne_markers(raw: BaseRaw, path: Path) -> list[RecordedStream]:
    found: list[tuple[str, list[tuple[float, str]]]] = []
    notes = [
        (float(onset) - raw.first_time, str(text))
        for onset, text in zip(raw.annotations.onset, raw.annotations.description, strict=True)
    ]
    found.append(("annotations", notes))
    for name, kind in zip(raw.ch_names, raw.get_channel_types(), strict=True):
        if kind == "stim":
            found.append((name, _stim_events(raw, name)))
    sidecar = _sidecar(path)
    if sidecar is not None:
        found.append((sidecar.name, _sidecar_events(sidecar, raw)))
    return [_marker_stream(name, rows, path) for name, rows in found if rows]


def _stim_events(raw: BaseRaw, name: str) -> list[tuple[float, str]]:
    import mne

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = mne.find_events(
            raw, name, shortest_event=1, initial_event=True, consecutive=True, verbose="error"
        )
    return _event_rows(rows, raw)


def _sidecar(path: Path) -> Path | None:
    stem = path.name.removesuffix(".gz").removesuffix(".fif")
    if stem == path.name:
        return None
    for end in ("_raw", "-raw", "_eeg", ""):
        if stem.endswith(end):
            candidate = path.with_name(stem.removesuffix(end) + "-eve.fif")
            if candidate.is_file():
                return candidate
    return None


def _sidecar_events(path: Path, raw: BaseRaw) -> list[tuple[float, str]]:
    import mne

    try:
        rows = mne.read_events(path, verbose="error")
    except Exception as error:
        raise NeuriptError(f"the events in {path} cannot be read ({error})") from error
    return _event_rows(rows, raw)


def _event_rows(rows: NDArray[Any], raw: BaseRaw) -> list[tuple[float, str]]:
    sfreq = float(raw.info["sfreq"])
    return [((int(row[0]) - raw.first_samp) / sfreq, str(int(row[2]))) for row in rows]


def _marker_stream(name: str, rows: list[tuple[float, str]], path: Path) -> RecordedStream:
    rows = sorted(rows, key=lambda row: row[0])
    info = SignalInfo(
        name=name,
        sfreq=0.0,
        ch_names=("",),
        units=("",),
        ch_types=("",),
        stype="Markers",
        source_id=_source_id(path, name),
        channel_format="string",
    )
    timestamps = np.array([time_s for time_s, _ in rows])
    return RecordedStream(
        info=info,
        values=[(label,) for _, label in rows],
        timestamps=timestamps,
        raw_timestamps=timestamps,
        header=header_xml(info),
        segments=_segments(len(rows), []),
    )


def _source_id(path: Path, *more: str) -> str:
    digest = hashlib.sha256("|".join([str(path.resolve()), *more]).encode()).hexdigest()
    return f"neuript-replay-{digest[:8]}"
