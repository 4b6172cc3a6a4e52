"""Other streams that match what was asked for: whoever looks at one of them should know of the rest."""

from __future__ import annotations

from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.lsl.discovery import StreamSummary
from neuript.realtime.lsl.library import pylsl

_FORGET_S = 3.0


class RivalStreams:
    """Looks around for streams, without waiting.

    Parameters
    ----------
    predicate : str
        XPath 1.0 predicate that the user's stream was found by.
    """

    def __init__(self, predicate: str) -> None:
        self._resolver = pylsl.ContinuousResolver(pred=predicate, forget_after=_FORGET_S)

    def of(self, info: SignalInfo) -> list[StreamSummary]:
        """Return the streams that match and are neither this one nor this one started again."""
        found = map(StreamSummary.of, self._resolver.results())
        return [
            stream
            for stream in found
            if stream.uid != info.uid
            and (stream.name, stream.source_id) != (info.name, info.source_id)
            and stream.channel_format != "string"
            and not stream.source_id.startswith("neuript-")
        ]
