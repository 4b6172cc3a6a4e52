"""Streams of a recording whose format has no stream headers of its own."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.recordings.gaps import find_gaps, segments_between
from neuript.realtime.recordings.header import header_xml
from neuript.realtime.recordings.recording import Gap, RecordedStream


def signal_stream(
    info: SignalInfo,
    values: NDArray[Any],
    timestamps: NDArray[np.float64],
    cuts: Iterable[int] = (),
    gaps: tuple[Gap, ...] | None = None,
) -> RecordedStream:
    """Return a sampled signal as a stream of a recording.

    Parameters
    ----------
    info : SignalInfo
        What is known of the signal.
    values : ndarray, shape (n_times, n_chans)
        Samples in the unit that `info` names.
    timestamps : ndarray, shape (n_times,)
        Time stamps of the samples in seconds.
    cuts : iterable of int
        Samples that begin a new stretch though their stamps may not show it.
    gaps : tuple of Gap, optional
        Where samples are missing, where it is known; None takes what the stamps show.
    """
    gaps = find_gaps(timestamps, info.sfreq) if gaps is None else gaps
    return RecordedStream(
        info=info,
        values=values,
        timestamps=timestamps,
        raw_timestamps=timestamps,
        header=header_xml(info),
        segments=segments_between(len(timestamps), [*cuts, *(gap.index for gap in gaps)]),
        gaps=gaps,
    )


def marker_stream(path: Path, name: str, rows: Sequence[tuple[float, str]]) -> RecordedStream:
    """Return events, each a time in seconds and a label, as a stream of the recording `path`, ordered by time."""
    rows = sorted(rows, key=lambda row: row[0])
    info = SignalInfo(
        name=name,
        sfreq=0.0,
        ch_names=("",),
        units=("",),
        ch_types=("",),
        stype="Markers",
        source_id=replay_source_id(path, name),
        channel_format="string",
    )
    timestamps = np.array([time_s for time_s, _ in rows])
    return RecordedStream(
        info=info,
        values=[(label,) for _, label in rows],
        timestamps=timestamps,
        raw_timestamps=timestamps,
        header=header_xml(info),
        segments=segments_between(len(rows), ()),
    )


def replay_source_id(path: Path, *more: str) -> str:
    """Return an id that the same file always gives, for a stream that has none of its own."""
    digest = hashlib.sha256("|".join([str(path.resolve()), *more]).encode()).hexdigest()
    return f"neuript-replay-{digest[:8]}"
