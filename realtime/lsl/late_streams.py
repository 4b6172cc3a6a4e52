"""Streams that appear while a recording runs."""

from __future__ import annotations

import logging

from neuript.realtime.lsl.discovery import StreamSummary
from neuript.realtime.lsl.library import pylsl
from neuript.realtime.recordings.explanation import STREAM_TYPE

logger = logging.getLogger(__name__)


class LateStreams:
    """Streams that appear while a recording runs: LabRecorder does not take them up, so it is said.

    Parameters
    ----------
    known : set of str
        Uids of the streams that are recorded.
    """

    def __init__(self, known: set[str]) -> None:
        self._known = set(known)
        self._resolver = pylsl.ContinuousResolver()

    def look(self) -> None:
        """Say each stream that is new, once."""
        for stream in map(StreamSummary.of, self._resolver.results()):
            if stream.uid not in self._known and stream.stype != STREAM_TYPE:
                self._known.add(stream.uid)
                logger.warning(
                    "'%s' (%s) appeared after the beginning and is not recorded; stop and start again to have it",
                    stream.name,
                    stream.stype,
                )
