"""To forget a person: find all that this computer keeps under an alias, and remove it when that is confirmed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from neuript.training.guided.guided_spec import check_alias
from neuript.training.guided.whose_file import (
    MODEL_SUFFIXES,
    WhoseFile,
    distinct,
    files_below,
    files_of_recordings,
    hashes_of,
    is_report_on,
    manifests_of,
    models_seen_below,
    own_folder,
    people_of,
    refuse_running,
)
from neuript.user_folders import cache_dir


@dataclass(frozen=True)
class Kept:
    """What is kept of a person.

    Attributes
    ----------
    subject : str
        The alias.
    sessions, models, recordings, reports, caches : tuple of Path
        Folders of sessions, files of models made for this person, files of the recordings that these were made from
        (those with the samples after their headers), reports about the person, and folders of what can be rebuilt of
        models.
    others : tuple of Path
        Models that learnt from this person among others: they are not removed, and have to be made again.
    shared : tuple of (Path, str)
        What would be removed, were it not somebody else's as well, and whose it is.
    """

    subject: str
    sessions: tuple[Path, ...] = ()
    models: tuple[Path, ...] = ()
    recordings: tuple[Path, ...] = ()
    reports: tuple[Path, ...] = ()
    caches: tuple[Path, ...] = ()
    others: tuple[Path, ...] = field(default=())
    shared: tuple[tuple[Path, str], ...] = field(default=())

    @property
    def all(self) -> tuple[Path, ...]:
        """Everything that is removed."""
        return (*self.sessions, *self.models, *self.recordings, *self.reports, *self.caches)

    def lines(self) -> Iterator[str]:
        """Yield a line for each thing that is removed, and for each that is not."""
        for what in ("sessions", "models", "recordings", "reports", "caches"):
            for path in getattr(self, what):
                yield f"{what.removesuffix('s'):<10} {path}"
        for path, whose in self.shared:
            yield f"kept       {path} (also of {whose})"
        for path in self.others:
            yield f"kept       {path}: learnt from {self.subject} among others; make it again without"


def kept_of(subject: str, sessions: str | Path, folders: Sequence[str | Path] = ()) -> Kept:
    """Find what is kept of a person.

    Nothing below the session folder of another alias is this person's, and no recording that a model of another alias
    was made from. The folder of the person's own sessions is, with all that lies in it.

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
        If the alias is none, a folder is not there, a session of this person is running, or something cannot be read,
        so that nobody knows whose it is.
    """
    check_alias(subject)
    root = Path(sessions)
    mine = own_folder(root, subject)
    refuse_running(mine)
    places = [Path(folder) for folder in folders]
    owner = WhoseFile(subject, root, places)
    found = distinct(path for folder in (*places, *mine) for path in files_below(folder))
    files = {at: path for at, path in found.items() if not owner.is_own(at)}
    shown = distinct(models_seen_below(root)) | found
    told = manifests_of(shown)
    hashes, of_others = hashes_of(subject, told.values())
    recordings = files_of_recordings(files, hashes, of_others) if hashes else {}
    takes: dict[str, list[Path]] = {"recordings": [], "models": [], "reports": []}
    shared: dict[Path, str] = {}
    candidates = (
        *(("recordings", at) for at in recordings),
        *(("models", at) for at in files if at in told and told[at].provenance.get("subject") == subject),
        *(("reports", at) for at, path in files.items() if is_report_on(path, subject)),
    )
    for what, at in candidates:
        whose = owner.other_alias(at) or of_others.get(recordings.get(at, ""))
        if whose is None:
            takes[what].append(files[at])
        else:
            shared[files[at]] = whose
    engines = cache_dir() / "engines"
    return Kept(
        subject=subject,
        sessions=mine,
        models=tuple(takes["models"]),
        recordings=tuple(takes["recordings"]),
        reports=tuple(takes["reports"]),
        caches=(engines,) if engines.is_dir() and (takes["models"] or mine) else (),
        others=tuple(
            shown[at]
            for at, manifest in told.items()
            if manifest.provenance.get("subject") != subject and subject in people_of(manifest)
        ),
        shared=tuple(shared.items()),
    )


def purge(kept: Kept) -> tuple[int, list[str]]:
    """Remove what was found: recordings first, and last the models, which say what the recordings are.

    What is gone already is no error. The models stay while a recording could not be removed, so that the next purge
    finds it.

    Returns
    -------
    n_files : int
        How many files were removed.
    failed : list of str
        A sentence for each thing that could not be removed.

    Raises
    ------
    NeuriptError
        If a session of this person is running by now; nothing is removed.
    """
    refuse_running(kept.sessions)
    failed: list[str] = []
    n_files = _removed(kept.recordings, failed)
    inside = [path for folder in (*kept.sessions, *kept.caches) for path in _everything_below(folder, failed)]
    models = [path for path in inside if path.suffix.lower() in MODEL_SUFFIXES]
    is_whole = not failed
    n_files += _removed([*kept.reports, *(path for path in inside if path not in set(models))], failed)
    if not is_whole:
        failed += [
            f"{path} stays, since it says which recordings are of {kept.subject}, and not all could be removed; mend "
            "that, and purge again"
            for path in (*models, *kept.models)
        ]
        return n_files, failed
    n_files += _removed([*models, *kept.models], failed)
    for folder in (*kept.sessions, *kept.caches):
        _remove_empty(folder, failed)
    return n_files, failed


def _everything_below(folder: Path, failed: list[str]) -> Iterator[Path]:
    """Yield the files and links below a folder that is removed."""

    def note(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            failed.append(_not_removed(Path(error.filename or folder), error))

    for place, folders, names in os.walk(folder, onerror=note):
        yield from (Path(place) / name for name in names)
        yield from (path for name in folders if (path := Path(place) / name).is_symlink())


def _removed(paths: Iterable[Path], failed: list[str]) -> int:
    """Remove files, note which could not be, and return how many were."""
    n_files = 0
    for path in paths:
        try:
            path.unlink()
            n_files += 1
        except FileNotFoundError:
            pass
        except OSError as error:
            failed.append(_not_removed(path, error))
    return n_files


def _remove_empty(folder: Path, failed: list[str]) -> None:
    """Remove a folder with those below it; what could not be removed from them was said before."""
    for place, _, _ in os.walk(folder, topdown=False):
        try:
            os.rmdir(place)
        except FileNotFoundError:
            pass
        except OSError as error:
            if not failed:
                failed.append(_not_removed(Path(place), error))


def _not_removed(path: Path, error: OSError) -> str:
    why = error.strerror or error
    return f"{path} cannot be removed: {why}; free it (another program may hold it), and purge again"
