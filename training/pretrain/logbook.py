"""The log of a run: one JSON object per line, and the same numbers for TensorBoard."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from neuript.errors import NeuriptError
from neuript.files import write_atomically

LOG = "log.jsonl"


class Logbook:
    """Appends to `log.jsonl`; what a killed run wrote after its last checkpoint is dropped first.

    Parameters
    ----------
    out : Path
        Folder of the run.
    step : int
        Step of the checkpoint that the run goes on from; 0 for a new run.
    tensorboard : bool
        Also write TensorBoard events, below `out/tensorboard`.

    Raises
    ------
    NeuriptError
        If the log cannot be written, or TensorBoard is wanted and not installed.
    """

    def __init__(self, out: Path, step: int, *, tensorboard: bool = True) -> None:
        self.path = out / LOG
        self._drop_after(step)
        self._board = _board(out / "tensorboard", step) if tensorboard else None
        try:
            self._file: IO[str] = open(self.path, "a", encoding="utf-8")  # noqa: SIM115
        except OSError as error:
            raise _unwritable(self.path, error) from error

    def __enter__(self) -> Logbook:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the files."""
        try:
            self._file.close()
            if self._board is not None:
                self._board.close()
        except OSError as failed:
            if error is None:
                raise _unwritable(self.path, failed) from failed

    def write(self, kind: str, step: int, **values: Any) -> None:
        """Write one entry; numbers, also nested ones, go to TensorBoard as `kind/name`.

        Raises
        ------
        NeuriptError
            If the log cannot be written.
        """
        try:
            self._file.write(json.dumps({"kind": kind, "step": step, **values}) + "\n")
            self._file.flush()
            if self._board is not None:
                for name, value in _numbers(kind, values):
                    self._board.add_scalar(name, value, step)
                if isinstance(values.get("text"), str):
                    self._board.add_text(kind, values["text"], step)
        except OSError as error:
            raise _unwritable(self.path, error) from error

    def sync(self) -> None:
        """Put on the disk what was written: before a checkpoint that counts on it.

        Raises
        ------
        NeuriptError
            If the log cannot be written.
        """
        try:
            os.fsync(self._file.fileno())
            if self._board is not None:
                self._board.flush()
        except OSError as error:
            raise _unwritable(self.path, error) from error

    def _drop_after(self, step: int) -> None:
        if not self.path.exists():
            return
        whole = [e for e in read_log(self.path) if e["step"] <= step]
        text = "".join(json.dumps(e) + "\n" for e in whole)
        write_atomically(self.path, text.encode())


class NoLog:
    """In place of the log in all processes but the first."""

    def __enter__(self) -> NoLog:
        return self

    def __exit__(self, *about: object) -> None:
        pass

    def write(self, kind: str, step: int, **values: Any) -> None:
        """Do nothing."""

    def sync(self) -> None:
        """Do nothing."""


def read_log(path: str | Path, kind: str | None = None) -> list[dict[str, Any]]:
    """Return the entries of a log, of one kind or all; a last line that was cut short is left out."""
    path = Path(path)
    entries = []
    for line in (path / LOG if path.is_dir() else path).read_text("utf-8").splitlines():
        try:
            entry = json.loads(line)
        except ValueError:
            break
        if kind is None or entry["kind"] == kind:
            entries.append(entry)
    return entries


def _board(folder: Path, step: int) -> Any:
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise NeuriptError(
            'TensorBoard is not installed; pip install "neuript[train]", or use --no-tensorboard'
        ) from error
    writer: Any = SummaryWriter
    return writer(str(folder), purge_step=step + 1 if step else None)


def _numbers(prefix: str, values: Any) -> list[tuple[str, float]]:
    if isinstance(values, bool) or values is None:
        return []
    if isinstance(values, int | float):
        return [(prefix, float(values))]
    items: Iterable[tuple[Any, Any]]
    if isinstance(values, dict):
        items = values.items()
    elif isinstance(values, list | tuple):
        items = enumerate(values)
    else:
        return []
    return [pair for key, value in items for pair in _numbers(f"{prefix}/{key}", value)]


def _unwritable(path: Path, error: OSError) -> NeuriptError:
    return NeuriptError(
        f"cannot write {path}: {error.strerror or error}; make room: the same command goes on from "
        "the last whole checkpoint"
    )
