"""Recordings whose format is not a recorder's: arrays with channel names, in runs with pauses between them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.recordings.header import header_xml
from neuript.realtime.recordings.recording import Event, RecordedStream, Recording, find_gaps, segments_between

PAUSE_S = 10.0
"""Time between runs on the recording's clock, so that each run is filtered from a fresh start."""


def recording_of(
    path: Path,
    runs: Sequence[NDArray[Any]],
    sfreq: float,
    ch_names: Sequence[str],
    events: Sequence[Sequence[Event]] = (),
    *,
    unit: str = "microvolts",
    ch_types: Sequence[str] = (),
) -> Recording:
    """Return a recording of some runs.

    Parameters
    ----------
    path : Path
        The file that they came from.
    runs : sequence of ndarray, shape (n_times, n_chans)
        The signal.
    sfreq : float
        Sampling rate in Hz.
    ch_names : sequence of str
        Labels of the channels.
    events : sequence of sequence of Event
        Each run's events, in seconds from the first sample of the run.
    unit : str
        Unit of the numbers.
    ch_types : sequence of str
        ``EEG``, ``EOG``, ...; EEG by default.
    """
    starts = np.cumsum([0.0, *(len(run) / sfreq + PAUSE_S for run in runs[:-1])])
    stamps = np.concatenate([start + np.arange(len(run)) / sfreq for start, run in zip(starts, runs, strict=True)])
    edges = np.cumsum([0, *(len(run) for run in runs)]).tolist()
    info = SignalInfo(
        name=path.name,
        sfreq=sfreq,
        ch_names=tuple(ch_names),
        units=(unit,) * len(ch_names),
        ch_types=tuple(ch_types) or ("EEG",) * len(ch_names),
        source_id=_source_id(path),
    )
    eeg = RecordedStream(
        info=info,
        values=np.concatenate(runs).astype(np.float32),
        timestamps=stamps,
        raw_timestamps=stamps,
        header=header_xml(info),
        segments=segments_between(len(stamps), edges),
        gaps=find_gaps(stamps, sfreq),
    )
    rows = [
        Event(float(start) + event.time_s, event.label)
        for start, run in zip(starts, events, strict=False)
        for event in run
    ]
    streams = [eeg, _markers(path, rows)] if rows else [eeg]
    return Recording(path, streams, path.suffix[1:].upper(), eeg_index=0)


def _markers(path: Path, events: Sequence[Event]) -> RecordedStream:
    info = SignalInfo(
        name="events",
        sfreq=0.0,
        ch_names=("",),
        units=("",),
        ch_types=("",),
        stype="Markers",
        source_id=_source_id(path) + "-events",
        channel_format="string",
    )
    stamps = np.array([event.time_s for event in events])
    values: list[tuple[str, ...]] = [(event.label,) for event in events]
    return RecordedStream(info, values, stamps, stamps, header_xml(info), ((0, len(values)),))


def _source_id(path: Path) -> str:
    return "neuript-replay-" + hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]
