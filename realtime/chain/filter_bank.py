"""A bank of causal band-pass filters whose state the stream carries, and the ring that keeps what they let through.

Because the filters run on with the stream, all of a window counts: nothing of it is lost to their ringing, as it would
be if each window were filtered by itself.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.signal import butter, sosfilt

from neuript.realtime.chain.ring import RingBuffer
from neuript.realtime.chain.spd import F64

ORDER = 2
"""Order of the Butterworth prototype: short enough to forget a step within half a second from 4 Hz upwards."""
MOST_WAITING = 64
"""So many samples are filtered at the latest, whether somebody asks or not."""


class FilterBank:
    """Butterworth band-pass filters over a stream at the model's rate.

    Any cut into chunks gives the same bits. Samples are filtered when somebody asks for a window, so that small chunks
    cost no more than large ones.

    Parameters
    ----------
    bands_hz : sequence of (float, float)
        Lower and upper edge (-3 dB) of each of K bands in Hz; a band of None lets everything through.
    sfreq : float
        Sampling rate in Hz.
    n_chans : int
        Number of channels.
    capacity : int
        Number of the newest samples that can be asked for.
    """

    def __init__(
        self, bands_hz: Sequence[tuple[float, float] | None], sfreq: float, n_chans: int, capacity: int
    ) -> None:
        self._sos = [
            None if band is None else butter(ORDER, band, "bandpass", fs=sfreq, output="sos") for band in bands_hz
        ]
        self._n_chans = n_chans
        self._ring = RingBuffer(capacity, len(self._sos) * n_chans, np.float64)
        self._waiting: list[NDArray[np.float32]] = []
        self._n_waiting = 0
        self.restart()

    def restart(self) -> None:
        """Forget the past: the next sample is the first."""
        self._catch_up()
        self._state = [None if sos is None else np.zeros((len(sos), 2, self._n_chans)) for sos in self._sos]

    def append(self, y: NDArray[np.float32]) -> None:
        """Take the next samples, shape (n_times, n_chans), oldest first; they must stay as they are."""
        if not len(y):
            return
        self._waiting.append(y)
        self._n_waiting += len(y)
        if self._n_waiting >= MOST_WAITING:
            self._catch_up()

    def window(self, end: int, n_times: int) -> F64:
        """Return samples `end - n_times ... end - 1` of every band, shape (n_times, K, n_chans).

        It is a read-only view, which later samples overwrite.

        Raises
        ------
        ValueError
            If part of them has not arrived yet or has been overwritten.
        """
        self._catch_up()
        flat: F64 = self._ring.window(end, n_times)  # type: ignore[assignment]
        return flat.reshape(n_times, len(self._sos), self._n_chans)

    def _catch_up(self) -> None:
        """Filter what has arrived since the last time."""
        waiting, self._waiting, self._n_waiting = self._waiting, [], 0
        x = np.concatenate(waiting, dtype=np.float64) if waiting else np.empty((0, self._n_chans))
        if not len(x):
            return
        bands = [x] * len(self._sos)
        for k, sos in enumerate(self._sos):
            if sos is not None:
                bands[k], self._state[k] = sosfilt(sos, x, axis=0, zi=self._state[k])
        self._ring.append(np.concatenate(bands, axis=1))
