"""Missing samples, as far as the stamps of a recording tell."""

from __future__ import annotations

import itertools
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from neuript.realtime.recordings.recording import Gap


def find_gaps(timestamps: NDArray[np.float64], sfreq: float) -> tuple[Gap, ...]:
    """Find missing samples in the stamps of a regular stream.

    Bursts are not gaps: a jump counts only if the stamps stay late afterwards, compared over one second
    on both sides, by more than one and a half sample periods and more than the stamps' own noise.

    Parameters
    ----------
    timestamps : ndarray, shape (n_times,)
        Time stamps in seconds, in recorded order.
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


def segments_between(n: int, cuts: Iterable[int]) -> tuple[tuple[int, int], ...]:
    """Return the half-open runs of `n` samples between cuts."""
    edges = sorted({0, n, *cuts})
    return tuple(itertools.pairwise(edges))
