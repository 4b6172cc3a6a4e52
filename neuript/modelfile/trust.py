"""Which model files of neuript 0.1 may be loaded: they are TorchScript programs, so each must be known.

Known are files that neuript 0.1 wrote for this user, and files that the user accepted with `--trust`. What is
remembered is the SHA-256 of the whole file, one line each, in `trusted-models.txt` of the user's configuration folder.
"""

from __future__ import annotations

import logging
import os
import re
from datetime import UTC, datetime
from pathlib import Path

from neuript.user_folders import config_dir, only_mine, private_dir

log = logging.getLogger(__name__)

_NO_LINK = getattr(os, "O_NOFOLLOW", 0)
_MAX_BYTES = 4 << 20
_LINE = re.compile(r"([0-9a-f]{64})\b")


def trust_file() -> Path:
    """Return the list of files that this user trusts."""
    return config_dir() / "trusted-models.txt"


def is_trusted(sha256: str) -> bool:
    """Say whether a file with this SHA-256 may be loaded on this computer for this user."""
    return sha256 in _remembered()


def remember(sha256: str, *, how: str, name: str = "") -> bool:
    """Add a file's SHA-256 to the user's list; False (and a warning) if that cannot be written.

    Parameters
    ----------
    sha256 : str
        SHA-256 of the whole file, in hexadecimal.
    how : str
        How the file became trusted, for the person who reads the list.
    name : str
        Name of the file, for the same person.
    """
    if is_trusted(sha256):
        return True
    path = trust_file()
    clean = "".join(c for c in name if c.isprintable())[:200]
    line = f"{sha256}  {how}  {datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}  {clean}\n"
    try:
        private_dir(path.parent)
        if why := not_mine_alone(path):
            log.warning("cannot remember that %s is trusted: %s", clean or sha256, why)
            return False
        # One append: to write the list anew would lose what another neuript adds meanwhile. A line that a kill cut off
        # trusts nothing that it should not: its file, or the next one, is asked for again.
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | _NO_LINK, 0o600)
        with os.fdopen(descriptor, "ab") as file:
            file.write(line.encode())
    except OSError as error:
        log.warning(
            "cannot remember that %s is trusted: %s (set NEURIPT_CONFIG_DIR to a folder that can "
            "be written, or pass --trust each time)",
            clean or sha256,
            error,
        )
        return False
    return True


def not_mine_alone(path: Path) -> str:
    """Return why others could have written a file of the settings folder; empty where nobody could.

    The file must be a plain one and no link, and it and its folder must belong to this user and be writable by nobody
    else: who can write the folder can put another file in its place.
    """
    folder = path.parent
    if not only_mine(folder):
        return f"{folder} belongs to somebody else or can be written by others (chmod 700 it)"
    if path.is_symlink() or (path.exists() and not path.is_file()):
        return f"{path} is a link or no plain file (delete it)"
    if path.exists() and not only_mine(path):
        return f"{path} belongs to somebody else or can be written by others (chmod 600 it)"
    return ""


def _remembered() -> frozenset[str]:
    path = trust_file()
    try:
        if why := not_mine_alone(path):
            log.warning("the list of trusted files is ignored: %s", why)
            return frozenset()
        with path.open("rb") as file:
            return _hashes(file.read(_MAX_BYTES).decode("utf-8", "ignore"))
    except FileNotFoundError:
        return frozenset()
    except OSError as error:
        log.warning("cannot read %s: %s", path, error)
        return frozenset()


def _hashes(text: str) -> frozenset[str]:
    return frozenset(m[1] for line in text.splitlines() if (m := _LINE.match(line)))
