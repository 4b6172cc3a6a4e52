"""Which of the streams on the network go into a recording, now and later."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from neuript.montages.stream_labels import is_eeg_stream
from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.lsl.candidates import Follow
from neuript.realtime.lsl.cue_outlet import CUE_SOURCE_IDS
from neuript.realtime.lsl.discovery import StreamSummary
from neuript.realtime.recordings.header import DESCRIPTION_TYPE

SAME_AT_ONCE = ("name", "stype", "source_id", "sfreq", "channel_format")
"""What a sender that was started again says as before, as far as it is announced."""
SAME = (*SAME_AT_ONCE, "ch_names", "units")
"""The same, as far as it is known once it is connected to."""


@dataclass(frozen=True, kw_only=True)
class RecordingRule:
    """What is recorded: some streams in any case, and all others of a kind."""

    uids: tuple[str, ...] = ()
    """Streams that are recorded in any case; one that is lost and comes back as another instance is gone on with."""
    source_ids: tuple[str, ...] = ()
    """Source ids that are recorded in any case."""
    others: Literal["all", "markers", "no strangers"] = "all"
    """Which others: "all", "markers", or "no strangers" (all but the EEG, cues and decisions of other people)."""
    eeg: str = ""
    """Uid of the EEG, for `follow`."""
    follow: Follow = "restarts"
    """Who goes on with the EEG: as for the decoder that hears it. Other streams: the same sender started again."""

    def goes_on(self, first: SignalInfo, other: SignalInfo | StreamSummary, same: tuple[str, ...]) -> bool:
        """Say whether another stream looks like the first one, started again, by what must be the same."""
        if first.uid == other.uid:
            return True
        if any(getattr(first, name) != getattr(other, name) for name in same):
            return False
        follow = self.follow if first.uid == self.eeg else "restarts"
        return follow == "any" or (follow == "restarts" and first.hostname == other.hostname)

    def takes(self, stream: StreamSummary) -> bool:
        """Say whether a stream is recorded."""
        if stream.uid in self.uids or (stream.source_id and stream.source_id in self.source_ids):
            return True
        if self.others == "markers":
            return "marker" in stream.stype.lower()
        if stream.stype == DESCRIPTION_TYPE:
            return False  # explains an EEG stream that somebody else records
        if self.others == "all":
            return True
        stranger = stream.stype == "Predictions" or is_eeg_stream(stream.stype)
        return not stranger and not stream.source_id.startswith(CUE_SOURCE_IDS)
