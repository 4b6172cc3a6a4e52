"""The stream that explains a recorded EEG stream: a header, and never a sample."""

from __future__ import annotations

from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.lsl.library import pylsl
from neuript.realtime.lsl.stream_info import described, element, stream_info
from neuript.realtime.recordings.explanation import explanation_xml
from neuript.realtime.recordings.header import DESCRIPTION_TYPE


class ExplanationOutlet:
    """Publishes what is known of an EEG stream, for recorders, until it is closed.

    Parameters
    ----------
    info : SignalInfo
        The header that the EEG should have had (`recordings.explanation.explained`).
    about : mapping of str to str
        Further words: who recorded, which montage.
    """

    def __init__(self, info: SignalInfo, **about: str) -> None:
        header = SignalInfo(
            name=f"neuript-description-of-{info.name}",
            stype=DESCRIPTION_TYPE,
            sfreq=pylsl.IRREGULAR_RATE,
            ch_names=("description",),
            ch_types=("Description",),
            units=("none",),
            source_id=f"neuript-description-{info.source_id or info.name}",
            channel_format="string",
        )
        desc = described(header, element("acquisition", manufacturer="neuript", **about), explanation_xml(info))
        self._outlet: pylsl.StreamOutlet | None = pylsl.StreamOutlet(stream_info(header, desc))
        self.uid = str(self._outlet.get_info().uid())

    def close(self) -> None:
        """Take it off the network; harmless when called twice."""
        self._outlet = None
