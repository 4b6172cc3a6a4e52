"""Writing a file so that either the new one is there, complete, or the old one still is."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterable
from pathlib import Path

from neuript.errors import NeuriptError


def check_writable(path: str | Path, *, keep: Iterable[str | Path | None] = ()) -> Path:
    """Refuse early, before long work, a path that cannot become a file.

    Parameters
    ----------
    path
        What will be written, or replaced.
    keep
        Files that the same command reads, or writes too; None among them is left out.

    Raises
    ------
    NeuriptError
        If it is a folder, its folder is missing or cannot be written, or it is one of `keep`.
    """
    path = Path(path)
    if any(path.resolve() == Path(other).resolve() for other in keep if other is not None):
        raise NeuriptError(f"{path} would replace another file of this command; give a name of its own")
    if path.is_dir():
        raise NeuriptError(f"{path} is a folder; give a file name, such as {path / 'mi.ts'}")
    folder = path.parent
    if not folder.is_dir():
        raise NeuriptError(f"cannot write {path}: there is no folder {folder}; create it first")
    if not os.access(folder, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise NeuriptError(f"cannot write {path}: no permission; choose another place")
    return path


def write_atomically(path: str | Path, data: bytes, *, mode: int | None = None) -> None:
    """Write `data` to a temporary file beside `path` and put it in place in one step.

    Parameters
    ----------
    path, data
        Where and what.
    mode
        Permissions; None means those of the old file, or the user's default.

    Raises
    ------
    NeuriptError
        If that fails; a file that was at `path` before is unchanged.
    """
    path = check_writable(path)
    temporary = ""
    try:
        descriptor, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(temporary, _mode(path) if mode is None else mode)
        os.replace(temporary, path)
    except OSError as error:
        raise NeuriptError(
            f"cannot write {path}: {error.strerror or error}; "
            "free it (another program may hold it, or the disk is full) or choose another name"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            if temporary:
                os.unlink(temporary)  # gone already when it was put in place


def _mode(path: Path) -> int:
    """Return the permissions for a new file: those of the old one, or the user's default."""
    with contextlib.suppress(OSError):
        return path.stat().st_mode & 0o777
    mask = os.umask(0o022)
    os.umask(mask)
    return 0o666 & ~mask
