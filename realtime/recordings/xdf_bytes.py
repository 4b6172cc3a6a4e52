"""The bytes of an XDF file, unpacked only as far as a recording would grow."""

from __future__ import annotations

import gzip
import zlib
from pathlib import Path

from neuript.errors import NeuriptError
from neuript.foreign import one_line

MAGIC = b"XDF:"
MAX_UNPACKED_BYTES = 8 * 2**30
MAX_GROWTH = 30
"""So many times its size a packed file may unpack to, and `FREE_BYTES` more: recordings shrink to a half or a tenth."""
FREE_BYTES = 2**24
_STEP_BYTES = 2**20


def load_bytes(path: Path) -> bytes:
    """Return the content of an `.xdf`, `.xdfz` or `.xdf.gz` file, unpacked, with a limit.

    Raises
    ------
    NeuriptError
        If there is no such file, or it is empty, without the XDF magic, larger than 8 GiB, or unpacks to more than 30
        times its size.
    """
    if not path.is_file():
        raise NeuriptError(f"there is no file {path}")
    n_bytes = path.stat().st_size
    if n_bytes == 0:
        raise NeuriptError(f"{path} is empty (0 bytes): the recorder wrote nothing into it")
    if n_bytes > MAX_UNPACKED_BYTES:
        raise NeuriptError(f"{path} is larger than {MAX_UNPACKED_BYTES // 2**30} GiB, the most that is read")
    packed = path.suffix.lower() in (".xdfz", ".gz")
    try:
        with gzip.open(path, "rb") if packed else path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise NeuriptError(f"{path} is not an XDF file: it does not begin with 'XDF:'")
        return unpacked(path, MAX_UNPACKED_BYTES) if packed else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise NeuriptError(f"{path} cannot be read ({one_line(error)})") from error


def unpacked(path: Path, most: int) -> bytes:
    """Return what a gzip file unpacks to.

    Raises
    ------
    NeuriptError
        If that is more than `most` bytes, or more than `MAX_GROWTH` times its size.
    """
    pieces, total = [], 0
    most = min(most, growth_of(path))
    with gzip.open(path, "rb") as file:
        while piece := file.read(_STEP_BYTES):
            total += len(piece)
            if total > most:
                raise too_much(path)
            pieces.append(piece)
    return b"".join(pieces)


def check_growth(path: Path) -> None:
    """Refuse a gzip file, for another reader, that unpacks to more than a recording would; nothing of it is kept.

    Raises
    ------
    NeuriptError
        If it unpacks to more than `MAX_GROWTH` times its size.
    """
    total, most = 0, growth_of(path)
    with gzip.open(path, "rb") as file:
        while piece := file.read(_STEP_BYTES):
            total += len(piece)
            if total > most:
                raise too_much(path)


def growth_of(path: Path) -> int:
    """Return the most bytes that a packed file may unpack to."""
    return MAX_GROWTH * path.stat().st_size + FREE_BYTES


def too_much(path: Path) -> NeuriptError:
    """Return the refusal of a file that unpacks to too much."""
    return NeuriptError(
        f"{path} unpacks to more than {MAX_GROWTH} times its size, which no recording does; unpack it yourself if you "
        "know what it is"
    )
