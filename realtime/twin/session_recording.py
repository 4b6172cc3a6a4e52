"""A whole simulated session as a recording in memory, as if it had been read from a file."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from neuript.errors import NeuriptError
from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.recordings.header import header_xml
from neuript.realtime.recordings.recording import RecordedStream, Recording
from neuript.realtime.twin.signal import TwinSignal
from neuript.realtime.twin.twin_source import twin_info


def session_recording(signal: TwinSignal, name: str = "twin.xdf") -> Recording:
    """Return all of a simulated session with its cues.

    Parameters
    ----------
    signal : TwinSignal
        The session, from its beginning; its protocol must have an end.
    name : str
        What the recording calls itself; no file is written.

    Raises
    ------
    NeuriptError
        If the session has no end.
    """
    seconds = signal.schedule.end_s
    if seconds is None:
        raise NeuriptError("the simulated session has no end; give its protocol a number of trials")
    data = signal.read(round(seconds * signal.sfreq))
    stamps = np.arange(len(data)) / signal.sfreq
    info = twin_info(signal)
    eeg = RecordedStream(info, data, stamps, stamps, header_xml(info), segments=((0, len(data)),))
    events = signal.events(0.0, seconds)
    marks = SignalInfo(
        name="cues", sfreq=0.0, ch_names=("",), units=("",), ch_types=("",), stype="Markers", channel_format="string"
    )
    times = np.array([e.time_s for e in events])
    cues = RecordedStream(marks, [(e.label,) for e in events], times, times, header_xml(marks))
    return Recording(Path(name), [eeg, cues], "twin", eeg_index=0)
