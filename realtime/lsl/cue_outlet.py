"""The two LSL streams of a session with cues: JSON markers, and the same as GDF codes for OpenViBE and its kin."""

from __future__ import annotations

import hashlib
import socket

from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.lsl.gdf import PHASE_CODES, UNKNOWN_CUE
from neuript.realtime.lsl.library import pylsl
from neuript.realtime.lsl.stream_info import described, element, stream_info
from neuript.realtime.recordings.cue_markers import CODES, MARKERS, CueHeader, cue_header_xml, cue_marker

CUE_SOURCE_IDS = "neuript-cues-"
"""What the source ids of cues begin with, whoever's they are."""


def cue_source_id(subject: str, role: str) -> str:
    """Return the source id of the stream of `MARKERS` or `CODES`.

    It stays the same for this host and person, so that a recorder finds the stream again after a restart.
    """
    text = "|".join((socket.gethostname(), subject))
    return f"{CUE_SOURCE_IDS}{role}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


class CueOutlets:
    """Publishes what is shown, until it is closed.

    Parameters
    ----------
    header : CueHeader
        What the streams say about the session.
    """

    def __init__(self, header: CueHeader) -> None:
        self._codes = header.classes
        self.markers_id = cue_source_id(header.subject, MARKERS)
        self.gdf_id = cue_source_id(header.subject, CODES)
        self._markers: pylsl.StreamOutlet | None = _outlet(header, MARKERS, self.markers_id, "string")
        self._gdf: pylsl.StreamOutlet | None = _outlet(header, CODES, self.gdf_id, "int32")

    def send(self, ev: str, stamp: float, *, cls: str, trial: int, block: int, practice: bool, late: bool) -> None:
        """Push one marker on both streams; never waits.

        Parameters
        ----------
        ev : str
            `cue`, or one of `gdf.PHASE_CODES`.
        stamp : float
            LSL time in seconds at which it was on the screen.
        cls, trial, block, practice, late
            As in `cue_marker`.
        """
        cue = UNKNOWN_CUE if practice else self._codes[cls]
        gdf = cue if ev == "cue" else PHASE_CODES[ev]
        text = cue_marker(ev, cls=cls, trial=trial, block=block, gdf=gdf, practice=practice, late=late)
        if self._markers is not None and self._gdf is not None:
            self._markers.push_sample([text], stamp)
            self._gdf.push_sample([gdf], stamp)

    def listeners(self) -> dict[str, bool]:
        """Tell of `markers` and `gdf` whether somebody listens to the stream; what nobody hears is lost."""
        outlets = {"markers": self._markers, "gdf": self._gdf}
        return {name: outlet is not None and bool(outlet.have_consumers()) for name, outlet in outlets.items()}

    def close(self) -> None:
        """Take the streams off the network; harmless when called twice."""
        self._markers = self._gdf = None


def _outlet(header: CueHeader, role: str, source_id: str, channel_format: str) -> pylsl.StreamOutlet:
    info = SignalInfo(
        name=f"neuript-cues-{role}",
        stype="Markers",
        sfreq=pylsl.IRREGULAR_RATE,
        ch_names=(role,),
        ch_types=("Markers",),
        units=("none",),
        source_id=source_id,
        channel_format=channel_format,
    )
    # stamps are those of the frames, so nothing is to be subtracted
    timing = element("synchronization", offset_mean="0", can_drop_samples="false")
    acquisition = element("acquisition", manufacturer="neuript")
    return pylsl.StreamOutlet(stream_info(info, described(info, acquisition, cue_header_xml(header, role), timing)))
