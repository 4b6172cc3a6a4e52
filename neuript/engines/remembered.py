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
from neuript.user_folders import cache_dir

log = logging.getLogger(__name__)

_PACKAGES = ("neuript", "torch", "numpy", "onnxruntime", "openvino")


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
        What identifies the model, such as the hash of its weights.
    """
    about = json.dumps({"model": model_key, **computer()}, sort_keys=True)
    return cache_dir() / "engines" / f"{hashlib.sha256(about.encode()).hexdigest()[:32]}.json"


def recall(model_key: str) -> list[str]:
    """Return the rungs of the ladder, fastest first, as they were remembered; empty if they were not."""
    try:
        order = json.loads(choice_path(model_key).read_text("utf-8"))["order"]
    except (OSError, ValueError, KeyError, TypeError):
        return []
    return [str(name) for name in order] if isinstance(order, list) else []


def remember(model_key: str, milliseconds: dict[str, float]) -> None:
    """Keep how long a window took on each rung; that it cannot be kept costs another measurement, nothing else."""
    order = sorted(milliseconds, key=lambda label: milliseconds[label])
    note: dict[str, Any] = {"order": order, "milliseconds": milliseconds, "computer": computer()}
    path = choice_path(model_key)
    try:
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
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
