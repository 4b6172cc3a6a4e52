"""To forget a person: find all that this computer keeps under an alias, and remove it when that is confirmed."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from neuript.errors import NeuriptError
from neuript.files import file_sha256, unwritable
from neuript.locks import is_locked
from neuript.modelfile.describe import read_manifest
from neuript.realtime.recordings.read import is_recording
from neuript.training.guided.guided_spec import check_alias
from neuript.training.guided.session_folder import CONFIG, LOCK
from neuript.user_folders import cache_dir

MODEL_SUFFIXES = (".ts", ".safetensors")
REPORT_SUFFIXES = (".json", ".html")
_MOST_REPORT_BYTES = 64 << 20
_TITLE = "Calibration report: "


@dataclass(frozen=True)
class Kept:
    """What is kept of a person.

    Attributes
    ----------
    subject : str
        The alias.
    sessions, models, recordings, reports, caches : tuple of Path
        Folders of sessions, files of models made for this person, recordings that these were made from, reports about
        the person, and folders of what can be rebuilt of models.
    others : tuple of Path
        Models that learnt from this person among others: they are not removed, and have to be made again.
    """

    subject: str
    sessions: tuple[Path, ...] = ()
    models: tuple[Path, ...] = ()
    recordings: tuple[Path, ...] = ()
    reports: tuple[Path, ...] = ()
    caches: tuple[Path, ...] = ()
    others: tuple[Path, ...] = field(default=())

    @property
    def all(self) -> tuple[Path, ...]:
        """Everything that is removed."""
        return (*self.sessions, *self.models, *self.recordings, *self.reports, *self.caches)

    def lines(self) -> Iterator[str]:
        """Yield a line for each thing that is removed, and for each that is not."""
        for what in ("sessions", "models", "recordings", "reports", "caches"):
            for path in getattr(self, what):
                yield f"{what.removesuffix('s'):<10} {path}"
        for path in self.others:
            yield f"kept       {path}: learnt from {self.subject} among others; make it again without"


def kept_of(subject: str, sessions: str | Path, folders: Sequence[str | Path] = ()) -> Kept:
    """Find what is kept of a person.

    Parameters
    ----------
    subject : str
        The alias.
    sessions : str or Path
        Folder of everybody's sessions.
    folders : sequence of str or Path
        Folders in which, and below which, models, recordings and reports may lie; links are not followed.

    Raises
    ------
    NeuriptError
        If the alias is none, a folder is not there, or a session of this person is running.
    """
    check_alias(subject)
    own = Path(sessions) / subject
    mine = (own,) if own.is_dir() and not own.is_symlink() else ()
    for path in mine:
        if running := [p for p in path.iterdir() if (p / CONFIG).is_file() and is_locked(p / LOCK)]:
            raise NeuriptError(f"the session {running[0]} is running; end it first")
    files = [path for folder in folders for path in _files_below(Path(folder)) if own not in path.parents]
    models, others, hashes = _models(subject, [*files, *(p for path in mine for p in _files_below(path))])
    models = [path for path in models if own not in path.parents]
    engines = cache_dir() / "engines"
    return Kept(
        subject=subject,
        sessions=mine,
        models=tuple(models),
        recordings=tuple(path for path in files if hashes and is_recording(path) and file_sha256(path) in hashes),
        reports=tuple(path for path in files if _is_report_on(path, subject)),
        caches=(engines,) if engines.is_dir() and (models or mine) else (),
        others=tuple(others),
    )


def purge(kept: Kept) -> int:
    """Remove what was found, and return how many files that were.

    Raises
    ------
    UnwritableError
        If something cannot be removed; the rest may be gone already.
    """
    n_files = 0
    for path in kept.all:
        try:
            if path.is_dir() and not path.is_symlink():
                n_files += sum(len(names) for _, _, names in os.walk(path))
                shutil.rmtree(path)
            else:
                path.unlink()
                n_files += 1
        except OSError as error:
            raise unwritable(path, error) from error
    return n_files


def _files_below(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        raise NeuriptError(f"there is no folder {folder}")
    for place, _, names in os.walk(folder):
        for name in sorted(names):
            path = Path(place) / name
            if path.is_file() and not path.is_symlink():
                yield path


def _models(subject: str, files: Sequence[Path]) -> tuple[list[Path], list[Path], set[str]]:
    """Return this person's models, those that learnt from the person among others, and hashes of the recordings."""
    models, others, hashes = [], [], set[str]()
    for path in files:
        if path.suffix.lower() not in MODEL_SUFFIXES:
            continue
        try:
            told = read_manifest(path).provenance
        except NeuriptError:
            continue
        if told.get("subject") == subject:
            models.append(path)
            hashes |= {str(one) for one in told.get("recordings") or ()}
        elif subject in (told.get("people") or ()):
            others.append(path)
    return models, others, hashes


def _is_report_on(path: Path, subject: str) -> bool:
    if path.suffix.lower() not in REPORT_SUFFIXES or path.stat().st_size > _MOST_REPORT_BYTES:
        return False
    text = path.read_text("utf-8", "replace")
    if path.suffix.lower() == ".html":
        return f"{_TITLE}{subject}," in text
    try:
        told = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(told, dict) and told.get("subject") == subject and "calibration" in told
