"""The last seconds of a stream, judged about twice a second: for the view, and for the minutes before a session."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from neuript.montages import Montage
from neuript.realtime.chain.chunk import Chunk, SignalInfo, Source, SourceStatus
from neuript.realtime.chain.ring import RingBuffer
from neuript.realtime.live.signal_check import SignalCheck, check_worn, without_samples
from neuript.realtime.live.worn_cap import worn_cap

LOOK_BACK_S = 4.0
"""Seconds of signal that a check looks at."""
FIRST_S = 1.5
"""Seconds of signal after which the first check is given."""
EVERY_S = 0.5
"""Seconds of signal between two checks."""
STAMPS_S = 20.0
"""Seconds of stamps that tell the rate."""


class SignalWatch:
    """Keep the last seconds of a stream and judge them; what is kept does not grow.

    Parameters
    ----------
    info : SignalInfo
        What the stream says about itself.
    cap : Montage, optional
        What is on the head; None where the labels say it.
    wanted : Montage, optional
        What a decoder needs; None takes all that the stream measures.
    unit : str, optional
        Unit that the user gives; None takes what the stream says.
    """

    def __init__(
        self, info: SignalInfo, *, cap: Montage | None = None, wanted: Montage | None = None, unit: str | None = None
    ) -> None:
        self.worn = worn_cap(info, cap, wanted)
        self.latest: SignalCheck | None = None
        """The last check; None until there are 1.5 s of signal."""
        self._unit = unit
        self._sfreq = info.sfreq
        self._every, self._first = math.ceil(EVERY_S * info.sfreq), math.ceil(FIRST_S * info.sfreq)
        self._ring = RingBuffer(math.ceil(LOOK_BACK_S * info.sfreq), len(info.ch_names))
        self._stamps = RingBuffer(math.ceil(STAMPS_S * info.sfreq), 1, np.float64)
        self._due = self._first
        self._heard_at = math.nan

    def recent(self) -> NDArray[np.float32]:
        """Return a copy of the samples that are kept, shape (n_times, n_chans), as sent."""
        return np.array(self._ring.latest(len(self._ring)), dtype=np.float32)

    def reset(self) -> None:
        """Forget the samples, because what comes next does not join on to them."""
        self._ring = RingBuffer(self._ring.capacity, self._ring.n_chans)
        self._stamps = RingBuffer(self._stamps.capacity, 1, np.float64)
        self._due = self._first

    def add(self, x: NDArray[np.float32], timestamps: NDArray[np.float64]) -> SignalCheck | None:
        """Take samples, and return a new check if one is due.

        Parameters
        ----------
        x : ndarray, shape (n_times, n_chans)
            Samples as sent.
        timestamps : ndarray, shape (n_times,)
            Their stamps in seconds.
        """
        self._ring.append(x)
        self._stamps.append(timestamps[:, None])
        if self._ring.total < self._due:
            return None
        self._due = self._ring.total + self._every
        self.latest = check_worn(self.worn, self.recent(), self._recent_stamps(), unit=self._unit)
        return self.latest

    def pull(self, source: Source, timeout_s: float = 0.1) -> SignalCheck | None:
        """Pull once from the stream and return a new check if one is due; a stream that falls silent is no go.

        Raises
        ------
        StreamLostError
            If the source gives the stream up, or it came back different.
        """
        chunk = source.pull(timeout_s)
        if len(chunk):
            if chunk.status is SourceStatus.RECOVERED:
                self.reset()
            self._heard_at = chunk.pulled_at
            return self.add(chunk.data, chunk.timestamps)
        return self._silence(chunk)

    def _silence(self, chunk: Chunk) -> SignalCheck | None:
        if chunk.status not in (SourceStatus.STALE, SourceStatus.LOST) or self.latest is None:
            return None
        silent_s = chunk.pulled_at - self._heard_at
        self.latest = without_samples(self.latest, silent_s if math.isfinite(silent_s) else 0.0)
        return self.latest

    def _recent_stamps(self) -> NDArray[np.float64]:
        return np.array(self._stamps.latest(len(self._stamps)), dtype=np.float64)[:, 0]
