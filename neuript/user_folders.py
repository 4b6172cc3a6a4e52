"""Where neuript keeps what belongs to this user: settings, and what can be rebuilt."""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

from platformdirs import PlatformDirs


def config_dir() -> Path:
    """Return the folder of this user's settings (`NEURIPT_CONFIG_DIR` overrides); may not exist."""
    if override := os.environ.get("NEURIPT_CONFIG_DIR"):
        return Path(override).expanduser()
    return _user_folders().user_config_path


def cache_dir() -> Path:
    """Return the folder for what can be rebuilt, such as engines; beside the override if set."""
    if os.environ.get("NEURIPT_CONFIG_DIR"):
        return config_dir() / "cache"
    return _user_folders().user_cache_path


def private_dir(path: Path) -> Path:
    """Create a folder that only this user may enter, and return it."""
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    return path


def only_mine(path: Path) -> bool:
    """Say whether nobody but this user (or root) could have written the file or folder that `path` is, or points to."""
    if sys.platform == "win32":
        return True  # the profile folder's access list is the guard there
    return all(
        info.st_uid in (os.getuid(), 0) and (is_link or not info.st_mode & (stat.S_IWGRP | stat.S_IWOTH))
        for info, is_link in ((path.lstat(), path.is_symlink()), (path.stat(), False))
    )


def _user_folders() -> PlatformDirs:
    """Return where this system keeps a user's files; on Windows settings follow the user to other computers."""
    return PlatformDirs("neuript", appauthor=False, roaming=True)
