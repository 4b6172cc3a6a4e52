"""Engines for GPUs that were built on this computer: kept in a folder that only this user may write.

An engine holds code. So bytes are loaded only if their hash was noted here when they were built; whoever can write to
this folder can do anything as this user anyway.
"""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

from neuript.files import write_atomically
from neuript.user_folders import cache_dir, only_mine, private_dir

log = logging.getLogger(__name__)


def plan_key(**about: Any) -> str:
    """Return what an engine is called by, from all that it depends on: graph, precision, versions, GPU."""
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:32]


def note_own(data: bytes | memoryview) -> None:
    """Remember that an engine was built here; that it cannot be remembered costs another build, nothing else."""
    digest = hashlib.sha256(data).hexdigest()
    _write(_folder() / f"{digest}.own", b"built here\n")


def is_own(data: bytes | memoryview) -> bool:
    """Say whether an engine was built here, by this user."""
    return _mine(_folder() / f"{hashlib.sha256(data).hexdigest()}.own")


def keep_plan(key: str, data: bytes) -> None:
    """Keep an engine that was built here under its key."""
    if _write(_folder() / f"{key}.plan", data):
        note_own(data)


def kept_plan(key: str) -> bytes | None:
    """Return the engine with this key; None if there is none, or it is not the one that was built here."""
    path = _folder() / f"{key}.plan"
    if not path.is_file():
        return None
    if not _mine(path):
        log.warning("%s can be written by others: the engine in it is not used", path.parent)
        return None
    try:
        data = path.read_bytes()
    except OSError as error:
        log.warning("the kept engine cannot be read: %s", error)
        return None
    if is_own(data):
        return data
    log.warning("the kept engine is damaged; it is built anew")
    return None


def has_plan(key: str) -> bool:
    """Say whether an engine with this key is kept, without reading it."""
    return _mine(_folder() / f"{key}.plan")


def _folder() -> Path:
    return cache_dir() / "engines"


def _mine(path: Path) -> bool:
    try:
        return path.is_file() and only_mine(path.parent) and only_mine(path)
    except OSError:
        return False


def _write(path: Path, data: bytes) -> bool:
    try:
        private_dir(path.parent)
        write_atomically(path, data, mode=0o600)
    except Exception as error:  # noqa: BLE001  a full disk, a folder of somebody else: it is built again next time
        log.warning("the engine is not kept: %s", error)
        return False
    return True
