"""Where in the first seconds of a source the signal begins: many links send zeros before the first packet."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from neuript.realtime.chain.chunk import Chunk, Source, SourceStatus

WAIT_S = 10.0
"""Seconds of a live stream for which a signal is waited for; a recording is searched to its end."""
AT_ONCE_S = 0.25
"""A signal that begins within so many seconds began at once."""


def hear_from_signal(
    source: Source, chunks: list[Chunk], channels: Sequence[int], n_samples: int, check: Callable[[], None]
) -> tuple[NDArray[np.float32], list[Chunk]]:
    """Return the first samples since a signal is there, and all chunks from there on.

    Parameters
    ----------
    source : Source
        The source that `chunks` came from; more are pulled from it where they hold too little of a signal.
    chunks : list of Chunk
        What was heard so far, at least one; what is pulled is appended.
    channels : sequence of int
        Channels of which one must change.
    n_samples : int
        Number of samples that are wanted.
    check : callable
        Called between pulls; may raise to end the listening.

    Returns
    -------
    heard : ndarray, shape (n_times, n_chans)
        `n_samples` from where the signal begins, fewer where the source ends before; the very first where none begins.
    since : list of Chunk
        All that was heard from there on.
    """
    sfreq, first = source.info.sfreq, _numbers(chunks[0], channels)[:1]
    live = math.isfinite(chunks[0].pulled_at)
    begin: int | None = None
    n = 0
    for chunk in chunks:
        begin, n = _begin(chunk, channels, first, begin, n)
    while (begin is None and not (live and n > WAIT_S * sfreq)) or (begin is not None and n < begin + n_samples):
        check()
        chunk = source.pull(0.1)
        if not len(chunk):
            if chunk.status is SourceStatus.OK and live:
                continue
            break
        chunks.append(chunk)
        begin, n = _begin(chunk, channels, first, begin, n)
    start = 0 if begin is None or begin < AT_ONCE_S * sfreq else begin
    since = _since(chunks, start)
    return np.concatenate([chunk.data for chunk in since])[:n_samples], since


def _since(chunks: list[Chunk], start: int) -> list[Chunk]:
    """Return what follows the first `start` samples."""
    found: list[Chunk] = []
    n = 0
    for chunk in chunks:
        skipped = min(max(0, start - n), len(chunk))
        n += len(chunk)
        if skipped < len(chunk):
            found.append(replace(chunk, data=chunk.data[skipped:], timestamps=chunk.timestamps[skipped:]))
    return found


def _begin(
    chunk: Chunk, channels: Sequence[int], first: NDArray[np.float32], begin: int | None, n: int
) -> tuple[int | None, int]:
    """Return the first sample that differs from the very first one, and the samples so far."""
    if begin is None:
        changed = np.flatnonzero((_numbers(chunk, channels) != first).any(axis=1))
        begin = n + int(changed[0]) if len(changed) else None
    return begin, n + len(chunk)


def _numbers(chunk: Chunk, channels: Sequence[int]) -> NDArray[np.float32]:
    return np.nan_to_num(chunk.data[:, list(channels)])
