"""Recordings of a skilled simulated person, as XDF files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xdf_writer

from neuript.montages import load_montage
from neuript.realtime.twin.cues import CueProtocol
from neuript.realtime.twin.signal import record_session
from neuript.realtime.twin.subject import Subject

NAMES = ("F3", "F4", "C3", "Cz", "C4", "P3", "P4", "Pz")
SFREQ = 125.0


def write_run(
    path: Path,
    seed: int,
    markers: dict[str, str] | None = None,
    classes: tuple[str, ...] = ("left_hand", "right_hand"),
    lead_in_s: float = 4.0,
) -> Path:
    """Write one run of 12 trials of each class, whose clock begins at 100 times its seed.

    Markers are the classes' names, unless `markers` names others.
    """
    protocol = CueProtocol(classes=classes, trials_per_class=12, pre_cue_s=0.5, pause_s=(0.5, 0.8), lead_in_s=lead_in_s)
    run = record_session(load_montage("10-20").pick(NAMES), SFREQ, Subject(skill=1.0), protocol=protocol, seed=seed)
    named = markers or {}
    file = xdf_writer.session(
        run.data,
        100 * seed + np.arange(len(run.data)) / run.sfreq,
        [(100 * seed + e.time_s, named.get(e.label, e.label)) for e in run.events],
        sfreq=run.sfreq,
        labels=list(NAMES),
        name="neuript-twin (simulated)",
    )
    return file.save(path)
