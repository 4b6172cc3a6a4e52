"""Which files of a folder are recordings, and whose they are."""

from __future__ import annotations

import fnmatch
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from neuript.errors import NeuriptError
from neuript.realtime.recordings.read import SUFFIXES, is_recording

_NOT_DATA = ("derivatives", "sourcedata", "code", "stimuli")
"""Folders of BIDS that hold no recordings, or the same ones once more as they were before."""
_BIDS = re.compile(r"(?:^|/)sub-(?P<subject>[0-9A-Za-z]+)(?=[_/.])")
_COMMON = re.compile(r"(?:^|[/_.-])(?P<subject>(?i:subject|subj|sub)[-_ ]?\d+|S\d+(?=R\d+\b)|chb\d+(?=[_/]))")


@dataclass(frozen=True, slots=True)
class ScannedFile:
    """A recording that was found.

    Attributes
    ----------
    path : Path
        Path of the file.
    name : str
        Path relative to the scanned folder, with slashes.
    dataset : str
        Name of the data set.
    subject : str
        Subject id, `<dataset>/<subject>`.
    """

    path: Path
    name: str
    dataset: str
    subject: str


@dataclass(frozen=True, kw_only=True)
class ScanOptions:
    """What to take of a folder."""

    dataset: str | None = None
    """Name of the data set, the first part of every subject id; None takes the folder's name."""
    subject_pattern: str | None = None
    """Regular expression on the path relative to the folder; its first group (or one named `subject`, or all
    of the match) is the subject. Default: BIDS `sub-...`, then `Subject00`, `S001R..`, `chb01`, then the first
    folder, then the file's name."""
    include: tuple[str, ...] = ()
    """Shell patterns on the relative path or the file's name; none takes all."""
    exclude: tuple[str, ...] = ()
    """Shell patterns of files to leave out."""
    exclude_subjects: tuple[str, ...] = ()
    """Patterns on `<dataset>/<subject>` or `<subject>` of people to leave out."""


def scan(folder: str | Path, options: ScanOptions | None = None) -> tuple[list[ScannedFile], list[str]]:
    """Find the recordings of a folder, in order of their names.

    Parameters
    ----------
    folder : str or Path
        Any tree of files; or one file.
    options : ScanOptions, optional
        Patterns of files and people; None takes all files.

    Returns
    -------
    sources : list of ScannedFile
        Recordings that were found.
    excluded : list of str
        Subject ids that `exclude_subjects` left out.

    Raises
    ------
    NeuriptError
        It is not there, cannot be read, holds no recordings, or the subject pattern fits none of a file.
    """
    options = options or ScanOptions()
    root = Path(folder)
    pattern = _compile(options.subject_pattern)
    if not root.exists():
        raise NeuriptError(f"there is no folder {root}")
    dataset = options.dataset or root.resolve().name.removesuffix("".join(root.suffixes))
    _check_name(dataset)
    base = root if root.is_dir() else root.parent
    found, excluded = [], set()
    for path in _files(root):
        name = path.relative_to(base).as_posix()
        if not _wanted(name, options):
            continue
        subject = f"{dataset}/{subject_of(name, pattern)}"
        if _matches(subject, options.exclude_subjects):
            excluded.add(subject)
        else:
            found.append(ScannedFile(path, name, dataset, subject))
    if not found and not excluded:
        what = " that the patterns take" if options.include or options.exclude else ""
        raise NeuriptError(
            f"{root} holds no recordings{what}; known endings are {' '.join(SUFFIXES)} (of Muse recorders)"
        )
    return found, sorted(excluded)


def require_people(patterns: Sequence[str], subjects: Iterable[str], option: str) -> None:
    """Refuse a pattern that fits nobody: after a typing error a person would be in who was to be left out.

    Parameters
    ----------
    patterns : sequence of str
        As in `ScanOptions.exclude_subjects`.
    subjects : iterable of str
        Everybody who was found.
    option : str
        Where the patterns were given, for the sentence.

    Raises
    ------
    NeuriptError
        Naming the pattern and who is there.
    """
    there = sorted(set(subjects))
    nobody = next((p for p in patterns if not any(_matches(subject, [p]) for subject in there)), None)
    if nobody is not None:
        some = ", ".join(there[:12]) + (f" and {len(there) - 12} more" if len(there) > 12 else "")
        raise NeuriptError(f"{option} {nobody} fits nobody; the folders hold {some}")


def subject_of(name: str, pattern: re.Pattern[str] | None = None) -> str:
    """Return the subject of a recording from its relative path.

    Raises
    ------
    NeuriptError
        A pattern was given and does not match.
    """
    if pattern is not None:
        match = pattern.search(name)
        if match is None:
            raise NeuriptError(
                f"--subject-pattern {pattern.pattern!r} does not match {name}; every recording needs a subject, "
                "so widen the pattern or leave the file out with --exclude"
            )
        if "subject" in pattern.groupindex:
            return _plain(match["subject"])
        return _plain(match[1] if pattern.groups else match[0])
    for known in (_BIDS, _COMMON):
        match = known.search(name)
        if match is not None:
            return _plain(match["subject"])
    first, slash, _ = name.partition("/")
    return _plain(first if slash else Path(name).name.partition(".")[0])


def _compile(pattern: str | None) -> re.Pattern[str] | None:
    try:
        return None if pattern is None else re.compile(pattern)
    except re.error as error:
        raise NeuriptError(f"--subject-pattern {pattern!r} is no regular expression: {error}") from error


def _check_name(dataset: str) -> None:
    if not dataset or "/" in dataset or dataset != dataset.strip():
        raise NeuriptError(f"{dataset!r} cannot name a data set; give a --dataset without slashes")


def _files(root: Path) -> list[Path]:
    """Return the files that may be recordings; hidden ones and sidecars are none."""
    if root.is_file():
        return [root]

    def refuse(error: OSError) -> None:
        raise NeuriptError(f"{error.filename} cannot be read: {error.strerror}") from error

    found = []
    for folder, names, files in os.walk(root, onerror=refuse):
        names[:] = sorted(n for n in names if n not in _NOT_DATA and not n.startswith("."))
        found += [Path(folder) / f for f in files if not f.startswith(".")]
    return sorted(path for path in found if is_recording(path))


def _wanted(name: str, options: ScanOptions) -> bool:
    if options.include and not _matches(name, options.include):
        return False
    return not _matches(name, options.exclude)


def _matches(name: str, patterns: Sequence[str]) -> bool:
    last = name.rpartition("/")[2]
    return any(fnmatch.fnmatchcase(text, p) for p in patterns for text in (name, last))


def _plain(subject: str) -> str:
    return re.sub(r"[\s/]+", "_", subject.strip())
