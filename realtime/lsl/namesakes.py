"""Who publishes already under a source id that we are about to use: programs that follow it could not tell us apart."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection

from neuript.foreign import one_line
from neuript.realtime.lsl.discovery import StreamSummary
from neuript.realtime.lsl.library import pylsl

logger = logging.getLogger(__name__)

LOOK_S = 0.6
"""Seconds after which who is there has answered, also from another computer."""
_FORGET_S = 3.0


class Namesakes:
    """Looks around while other things are made ready; to be made some time before it is asked."""

    def __init__(self) -> None:
        self._resolver = pylsl.ContinuousResolver(forget_after=_FORGET_S)
        self._since = time.monotonic()

    def of(self, source_ids: Collection[str]) -> list[StreamSummary]:
        """Return the streams that have one of these source ids; waits where it was made less than `LOOK_S` ago."""
        time.sleep(max(0.0, self._since + LOOK_S - time.monotonic()))
        meant = {source_id for source_id in source_ids if source_id}
        return [s for s in map(StreamSummary.of, self._resolver.results()) if s.source_id in meant]

    def warn(self, source_ids: Collection[str]) -> None:
        """Log a sentence for each of them, before we publish as well."""
        for stream in self.of(source_ids):
            logger.warning(
                "'%s' on %s publishes under the source id %s already: who follows it may take the wrong one; end one "
                "of the two programs, or give this one a source id of its own",
                one_line(stream.name),
                one_line(stream.hostname),
                one_line(stream.source_id),
            )
