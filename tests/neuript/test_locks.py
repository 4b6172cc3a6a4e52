"""A lock is held by one, and given back in every case: by the block, by an error, by a kill."""

from __future__ import annotations

import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event

import pytest

from neuript.files import UnwritableError
from neuript.locks import is_locked, locked, log

HOLD = (
    "import sys; from pathlib import Path; from neuript.locks import locked\n"
    "with locked(Path(sys.argv[1])) as free:\n"
    "    print(free, flush=True); sys.stdin.read()"
)
COUNT = (
    "import sys; from pathlib import Path; from neuript.locks import locked\n"
    "folder = Path(sys.argv[1])\n"
    "for _ in range(50):\n"
    "    with locked(folder / 'lock', wait=True):\n"
    "        (folder / 'n').write_text(str(int((folder / 'n').read_text()) + 1))"
)


def start(code: str, path: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-P", "-c", code, str(path)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / ".lock"


def test_a_lock_is_held_by_one_of_many(path):
    ready = Barrier(8)

    def take(_: int) -> bool:
        with locked(path) as free:
            ready.wait(timeout=30)  # nobody leaves before all have tried
            return free

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(take, range(8))) == [False] * 7 + [True]
    assert not is_locked(path)


def test_other_processes_are_kept_out_until_the_block_ends(path):
    with start(HOLD, path) as process:
        assert process.stdout.readline() == "True\n"
        assert is_locked(path)
        with locked(path) as free:
            assert not free
        assert is_locked(path), "who was refused has taken the lock away"
        process.communicate("")
    assert not is_locked(path)


@pytest.mark.skipif(sys.platform == "win32", reason="needs SIGKILL")
def test_the_lock_of_a_killed_process_is_free_at_once(path):
    with start(HOLD, path) as process:
        assert process.stdout.readline() == "True\n"
        process.send_signal(signal.SIGKILL)
    assert path.exists()
    assert not is_locked(path)
    with locked(path) as free:
        assert free


def test_nothing_is_lost_among_processes_that_wait(tmp_path):
    (tmp_path / "n").write_text("0")
    with start(COUNT, tmp_path) as one, start(COUNT, tmp_path) as two:
        assert [p.wait(timeout=60) for p in (one, two)] == [0, 0]
    assert (tmp_path / "n").read_text() == "100"


def test_who_waits_says_so_and_gets_it(path, monkeypatch):
    order, said = [], Event()
    monkeypatch.setattr(log, "info", lambda text, *_: said.set())

    def wait() -> None:
        with locked(path, wait=True) as free:
            order.append(free)

    with ThreadPoolExecutor(1) as pool:
        with locked(path):
            waiting = pool.submit(wait)
            assert said.wait(timeout=30)
            order.append("given back")
        waiting.result(timeout=30)
    assert order == ["given back", True]


def test_an_error_gives_the_lock_back(path):
    with pytest.raises(ZeroDivisionError), locked(path):
        1 / 0  # noqa: B018
    assert not is_locked(path)


def test_asking_makes_no_file_and_a_place_without_room_for_one_is_said(path):
    assert not is_locked(path)
    assert not path.exists()
    path.write_text("a file")
    with pytest.raises(UnwritableError, match="cannot lock"), locked(path / "lock"):
        pass
