"""Which files a recording is made of, and the hash that it is known by."""

from __future__ import annotations

import gzip
import re
import struct
from collections.abc import Iterator
from io import BufferedReader
from pathlib import Path

from neuript.files import file_sha256

SAMPLES_SUFFIXES = (".eeg", ".dat", ".fdt")
"""Endings of files that hold the samples of a recording, beside its header."""
_BESIDE = {".vhdr": (".eeg", ".vmrk", ".dat"), ".set": (".fdt",)}
_NAMED = re.compile(rb"^(DataFile|MarkerFile)[ \t]*=[ \t]*([^\r\n]+?)[ \t]*\r?$", re.MULTILINE)
_HEADER_BYTES = 1 << 20
_FIF_ROLE, _FIF_NAME, _FIF_NEXT_FILE, _FIF_END = 115, 118, 2, -1
"""Kinds of tags in which a FIF file names another one, and the role of the one that it goes on in (FIFF 1.4)."""
_MOST_TAGS, _MOST_NAME, _MOST_PARTS = 200_000, 1000, 1000


def companions(path: Path) -> list[Path]:
    """Return the files that belong to a recording beside its own.

    Samples and markers of BrainVision (as the header names them, and of the same name), `.fdt` of EEGLAB, the further
    parts and the events of FIF. Only files of the same folder count, whatever a header says.

    Parameters
    ----------
    path : Path
        The file that is read as the recording; one that cannot be opened names no other.
    """
    kind = path.suffix.lower()
    stem = path.name[: -len(kind)] if kind else path.name
    found = [path.with_name(stem + suffix) for suffix in _BESIDE.get(kind, ())]
    if kind == ".vhdr":
        found += _named_in_header(path).values()
    if path.name.lower().endswith((".fif", ".fif.gz")):
        found += [*_further_parts(path), *filter(None, [events_beside(path)])]
    return [other for other in dict.fromkeys(found) if other != path and other.is_file()]


def events_beside(path: Path) -> Path | None:
    """Return the events of a FIF file (`X-eve.fif` of `X_raw.fif`), if they are there."""
    stem = path.name.removesuffix(".gz").removesuffix(".fif")
    if stem == path.name:
        return None
    for end in ("_raw", "-raw", "_eeg", ""):
        if stem.endswith(end):
            candidate = path.with_name(stem.removesuffix(end) + "-eve.fif")
            if candidate.is_file():
                return candidate
    return None


def recording_sha256(path: Path) -> str:
    """Return the SHA-256 by which a recording is known: of the file that holds its samples.

    Headers don't tell people apart (those of one cap are the same), and markers are edited.

    Raises
    ------
    OSError
        If the file cannot be read.
    """
    return file_sha256(samples_file(path))


def samples_file(path: Path) -> Path:
    """Return the file that holds the samples of a recording, or the first of them; often the recording itself."""
    if path.suffix.lower() == ".vhdr" and (named := _named_in_header(path).get("DataFile")) and named.is_file():
        return named
    return next((other for other in companions(path) if other.suffix.lower() in SAMPLES_SUFFIXES), path)


def _named_in_header(path: Path) -> dict[str, Path]:
    """Return the files that a BrainVision header names, by what it calls them."""
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER_BYTES)
    except OSError:
        return {}
    found: dict[str, Path] = {}
    for key, value in _NAMED.findall(header):
        try:
            name = value.decode()
        except UnicodeDecodeError:
            name = value.decode("latin-1")
        name = name.replace("$b", path.stem)
        if _is_plain(name):
            found.setdefault(key.decode(), path.with_name(name))
    return found


def _is_plain(name: str) -> bool:
    """Say whether a name is one of a file in the same folder."""
    return bool(name) and name == Path(name).name and "\\" not in name and "\0" not in name


def _further_parts(path: Path) -> Iterator[Path]:
    """Yield the parts of a split FIF file after the first, as each names the next."""
    seen = {path.name}
    while len(seen) < _MOST_PARTS and (name := _next_part(path)) is not None and name not in seen:
        seen.add(name)
        path = path.with_name(name)
        yield path


def _next_part(path: Path) -> str | None:
    try:
        with gzip.open(path) if path.suffix.lower() == ".gz" else path.open("rb") as file:
            name = _named_next(file)
    except (OSError, EOFError, ValueError):
        return None
    return name if name is not None and _is_plain(name) else None


def _named_next(file: gzip.GzipFile | BufferedReader) -> str | None:
    """Walk over the tags of a FIF file to the one that names the file in which it goes on."""
    role = 0
    for _ in range(_MOST_TAGS):
        head = file.read(16)
        if len(head) < 16:
            return None
        kind, _, n_bytes, following = struct.unpack(">iiii", head)
        if n_bytes < 0:
            return None
        start = file.tell()
        if kind == _FIF_ROLE and n_bytes == 4:
            role = int.from_bytes(file.read(4), "big")
        elif kind == _FIF_NAME and role == _FIF_NEXT_FILE:
            return file.read(min(n_bytes, _MOST_NAME)).decode("utf-8", "replace")
        if following == _FIF_END:
            return None
        file.seek(following if following > 0 else start + n_bytes)
    return None
