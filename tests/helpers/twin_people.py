"""Short recordings of several simulated people, and what they say of the next one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import xdf_writer

from neuript.montages import load_montage
from neuript.realtime.recordings.recording import Recording
from neuript.realtime.twin.cues import CueProtocol
from neuript.realtime.twin.session_recording import session_recording
from neuript.realtime.twin.signal import TwinSignal
from neuript.realtime.twin.subject import Subject
from neuript.training.calibration.calibration_spec import CalibrationSpec
from neuript.training.population.population_spec import PopulationSpec

NAMES = ("F3", "F4", "C3", "Cz", "C4", "P3", "P4", "Pz")
SFREQ = 125.0
CLASSES = ("left_hand", "right_hand")
EVENTS = {name: (name,) for name in CLASSES}
TIMES: dict[str, Any] = {"window_s": 2.0, "epoch_s": (1.0, 4.0), "hop_s": 0.5}
SPEC: dict[str, Any] = {"event_map": EVENTS, **TIMES}
OPTIONS = ("--window", "2", "--epoch", "1", "4", "--hop", "0.5")


def session(
    person: int,
    day: int = 0,
    *,
    trials: int = 8,
    names: tuple[str, ...] = NAMES,
    classes: tuple[str, ...] = CLASSES,
    skill: float = 1.0,
) -> Recording:
    """A day of a simulated person, in memory."""
    protocol = CueProtocol(
        classes=classes, trials_per_class=trials, pre_cue_s=0.5, imagery_s=4.0, pause_s=(0.5, 0.8), lead_in_s=3.0
    )
    subject = Subject(skill=skill, seed=person)
    signal = TwinSignal(load_montage("10-20").pick(names), SFREQ, subject, protocol=protocol, seed=100 * person + day)
    return session_recording(signal, f"p{person}.xdf")


def write(path: Path, recording: Recording, markers: bool = True, start_s: float = 100.0) -> Path:
    """Write a session as an XDF file."""
    eeg, cues = recording.streams[0], recording.streams[1]
    said = [(start_s + t, row[0]) for t, row in zip(cues.timestamps, cues.values, strict=True)] if markers else []
    file = xdf_writer.session(
        eeg.values, start_s + eeg.timestamps, said, sfreq=SFREQ, labels=list(eeg.info.ch_names), name="twin (simulated)"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    return file.save(path)


def write_people(folder: Path, n_people: int = 3, **options: Any) -> dict[str, list[Path]]:
    """Write one recording of each of some people, as in BIDS."""
    return {
        f"{k:02d}": [write(folder / f"sub-{k:02d}" / "eeg" / f"sub-{k:02d}_eeg.xdf", session(k, **options))]
        for k in range(1, n_people + 1)
    }


def population_spec(**options: Any) -> PopulationSpec:
    """Short windows, no network and no table, unless asked for."""
    return PopulationSpec(**{**SPEC, "network": False, "table": False, "mains_hz": None, **options})


def calibration_spec(**options: Any) -> CalibrationSpec:
    """The same windows for one person."""
    return CalibrationSpec(**{**SPEC, "network": "none", "mains_hz": None, **options})
