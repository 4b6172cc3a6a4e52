"""XDF to a `Recording`: pyxdf decodes, behind the bounded walk of `neuript.realtime.recordings.xdf_walk`.

Of pyxdf's options we take clock synchronisation with clock-reset handling (events and EEG must share a clock), and
refuse its dejittering: it redraws all stamps of a stream as one straight line, using the future, and a live stream
never looks like that.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuript.errors import NeuriptError
from neuript.realtime.recordings import xdf_walk
from neuript.realtime.recordings.gaps import find_gaps, segments_between
from neuript.realtime.recordings.header import signal_info
from neuript.realtime.recordings.in_order import time_order
from neuript.realtime.recordings.recording import CLOCK_STEP_S, RecordedStream, Recording
from neuript.realtime.recordings.xdf_bytes import load_bytes
from neuript.realtime.recordings.xdf_numbers import decode_numbers
from neuript.realtime.recordings.xdf_text import decode_texts


def read_xdf(path: Path) -> Recording:
    """Read an XDF as far as its chunks are whole; see `read_recording` for what is refused."""
    blob = load_bytes(path)
    found = xdf_walk.scan(blob)
    notes = found.told()
    if not found.intact:
        notes.append(
            f"the file is damaged: read {found.n_kept} of {found.n_bytes} bytes "
            f"({100 * found.n_kept / found.n_bytes:.1f} %), "
            f"{sum(s.n_samples for s in found.streams.values())} samples in {len(found.streams)} streams"
        )
    if not found.streams:
        raise NeuriptError(f"{path} has no streams: nothing but its first {found.n_kept} bytes is whole")
    raw_stamps: dict[int, list[NDArray[np.float64]]] = {}
    streams = []
    for one in _decode(path, blob, found, raw_stamps, notes):
        scanned = found.streams[one["info"]["stream_id"]]
        if scanned.footer is None and found.intact:
            notes.append(f"stream '{signal_info(scanned.header).name}' has no footer (recording broken off)")
        if np.isfinite(np.asarray(one["time_stamps"], np.float64)).all():
            streams.append(_xdf_stream(one, scanned, raw_stamps.get(scanned.stream_id, []), notes))
        else:
            notes.append(f"stream '{signal_info(scanned.header).name}' is left out: it has stamps that are no numbers")
    return Recording(path, streams, "XDF", notes)


def _decode(
    path: Path, blob: bytes, found: xdf_walk.XdfScan, raw_stamps: dict[int, list[NDArray[np.float64]]], notes: list[str]
) -> list[dict[str, Any]]:
    import pyxdf

    decoded = {
        stream_id: decode_texts(blob, stream) if stream.is_text else decode_numbers(blob, stream)
        for stream_id, stream in found.streams.items()
    }

    def fill_in(values: Any, stamps: Any, info: Any, stream_id: int) -> tuple[Any, Any, Any]:
        values, stamps = decoded.pop(stream_id)
        raw_stamps.setdefault(stream_id, []).append(stamps.copy())
        return values, stamps, info

    with _collect_log("pyxdf", notes), np.errstate(all="ignore"):
        try:
            streams, _ = pyxdf.load_xdf(
                xdf_walk.thin_file(blob, found),
                on_chunk=fill_in,
                synchronize_clocks=True,
                handle_clock_resets=True,
                dejitter_timestamps=False,
            )
        except Exception as error:  # pyxdf raises whatever the bytes lead it to
            raise NeuriptError(f"{path} cannot be decoded as XDF ({error})") from error
    return list(streams)


def _xdf_stream(
    one: dict[str, Any], scanned: xdf_walk.ScannedStream, raw: list[NDArray[np.float64]], notes: list[str]
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
        notes.append(f"the clock of stream '{info.name}' restarted {len(resets)} time(s) during the recording")
    if n and not scanned.n_offsets:
        notes.append(f"stream '{info.name}' has no clock offsets: its stamps are its own clock's")
    order, n_late = time_order(timestamps, info.sfreq)
    if order is not None and not isinstance(values, list):
        notes.append(
            f"{n_late} samples of stream '{info.name}' were stored after later ones; put in order by their stamps"
        )
        values, timestamps, raw_timestamps = values[order], timestamps[order], raw_timestamps[order]
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
        segments=segments_between(n, [g.index for g in gaps] + resets + steps_back),
        gaps=gaps,
        n_clock_resets=len(resets),
    )


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
