"""Recordings as the cue window would have left them: JSON markers that say themselves what the trials are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import xdf_writer
from twin_recordings import NAMES, SFREQ

from neuript.montages import load_montage
from neuript.realtime.chain.chunk import SignalInfo
from neuript.realtime.decoding.decision import Decision
from neuript.realtime.decoding.proba_row import pack_row, row_labels
from neuript.realtime.decoding.states import State
from neuript.realtime.recordings.cue_markers import MARKERS, CueHeader, cue_header_xml, cue_marker
from neuript.realtime.recordings.header import header_xml
from neuript.realtime.recordings.recording import RecordedStream, Recording, events_of
from neuript.realtime.twin.cues import CueProtocol
from neuript.realtime.twin.signal import record_session
from neuript.realtime.twin.subject import Subject

CLASSES = ("left_hand", "right_hand")
ZERO = 700.0
"""Stamp of the first sample of a session that is written, in seconds."""


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


def write_cue_session(path: Path, seed: int, gap: tuple[int, int] = (0, 0)) -> Path:
    """Write a session with cues as an XDF file: one practised, one rejected and repeated, and a decoder's rows.

    Parameters
    ----------
    path : Path
        The file.
    seed : int
        Of the simulated signal.
    gap : (int, int)
        First sample that is missing, and how many are.
    """
    protocol = CueProtocol(classes=CLASSES, trials_per_class=5, pre_cue_s=0.5, pause_s=(0.5, 0.8), lead_in_s=4.0)
    montage = load_montage("10-20").pick(NAMES)
    run = record_session(montage, SFREQ, Subject(skill=1.0), protocol=protocol, seed=seed)
    cues = [event for event in run.events if event.label in CLASSES]
    said = [
        (2.0, "beep", "left_hand", 90, True),
        (2.0, "cue", "left_hand", 90, True),
        (3.0, "trial_end", "left_hand", 90, True),
    ]
    said += [(3.2, "cue", "right_hand", 0, False), (3.4, "rejected", "right_hand", 0, False)]
    for trial, cue in enumerate(cues):
        said += [(cue.time_s, "cue", cue.label, trial, False), (cue.time_s + 3, "trial_end", cue.label, trial, False)]
    markers = [
        (ZERO + t, cue_marker(ev, cls=cls, trial=n, block=1, gdf=769, practice=practice, late=False))
        for t, ev, cls, n, practice in said
    ]
    kept = np.delete(np.arange(len(run.data)), np.arange(gap[0], sum(gap)))
    stamps = ZERO + kept / SFREQ
    file = xdf_writer.session(run.data[kept], stamps, [], sfreq=SFREQ, labels=list(NAMES), name="amp")
    header = CueHeader(subject="S01", classes=dict(zip(CLASSES, (769, 770), strict=True)), events={}, timing={})
    desc = ElementTree.tostring(cue_header_xml(header, MARKERS), encoding="unicode")
    file.stream(7, "neuript-cues-markers", "Markers", 1, 0.0, "string", desc)
    file.samples(7, [t for t, _ in markers], [text for _, text in markers])
    rows = [Decision(t=ZERO + 8.0, window_index=0, state=State.OK, proba={"left_hand": 0.75, "right_hand": 0.25})]
    rows.append(Decision(t=ZERO + 8.1, window_index=0, state=State.GAP, proba=None))
    labels = row_labels(CLASSES)
    desc = xdf_writer.channels_xml(labels, unit="none", kind="Probability")
    file.stream(8, "neuript-mi-proba", "Predictions", n_chans=len(labels), desc=desc)
    file.samples(8, [row.t for row in rows], [pack_row(row, CLASSES) for row in rows])
    return file.save(path)
