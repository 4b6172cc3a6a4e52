"""One stream of a recording: joined, drained as samples come, left, and gone on with when it is back."""

from __future__ import annotations

import contextlib
import logging
import math
import threading
import time
from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuript.errors import NeuriptError
from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.lsl.discovery import StreamSummary
from neuript.realtime.lsl.library import lsl_clock, pylsl
from neuript.realtime.recordings.header import signal_info

logger = logging.getLogger(__name__)

BUFFER_S = 360
"""Seconds for which LSL keeps what is not fetched: a recorder that stands still for less loses nothing."""
MOST_WAITING_BYTES = 16_000_000
"""Bytes of a stream that wait here to be written; what comes after them waits in LSL's own buffer."""
_OPEN_S, _PULL_S, _PAUSE_S = 5.0, 0.2, 0.01
_MOST_AT_ONCE = 4096
_OFFSET_S = 2.0

Arrived = tuple[NDArray[Any], NDArray[np.float64]]
"""Samples (n_times, n_chans), texts as bytes, and their stamps (n_times,) in seconds."""


class StreamTap:
    """One stream, which threads of its own connect to and drain, so that none holds up another.

    An inlet that recovers by itself would go on with whoever claims the same source id, and one that does not drops
    what waits in it when its sender ends: so each sample is taken out as it comes.

    Parameters
    ----------
    found : pylsl.StreamInfo
        The announced stream.
    """

    def __init__(self, found: pylsl.StreamInfo) -> None:
        self.summary = StreamSummary.of(found)
        self.info: SignalInfo | None = None
        """What it says about itself; None before it was joined."""
        self.header_xml = ""
        self.refused = ""
        """Why it cannot be recorded; empty while it can."""
        self.offsets: deque[tuple[float, float]] = deque(maxlen=64)
        """Measured differences of the clocks, as `offset_chunk` takes them."""
        self.offset_s: float | None = None
        """The newest of them, in seconds; None before the first."""
        self.found_at = self.visible_at = time.monotonic()
        """When it was found, and when it was announced last, by `time.monotonic`."""
        self.joined_at = math.nan
        """When it was first joined, on this computer's LSL clock."""
        self.open = False
        """True while it is connected and drained."""
        self._found = found
        self._arrived: deque[Arrived] = deque()
        self._n_bytes, self._counting = 0, threading.Lock()
        self._inlet: pylsl.StreamInlet | None = None
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None

    @property
    def idle(self) -> bool:
        """True while nothing connects to it or drains it."""
        return self._thread is None or not self._thread.is_alive()

    def join(self) -> None:
        """Connect to it, in the background, and drain it until it is lost or left."""
        self._thread = threading.Thread(target=self._drain, daemon=True, name="stream tap")
        self._thread.start()

    def take(self) -> list[Arrived]:
        """Return what has arrived since the last call."""
        out = []
        with contextlib.suppress(IndexError):
            while True:
                out.append(self._arrived.popleft())
        with self._counting:
            self._n_bytes -= sum(_n_bytes(values) for values, _ in out)
        return out

    def measure_offset(self) -> None:
        """Ask how far the sender's clock is from ours; may take seconds where it does not answer."""
        inlet = self._inlet
        if inlet is None:
            return
        try:
            offset_s = float(inlet.time_correction(timeout=_OFFSET_S))
        except (TimeoutError, RuntimeError):  # not now
            return
        self.offset_s = offset_s
        self.offsets.append((lsl_clock() - offset_s, offset_s))

    def leave(self) -> None:
        """Take no more of it, as soon as its thread notices."""
        self._ended.set()

    def _drain(self) -> None:
        try:
            inlet = pylsl.StreamInlet(self._found, max_buflen=BUFFER_S, recover=False, as_numpy=True)
            inlet.open_stream(timeout=_OPEN_S)  # from here on nothing is missed
            joined_at = lsl_clock()
            xml = inlet.info(timeout=_OPEN_S).as_xml()
        except (TimeoutError, RuntimeError, ValueError) as error:
            logger.debug("'%s' does not answer (%s)", self.summary.name, error)
            return
        try:
            info = signal_info(xml)
        except NeuriptError as error:
            self.refused = str(error)
            return
        if self.info is None:
            self.header_xml, self.joined_at, self.info = xml, joined_at, info
        self._inlet, self.open = inlet, True
        try:
            self._pull_on(inlet)
        except RuntimeError:  # LostError is one
            logger.debug("'%s' is gone", self.summary.name)
        finally:
            self.open, self._inlet = False, None

    def _pull_on(self, inlet: pylsl.StreamInlet) -> None:
        pause_s = _PAUSE_S if self.summary.sfreq > 1 / _PAUSE_S else 0.0
        while not self._ended.is_set():
            if self._n_bytes > MOST_WAITING_BYTES:
                time.sleep(_PULL_S)
                continue
            if self._pull(inlet, _PULL_S, 1):  # kept at once: the next one may find that the sender is gone
                self._pull(inlet, 0.0, _MOST_AT_ONCE)
                time.sleep(pause_s)

    def _pull(self, inlet: pylsl.StreamInlet, timeout_s: float, most: int) -> bool:
        """Take samples out of LSL; return whether there were some."""
        values, stamps = inlet.pull_chunk(timeout=timeout_s, max_samples=most)
        if len(stamps):
            with self._counting:
                self._n_bytes += _n_bytes(values)
            self._arrived.append((values, stamps))
        return bool(len(stamps))


def _n_bytes(values: NDArray[Any]) -> int:
    return values.nbytes if values.dtype != object else 64 * values.size + sum(map(len, values.flat))
