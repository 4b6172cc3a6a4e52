"""Which files are of one person, by their place, by what models say, and by their hash."""

from __future__ import annotations

import html
import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from neuript.errors import NeuriptError
from neuript.locks import is_locked
from neuript.modelfile.describe import read_manifest
from neuript.modelfile.manifest import Manifest
from neuript.realtime.recordings.read import SUFFIXES, is_recording
from neuript.realtime.recordings.recording_files import SAMPLES_SUFFIXES, companions, recording_sha256, samples_file
from neuript.training.guided.session_folder import CONFIG, LOCK

MODEL_SUFFIXES = (".ts", ".safetensors")
REPORT_SUFFIXES = (".json", ".html")
_MOST_REPORT_BYTES = 64 << 20
_TITLE = re.compile(r"<title\b[^>]*>(.*?)</title\s*>", re.DOTALL | re.IGNORECASE)
_SESSION = b"format: neuript-session-"


class WhoseFile:
    """Whose a file is by where it lies.

    Parameters
    ----------
    subject : str
        The alias.
    sessions : Path
        Folder of everybody's sessions.
    places : sequence of Path
        Folders that are searched. Where one is the folder of sessions, or in it, other things may lie there, too.
    """

    def __init__(self, subject: str, sessions: Path, places: Sequence[Path]) -> None:
        self.subject, self.root = subject, sessions.resolve()
        self.is_mixed = any(place.resolve().is_relative_to(self.root) for place in places)
        self._known: dict[Path, str | None] = {}

    def is_own(self, at: Path) -> bool:
        """Say whether it is in the folder of the person's sessions, which goes as a whole."""
        return at.is_relative_to(self.root / self.subject)

    def other_alias(self, at: Path) -> str | None:
        """Return the other alias in whose session folder a file lies, here or in another folder of sessions."""
        return next((alias for folder in at.parents if (alias := self._alias_of(folder)) is not None), None)

    def _alias_of(self, folder: Path) -> str | None:
        if folder not in self._known:
            alias = None
            if folder.parent == self.root and (not self.is_mixed or any(map(_is_session, _folders_in(folder)))):
                alias = folder.name
            elif _is_session(folder):
                alias = folder.parent.name
            self._known[folder] = None if alias == self.subject else alias
        return self._known[folder]


def _folders_in(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []


def _is_session(folder: Path) -> bool:
    try:
        with (folder / CONFIG).open("rb") as file:
            return file.read(len(_SESSION)) == _SESSION
    except OSError:
        return False


def own_folder(root: Path, subject: str) -> tuple[Path, ...]:
    """Return the folder of exactly this alias, if it is there; a disk may take one in other letters for it.

    Raises
    ------
    NeuriptError
        If the folder of all sessions cannot be read.
    """
    with _said(root):
        names = os.listdir(root) if root.is_dir() else []
    own = root / subject
    return (own,) if subject in names and own.is_dir() and not own.is_symlink() else ()


def refuse_running(folders: Sequence[Path]) -> None:
    """Refuse while a session in one of a person's folders is running.

    Raises
    ------
    NeuriptError
        Naming it.
    """
    for folder in folders:
        with _said(folder):
            inside = list(folder.iterdir()) if folder.is_dir() else []
        for path in inside:
            if (path / CONFIG).is_file() and is_locked(path / LOCK):
                raise NeuriptError(f"the session {path} is running; end it first")


@contextmanager
def _said(path: Path) -> Iterator[None]:
    """Refuse, in a sentence, what cannot be read: it may be this person's, or be somebody else's."""
    try:
        yield
    except OSError as error:
        raise NeuriptError(
            f"{error.filename or path} cannot be read ({error.strerror or error}), so nobody knows whose it is; make "
            "it readable, or name folders without it"
        ) from error


def files_below(folder: Path) -> Iterator[Path]:
    """Yield the files below a folder; links are none.

    Raises
    ------
    NeuriptError
        If it is not there, or a folder cannot be read.
    """
    if not folder.is_dir():
        raise NeuriptError(f"there is no folder {folder}")

    def refuse(error: OSError) -> None:
        with _said(folder):
            raise error

    for place, _, names in os.walk(folder, onerror=refuse):
        for name in sorted(names):
            path = Path(place) / name
            with _said(path):
                if not path.is_symlink() and path.is_file():
                    yield path


def models_seen_below(root: Path) -> Iterator[Path]:
    """Yield the models below the folder of all sessions that can be seen; the others' may be closed to this user."""
    for place, _, names in os.walk(root):
        for path in (Path(place) / name for name in sorted(names)):
            if path.suffix.lower() in MODEL_SUFFIXES and os.access(path, os.R_OK) and not path.is_symlink():
                yield path


def distinct(paths: Iterable[Path]) -> dict[Path, Path]:
    """Return each file once, by its full path, under the name by which it was found first."""
    found: dict[Path, Path] = {}
    for path in paths:
        found.setdefault(path.resolve(), path)
    return found


def manifests_of(files: Mapping[Path, Path]) -> dict[Path, Manifest]:
    """Return what the models among files say of themselves, by their full path.

    Raises
    ------
    NeuriptError
        If one cannot be read; a damaged one, and what is no model of neuript, is left out.
    """
    told = {}
    for at, path in files.items():
        if path.suffix.lower() not in MODEL_SUFFIXES:
            continue
        with _said(path), path.open("rb"):
            pass
        with suppress(NeuriptError):  # no model of ours, or a damaged one
            told[at] = read_manifest(path)
    return told


def people_of(manifest: Manifest) -> list[str]:
    """Return the aliases of the people that a model began with."""
    people = manifest.provenance.get("people")
    return [str(one) for one in people] if isinstance(people, list | tuple) else []


def hashes_of(subject: str, manifests: Iterable[Manifest]) -> tuple[set[str], dict[str, str]]:
    """Return the recordings that this person's models were made from, and those of other people's, with their aliases.

    A population says nothing of a recording where this person is one of its people.
    """
    mine: set[str] = set()
    others: dict[str, set[str]] = {}
    for manifest in manifests:
        told = manifest.provenance
        whose = [str(told["subject"])] if told.get("subject") else people_of(manifest)
        hashes = told.get("file_hashes") if manifest.is_population else manifest.recordings
        if whose == [subject]:
            mine |= manifest.recordings
        elif subject not in whose:
            for digest in map(str, hashes if isinstance(hashes, list | tuple | frozenset) else ()):
                others.setdefault(digest, set()).update(whose)
    return mine, {digest: ", ".join(sorted(whose)) for digest, whose in others.items() if whose}


def files_of_recordings(files: Mapping[Path, Path], hashes: set[str], of_others: Mapping[str, str]) -> dict[Path, str]:
    """Return the files of recordings with these hashes, each with a hash of the recording.

    Headers come before the samples by which they are known, so that what is interrupted is found again.

    Parameters
    ----------
    files : mapping of Path to Path
        Files that are looked at, by their full path.
    hashes : set of str
        Hashes of the recordings that are looked for.
    of_others : mapping of str to str
        Hashes of recordings of other people: a part of a recording that is one keeps its own hash.

    Raises
    ------
    NeuriptError
        If a file cannot be read.
    """
    known, readable = {}, set()
    for at, path in files.items():
        with _said(path):
            if path.name.lower().endswith(SUFFIXES):
                path.open("rb").close()  # a table that cannot be read would count as none of a recorder
            if is_recording(path):
                readable.add(at)
            elif at.suffix.lower() not in SAMPLES_SUFFIXES:  # these may have lost their header
                continue
            known[at] = recording_sha256(at)
    wanted = {at: digest for at, digest in known.items() if digest in hashes}
    beside = {at: companions(at) for at in readable}
    parts = {other for at in wanted for other in beside.get(at, ())}
    claimed = {other for at in readable - wanted.keys() - parts for other in beside[at]}
    found: dict[Path, str] = {}
    for at, digest in sorted(wanted.items(), key=lambda one: one[0] not in readable):
        samples = samples_file(at)
        for one in (at, *beside.get(at, ()), samples):
            if one not in files or (one in claimed and one not in wanted):
                continue
            own = known.get(one, digest)
            if one != samples:
                found.setdefault(one, own if own in of_others else digest)
            else:
                found[one] = digest
    return found


def is_report_on(path: Path, subject: str) -> bool:
    """Say whether a file is the report of a calibration of this person alone.

    Raises
    ------
    NeuriptError
        If it cannot be read.
    """
    with _said(path):
        if path.suffix.lower() not in REPORT_SUFFIXES or path.stat().st_size > _MOST_REPORT_BYTES:
            return False
        text = path.read_text("utf-8", "replace")
    if path.suffix.lower() == ".html":
        titles = [html.unescape(title).strip() for title in _TITLE.findall(text)]
        return len(titles) == 1 and re.fullmatch(f"Calibration report: {subject}, [^,]+", titles[0]) is not None
    try:
        told: Any = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return isinstance(told, dict) and told.get("subject") == subject and "calibration" in told
