"""A calibration on a simulated person, for the screens that tell what came of it."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from neuript.montages import load_montage
from neuript.realtime.decoding.scoring import ScoreCard
from neuript.realtime.twin.cues import CueProtocol
from neuript.realtime.twin.session_recording import session_recording
from neuript.realtime.twin.signal import TwinSignal
from neuript.realtime.twin.subject import Subject
from neuript.training.calibration.calibration import calibrate
from neuript.training.calibration.calibration_spec import CalibrationSpec
from neuript.training.report.calibration_report import report
from screens.shots import once

CLASSES = ("left_hand", "right_hand", "rest")
SKILLED = 0.9


@dataclass(frozen=True)
class Calibrated:
    """What came of it, without what it rests on."""

    published: ScoreCard | None
    figures: dict[str, Any]
    n_trials: int
    page: str
    """The report."""


@once
def twin_calibration(skill: float, trials: int = 20) -> Calibrated:
    """Calibrate on one session of a person of a skill; 0 has no rhythms that imagery would weaken."""
    protocol = CueProtocol(classes=CLASSES, trials_per_class=trials, pause_s=(1.5, 2.0))
    signal = TwinSignal(load_montage("openbci-16"), 250.0, Subject(skill=skill, seed=3), protocol=protocol, seed=3)
    spec = CalibrationSpec(event_map={name: name for name in CLASSES}, network="none", window_s=2.0, subject="S01")
    result = calibrate(session_recording(signal, "S01.xdf"), spec)
    with tempfile.TemporaryDirectory() as folder:
        page = Path(folder) / "report.html"
        report(result, page)
        return Calibrated(result.published, result.figures, result.n_trials, page.read_text("utf-8"))
