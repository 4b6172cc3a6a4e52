"""Which recordings go into a data set, and whose they are."""

from __future__ import annotations

import contextlib
import glob
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from neuript.errors import NeuriptError
from neuript.files import replacing
from neuript.realtime.recordings.given_channels import parse_channels
from neuript.training.guided.guided_spec import check_alias
from neuript.training.guided.session_folder import CONFIG, REPORT, SessionFolder
from neuript.training.share.bids_labels import bids_label, session_label

_SEVERAL_FILES = (".vhdr", ".set")
"""Formats whose header names other files: these keep their names, or they would not be found."""


@dataclass(frozen=True, kw_only=True)
class BidsSource:
    """One recording and where it belongs."""

    path: Path
    alias: str
    """Of the person."""
    session: str
    """Label of the session."""
    montage: str | None = None
    """What was on the head; None where the recording says it."""
    channels: tuple[str, ...] | None = None
    """Names of the channels of the EEG in order, "-" for one to leave out; None where the recording says them."""
    unit: str | None = None
    """Unit of the numbers; None where the recording says it."""
    report: Path | None = None
    """Report of the calibration that ended the session, if there is one."""

    @property
    def label(self) -> str:
        """Label of the person."""
        return bids_label(self.alias, "the alias")


def sources_of(
    sessions: Sequence[str | Path],
    *,
    subject: str | None = None,
    session: str | None = None,
    montage: str | None = None,
    channels: Sequence[str] | None = None,
    unit: str | None = None,
) -> list[BidsSource]:
    """Return the recordings of session folders, and single recordings, in the order given.

    Parameters
    ----------
    sessions : sequence of str or Path
        Folders of guided sessions, which say all of it themselves, or recordings of any format that neuript reads.
    subject : str, optional
        Alias of the person of the single recordings.
    session : str, optional
        Label of their session; None is `01`.
    montage, unit : str, optional
        What was on the head and the unit of the numbers, where a recording does not say it.
    channels : sequence of str, optional
        Names of the channels of the EEG, where a recording does not say them.

    Raises
    ------
    NeuriptError
        If something is not there or is no session, or whose a recording is is not said.
    """
    if sessions and (subject or session) and all(Path(path).is_dir() for path in sessions):
        raise NeuriptError("a session folder says itself whose it is and when; leave out --subject and --session")
    found: list[BidsSource] = []
    names = None if channels is None else parse_channels(channels)
    for path in map(Path, sessions):
        if path.is_dir():
            found += _of_session(path, montage, names, unit)
            continue
        if subject is None:
            raise NeuriptError(f"{path} does not say whose it is; give an alias as well, such as --subject S01")
        check_alias(subject)
        label = bids_label(session or "01", "--session")
        one = BidsSource(path=path, alias=subject, session=label, montage=montage, channels=names, unit=unit)
        found.append(one)
    return found


def _of_session(
    path: Path, montage: str | None, channels: tuple[str, ...] | None, unit: str | None
) -> Iterator[BidsSource]:
    if not (path / CONFIG).is_file():
        raise NeuriptError(
            f"{path} is no session folder: it has no {CONFIG}; name one such as sessions/S01/2026-11-30-1, or a file"
        )
    folder = SessionFolder.resume(path)
    if not folder.recordings:
        raise NeuriptError(f"the session {path} holds no recording; leave it out")
    report = path / f"{REPORT}.html"
    for recording in folder.recordings:
        yield BidsSource(
            path=recording,
            alias=folder.spec.subject,
            session=session_label(path.resolve().name),
            montage=montage or folder.spec.montage,
            channels=channels or folder.spec.calibration.channels,
            unit=unit or folder.spec.unit,
            report=report if report.is_file() else None,
        )


@contextlib.contextmanager
def kept_source(recording: Path, root: Path, place: Path, stem: str) -> Iterator[None]:
    """Keep a copy of a recording as it is, which gets its name when the block ends well.

    Parameters
    ----------
    recording : Path
        The file; of a format of several files, its header.
    root : Path
        Folder of the data set.
    place : Path
        Folder of the run in it.
    stem : str
        What the names of the run begin with.
    """
    folder = root / "sourcedata" / place
    beside: list[Path] = []
    ending = "".join(recording.suffixes[-2:]) if recording.suffix == ".gz" else recording.suffix
    name = f"{stem}_eeg{ending.lower()}"
    if recording.suffix.lower() in _SEVERAL_FILES:
        folder, name = folder / f"{stem}_eeg", recording.name
        beside = [p for p in recording.parent.glob(f"{glob.escape(recording.stem)}.*") if p != recording]
    folder.mkdir(parents=True, exist_ok=True)
    with replacing(folder / name, overwrite=False) as temporary:
        shutil.copyfile(recording, temporary)
        for path in beside:
            shutil.copyfile(path, folder / path.name)
        yield


def run_of_copy(root: Path, copy: Path) -> Path:
    """Return the run of a copy that `kept_source` made: its folder in the data set, and what its names begin with."""
    place = copy.relative_to(root / "sourcedata")
    named = place.parent if place.parent.name.endswith("_eeg") else place
    return named.with_name(named.name.rpartition("_eeg")[0])
