"""A session on disk: one folder that only its owner reads, which says itself how far the session came."""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import yaml

from neuript import specs
from neuript.errors import NeuriptError
from neuript.files import PRIVATE_FILE, PRIVATE_FOLDER, append_json, unwritable, write_atomically
from neuript.locks import locked
from neuript.strict_yaml import read_yaml
from neuript.training.guided.guided_spec import GuidedSpec, check_alias

logger = logging.getLogger(__name__)

CONFIG, JOURNAL, LOCK, MODEL, REPORT = "config.yaml", "journal.jsonl", ".lock", "model.ts", "report"
_RECORDING = re.compile(r"session(?:-(\d+))?\.xdf")
_FORMAT = "neuript-session-1"


class SessionFolder:
    """One session of one person: `sessions/<alias>/<date>-<n>`.

    Every line of its journal is on the disk before anybody relies on it, so that whatever ends the program, another one
    goes on where it was.

    Parameters
    ----------
    path : Path
        The folder, as `begin` and `resume` give it.
    spec : GuidedSpec
        What was asked for when the session began.
    """

    def __init__(self, path: Path, spec: GuidedSpec) -> None:
        self.path, self.spec = path, spec

    @classmethod
    def begin(cls, root: str | Path, spec: GuidedSpec, date: str) -> SessionFolder:
        """Make the folder of a new session.

        Parameters
        ----------
        root : str or Path
            Where the sessions of all people are; made if it is not there.
        spec : GuidedSpec
            What is asked for.
        date : str
            Day of the session, as in `2026-11-30`.

        Raises
        ------
        UnwritableError
            If it cannot be made.
        """
        person = Path(root) / spec.subject
        try:
            person.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
            path = _new_folder(person, date)
        except OSError as error:
            raise unwritable(person, error) from error
        said = {"format": _FORMAT, **specs.to_dict(spec)}
        text = yaml.safe_dump(said, sort_keys=False, allow_unicode=True)
        write_atomically(path / CONFIG, text.encode(), mode=PRIVATE_FILE)
        return cls(path, spec)

    @classmethod
    def resume(cls, path: str | Path) -> SessionFolder:
        """Read the folder of a session that was begun.

        Raises
        ------
        NeuriptError
            If it is none, or what it says cannot be read.
        """
        path = Path(path)
        config = path / CONFIG
        if not config.is_file():
            raise NeuriptError(
                f"--resume {path} is no session folder: it has no {CONFIG}; name one such as sessions/S01/2026-11-30-1"
            )
        said = read_yaml(config, str(config))
        if not isinstance(said, dict) or said.pop("format", None) != _FORMAT:
            raise NeuriptError(f"{config} was not written by this version of neuript; begin a new session")
        return cls(path, specs.from_dict(GuidedSpec, said, str(config)))

    @contextmanager
    def held(self) -> Iterator[None]:
        """Keep other programs out while the session runs.

        Raises
        ------
        NeuriptError
            If one is in it.
        """
        with locked(self.path / LOCK) as free:
            if not free:
                raise NeuriptError(f"the session {self.path} is running in another program; end that one first")
            yield

    @property
    def recordings(self) -> list[Path]:
        """The recordings, in order of time; one for each time the session was begun or resumed."""
        found = [(int(match[1] or 1), p) for p in self.path.iterdir() if (match := _RECORDING.fullmatch(p.name))]
        return [path for _, path in sorted(found)]

    @property
    def all_recordings(self) -> list[Path]:
        """The same with those of earlier days, which come first."""
        return [*map(Path, self.spec.earlier), *self.recordings]

    def next_recording(self) -> Path:
        """Return the name of the next recording; nothing is made."""
        taken = [int(match[1] or 1) for p in self.recordings if (match := _RECORDING.fullmatch(p.name))]
        n = max(taken, default=0) + 1
        return self.path / ("session.xdf" if n == 1 else f"session-{n}.xdf")

    def note(self, event: str, **fields: Any) -> None:
        """Write a line into the journal; it is on the disk when this returns."""
        path = self.path / JOURNAL
        append_json(path, {"event": event, **fields})
        path.chmod(PRIVATE_FILE)

    def journal(self) -> list[dict[str, Any]]:
        """Return the lines of the journal; one that was cut off by a crash is left out."""
        path = self.path / JOURNAL
        if not path.is_file():
            return []
        return [line for line in map(_line, path.read_text(encoding="utf-8").splitlines()) if line]

    def shown_trials(self) -> set[int]:
        """Numbers of the trials whose last word in the journal is that they were done."""
        last = {line["trial"]: line["status"] for line in self.journal() if line["event"] == "trial"}
        return {trial for trial, status in last.items() if status == "done"}

    def cue_windows(self) -> list[dict[str, Any]]:
        """What each cue window that was opened measured of its frames, by its last word about them."""
        windows: list[dict[str, Any]] = []
        for line in self.journal():
            if line["event"] == "window":
                windows.append({name: line.get(name) for name in ("refresh_hz", "stamps")})
            elif line["event"] == "jitter" and windows:
                windows[-1] |= {name: value for name, value in line.items() if name != "event"}
        return [window for window in windows if window.get("n")]

    def is_finished(self) -> bool:
        """Say whether a model came of it."""
        return any(line["event"] == "finished" for line in self.journal())

    def give_up_empty(self) -> bool:
        """Remove a session of which nothing was recorded, and return whether it was one."""
        if self.recordings:
            return False
        for name in (CONFIG, JOURNAL, LOCK):
            with suppress(OSError):  # the lock may be held, and then stays with its folder
                (self.path / name).unlink(missing_ok=True)
        with suppress(OSError):
            self.path.rmdir()
        return True

    def keep_private(self) -> None:
        """Let only the owner read what other programs have written here."""
        if os.name == "posix":
            for path in self.path.iterdir():
                if path.is_file():
                    path.chmod(PRIVATE_FILE)


def sessions_of(root: str | Path, subject: str) -> list[SessionFolder]:
    """Sessions of a person, the newest last; those that cannot be read any more (another version, a lost cap) are not.

    Raises
    ------
    NeuriptError
        If the alias is none.
    """
    check_alias(subject)
    person = Path(root) / subject
    found = [p for p in person.iterdir() if (p / CONFIG).is_file()] if person.is_dir() else []
    sessions = []
    for path in sorted(found, key=_by_day):
        try:
            sessions.append(SessionFolder.resume(path))
        except NeuriptError as error:
            logger.warning("%s is left aside: %s", path, error)
    return sessions


def last_finished(root: str | Path, subject: str) -> SessionFolder:
    """Return the last session of a person that a model came of.

    Raises
    ------
    NeuriptError
        If there is none.
    """
    finished = [folder for folder in sessions_of(root, subject) if folder.is_finished()]
    if not finished:
        raise NeuriptError(
            f"--from-last: {Path(root) / subject} holds no session that was finished; begin with one: "
            f"--subject {subject} --classes left_hand,right_hand"
        )
    return finished[-1]


def _by_day(path: Path) -> tuple[str, int, str]:
    day, _, n = path.name.rpartition("-")
    return day, int(n) if n.isdigit() else 0, path.name


def _new_folder(person: Path, date: str) -> Path:
    n = 1
    while True:
        path = person / f"{date}-{n}"
        try:
            path.mkdir(mode=PRIVATE_FOLDER)
        except FileExistsError:
            n += 1
            continue
        return path


def _line(text: str) -> dict[str, Any] | None:
    try:
        said = json.loads(text)
    except ValueError:
        return None
    return said if isinstance(said, dict) and isinstance(said.get("event"), str) else None
