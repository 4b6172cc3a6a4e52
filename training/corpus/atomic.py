"""Files that are either there, whole, or not there; and what to say when the disk is full."""

from __future__ import annotations

import contextlib
import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from neuript.errors import NeuriptError

_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_MARK = ".tmp-"


class DiskFullError(NeuriptError):
    """The output does not fit; what was finished before is whole."""


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Give a temporary path beside `path`, and put the file in place when the block ends well.

    Raises
    ------
    DiskFullError
        No room; `path` is as it was before.
    """
    temporary = path.with_name(f"{path.name}{_MARK}{os.getpid()}")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        if is_full(error):
            raise DiskFullError(f"there is no room to write {path} ({_text(error)})") from error
        raise
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_json(path: Path, data: Any, *, indent: int | None = None) -> None:
    """Write JSON in one step."""
    with replacing(path) as temporary:
        temporary.write_text(json.dumps(data, indent=indent), encoding="utf-8")


def remove_leftovers(folder: Path) -> int:
    """Delete temporary files of a run that was killed, and return how many there were."""
    left = list(folder.glob(f"*{_MARK}*"))
    for path in left:
        path.unlink(missing_ok=True)
    return len(left)


def is_full(error: OSError) -> bool:
    """Whether an error means that there is no room."""
    return error.errno in _FULL or "No space left" in str(error) or "File too large" in str(error)


def _text(error: OSError) -> str:
    return error.strerror or str(error)
