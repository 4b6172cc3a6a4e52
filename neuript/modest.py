"""A process that gives way to all others."""

from __future__ import annotations

import contextlib
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
