"""A file is there whole, or as it was before: also after a kill, on a full disk, and among many writers."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import numpy as np
import pytest

from neuript.errors import NeuriptError
from neuript.files import (
    DiskFullError,
    UnwritableError,
    append_json,
    is_disk_fault,
    is_full,
    json_safe,
    remove_leftovers,
    replacing,
    write_atomically,
    write_json,
)

posix = pytest.mark.skipif(sys.platform == "win32", reason="POSIX permissions and signals")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "a.bin").write_bytes(b"old")
    return tmp_path / "a.bin"


def alone(path: Path) -> bytes:
    """The content of the only file in its folder."""
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    return path.read_bytes()


def test_the_new_file_takes_the_place_of_the_old(path):
    with replacing(path) as temporary:
        assert temporary.parent == path.parent
        temporary.write_bytes(b"new")
        assert path.read_bytes() == b"old"
    assert alone(path) == b"new"


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError])
def test_an_error_in_the_block_keeps_the_old_file(path, error):
    def fail(temporary: Path) -> None:
        temporary.write_bytes(b"half")
        raise error

    with pytest.raises(error), replacing(path) as temporary:
        fail(temporary)
    assert alone(path) == b"old"


@posix
def test_a_kill_keeps_the_old_file_and_its_leftover_is_removed(path):
    code = (
        "import os, sys; from neuript.files import replacing\n"
        "with replacing(sys.argv[1]) as temporary:\n"
        "    temporary.write_bytes(b'half'); os.kill(os.getpid(), 9)"
    )
    done = subprocess.run([sys.executable, "-P", "-c", code, str(path)], check=False, timeout=60)
    assert done.returncode == -signal.SIGKILL
    assert path.read_bytes() == b"old"
    assert len(list(path.parent.iterdir())) == 2
    assert remove_leftovers(path.parent) == 1
    assert alone(path) == b"old"


@posix
def test_a_full_disk_is_told_apart_and_nothing_is_left(path):
    import resource

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2000, before[1]))
    try:
        with pytest.raises(DiskFullError, match="no room"):
            write_atomically(path, bytes(3000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert alone(path) == b"old"


def test_a_place_where_nothing_can_be_is_no_full_disk(path):
    with pytest.raises(UnwritableError, match="cannot write") as refusal, replacing(path / "below a file"):
        pass
    assert not is_full(refusal.value)


def test_a_path_that_cannot_be_a_file_is_refused(tmp_path):
    with pytest.raises(NeuriptError, match="is a folder"):
        write_atomically(tmp_path, b"")
    with pytest.raises(NeuriptError, match="no folder"):
        write_atomically(tmp_path / "none" / "a", b"")
    with pytest.raises(UnwritableError, match="cannot write"), replacing(tmp_path / "none" / "a"):
        pass


def no_links(*_: object) -> None:
    raise OSError(errno.EPERM, "no hard links here")


@pytest.fixture(params=["with hard links", "without"])
def any_file_system(request, monkeypatch):
    if request.param == "without":
        monkeypatch.setattr(os, "link", no_links)


@pytest.mark.usefixtures("any_file_system")
def test_a_file_that_appears_meanwhile_is_not_replaced(tmp_path):
    path = tmp_path / "new.xdf"
    with pytest.raises(UnwritableError, match="exists already"), replacing(path, overwrite=False):
        path.write_bytes(b"theirs")
    assert alone(path) == b"theirs"


@pytest.mark.usefixtures("any_file_system")
def test_of_many_writers_of_a_new_file_one_wins(tmp_path):
    path, ready = tmp_path / "new", Barrier(8)

    def write(number: int) -> bytes | None:
        content = bytes([number]) * 10_000
        try:
            with replacing(path, overwrite=False) as temporary:
                temporary.write_bytes(content)
                ready.wait(timeout=30)
        except UnwritableError:
            return None
        return content

    with ThreadPoolExecutor(8) as pool:
        (won,) = [c for c in pool.map(write, range(8)) if c is not None]
    assert alone(path) == won


@posix
def test_permissions_are_those_of_the_old_file_the_user_or_the_caller(path):
    def mode() -> int:
        return path.stat().st_mode & 0o777

    path.chmod(0o640)
    write_atomically(path, b"")
    assert mode() == 0o640
    write_atomically(path, b"", mode=0o600)
    assert mode() == 0o600
    path.unlink()
    mask = os.umask(0o027)
    try:
        write_atomically(path, b"")
    finally:
        os.umask(mask)
    assert mode() == 0o640


@pytest.mark.parametrize(
    ("error", "full", "fault"),
    [
        (OSError(errno.ENOSPC, "No space left on device"), True, True),
        (OSError(errno.EDQUOT, "Disk quota exceeded"), True, True),
        (OSError(errno.EFBIG, "File too large"), True, True),
        (OSError("Error writing bytes to file. Detail: [errno 28] No space left on device"), True, True),
        (OSError(errno.EIO, "Input/output error"), False, True),
        (OSError(errno.EROFS, "Read-only file system"), False, True),
        (OSError(errno.EACCES, "Permission denied"), False, False),
        (UnwritableError("no"), False, False),
        (ValueError("No space left"), False, False),
        (None, False, False),
    ],
)
def test_what_a_full_disk_is(error, full, fault):
    assert (is_full(error), is_disk_fault(error)) == (full, fault)
    around = NeuriptError("a step that writes failed")
    around.__cause__ = error
    assert (is_full(around), is_disk_fault(around)) == (full, fault)


def test_what_json_does_not_have_becomes_null_or_a_plain_value():
    value = {"a": np.array([1.0, np.nan]), 1: (np.float32(0.5), float("inf")), "c": [np.int64(2), np.bool_(True), "x"]}
    safe = json_safe(value)
    assert json.dumps(safe, allow_nan=False) == '{"a": [1.0, null], "1": [0.5, null], "c": [2, true, "x"]}'
    value = {"a": np.array([1.0, np.nan]), "b": (np.int64(2), np.bool_(True)), "c": 1 / 3}
    assert json_safe(value, n_digits=6) == {"a": [1.0, None], "b": [2, True], "c": 0.333333}


def test_json_is_strict_and_ends_with_a_line(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"b": "µ", "a": [1]}, sort_keys=True)
    assert path.read_bytes() == '{\n "a": [\n  1\n ],\n "b": "µ"\n}\n'.encode()
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, float("nan"))
    assert json.loads(alone(path)) == {"a": [1], "b": "µ"}


def test_lines_are_added_behind_one_that_a_kill_cut_off(tmp_path):
    path = tmp_path / "a.jsonl"
    append_json(path, {"n": 1})
    path.write_bytes(path.read_bytes() + b'{"n": ')
    append_json(path, {"n": 2})
    append_json(path, {"n": 3})
    assert path.read_bytes() == b'{"n": 1}\n{"n": \n{"n": 2}\n{"n": 3}\n'
    with pytest.raises(UnwritableError, match="cannot write"):
        append_json(tmp_path, {})
