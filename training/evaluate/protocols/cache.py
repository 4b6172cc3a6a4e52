"""Where the windows of a protocol are gathered: in memory, or in a folder that survives.

A folder is written as a growing file of float32 beside a journal with one line per recording, and gets its final name
when it is complete. After a kill or a full disk the next run takes the unfinished folder over, cuts a half-written tail
off and goes on behind the last line; nothing is cleaned twice. Who comes while another process is writing waits for it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from neuript.errors import NeuriptError
from neuript.locks import locked

if TYPE_CHECKING:
    from neuript.training.evaluate.protocols.gather import RecordingPart

MAP_BYTES = 2 << 30
"""Size in bytes above which arrays are mapped from the file and not read into memory."""


@dataclass(frozen=True)
class CachedRow:
    """What is known of one recording besides its windows."""

    y: list[int]
    start_s: list[float]
    sha256: str
    dropped: tuple[tuple[str, int], ...]
    notes: tuple[str, ...]


class WindowStore(Protocol):
    """Takes recordings one by one and returns all windows in the end."""

    done: dict[str, CachedRow]

    def add(self, name: str, part: RecordingPart) -> None:
        """Keep the windows of a recording."""
        ...

    def finish(self) -> NDArray[np.float32]:
        """Return the windows of all recordings in the order of `done`."""
        ...

    def __enter__(self) -> WindowStore:
        """Begin."""
        ...

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        """Let go of files."""
        ...


def _row(part: RecordingPart) -> CachedRow:
    return CachedRow(part.y.tolist(), part.start_s.tolist(), part.sha256, part.dropped, part.notes)


class Memory:
    """Keeps the windows in memory."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self.done: dict[str, CachedRow] = {}
        self._shape = shape
        self._parts: list[NDArray[np.float32]] = []

    def add(self, name: str, part: RecordingPart) -> None:
        """Keep the windows of a recording."""
        self._parts.append(part.x)
        self.done[name] = _row(part)

    def finish(self) -> NDArray[np.float32]:
        """Return the windows of all recordings."""
        return np.concatenate([np.empty((0, *self._shape), np.float32), *self._parts])

    def __enter__(self) -> Memory:
        """Begin."""
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""


def open_store(cache: Path, shape: tuple[int, int], recipe: Mapping[str, Any]) -> Folder:
    """Return the folder of a recipe inside a cache: complete, taken over unfinished, or new."""
    text = json.dumps(recipe, sort_keys=True)
    key = hashlib.sha256(text.encode()).hexdigest()[:16]
    return Folder(cache / f"{recipe['protocol']}-{key}", shape, text)


class Folder:
    """A growing file of windows and a journal, or a finished folder of both."""

    def __init__(self, final: Path, shape: tuple[int, int], recipe: str) -> None:
        self.done: dict[str, CachedRow] = {}
        self._final, self._shape, self._recipe = final, shape, recipe
        self._folder = final
        self._lock_path = final.with_name(f".{final.name}.lock")
        self._lock = contextlib.ExitStack()
        self._x: BinaryIO | None = None
        self._journal: BinaryIO | None = None

    def __enter__(self) -> Folder:
        """Read what is there; open an unfinished folder behind its last whole recording."""
        with self._lock:
            if not self._final.is_dir():
                self._take_over()
            journal = self._folder / "journal.jsonl"
            good = self._read(journal) if journal.exists() else 0
            if self._folder != self._final:
                self._journal = _behind(journal, good)
                self._x = _behind(self._folder / "x.f32", self._n_bytes)
            self._lock = self._lock.pop_all()  # kept, as nothing went wrong
        return self

    def __exit__(self, *_: object) -> None:
        """Close the files, and let others at an unfinished folder."""
        self._close()
        self._lock.close()

    def _take_over(self) -> None:
        """Wait until nobody else writes this folder; then it is finished, or ours to begin or to go on with."""
        try:
            self._final.parent.mkdir(parents=True, exist_ok=True)
            self._lock.enter_context(locked(self._lock_path, wait=True))
            if self._final.is_dir():
                self._give_back()
                return
            self._folder = self._final.with_name(f"{self._final.name}.building")
            self._folder.mkdir(exist_ok=True)
            (self._folder / "recipe.json").write_text(self._recipe)
        except OSError as error:
            raise _full(self._final.parent, error) from error

    def _give_back(self) -> None:
        """Release the lock of a finished folder, which nobody needs any more."""
        with contextlib.suppress(OSError):
            self._lock_path.unlink(missing_ok=True)
        self._lock.close()

    def _close(self) -> None:
        for file in (self._x, self._journal):
            if file is not None:
                with contextlib.suppress(OSError):
                    file.close()
        self._x = self._journal = None

    @property
    def _n_windows(self) -> int:
        return sum(len(row.y) for row in self.done.values())

    @property
    def _n_bytes(self) -> int:
        return self._n_windows * self._shape[0] * self._shape[1] * 4

    def _read(self, journal: Path) -> int:
        """Read whole lines whose windows are in the file; return where the last of them ends."""
        x = self._folder / "x.f32"
        written = x.stat().st_size if x.exists() else 0
        good = 0
        for line in journal.read_bytes().splitlines(keepends=True):
            if not line.endswith(b"\n"):
                break
            name, row = _from_line(line)
            self.done[name] = row
            if self._n_bytes > written and self._folder != self._final:
                del self.done[name]
                break
            good += len(line)
        return good

    def add(self, name: str, part: RecordingPart) -> None:
        """Append a recording: first its windows, then the line that makes them count."""
        if self._x is None or self._journal is None:
            raise self._damaged(f"its journal does not know {name}")
        row = _row(part)
        line = json.dumps([name, row.y, row.start_s, row.sha256, row.dropped, row.notes])
        try:
            self._x.write(np.ascontiguousarray(part.x, np.float32).tobytes())
            self._x.flush()
            self._journal.write(line.encode() + b"\n")
            self._journal.flush()
        except OSError as error:
            raise _full(self._folder, error) from error
        self.done[name] = row

    def finish(self) -> NDArray[np.float32]:
        """Give the folder its final name and return its windows."""
        if self._folder != self._final:
            self._close()
            self._folder.rename(self._final)
            self._folder = self._final
            self._give_back()
        return self._open()

    def _damaged(self, how: str) -> NeuriptError:
        return NeuriptError(f"the cache {self._final} is damaged: {how}; delete this folder and run again")

    def _open(self) -> NDArray[np.float32]:
        path = self._final / "x.f32"
        shape = (self._n_windows, *self._shape)
        if path.stat().st_size != self._n_bytes:
            raise self._damaged(f"x.f32 has {path.stat().st_size} bytes, expected {self._n_bytes}")
        if 0 < MAP_BYTES < self._n_bytes:
            return np.memmap(path, np.float32, "c", shape=shape)
        return np.fromfile(path, np.float32).reshape(shape)


def _behind(path: Path, n_bytes: int) -> BinaryIO:
    """Open a file to append behind its first bytes, and cut the rest off."""
    file = path.open("r+b" if path.exists() else "w+b")
    file.truncate(n_bytes)
    file.seek(n_bytes)
    return file


def _from_line(line: bytes) -> tuple[str, CachedRow]:
    name, y, start_s, sha256, dropped, notes = json.loads(line)
    return name, CachedRow(y, start_s, sha256, tuple((r, n) for r, n in dropped), tuple(notes))


def _full(where: Path, error: OSError) -> NeuriptError:
    return NeuriptError(
        f"{where} cannot be written ({error.strerror or error}); free some space or choose another --cache, then run "
        "again: what is there is used"
    )
