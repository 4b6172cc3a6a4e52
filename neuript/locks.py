"""One process at a time: the system's own lock on a file, through `filelock`.

The system gives a lock back when its process ends in any way, also by SIGKILL. So there is nothing to refresh, no age
at which a lock counts as left behind, and no process id to ask after (which means nothing on another host): what a
killed process held is free at once.

Several machines may share a folder where the file system passes locks on to its server: NFS since version 4 (it frees
what a host held that is gone, after about a minute), SMB, and Lustre mounted with `flock`. Where there are no locks at
all, `filelock` marks the file instead; the mark of a host that died is then removed by hand.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from neuript.files import UnwritableError

log = logging.getLogger(__name__)


@contextlib.contextmanager
def locked(path: Path, *, wait: bool = False) -> Iterator[bool]:
    """Hold the lock of a file through the block, or give False, and hold nothing, if somebody else has it.

    Parameters
    ----------
    path : Path
        The file that is locked: made, with its folder, if it is not there, and left there, empty.
    wait : bool
        True waits until the lock is free, and then always gives True.

    Raises
    ------
    UnwritableError
        If the file cannot be made or opened.
    """
    lock = FileLock(path)
    taken = _take(lock, path, timeout_s=0)
    if wait and not taken:
        log.info("another process holds %s; waiting for it", path)
        taken = _take(lock, path, timeout_s=-1)
    try:
        yield taken
    finally:
        lock.release()  # nothing, if it was not taken


def _take(lock: BaseFileLock, path: Path, *, timeout_s: float) -> bool:
    try:
        lock.acquire(timeout=timeout_s)
    except Timeout:
        return False
    except OSError as error:
        raise UnwritableError(f"cannot lock {path}: {error.strerror or error}; choose another folder") from error
    return True


def is_locked(path: Path) -> bool:
    """Say whether somebody holds the lock of a file; False also where this user may not ask.

    Asking takes the lock for a moment, so that another process may find it taken and look elsewhere first.
    """
    if not path.exists():
        return False
    try:
        with locked(path) as free:
            return not free
    except UnwritableError:
        return False
