"""Locks of job folders for several workers, on one machine or over a shared file system.

A lock is the file `lock.N` of the highest N. It appears complete in one step (a hard link, which
fails if the name is there), says who holds it, and is touched by a thread every minute. A lock is
stale when its process is gone (same host), or when it was not touched for `stale_s` (another host,
where a process cannot be asked after). A stale `lock.N` is never deleted by another worker: whoever
creates `lock.N+1` holds the folder, and only one can. So a take-over has no moment at which two
workers can both believe to have won.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import threading
import time
import uuid
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HEARTBEAT_S = 60.0
STALE_S = 900.0


@dataclass
class Lock:
    """A held lock; give it back with `release`, or use it in a `with` block."""

    path: Path
    heartbeat_s: float = HEARTBEAT_S
    _stop: threading.Event = field(default_factory=threading.Event, repr=False)

    def start(self) -> None:
        """Keep the lock fresh from a thread until `release`."""
        threading.Thread(target=self._beat, name="sweep-lock", daemon=True).start()

    def release(self) -> None:
        """Remove the lock file."""
        self._stop.set()
        with contextlib.suppress(OSError):
            self.path.unlink()

    def __enter__(self) -> Lock:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.release()

    def _beat(self) -> None:
        while not self._stop.wait(self.heartbeat_s):
            with contextlib.suppress(OSError):
                os.utime(self.path)


def acquire(folder: Path, *, stale_s: float = STALE_S) -> Lock | None:
    """Take the lock of a folder, or return None if another worker holds it.

    Parameters
    ----------
    folder
        Job folder; created if missing.
    stale_s
        Age at which a lock of another host counts as left behind.
    """
    folder.mkdir(parents=True, exist_ok=True)
    draft = folder / f".lock-{uuid.uuid4().hex}"
    draft.write_text(json.dumps(_me()))
    try:
        newest = _newest(folder)
        if newest is not None and not _is_stale(newest[1], draft, stale_s):
            return None
        path = folder / f"lock.{0 if newest is None else newest[0] + 1}"
        try:
            os.link(draft, path)
        except OSError:  # somebody was faster
            return None
        return Lock(path)
    finally:
        with contextlib.suppress(OSError):
            draft.unlink()


def holder(folder: Path, *, stale_s: float = STALE_S) -> dict[str, Any] | None:
    """Return who holds the lock of a folder ("pid", "host", ...), or None."""
    newest = _newest(folder)
    if newest is None or _is_stale(newest[1], None, stale_s):
        return None
    return _read(newest[1])


def _me() -> dict[str, Any]:
    import psutil

    process = psutil.Process()
    return {"pid": process.pid, "started": process.create_time(), "host": socket.gethostname(), "since": time.time()}


def _newest(folder: Path) -> tuple[int, Path] | None:
    found = [(int(path.suffix[1:]), path) for path in folder.glob("lock.*") if path.suffix[1:].isdigit()]
    return max(found, default=None)


def _is_stale(path: Path, clock: Path | None, stale_s: float) -> bool:
    """Say whether a lock's worker is gone; `clock` is a file just written on the same server."""
    import psutil

    who = _read(path)
    if who is not None and who.get("host") == socket.gethostname():
        try:
            started = float(psutil.Process(int(who["pid"])).create_time())
            return abs(started - float(who["started"])) > 1.0
        except psutil.NoSuchProcess:
            return True
        except (psutil.AccessDenied, KeyError, TypeError, ValueError):
            return False
    try:
        now = time.time() if clock is None else clock.stat().st_mtime
        return now - path.stat().st_mtime > stale_s
    except OSError:
        return True  # given back at this moment


def _read(path: Path) -> dict[str, Any] | None:
    try:
        who = json.loads(path.read_text())
    except (OSError, ValueError):
        return None
    return who if isinstance(who, dict) else None
