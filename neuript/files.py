"""Writing a file so that either the new one is there, complete, or the old one still is; and what to say when not."""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import math
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from neuript.errors import NeuriptError

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_FULL_WORDS = ("No space left", "File too large", "Disk quota exceeded")
_FAILING = frozenset({errno.EIO, errno.EROFS})
PRIVATE_FOLDER, PRIVATE_FILE = 0o700, 0o600
"""Permissions of what holds something of a person: its owner alone."""
_MARK = ".tmp"
_HASH_BYTES = 1 << 20


class UnwritableError(NeuriptError):
    """A file cannot be written; what was there before is unchanged."""


class DiskFullError(UnwritableError):
    """There is no room for a file; what was finished before is whole."""


def is_full(error: BaseException | None) -> bool:
    """Say whether an error, or what caused it, is that there is no room: on the disk, in a quota or for a larger file.

    Libraries that write in another language pass on the words, but not always the number.
    """
    return any(
        e.errno in _FULL or any(words in str(e) for words in _FULL_WORDS)
        for e in _causes(error)
        if isinstance(e, OSError)
    )


def is_disk_fault(error: BaseException | None) -> bool:
    """Say whether the next file could not be written either: the disk is full, failing or read-only."""
    return is_full(error) or any(e.errno in _FAILING for e in _causes(error) if isinstance(e, OSError))


def check_writable(path: str | Path, *, keep: Iterable[str | Path | None] = ()) -> Path:
    """Refuse early, before long work, a path that cannot become a file.

    Parameters
    ----------
    path : str or Path
        What will be written, or replaced.
    keep : iterable of str, Path or None
        Files that the same command reads or also writes, which `path` must not replace; None among them is left out.

    Raises
    ------
    NeuriptError
        If it is a folder, its folder is missing or cannot be written, or it is one of `keep`.
    """
    path = Path(path)
    if any(path.resolve() == Path(other).resolve() for other in keep if other is not None):
        raise NeuriptError(f"{path} would replace another file of this command; give a name of its own")
    if path.is_dir():
        example = f", such as {path / f'new{path.suffix}'}" if path.suffix else " in it or elsewhere"
        raise NeuriptError(f"{path} is a folder; give a file name{example}")
    folder = path.parent
    if not folder.is_dir():
        raise NeuriptError(f"cannot write {path}: there is no folder {folder}; create it first")
    if not os.access(folder, os.W_OK) or (path.exists() and not os.access(path, os.W_OK)):
        raise NeuriptError(f"cannot write {path}: no permission; choose another place")
    return path


@contextlib.contextmanager
def replacing(path: str | Path, *, mode: int | None = None, overwrite: bool = True) -> Iterator[Path]:
    """Give an empty temporary file beside `path` to write to, and put it in place when the block ends well.

    Its content is on the disk before it gets its name, so a kill or a power cut leaves the old file or the new one.
    A writer that is killed leaves its temporary file behind; see `remove_leftovers`.

    Parameters
    ----------
    path : str or Path
        The file that is written, or replaced.
    mode : int, optional
        Permission bits of the new file; None means those of the old file, or the user's default.
    overwrite : bool
        True replaces an existing file; False refuses to, also if the file appears while the block runs.

    Raises
    ------
    DiskFullError
        If there is no room.
    UnwritableError
        If it cannot be written for another reason, or is there already and must not be replaced.
    """
    path, temporary = Path(path), None
    try:
        descriptor, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=_MARK, dir=path.parent)
        os.close(descriptor)
        temporary = Path(name)
        yield temporary
        with temporary.open("rb+") as file:
            os.fsync(file.fileno())
        temporary.chmod(_mode(path) if mode is None else mode)
        if overwrite:
            temporary.replace(path)
        else:
            _put_new(temporary, path)
        _sync_folder(path.parent)
    except OSError as error:
        raise unwritable(path, error) from error
    finally:
        if temporary is not None:
            with contextlib.suppress(OSError):
                temporary.unlink(missing_ok=True)  # gone already when it was put in place


def write_atomically(path: str | Path, data: bytes, *, mode: int | None = None, overwrite: bool = True) -> None:
    """Write `data` with `replacing`, whose parameters and errors these are; refuse a path that can be no file."""
    with replacing(check_writable(path), mode=mode, overwrite=overwrite) as temporary:
        temporary.write_bytes(data)


def write_json(
    path: str | Path, value: Any, *, indent: int | None = 1, sort_keys: bool = False, mode: int | None = None
) -> None:
    """Write `value` as strict JSON (no NaN) and a line end, with `write_atomically`."""
    text = json.dumps(value, indent=indent, sort_keys=sort_keys, ensure_ascii=False, allow_nan=False)
    write_atomically(path, f"{text}\n".encode(), mode=mode)


def json_safe(value: Any, *, n_digits: int | None = None) -> Any:
    """Return a value as the types that JSON has: arrays as lists, null for numbers that are not finite.

    Parameters
    ----------
    value : Any
        Tables, lists and arrays of numbers and texts, one in another; other things are left as they are.
    n_digits : int, optional
        Significant digits that are kept of a number; None keeps all.
    """
    if hasattr(value, "tolist"):  # of NumPy, which is not imported for this
        value = value.tolist()
    if isinstance(value, Mapping):
        return {str(key): json_safe(one, n_digits=n_digits) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [json_safe(one, n_digits=n_digits) for one in value]
    if not isinstance(value, float):
        return value
    if not math.isfinite(value):
        return None
    return value if n_digits is None else float(f"{value:.{n_digits}g}")


def append_json(path: str | Path, value: Any) -> None:
    """Add `value` as one line of strict JSON; it is on the disk when this returns.

    What a kill left of a last line is ended first, so that this one can be read.

    Raises
    ------
    UnwritableError
        If that fails; the lines before are unchanged.
    """
    line = f"{json.dumps(value, allow_nan=False)}\n".encode()
    try:
        with Path(path).open("ab+") as file:
            if _is_cut_off(file):
                file.write(b"\n")
            file.write(line)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise unwritable(path, error) from error


def remove_leftovers(folder: Path) -> int:
    """Delete the temporary files of writers that were killed, and return how many there were.

    Nobody else may be writing to `folder` at the same time.
    """
    left = list(folder.glob(f".*{_MARK}"))
    for path in left:
        path.unlink(missing_ok=True)
    return len(left)


def unwritable(path: str | Path, error: OSError) -> UnwritableError:
    """Return the error to raise where the system refused to write `path`."""
    why = error.strerror or error
    if is_full(error):
        return DiskFullError(f"cannot write {path}: there is no room ({why}); free some, or choose another place")
    if isinstance(error, FileExistsError):
        return UnwritableError(f"{path} exists already and is not replaced; give another name")
    return UnwritableError(f"cannot write {path}: {why}; free it (another program may hold it) or choose another name")


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _put_new(temporary: Path, path: Path) -> None:
    """Give `temporary` the name `path`, or raise FileExistsError; no moment lies between the look and the act."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links, such as FAT: take the name first
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
        temporary.replace(path)


def _sync_folder(folder: Path) -> None:
    """Put a new name on the disk, where a folder can be opened and synced: not on Windows, nor on every network."""
    if os.name != "posix":
        return
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _is_cut_off(file: BinaryIO) -> bool:
    """Say whether an open file ends in the middle of a line."""
    if not file.seek(0, os.SEEK_END):
        return False
    file.seek(-1, os.SEEK_END)
    return file.read(1) != b"\n"


def _mode(path: Path) -> int:
    """Return the permissions for a new file: those of the old one, or the user's default."""
    with contextlib.suppress(OSError):
        return path.stat().st_mode & 0o777
    mask = os.umask(0o022)
    os.umask(mask)
    return 0o666 & ~mask


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file as hex digits, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(_HASH_BYTES):
            digest.update(part)
    return digest.hexdigest()
