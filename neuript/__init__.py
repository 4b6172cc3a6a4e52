"""neuript: real-time EEG decoding over Lab Streaming Layer with the NeurIPT transformer.

Importing this package is cheap: PyTorch, MNE and Qt are loaded by the modules that need them. What
`_LAZY` lists is loaded on first use: `NeurIPT` (the network under braindecode's parameter names), `NeurIPTClassifier`
(scikit-learn's face), and what the command line does, as functions: `calibrate`, `report`, `score`,
`inspect` (docs/python.md).
"""

from __future__ import annotations

from pathlib import Path

__version__ = "0.1.0"

_CHECKOUT = Path(__file__).resolve().parents[1]
if (_CHECKOUT / "pyproject.toml").is_file() and (_CHECKOUT / "montages").is_dir():
    __path__.append(str(_CHECKOUT))  # run from a clone, where `realtime`, ... lie beside this folder

_LAZY = {
    "CalibrationSpec": "neuript.training.calibration.calibration_spec",
    "NeurIPT": "neuript.braindecode",
    "NeurIPTClassifier": "neuript.training.classifier.estimator",
    "calibrate": "neuript.training.calibration.calibration",
    "inspect": "neuript.inspection",
    "report": "neuript.training.report.calibration_report",
    "score": "neuript.training.calibration.score_recording",
}


def __getattr__(name: str) -> object:
    """Load a public class or function on first use."""
    if name not in _LAZY:
        raise AttributeError(f"module 'neuript' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_LAZY[name]), name)


def __dir__() -> list[str]:
    """List what is loaded lazily as well."""
    return sorted([*globals(), *_LAZY])
