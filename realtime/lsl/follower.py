"""One LSL stream that comes and goes: found, opened, pulled, lost, found again; for a client that may miss samples."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any
from xml.etree.ElementTree import Element

import numpy as np
from numpy.typing import NDArray

from neuript.errors import NeuriptError
from neuript.realtime.lsl.library import LostError, pylsl
from neuript.realtime.recordings.header import parse_xml

logger = logging.getLogger(__name__)

BUFFER_S = 3
"""Seconds that liblsl keeps for a follower at most; older samples are dropped."""
_OPEN_TIMEOUT_S = 3.0
_FORGET_S = 3.0
_MAX_PULLS = 8
_SILENT_S = 2.0
"""Seconds of silence after which a sampled stream is looked up again: its sender may have started anew without closing
the old connection."""
_OFFSET_FIRST_S, _OFFSET_EVERY_S = 0.5, 5.0


class StreamFollower:
    """Follow a stream; each `step` does a bounded piece of work.

    Where several streams match, the newest is taken. Who follows late gets the newest samples: what waits beyond
    some pulls is thrown away. A decoder must not, so it has `LslSource`.

    Parameters
    ----------
    what : str
        What the stream is, for the log.
    predicate : callable
        Function that returns the XPath 1.0 predicate to look for now, or None to look for nothing yet.
    on_open : callable
        Function that takes the whole header of a stream that was found; it raises NeuriptError where the stream cannot
        be used, which is then left alone.
    on_data : callable
        Function that takes values, shape (n, n_channels), and stamps, shape (n,), in seconds on this computer's LSL
        clock.
    on_close : callable
        Function that is called when the stream is gone.
    """

    def __init__(
        self,
        what: str,
        predicate: Callable[[], str | None],
        *,
        on_open: Callable[[Element], None],
        on_data: Callable[[NDArray[Any], NDArray[np.float64]], None],
        on_close: Callable[[], None],
    ) -> None:
        self._what, self._predicate = what, predicate
        self._on_open, self._on_data, self._on_close = on_open, on_data, on_close
        self._inlet: pylsl.StreamInlet | None = None
        self._resolver: pylsl.ContinuousResolver | None = None
        self._looked_for: str | None = None
        self._refused: set[str] = set()
        self._max_samples = 1024
        self._opened: pylsl.StreamInfo | None = None
        self._heard_at = 0.0
        self._offset_s = 0.0
        self._offset_due = 0.0

    @property
    def connected(self) -> bool:
        """True while the stream is open."""
        return self._inlet is not None

    def step(self, now: float) -> None:
        """Open the stream if it can be found, else pull what waits, at `now` on the LSL clock."""
        if self._inlet is None:
            self._find()
        else:
            self._pull(self._inlet, now)
            self._look_for_a_newer_one(now)

    def close(self) -> None:
        """Let go of the stream; harmless when called twice."""
        inlet, self._inlet = self._inlet, None
        if inlet is not None:
            inlet.close_stream()

    def _find(self) -> None:
        predicate = self._predicate()
        if predicate is None:
            return
        if self._resolver is None or predicate != self._looked_for:
            self._resolver = pylsl.ContinuousResolver(pred=predicate, forget_after=_FORGET_S)
            self._looked_for = predicate
        found = [info for info in self._resolver.results() if info.uid() not in self._refused]
        if found:
            self._open(max(found, key=lambda info: float(info.created_at())))

    def _open(self, found: pylsl.StreamInfo) -> None:
        inlet = pylsl.StreamInlet(found, max_buflen=BUFFER_S, recover=False, as_numpy=True)
        try:
            header = inlet.info(timeout=_OPEN_TIMEOUT_S).as_xml()
            self._on_open(parse_xml(header))
            inlet.open_stream(timeout=_OPEN_TIMEOUT_S)
        except (pylsl.util.TimeoutError, LostError) as error:
            logger.debug("%s: found but not reached (%s)", self._what, error)
            return
        except NeuriptError as error:
            logger.warning("%s: %s", self._what, error)
            self._refused.add(found.uid())
            return
        rate = float(found.nominal_srate())
        self._max_samples = max(64, int(rate)) if rate else 256
        self._inlet, self._resolver, self._opened = inlet, None, found
        self._heard_at = 0.0
        self._offset_s, self._offset_due = 0.0, 0.0
        logger.info("%s: connected to %s", self._what, found.name())

    def _pull(self, inlet: pylsl.StreamInlet, now: float) -> None:
        try:
            self._update_offset(inlet, now)
            for _ in range(_MAX_PULLS):
                data, stamps = inlet.pull_chunk(timeout=0.0, max_samples=self._max_samples)
                if len(stamps):
                    self._heard_at = now
                    self._on_data(data, stamps + self._offset_s)
                if len(stamps) < self._max_samples:
                    return
        except LostError:
            self._lose()
            return
        inlet.flush()  # still more than so many chunks: we are late, show the newest

    def _lose(self) -> None:
        logger.info("%s: the stream is gone", self._what)
        self.close()
        self._resolver = None
        self._on_close()

    def _look_for_a_newer_one(self, now: float) -> None:
        """Let go of a sampled stream that has fallen silent where a newer one answers to the same predicate."""
        if self._inlet is None or self._opened is None or not self._opened.nominal_srate():
            return
        self._heard_at = self._heard_at or now
        if now - self._heard_at < _SILENT_S:
            self._resolver = None
            return
        if self._resolver is None and (predicate := self._predicate()) is not None:
            self._resolver = pylsl.ContinuousResolver(pred=predicate, forget_after=_FORGET_S)
        found = self._resolver.results() if self._resolver is not None else []
        if any(info.created_at() > self._opened.created_at() for info in found):
            self._lose()

    def _update_offset(self, inlet: pylsl.StreamInlet, now: float) -> None:
        """Ask for the clock offset now and then; until liblsl knows it, assume none."""
        if now < self._offset_due:
            return
        try:
            self._offset_s = float(inlet.time_correction(timeout=0.05))
            self._offset_due = now + _OFFSET_EVERY_S
        except pylsl.util.TimeoutError:
            self._offset_due = now + _OFFSET_FIRST_S
            logger.debug("%s: no clock offset yet", self._what)
