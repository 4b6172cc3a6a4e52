"""A text marker stream, read without waiting (the demo's cues)."""

from __future__ import annotations

from neuript.realtime.lsl.library import pylsl

_OPEN_TIMEOUT_S = 5.0
_BUFFER_S = 360
_REMEMBER_S = 60.0


class LslMarkers:
    """The markers of one stream, which may appear at any time.

    Parameters
    ----------
    predicate : str
        XPath 1.0 predicate on the stream header, as from `predicate_for`.
    """

    def __init__(self, predicate: str) -> None:
        self._predicate = predicate
        self._resolver: pylsl.ContinuousResolver | None = None
        self._inlet: pylsl.StreamInlet | None = None

    def start(self) -> None:
        """Look for the stream in the background."""
        self._resolver = pylsl.ContinuousResolver(pred=self._predicate, forget_after=_REMEMBER_S)

    def pull(self) -> list[tuple[float, str]]:
        """Return (stamp, text) of the markers that have arrived; none before the stream is found."""
        self._inlet = self._inlet or self._connect()
        if self._inlet is None:
            return []
        samples, stamps = self._inlet.pull_chunk(timeout=0.0, max_samples=256)
        return [(t, str(row[0])) for t, row in zip(stamps, samples, strict=True)]

    def close(self) -> None:
        """Let go of the stream; harmless when called twice."""
        inlet, self._inlet, self._resolver = self._inlet, None, None
        if inlet is not None:
            inlet.close_stream()

    def _connect(self) -> pylsl.StreamInlet | None:
        found = self._resolver.results() if self._resolver is not None else []
        if not found:
            return None
        inlet = pylsl.StreamInlet(found[0], max_buflen=_BUFFER_S, recover=True)
        inlet.open_stream(timeout=_OPEN_TIMEOUT_S)
        self._resolver = None
        return inlet
