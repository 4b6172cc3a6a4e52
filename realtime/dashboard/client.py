"""The dashboard's LSL client: one thread that finds, pulls and re-finds the streams.

The drawing never touches LSL: it takes `client.lock` for the moment it copies what it needs.
The decoder never notices this client: liblsl sends from its own threads, keeps at most
`BUFFER_S` seconds for it, and drops the oldest when the dashboard is stopped.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuript.realtime.dashboard.stream_info import HeaderError, decoder_info, eeg_info
from neuript.realtime.dashboard.view_model import ViewModel
from neuript.realtime.lsl.library import pylsl

logger = logging.getLogger(__name__)

BUFFER_S = 3
"""Seconds that liblsl keeps for the dashboard at most; older samples are dropped."""
PERIOD_S = 0.02
OPEN_TIMEOUT_S = 3.0
MAX_PULLS = 8


def quoted(text: str) -> str:
    """Quote `text` for an LSL predicate (XPath 1.0 has no escapes)."""
    if "'" not in text:
        return f"'{text}'"
    if '"' not in text:
        return f'"{text}"'
    pieces = ', "\'", '.join(f"'{piece}'" for piece in text.split("'"))
    return f"concat({pieces})"


@dataclass
class _Stream:
    """One stream to follow: found by predicate, opened, pulled, lost, found again."""

    what: str
    predicate: Callable[[], str | None]
    on_open: Callable[[pylsl.StreamInfo], None]
    on_data: Callable[[Any, NDArray[np.float64]], None]
    on_close: Callable[[], None]
    is_text: bool = False
    inlet: pylsl.StreamInlet | None = None
    uid: str = ""
    max_samples: int = 1024
    offset_s: float = 0.0
    offset_asked: float = -1e9
    _resolver: pylsl.ContinuousResolver | None = None
    _resolving: str | None = None

    def step(self, now: float) -> None:
        """Open the stream if it can be found, else pull what waits. Bounded."""
        if self.inlet is None:
            self._find()
        else:
            self._pull(now)

    def _find(self) -> None:
        predicate = self.predicate()
        if predicate is None:
            return
        if predicate != self._resolving:
            self._resolver = pylsl.ContinuousResolver(pred=predicate, forget_after=3.0)
            self._resolving = predicate
        found = self._resolver.results() if self._resolver is not None else []
        if not found:
            return
        newest = max(found, key=lambda info: float(info.created_at()))
        inlet = pylsl.StreamInlet(newest, max_buflen=BUFFER_S, recover=False, as_numpy=True)
        try:
            full = inlet.info(timeout=OPEN_TIMEOUT_S)
            self.on_open(full)
            inlet.open_stream(timeout=OPEN_TIMEOUT_S)
        except (pylsl.util.TimeoutError, pylsl.util.LostError) as error:
            logger.debug("%s: found but not reached (%s)", self.what, error)
            return
        except HeaderError as error:
            logger.warning("%s: %s", self.what, error)
            return
        rate = float(newest.nominal_srate())
        self.max_samples = max(64, int(rate)) if rate else 256
        self.inlet, self.uid, self.offset_asked = inlet, newest.uid(), -1e9
        self._resolver, self._resolving = None, None
        logger.info("%s: connected to %s", self.what, newest.name())

    def _pull(self, now: float) -> None:
        inlet = self.inlet
        if inlet is None:
            return
        try:
            self._update_offset(inlet, now)
            for _ in range(MAX_PULLS):
                data, stamps = inlet.pull_chunk(timeout=0.0, max_samples=self.max_samples)
                if len(stamps):
                    self.on_data(data, stamps + self.offset_s)
                if len(stamps) < self.max_samples:
                    return
        except pylsl.util.LostError:
            logger.info("%s: the stream is gone", self.what)
            self.close()
            self.on_close()
            return
        inlet.flush()  # still more than MAX_PULLS chunks: we are late, show the newest

    def _update_offset(self, inlet: pylsl.StreamInlet, now: float) -> None:
        """Ask for the clock offset now and then; until liblsl knows it, assume none."""
        if now - self.offset_asked < (0.5 if self.offset_asked < 0 else 5.0):
            return
        self.offset_asked = now
        try:
            self.offset_s = float(inlet.time_correction(timeout=0.05))
        except pylsl.util.TimeoutError:
            logger.debug("%s: no clock offset yet", self.what)

    def close(self) -> None:
        if self.inlet is not None:
            self.inlet.close_stream()
        self.inlet, self.uid = None, ""


class DashboardClient:
    """Follow a decoder's streams and its EEG stream, and keep a `ViewModel` up to date.

    Parameters
    ----------
    model : ViewModel
        Written by the client's thread, under `lock`.
    proba_source_id : str
        `source_id` of the decoder's `Predictions` stream; empty = any such stream of neuript.
    eeg_source_id : str
        `source_id` of the EEG stream; empty = the one that the decoder's header names.
    """

    def __init__(self, model: ViewModel, proba_source_id: str = "", eeg_source_id: str = "") -> None:
        self.model = model
        self.lock = threading.Lock()
        self._proba_source_id, self._eeg_source_id = proba_source_id, eeg_source_id
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self.failure: Exception | None = None
        """What ended the thread, if anything did."""
        self._streams = (
            _Stream("decoder", self._decoder_query, self._open_decoder, self._rows, self._close_decoder),
            _Stream("EEG", self._eeg_query, self._open_eeg, self._samples, self._close_eeg),
            _Stream("events", self._events_query, lambda info: None, self._markers, lambda: None, True),
        )

    # --- thread --------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to follow the streams in a thread."""
        self._thread = threading.Thread(target=self._run, name="dashboard-lsl", daemon=True)
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """End the thread and close the streams; harmless when called twice."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout_s)
            self._thread = None

    def __enter__(self) -> DashboardClient:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _run(self) -> None:
        try:
            while not self._stop.wait(PERIOD_S):
                self.step(pylsl.local_clock())
        except Exception as error:  # the views end and say it, rather than show an old picture
            logger.exception("the dashboard's LSL thread failed")
            self.failure = error
        for stream in self._streams:
            stream.close()

    def step(self, now: float) -> None:
        """Find or pull each stream once."""
        for stream in self._streams:
            stream.step(now)

    # --- what is looked for --------------------------------------------------------------------

    def _decoder_query(self) -> str:
        if self._proba_source_id:
            return f"source_id={quoted(self._proba_source_id)}"
        return "type='Predictions' and starts-with(name,'neuript-')"

    def _eeg_query(self) -> str | None:
        info = self.model.decoder
        wanted = self._eeg_source_id or (info.eeg_source_id or info.eeg_name if info else "")
        if not wanted:
            return None
        # a stream without source id is known by its name
        match = f"source_id={quoted(wanted)} or name={quoted(wanted)}"
        return f"({match}) and type!='Predictions' and type!='Markers'"

    def _events_query(self) -> str | None:
        info = self.model.decoder
        if info is None or "-proba" not in info.source_id:
            return None
        return f"source_id={quoted(info.source_id.replace('-proba', '-events', 1))}"

    # --- what arrives --------------------------------------------------------------------------

    def _open_decoder(self, full: pylsl.StreamInfo) -> None:
        info = decoder_info(full.as_xml())
        with self.lock:
            self.model.connect_decoder(info, pylsl.local_clock())

    def _close_decoder(self) -> None:
        with self.lock:
            self.model.disconnect_decoder(pylsl.local_clock())

    def _rows(self, data: NDArray[np.float32], stamps: NDArray[np.float64]) -> None:
        with self.lock:
            self.model.add_rows(data, stamps, pylsl.local_clock())

    def _open_eeg(self, full: pylsl.StreamInfo) -> None:
        info = eeg_info(full.as_xml())
        if full.channel_format() == pylsl.cf_string:
            raise HeaderError(f"stream {info.name!r} carries text, not samples; it is not drawn")
        with self.lock:
            self.model.connect_eeg(info)

    def _close_eeg(self) -> None:
        with self.lock:
            self.model.disconnect_eeg()

    def _samples(self, data: NDArray[Any], stamps: NDArray[np.float64]) -> None:
        with self.lock:
            self.model.add_eeg(data.astype(np.float32), stamps, pylsl.local_clock())

    def _markers(self, data: NDArray[Any], stamps: NDArray[np.float64]) -> None:
        texts = [bytes(value).decode("utf-8", "replace") for value in data[:, 0]]
        with self.lock:
            self.model.add_events(texts, stamps)
