"""The targets of a feedback session as LSL markers, so that a recording made meanwhile can be scored."""

from __future__ import annotations

import hashlib
import json
import socket
from typing import Any

from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.lsl.library import pylsl
from neuript.realtime.lsl.stream_info import described, element, stream_info


class TargetOutlet:
    """Publishes one marker, a JSON object, for each target and for each end of one, until it is closed.

    Parameters
    ----------
    decoder_source_id : str
        Whose decisions move what is shown.
    """

    def __init__(self, decoder_source_id: str) -> None:
        digits = hashlib.sha256(f"{socket.gethostname()}|{decoder_source_id}".encode()).hexdigest()[:8]
        info = SignalInfo(
            name="neuript-feedback-targets",
            stype="Markers",
            sfreq=pylsl.IRREGULAR_RATE,
            ch_names=("targets",),
            ch_types=("Markers",),
            units=("none",),
            source_id=f"neuript-feedback-targets-{digits}",
            channel_format="string",
        )
        desc = described(info, element("acquisition", manufacturer="neuript"))
        self._outlet: pylsl.StreamOutlet | None = pylsl.StreamOutlet(stream_info(info, desc))

    def send(self, marker: dict[str, Any], t: float) -> None:
        """Push a marker stamped `t`, in seconds on the LSL clock; never waits."""
        if self._outlet is not None:
            self._outlet.push_sample([json.dumps(marker)], t)

    def close(self) -> None:
        """Take it off the network; harmless when called twice."""
        self._outlet = None
