"""The dashboard as a process: modest, and gone when it is no longer wanted."""

from __future__ import annotations

import contextlib
import os
import sys

import psutil


def be_modest() -> None:
    """Lower this process's priority, so that the decoder always goes first."""
    process = psutil.Process()
    with contextlib.suppress(psutil.AccessDenied, OSError):
        if sys.platform == "win32":
            process.nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
        else:
            process.nice(10)


def parent_lives(parent: int | None) -> bool:
    """Say whether the process that started this view still runs (True if there is none)."""
    if parent is None:
        return True
    if os.name == "posix":
        return os.getppid() == parent
    return bool(psutil.pid_exists(parent))
