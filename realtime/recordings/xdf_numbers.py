"""The numbers of a stream in an XDF file, decoded at once from where the walk found them."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuript.realtime.recordings.xdf_walk import DTYPES

if TYPE_CHECKING:
    from neuript.realtime.recordings.xdf_walk import ScannedStream

_LONG = 16
"""Samples of a chunk that is decoded by itself."""
_BATCH_BYTES = 1 << 20
"""Bytes of short chunks that are decoded at once; where their samples lie takes some eight times as much."""


def decode_numbers(blob: bytes, stream: ScannedStream) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Decode the Samples chunks of a numeric stream.

    Returns
    -------
    values, stamps
        Values of the stream, shape (n_times, n_chans), in the recorded number format, and its stamps, shape (n_times,),
        in seconds.
        Samples without a stamp follow the one before them by a nominal period, as the format says.
    """
    dtype = np.dtype(DTYPES[stream.channel_format])
    period = 1.0 / stream.sfreq if stream.sfreq > 0 else 0.0
    values = np.empty((stream.n_samples, stream.n_chans), dtype.newbyteorder("="))
    stamps = np.full(stream.n_samples, period)
    raw = np.frombuffer(blob, np.uint8)
    start, last = 0, 0.0
    for begins in _batches(stream):
        stamped = raw[begins] != 0
        part = slice(start, start + len(begins))
        values[part] = _gather(raw, begins + 1 + 8 * stamped, stream.n_item).view(dtype)
        stamps[part][stamped] = _gather(raw, begins[stamped] + 1, 8).view("<f8")[:, 0]
        _count_up(stamps[part], stamped, last)
        start, last = part.stop, float(stamps[part][-1])
    return values, stamps


def _batches(stream: ScannedStream) -> Iterator[NDArray[np.int64]]:
    """Yield where samples begin in the file: those of a long chunk, or of many short ones in a row."""
    waiting, n_bytes = list[NDArray[np.int64]](), 0
    for begin, offsets in stream.chunks:
        size, is_long = int(offsets[-1]), len(offsets) > _LONG
        if waiting and (is_long or n_bytes + size > _BATCH_BYTES):
            yield np.concatenate(waiting)
            waiting, n_bytes = [], 0
        if is_long:
            yield begin + offsets[:-1]
            continue
        waiting.append(begin + offsets[:-1])
        n_bytes += size
    if waiting:
        yield np.concatenate(waiting)


def _gather(raw: NDArray[np.uint8], first: NDArray[np.int64], n_bytes: int) -> NDArray[np.uint8]:
    """Return `n_bytes` bytes from each of the places `first`, shape (len(first), n_bytes)."""
    steps = np.diff(first)
    if len(first) > 1 and (steps == steps[0]).all():  # equal rows: one strided copy
        rows = np.lib.stride_tricks.as_strided(
            raw[first[0] :], (len(first), n_bytes), (int(steps[0]), 1), writeable=False
        )
        return np.ascontiguousarray(rows)
    picked: NDArray[np.uint8] = raw[first[:, None] + np.arange(n_bytes)]
    return picked


def _count_up(stamps: NDArray[np.float64], stamped: NDArray[np.bool_], last: float) -> None:
    """Turn the periods of unstamped samples into stamps, in place, adding one after the other."""
    if stamped.all():
        return
    edges = np.append(np.flatnonzero(stamped), len(stamps))
    if edges[0] > 0:
        stamps[: edges[0]] = np.add.accumulate(np.append(last, stamps[: edges[0]]))[1:]
    for start, stop in itertools.pairwise(edges.tolist()):
        stamps[start:stop] = np.add.accumulate(stamps[start:stop])
