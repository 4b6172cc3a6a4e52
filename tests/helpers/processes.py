"""Child processes of tests: they start as from a terminal, are waited for with a limit, and never outlive their test.

A child and all that it starts in turn carry a mark in their environment. Whatever happens in the `with` block, at its
end every process with the mark is asked to end, killed where it does not, and its death is waited for.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import psutil
from waiting import wait_for

MARK = "NEURIPT_TEST_CHILD"
GRACE_S = 10.0  # from "end, please" to being killed: a decoder finishes its report, a trainer its checkpoint
LIMIT_S = 60.0  # importing PyTorch takes most of it on a busy machine
_HANDLERS = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}


def neuript(*words: object) -> list[str]:
    """Return the command line of a verb: `neuript("live", "--model", path)`."""
    return [sys.executable, "-P", "-m", "neuript", *map(str, words)]


def python(code: str, *words: object) -> list[str]:
    """Return the command line of a few lines of Python."""
    return [sys.executable, "-P", "-c", code, *map(str, words)]


@contextmanager
def default_signals() -> Iterator[None]:
    """Hear SIGINT and SIGTERM as a program does that was started in a terminal, and let children inherit that.

    `nohup` in a script, `&` in a shell without job control and some CI runners leave SIGINT ignored, which every child
    inherits. A signal with a handler is reset to its default when a program starts, an ignored one is not, so a handler
    in the parent is all it takes (and needs no code between fork and exec). Main thread only.
    """
    before = {number: signal.signal(number, handler) for number, handler in _HANDLERS.items()}
    blocked = signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDLERS) if hasattr(signal, "pthread_sigmask") else set()
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if blocked:
            signal.pthread_sigmask(signal.SIG_SETMASK, blocked)


class Child:
    """A running process; what it writes goes to files, so that no pipe fills up.

    Attributes
    ----------
    process : psutil.Popen
        To send signals to and to ask for its id, its children and its exit code.
    """

    def __init__(self, process: psutil.Popen, folder: Path) -> None:
        self.process = process
        self._folder = folder

    @property
    def out(self) -> str:
        """What it has written on stdout so far."""
        return _text(self._folder / "out")

    @property
    def err(self) -> str:
        """What it has written on stderr so far."""
        return _text(self._folder / "err")

    @property
    def lines(self) -> list[str]:
        """The whole lines on stdout so far."""
        return self.out.split("\n")[:-1]

    @property
    def running(self) -> bool:
        return self.process.poll() is None

    def wait_until_it_says(self, words: str, within_s: float = LIMIT_S) -> str:
        """Wait for a whole line on stdout or stderr that holds some words; return it."""

        def line() -> str | None:
            running = self.running
            said = [s for text in (self.out, self.err) for s in text.split("\n")[:-1] if words in s]
            assert said or running, f"it ended with {self.process.returncode} and never said {words!r}: {self.err}"
            return said[0] if said else None

        found = wait_for(line, within_s, lambda: f"{words!r}; it said {self.out[-2000:]!r} and {self.err[-2000:]!r}")
        assert found is not None
        return found

    def interrupt(self) -> None:
        """Send what Ctrl-C sends."""
        self.process.send_signal(signal.SIGINT)

    def wait(self, within_s: float = LIMIT_S) -> int:
        """Wait for its own end; return the exit code."""
        wait_for(lambda: not self.running, within_s, lambda: f"the end of a process; it said {self.err[-2000:]!r}")
        return int(self.process.returncode)


@contextmanager
def running(
    command: Sequence[str], *, env: Mapping[str, str] | None = None, grace_s: float = GRACE_S, **options: Any
) -> Iterator[Child]:
    """Start a program as from a terminal; when the block is left, end it and all that it started.

    It has a session of its own, so a Ctrl-C for the suite does not reach it.

    Parameters
    ----------
    command : sequence of str
        The program and its arguments.
    env : mapping of str, optional
        Added to the environment.
    grace_s : float
        How long it may take to end when asked, in seconds, before it is killed.
    **options
        For `subprocess.Popen`, such as `cwd` or another `stdout`.
    """
    mark = uuid.uuid4().hex
    with tempfile.TemporaryDirectory() as folder:
        process = _start(command, Path(folder), {**os.environ, **(env or {}), MARK: mark}, options)
        try:
            yield Child(process, Path(folder))
        finally:
            _end_all(process, mark, grace_s)


def finished(
    command: Sequence[str], *, within_s: float = LIMIT_S, ok: bool = False, **how: Any
) -> subprocess.CompletedProcess[str]:
    """Run a program to its end, as `running` does, and return its exit code, stdout and stderr.

    Parameters
    ----------
    command : sequence of str
        The program and its arguments.
    within_s : float
        How long it may take, in seconds.
    ok : bool
        Whether an exit code other than 0 fails the test.
    **how
        For `running`.
    """
    with running(command, **how) as child:
        code = child.wait(within_s)
        done = subprocess.CompletedProcess(command, code, child.out, child.err)
    assert code == 0 or not ok, done.stderr
    return done


def _start(command: Sequence[str], folder: Path, environment: dict[str, str], options: dict[str, Any]) -> psutil.Popen:
    with (folder / "out").open("wb") as out, (folder / "err").open("wb") as err, default_signals():
        streams = {"stdin": subprocess.DEVNULL, "stdout": out, "stderr": err, "text": True} | options
        return psutil.Popen(command, env=environment, start_new_session=sys.platform != "win32", **streams)


def _end_all(process: psutil.Popen, mark: str, grace_s: float) -> None:
    """Ask every process with the mark to end, kill those that do not, wait until there is none."""

    def left() -> list[psutil.Process]:
        process.poll()  # an ended child is seen as such only then
        return _marked(mark)

    def tell(word: str) -> None:
        for one in left():
            with suppress(psutil.NoSuchProcess):
                getattr(one, word)()

    tell("terminate")
    with suppress(AssertionError):
        wait_for(lambda: not left(), grace_s)
    wait_for(lambda: tell("kill") or not left(), 10, "the death of a killed process")
    process.wait(10)
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with suppress(BrokenPipeError):
                pipe.close()


def _marked(mark: str) -> list[psutil.Process]:
    return [p for p in psutil.process_iter(["environ"]) if (p.info["environ"] or {}).get(MARK) == mark]


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")
