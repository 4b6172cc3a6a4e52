"""Recordings whose format is not a recorder's: arrays with channel names, in runs with pauses between them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.recordings.build_stream import marker_stream, replay_source_id, signal_stream
from neuript.realtime.recordings.recording import Event, Recording

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
    runs : sequence of ndarray, each of shape (n_times, n_chans)
        Signal of each run, in `unit`.
    sfreq : float
        Sampling rate in Hz.
    ch_names : sequence of str
        Labels of the channels.
    events : sequence of sequence of Event
        Each run's events, in seconds from the first sample of the run.
    unit : str
        Unit of the numbers in `runs`.
    ch_types : sequence of str
        Type of each channel (``EEG``, ``EOG``, ...); EEG by default.
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
        source_id=replay_source_id(path),
    )
    eeg = signal_stream(info, np.concatenate(runs).astype(np.float32), stamps, edges)
    rows = [
        (float(start) + event.time_s, event.label) for start, run in zip(starts, events, strict=False) for event in run
    ]
    streams = [eeg, marker_stream(path, "events", rows)] if rows else [eeg]
    return Recording(path, streams, path.suffix[1:].upper(), eeg_index=0)
