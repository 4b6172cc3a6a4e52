"""A calibration on a simulated person, for the screens that tell what came of it."""

from __future__ import annotations

from neuript.montages import load_montage
from neuript.realtime.twin.cues import CueProtocol
from neuript.realtime.twin.session_recording import session_recording
from neuript.realtime.twin.signal import TwinSignal
from neuript.realtime.twin.subject import Subject
from neuript.training.calibration.calibration import calibrate
from neuript.training.calibration.calibration_spec import CalibrationSpec
from neuript.training.calibration.to_model import CalibrationResult
from screens.shots import once

CLASSES = ("left_hand", "right_hand", "rest")


@once
def twin_calibration(skill: float, trials: int = 20) -> CalibrationResult:
    """Calibrate on one session of a person of a skill; 0 has no rhythms that imagery would weaken."""
    protocol = CueProtocol(classes=CLASSES, trials_per_class=trials, pause_s=(1.5, 2.0))
    signal = TwinSignal(load_montage("openbci-8"), 250.0, Subject(skill=skill, seed=3), protocol=protocol, seed=3)
    spec = CalibrationSpec(event_map={name: name for name in CLASSES}, network="none", window_s=2.0)
    return calibrate(session_recording(signal, "S01.xdf"), spec)
