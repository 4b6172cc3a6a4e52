"""Streams that appear while a recording runs."""

from __future__ import annotations

import logging
from collections.abc import Collection

from neuript.realtime.lsl.discovery import StreamSummary
from neuript.realtime.lsl.library import pylsl
from neuript.realtime.recordings.explanation import STREAM_TYPE

logger = logging.getLogger(__name__)


class LateStreams:
    """Streams that appear while a recording runs: LabRecorder does not take them up, so it is said.

    Parameters
    ----------
    known : collection of StreamSummary
        The streams that are recorded. One of them that was started again is taken up by LabRecorder, if it has a source
        id.
    """

    def __init__(self, known: Collection[StreamSummary]) -> None:
        self._known = {stream.uid for stream in known}
        self._again = {_identity(stream) for stream in known if stream.source_id}
        self._resolver = pylsl.ContinuousResolver()

    def look(self) -> None:
        """Say each stream that is new, once."""
        for stream in map(StreamSummary.of, self._resolver.results()):
            if stream.uid in self._known or stream.stype == STREAM_TYPE:
                continue
            self._known.add(stream.uid)
            if _identity(stream) not in self._again:
                logger.warning(
                    "'%s' (%s) appeared after the beginning and is not recorded; stop and start again to have it",
                    stream.name,
                    stream.stype,
                )


def _identity(stream: StreamSummary) -> tuple[str, str, str]:
    return stream.name, stream.stype, stream.source_id
