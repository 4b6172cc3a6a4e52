"""A recording as the cue window would have left it: JSON markers that say themselves what the trials are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.recordings.cue_markers import MARKERS, CueHeader, cue_header_xml, cue_marker
from neuript.realtime.recordings.header import header_xml
from neuript.realtime.recordings.recording import RecordedStream, Recording, events_of


def as_cue_session(recording: Recording, class_of: dict[str, str]) -> Recording:
    """Add the markers of the cue window to a recording, beside those that are there.

    Before each trial stands a cue of the next class that was rejected, and at the begin one of practice: a reader that
    takes them finds other trials.

    Parameters
    ----------
    recording : Recording
        With the markers of `class_of`.
    class_of : dict of str to str
        Marker to class.
    """
    classes = list(dict.fromkeys(class_of.values()))
    texts, stamps = [], []

    def add(t, ev, cls, trial, *, practice=False):
        texts.append(cue_marker(ev, cls=cls, trial=trial, block=1, gdf=769, practice=practice, late=False))
        stamps.append(t)

    cues = [event for event in events_of(recording) if event.label in class_of]
    for ev in ("cue", "trial_end"):
        add(cues[0].time_s - 1, ev, classes[0], 99, practice=True)
    for trial, event in enumerate(cues):
        cls = class_of[event.label]
        other = classes[1 - classes.index(cls)]
        add(event.time_s - 0.3, "cue", other, trial)
        add(event.time_s - 0.2, "rejected", other, trial)
        add(event.time_s, "cue", cls, trial)
        add(event.time_s + 0.1, "trial_end", cls, trial)
    info = SignalInfo(
        name="cues", sfreq=0.0, ch_names=("",), units=("",), ch_types=("",), stype="Markers", channel_format="string"
    )
    header = header_xml(info)
    said = CueHeader(classes=dict.fromkeys(classes, 769), events={}, timing={})
    header.find("desc").append(cue_header_xml(said, MARKERS))
    times = np.array(stamps)
    stream = RecordedStream(info, [(text,) for text in texts], times, times, header)
    return replace(recording, streams=[*recording.streams, stream])
