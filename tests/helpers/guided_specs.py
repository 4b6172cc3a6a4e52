"""Settings of a guided session, for tests."""

from __future__ import annotations

from neuript.training.calibration.calibration_spec import CalibrationSpec
from neuript.training.guided.guided_spec import GuidedSpec


def guided_spec(**changes: object) -> GuidedSpec:
    """Two hands, an eight-channel cap, twelve trials of each class."""
    given = {
        "subject": "S01",
        "classes": ("left_hand", "right_hand"),
        "montage": "openbci-8",
        "unit": "microvolts",
        "trials_per_class": 12,
        "calibration": CalibrationSpec(montage="openbci-8", unit="microvolts", subject="S01"),
        **changes,
    }
    return GuidedSpec(**given)
