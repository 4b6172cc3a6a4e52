"""EDF, BDF, GDF, BrainVision, FIF, SET and CNT to a `Recording`, through MNE, in the file's own unit."""

from __future__ import annotations

import re
import warnings
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuript.errors import NeuriptError
from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.chain.units import to_volts, unit_name
from neuript.realtime.recordings.bids_channels import find_channels, read_channels
from neuript.realtime.recordings.bids_sidecars import BidsEvents, read_bids_events, read_bids_maker
from neuript.realtime.recordings.brainvision_segments import new_segments
from neuript.realtime.recordings.build_stream import marker_stream, replay_source_id, signal_stream
from neuript.realtime.recordings.edf_records import EdfRecords, read_edf_records
from neuript.realtime.recordings.file_marks import (
    FileMark,
    FileMarks,
    FileTime,
    joined_spans,
    missing_between,
    said_bad,
    said_cuts,
)
from neuript.realtime.recordings.mne_reader import open_raw, said_as_it_is
from neuript.realtime.recordings.recording import RecordedStream, Recording
from neuript.realtime.recordings.recording_files import events_beside
from neuript.realtime.recordings.text_encoding import read_text
from neuript.realtime.recordings.xdf_bytes import check_growth, growth_of

if TYPE_CHECKING:
    from mne.io import BaseRaw

_HELD_BYTES = 1 << 27
"""What MNE may hold in float64 while a recording is read; a day of 32 channels would be 11 GB."""
_TYPE_BY_LABEL = (("ECG", "ECG"), ("EKG", "ECG"), ("EOG", "EOG"), ("EMG", "EMG"))
_ABOUT_DATA = re.compile(r"records|truncat|split|missing|corrupt|discard|incomplete|not found|lost", re.IGNORECASE)
"""What a warning of MNE must speak of to be for the user; its others are for programmers."""
_CUTS_OF_FORMAT = {"gdf": ("32766",), "cnt": ("impedance",)}
"""What means a cut in one format alone: GDF's start of a segment (0x7ffe), and ANT's pause to measure impedances."""


def read_mne(path: Path) -> Recording:
    """Read a recording that MNE knows; see `read_recording` for what is refused."""
    if path.stat().st_size == 0:
        raise NeuriptError(f"{path} is empty (0 bytes)")
    with warnings.catch_warnings(record=True) as caught, said_as_it_is(path):
        warnings.simplefilter("always")
        if path.name.lower().endswith(".gz"):
            check_growth(path)
        raw = open_raw(path)
        sfreq = float(raw.info["sfreq"])
        table = read_bids_events(path)
        records = read_edf_records(path, sfreq) if path.name.lower().endswith((".edf", ".bdf")) else None
        marks = _file_marks(raw, path, sfreq, records, table)
        counted = np.arange(raw.n_times) / sfreq if records is None else records.sample_times(raw.n_times, sfreq)
        time = FileTime(counted, sfreq, marks.cuts)
        streams = [_mne_signal(raw, path, marks, time)]
    about = re.compile(f"{_ABOUT_DATA.pattern}|omitted", re.IGNORECASE) if records is None else _ABOUT_DATA
    notes = [text.splitlines()[0] for w in caught if about.search(text := str(w.message).strip())]
    notes += [*(records.notes if records is not None else ()), *said_cuts(marks, time), *said_bad(marks)]
    if bads := streams[0].info.bads:
        notes.append(f"the file calls bad, so it is as if absent: {', '.join(bads)}")
    streams += _mne_markers(raw, path, marks, time)
    if table is not None:
        streams += table.streams(path, sfreq, time)
    return Recording(path, streams, _suffix(path).upper(), notes)


def _suffix(path: Path) -> str:
    return path.name.lower().removesuffix(".gz").rpartition(".")[2]


def _file_marks(
    raw: BaseRaw, path: Path, sfreq: float, records: EdfRecords | None, table: BidsEvents | None
) -> FileMarks:
    """Return what the file notes, and what its BIDS table says of cuts and bad stretches; of the same event once."""
    own: tuple[FileMark, ...]
    if records is not None:
        own = records.marks
    else:
        a = raw.annotations
        onsets = [float(onset) - raw.first_time for onset in a.onset]
        texts = [read_text(str(text)) for text in a.description]
        own = tuple(map(FileMark, onsets, map(float, a.duration), texts))
    beside = () if table is None else table.marks
    said = {(round(mark.onset_s * sfreq), mark.text) for mark in beside}
    own = tuple(mark for mark in own if (round(mark.onset_s * sfreq), mark.text) not in said)
    also_cuts = _CUTS_OF_FORMAT.get(_suffix(path), ())
    marks = FileMarks.of([*own, *beside], sfreq, also_cuts)
    marks = replace(marks, events=FileMarks.of(own, sfreq, also_cuts).events)
    return marks.with_pauses(new_segments(path, sfreq), sfreq) if _suffix(path) == "vhdr" else marks


def _mne_signal(raw: BaseRaw, path: Path, marks: FileMarks, time: FileTime) -> RecordedStream:
    kinds = raw.get_channel_types()
    picks = [i for i, kind in enumerate(kinds) if kind != "stim"]
    sfreq = float(raw.info["sfreq"])
    _check_size(raw, len(picks), path)
    keep = np.ones(raw.n_times, np.bool_)
    for start, stop in time.spans(marks.skipped):
        keep[start:stop] = False
    kept = np.flatnonzero(keep)
    values = np.empty((len(kept), len(picks)), np.float32)
    factors, units = zip(*(_mne_unit(raw, i) for i in picks), strict=True) if picks else ((), ())
    # Whole channels, few at a time: MNE holds float64, and resamples an EDF of several rates by what is asked for
    group = max(1, _HELD_BYTES // (8 * max(1, raw.n_times)))
    for a in range(0, len(picks), group):
        x = raw.get_data(picks=picks[a : a + group])
        for column, row in enumerate(x, start=a):
            values[:, column] = row[keep] * factors[column]
    maker = read_bids_maker(path)
    channels = find_channels(path)
    bads = {*raw.info["bads"], *(() if channels is None else read_channels(channels).bads)}
    info = SignalInfo(
        name=path.name,
        sfreq=sfreq,
        ch_names=tuple(raw.ch_names[i] for i in picks),
        units=units,
        ch_types=tuple(_channel_type(raw.ch_names[i], kinds[i]) for i in picks),
        source_id=replay_source_id(path),
        positions_m=_mne_positions(raw, picks),
        manufacturer=maker.manufacturer,
        reference=maker.reference,
        bads=tuple(raw.ch_names[i] for i in picks if raw.ch_names[i] in bads),
        simulated=maker.simulated,
    )
    times = time.of_samples(kept)
    stream = signal_stream(
        info, values, times, np.searchsorted(kept, time.cuts).tolist(), missing_between(times, sfreq)
    )
    spans = np.searchsorted(kept, np.reshape(time.spans(marks.bad), (-1, 2)))
    stream.marked_bad = joined_spans((int(start), int(stop)) for start, stop in spans)
    return stream


def _check_size(raw: BaseRaw, n_picks: int, path: Path) -> None:
    """Refuse a header that promises far more numbers than its files have bytes."""
    files = {path, *(Path(name) for name in raw.filenames if name is not None)}
    most = sum(growth_of(file) for file in files if file.is_file())
    if raw.n_times * n_picks > most:
        raise NeuriptError(
            f"{path} promises {raw.n_times} samples of {n_picks} channels, far more than its bytes hold: it is damaged"
        )


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


def _mne_markers(raw: BaseRaw, path: Path, marks: FileMarks, time: FileTime) -> list[RecordedStream]:
    """Return the events that the file holds; what an events table says stands in a stream of its own."""
    found = [("annotations", [(time.of_moment(mark.onset_s), mark.text) for mark in marks.events])]
    for name, kind in zip(raw.ch_names, raw.get_channel_types(), strict=True):
        if kind == "stim":
            found.append((name, _stim_events(raw, name, time)))
    sidecar = events_beside(path)
    if sidecar is not None:
        found.append((sidecar.name, _sidecar_events(sidecar, raw, time)))
    return [marker_stream(path, name, rows) for name, rows in found if rows]


def _stim_events(raw: BaseRaw, name: str, time: FileTime) -> list[tuple[float, str]]:
    import mne

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rows = mne.find_events(raw, name, shortest_event=1, initial_event=True, consecutive=True, verbose="error")
    return _event_rows(rows, raw, time)


def _sidecar_events(path: Path, raw: BaseRaw, time: FileTime) -> list[tuple[float, str]]:
    import mne

    try:
        rows = mne.read_events(path, verbose="error")
    except Exception as error:
        raise NeuriptError(f"the events in {path} cannot be read ({error})") from error
    return _event_rows(rows, raw, time)


def _event_rows(rows: NDArray[Any], raw: BaseRaw, time: FileTime) -> list[tuple[float, str]]:
    """Return the times and codes of events that are counted in samples, also of those outside the file."""
    samples = rows[:, 0].astype(np.int64) - raw.first_samp
    inside = samples.clip(0, max(0, raw.n_times - 1))
    times = time.of_samples(inside) + (samples - inside) / float(raw.info["sfreq"])
    return [(float(time_s), str(int(code))) for time_s, code in zip(times, rows[:, 2], strict=True)]
