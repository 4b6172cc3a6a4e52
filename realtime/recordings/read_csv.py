"""Comma-separated EEG of the Muse recorders (`muselsl record` and kin): a column of stamps, one per electrode.

Not a general reader: the first line must name a `timestamps` column and at least two electrodes, and the numbers are
microvolts, as these recorders write them. Columns called `Marker...` hold events.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from neuript.errors import NeuriptError
from neuript.montages.names import canonical_name, electrode_name
from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.recordings.build_stream import marker_stream, replay_source_id, signal_stream
from neuript.realtime.recordings.marker_labels import number_label
from neuript.realtime.recordings.recording import RecordedStream, Recording

STAMPS = "timestamps"
MARKER = "marker"


def is_csv_recording(path: Path) -> bool:
    """Tell from its first line whether a file is one of these recordings."""
    try:
        names = _columns(path)
    except (OSError, UnicodeDecodeError, StopIteration, csv.Error):
        return False
    return STAMPS in names and sum(_is_electrode(name) for name in names) >= 2


def read_csv(path: Path) -> Recording:
    """Read one of these recordings; see `read_recording` for what else is refused.

    Raises
    ------
    NeuriptError
        If it is not one, or a row of it is not numbers.
    """
    if not is_csv_recording(path):
        raise NeuriptError(
            f"{path} is not a recording: its first line must name '{STAMPS}' and at least two electrodes"
        )
    names = _columns(path)
    try:
        table = np.loadtxt(path, delimiter=",", skiprows=1, ndmin=2, dtype=np.float64)
    except ValueError as error:
        raise NeuriptError(f"{path} cannot be read ({error}); write it again") from error
    if len(table) < 2 or table.shape[1] != len(names):
        raise NeuriptError(
            f"{path} holds {len(table)} rows of {table.shape[1]} numbers under {len(names)} names; "
            "at least 2 full rows are needed"
        )
    stamps = table[:, names.index(STAMPS)]
    return Recording(path, [_signal(path, names, table, stamps), *_markers(path, names, table, stamps)], "CSV")


def _columns(path: Path) -> list[str]:
    with path.open(encoding="utf-8-sig", newline="") as file:
        return [name.strip() for name in next(csv.reader(file))]


def _is_electrode(name: str) -> bool:
    return electrode_name(canonical_name(name)) is not None


def _signal(path: Path, names: list[str], table: NDArray[np.float64], stamps: NDArray[np.float64]) -> RecordedStream:
    eeg = [i for i, name in enumerate(names) if _is_electrode(name)]
    info = SignalInfo(
        name=path.name,
        sfreq=_rate(stamps, path),
        ch_names=tuple(names[i] for i in eeg),
        units=("microvolts",) * len(eeg),
        ch_types=("EEG",) * len(eeg),
        source_id=replay_source_id(path),
    )
    return signal_stream(info, np.ascontiguousarray(table[:, eeg], dtype=np.float32), stamps)


def _markers(
    path: Path, names: list[str], table: NDArray[np.float64], stamps: NDArray[np.float64]
) -> Iterator[RecordedStream]:
    """Each marker column is 0 but in the rows of its events, whose number is the label."""
    for name, column in zip(names, table.T, strict=True):
        if name.casefold().startswith(MARKER):
            at = np.flatnonzero((column != 0) & np.isfinite(column) & (np.diff(column, prepend=0.0) != 0))
            if len(at):
                yield marker_stream(path, name, [(float(stamps[i]), number_label(column[i])) for i in at])


def _rate(stamps: NDArray[np.float64], path: Path) -> float:
    """Median over spans of 64 samples, since stamps are often rounded; whole where it is nearly so."""
    span = min(64, len(stamps) - 1)
    period = float(np.median(stamps[span:] - stamps[:-span])) / span
    if not np.isfinite(period) or period <= 0:
        raise NeuriptError(f"{path}: its time stamps do not increase, so its rate is unknown")
    rate = 1.0 / period
    return float(round(rate)) if abs(rate - round(rate)) < 0.01 * rate else rate
