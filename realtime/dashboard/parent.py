"""Whether the process that opened a view still runs."""

from __future__ import annotations

import os

import psutil


def parent_lives(parent: int | None) -> bool:
    """Say whether the process that started this view still runs (True if there is none)."""
    if parent is None:
        return True
    if os.name == "posix":
        return os.getppid() == parent
    return bool(psutil.pid_exists(parent))
