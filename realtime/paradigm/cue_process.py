"""The cue window from outside: a process that is told what to do, and asked what happened; nothing here waits long."""

from __future__ import annotations

import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import suppress
from typing import IO, Any

from neuript import specs
from neuript.errors import NeuriptError
from neuript.realtime.dashboard.launch import why_no_window
from neuript.realtime.paradigm.cue_settings import CueSettings

START_S = 30.0
"""Longest time in seconds from the start of the process to its window."""
_MOST_WAITING = 10_000
_MAX_LINE = 2**20
_STDERR_TAIL = 2000


class CueProcess:
    """A cue window in a process of its own.

    It ends with this process, however this one ends.

    Examples
    --------
    >>> window = CueProcess()  # doctest: +SKIP
    >>> window.start(CueSettings(classes=("left_hand", "right_hand")))["refresh_hz"]  # doctest: +SKIP
    60.0
    >>> window.send(do="message", title="Welcome", text="Sit still.")  # doctest: +SKIP
    >>> window.poll(timeout_s=60)  # doctest: +SKIP
    [{'said': 'key', 'key': 'go_on'}]
    >>> window.close()  # doctest: +SKIP
    """

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._threads: list[threading.Thread] = []
        self._errors: IO[bytes] | None = None
        self._last_words = ""
        self._heard: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._to_send: queue.Queue[bytes | None] = queue.Queue(_MOST_WAITING)
        self._closed = True

    @property
    def running(self) -> bool:
        """True until the window has ended."""
        return self._process is not None and self._process.poll() is None

    def start(self, settings: CueSettings, timeout_s: float = START_S) -> dict[str, Any]:
        """Open the window and return what it says of itself when it is ready.

        Raises
        ------
        NeuriptError
            If no window can be opened here, or the settings do not fit, with the reason.
        """
        if self.running:
            raise RuntimeError("the cue window was started already")
        if reason := why_no_window():
            raise NeuriptError(f"cues are shown in a window: {reason}")
        self._start(settings)
        try:
            return self._wait_until_ready(timeout_s)
        except BaseException:
            self.close()
            raise

    def send(self, **message: object) -> None:
        """Tell it something, `do="run"` and so on; returns at once, also where nobody listens any more."""
        line = json.dumps(message, allow_nan=False).encode() + b"\n"
        try:
            self._to_send.put_nowait(line)
        except queue.Full:
            raise NeuriptError(
                f"the cue window has not read {_MOST_WAITING} messages; it hangs: close it, and start again"
            ) from None

    def poll(self, timeout_s: float = 0.0) -> list[dict[str, Any]]:
        """Return what it has said since the last time; waits for something to be said, at most `timeout_s` seconds.

        The last thing that it ever says is `closed`, also where it was killed; before that stands an `error` if it did
        not end by itself.
        """
        heard: list[dict[str, Any]] = []
        deadline = time.monotonic() + timeout_s
        while True:
            left = 0.0 if heard else max(0.0, deadline - time.monotonic())
            try:
                one = self._heard.get(timeout=left) if left else self._heard.get_nowait()
            except queue.Empty:
                return heard
            heard += self._ended() if one is None else self._once(one)

    def close(self, timeout_s: float = 3.0) -> None:
        """End it; harmless when it has ended already. Kills it if it does not listen."""
        process = self._process
        if process is None:
            return
        self._hang_up()
        try:
            process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(timeout_s)
        for thread in self._threads:
            thread.join(timeout_s)
        if self._errors is not None:
            self._last_words = _tail(self._errors)
            self._errors.close()
            self._errors = None

    def _start(self, settings: CueSettings) -> None:
        command = [
            sys.executable,
            "-P",  # the code of this process, whatever lies in the working folder
            "-m",
            "neuript.realtime.paradigm",
            f"--settings={json.dumps(specs.to_dict(settings))}",
            f"--parent={os.getpid()}",
        ]
        self._heard, self._to_send, self._closed = queue.Queue(), queue.Queue(_MOST_WAITING), False
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - open as long as the process
        self._process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            start_new_session=sys.platform != "win32",
        )
        self._threads = [
            threading.Thread(target=work, args=(self._process,), name="cue window", daemon=True)
            for work in (self._listen, self._write)
        ]
        for thread in self._threads:
            thread.start()

    def _wait_until_ready(self, timeout_s: float) -> dict[str, Any]:
        deadline = time.monotonic() + timeout_s
        while (left := deadline - time.monotonic()) > 0:
            for said in self.poll(left):
                if said["said"] == "ready":
                    return said
                if said["said"] in ("error", "closed"):
                    raise NeuriptError(str(said.get("text") or "the cue window was closed before it was ready"))
        raise NeuriptError(f"the cue window was not ready within {timeout_s:g} s")

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            while line := lines.readline(_MAX_LINE):
                self._heard.put(_read(line))
        self._heard.put(None)

    def _write(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        with suppress(OSError), process.stdin as lines:  # it may have ended; `poll` says so
            while (line := self._to_send.get()) is not None:
                lines.write(line)
                lines.flush()

    def _hang_up(self) -> None:
        """Close its stdin, after all that was sent, which ends it."""
        try:
            self._to_send.put_nowait(None)
        except queue.Full:
            if self._process is not None:
                self._process.kill()

    def _once(self, one: dict[str, Any]) -> list[dict[str, Any]]:
        self._closed = self._closed or one["said"] == "closed"
        return [one]

    def _ended(self) -> list[dict[str, Any]]:
        """What to say when its stdout has ended without its saying so."""
        if self._closed:
            return []
        self._closed = True
        return [{"said": "error", "text": self._why_it_ended()}, {"said": "closed"}]

    def _why_it_ended(self) -> str:
        assert self._process is not None
        try:
            code: int | None = self._process.wait(1.0)
        except subprocess.TimeoutExpired:
            code = None
        lines = (self._last_words if self._errors is None else _tail(self._errors)).splitlines()
        return f"the cue window ended with code {code}{f' ({lines[-1].strip()})' if lines else ''}"


def _tail(file: IO[bytes]) -> str:
    """Return the last words of a file that another process writes."""
    file.seek(0, os.SEEK_END)
    file.seek(max(0, file.tell() - _STDERR_TAIL))
    return file.read().decode("utf-8", "replace").strip()


def _read(line: bytes) -> dict[str, Any]:
    """Return what a line says; a line of garbage is an error."""
    text = line.decode("utf-8", "replace").strip()
    try:
        said = json.loads(text)
    except ValueError:
        said = None
    if isinstance(said, dict) and isinstance(said.get("said"), str):
        return said
    return {"said": "error", "text": f"the cue window wrote what is no message: {specs.short(text)}"}
