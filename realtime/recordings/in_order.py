"""Samples that were stored out of order, put in order by their stamps. Live nobody can; a file has them all."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from neuript.realtime.chain.sample_order import BACK_S, SampleOrder


def time_order(timestamps: NDArray[np.float64], sfreq: float) -> tuple[NDArray[np.int64] | None, int]:
    """Return the order in which samples were measured, and how many were stored after a later one.

    None, where there are none, or where the stamps do not say which sample they belong to: those that scatter, and
    those of a clock that stepped back.

    Parameters
    ----------
    timestamps : ndarray, shape (n_times,)
        Stamps in seconds, as stored.
    sfreq : float
        Declared rate in Hz; 0 for events.
    """
    if sfreq <= 0 or len(timestamps) < 2 or float(np.diff(timestamps).min()) < -BACK_S:
        return None, 0
    check = SampleOrder(sfreq)
    check.update(timestamps)
    if not check.n_scrambled or not check.exact:
        return None, 0
    return np.argsort(timestamps, kind="stable"), check.n_scrambled
