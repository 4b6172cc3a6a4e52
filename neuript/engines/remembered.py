"""Which engine was the fastest for a model on this computer: a small file each, in the user's folder."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

from neuript.files import write_atomically
from neuript.user_folders import cache_dir, private_dir

log = logging.getLogger(__name__)

_PACKAGES = ("neuript", "torch", "numpy", "onnxruntime", "openvino", "tensorrt-rtx-cu13-libs", "torch-tensorrt")


def computer() -> dict[str, str]:
    """Return what the speed of an engine depends on: processor, cores that may be used, and versions."""
    return {
        "machine": platform.machine(),
        "processor": _processor(),
        "cores": str(usable_cores()),
        **{name: _version(name) for name in _PACKAGES},
    }


def usable_cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def choice_path(model_key: str) -> Path:
    """Return where the choice for a model on this computer is kept.

    Parameters
    ----------
    model_key : str
        What identifies the model and where it runs, such as the hash of its weights and the name of a GPU.
    """
    about = json.dumps({"model": model_key, **computer()}, sort_keys=True)
    return cache_dir() / "engines" / f"{hashlib.sha256(about.encode()).hexdigest()[:32]}.json"


def recall(model_key: str) -> dict[str, float | None]:
    """Return what a window took in milliseconds on each rung that was tried, fastest first, as it was remembered.

    None is a rung that was tried and not measured: it was late, or it is not to be used. Empty if nothing is known.
    """
    if not model_key:
        return {}
    try:
        known = json.loads(choice_path(model_key).read_text("utf-8"))["milliseconds"]
        taken = {str(name): None if value is None else float(value) for name, value in known.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}
    return dict(sorted(taken.items(), key=lambda pair: float("inf") if pair[1] is None else pair[1]))


def remember(model_key: str, milliseconds: dict[str, float | None]) -> None:
    """Keep what a window took on each rung; that it cannot be kept costs another measurement, nothing else."""
    if not model_key:
        return
    note: dict[str, Any] = {"milliseconds": milliseconds, "computer": computer()}
    path = choice_path(model_key)
    try:
        private_dir(path.parent)
        write_atomically(path, json.dumps(note, indent=1).encode(), mode=0o600)
    except Exception as error:  # noqa: BLE001  a full disk, a folder of somebody else: decoding goes on
        log.warning("the choice of the engine is not kept: %s", error)


def _processor() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8", "ignore")
    except OSError:
        return platform.processor()
    names = [line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "none"
