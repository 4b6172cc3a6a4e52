"""A text marker stream, read without waiting, whoever sends it (the cues of the demo, and those that a twin obeys)."""

from __future__ import annotations

import time

from neuript.realtime.lsl.library import LostError, pylsl
from neuript.realtime.recordings.marker_labels import received_label

_OPEN_TIMEOUT_S = 5.0
_BUFFER_S = 360
_LOOK_EVERY_S = 1.0


class LslMarkers:
    """The markers of one stream, which may appear at any time; one that goes away gives place to the next.

    Parameters
    ----------
    predicate : str
        XPath 1.0 predicate on the stream header, as from `predicate_for`.
    """

    def __init__(self, predicate: str) -> None:
        self._predicate = predicate
        self._resolver: pylsl.ContinuousResolver | None = None
        self._inlet: pylsl.StreamInlet | None = None
        self._whose = ""
        self._look_at = 0.0

    def start(self) -> None:
        """Look for the stream in the background."""
        self._resolver = pylsl.ContinuousResolver(pred=self._predicate)

    def pull(self) -> list[tuple[float, str]]:
        """Return (stamp, label) of the markers that have arrived; none before the stream is found."""
        self._look()
        if self._inlet is None:
            return []
        samples, stamps = self._inlet.pull_chunk(timeout=0.0, max_samples=256, as_numpy=True)  # text undecoded
        return [(float(t), received_label(row)) for t, row in zip(stamps, samples, strict=True)]

    def close(self) -> None:
        """Let go of the stream; harmless when called twice."""
        inlet, self._inlet, self._resolver = self._inlet, None, None
        if inlet is not None:
            inlet.close_stream()

    def _look(self) -> None:
        """Connect to the stream, or to another one where the one before is there no longer."""
        now = time.monotonic()
        if self._resolver is None or now < self._look_at:
            return
        self._look_at = now + _LOOK_EVERY_S if self._inlet is not None else now
        found = {info.source_id() or info.uid(): info for info in self._resolver.results()}
        if not found or self._whose in found:
            return
        before, self._inlet = self._inlet, None
        if before is not None:
            before.close_stream()
        self._whose, info = next(iter(found.items()))
        inlet = pylsl.StreamInlet(info, max_buflen=_BUFFER_S, recover=True)
        try:
            inlet.open_stream(timeout=_OPEN_TIMEOUT_S)
        except (TimeoutError, LostError):  # gone again: whoever comes next
            self._whose = ""
        else:
            self._inlet = inlet
