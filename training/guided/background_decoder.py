"""The decoder of the moment on a session's stream, in a process of its own; the next one takes over without a hole."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Mapping
from typing import Any

from neuript.realtime.decoding.decision import Decision
from neuript.realtime.decoding.states import State
from neuript.training.guided.decode_in_background import PROBLEM

_END_S = 5.0


class BackgroundDecoder:
    """Runs `neuript-live` without its outlets; a newer decoder replaces the one before with its first valid window.

    Rows are always those of a model that was there before their window began, so of nothing that it has learnt from.

    Parameters
    ----------
    settings : mapping of str to Any
        Settings of `LiveOptions` that say which stream it is and what is on the head.
    publish : callable
        Takes each row, in order of time, in a thread of ours.
    """

    def __init__(self, settings: Mapping[str, Any], publish: Callable[[Decision], None]) -> None:
        self._settings, self._publish = dict(settings), publish
        self._lock = threading.Lock()
        self._answers: subprocess.Popen[bytes] | None = None
        self._coming: subprocess.Popen[bytes] | None = None
        self._all: list[subprocess.Popen[bytes]] = []
        self._names: dict[int, str] = {}
        self._newest: Decision | None = None
        self._began: str | None = None
        self._problem = ""
        self._last_t = -float("inf")

    def use(self, name: str, **which: str) -> None:
        """Decode by another model as soon as it is ready.

        Parameters
        ----------
        name : str
            What to call it.
        **which
            `model` or `population`, as in `LiveOptions`; the file may be replaced as soon as `began` has named it.
        """
        task = json.dumps({**self._settings, **which})
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "neuript.training.guided.decode_in_background", task],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=sys.platform != "win32",  # Ctrl-C is for us
        )
        with self._lock:
            overtaken, self._coming = self._coming, process
            self._all.append(process)
            self._names[process.pid] = name
        if overtaken is not None:
            overtaken.terminate()
        threading.Thread(target=self._read, args=(process,), name="decoder", daemon=True).start()

    def newest(self) -> Decision | None:
        """Return the newest row, once; None if none came since."""
        with self._lock:
            row, self._newest = self._newest, None
        return row

    def began(self) -> str | None:
        """Return the name of the decoder that has begun to answer, once; None if none has since."""
        with self._lock:
            name, self._began = self._began, None
        return name

    def problem(self) -> str:
        """Return why a decoder has ended on its own, once; empty if none has."""
        with self._lock:
            problem, self._problem = self._problem, ""
        return problem

    def close(self) -> None:
        """End what runs; harmless when called twice."""
        with self._lock:
            processes, self._all, self._answers, self._coming = self._all, [], None, None
        for process in processes:
            process.terminate()
        for process in processes:
            try:
                process.wait(_END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _read(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdout is not None
        with process.stdout as lines:
            for line in lines:
                said = _said(line)
                if PROBLEM in said:
                    self._ended(process, str(said[PROBLEM]))
                elif (row := _row(said)) is not None:
                    self._take(process, row)

        code = process.wait()
        self._ended(process, f"the decoder ended with exit code {code}")

    def _ended(self, process: subprocess.Popen[bytes], why: str) -> None:
        """Keep why a decoder has ended that nobody wanted to end; the first reason counts."""
        with self._lock:
            if process is self._coming:
                self._coming = None
            elif process is self._answers:
                self._answers = None
            else:
                return
            self._problem = why

    def _take(self, process: subprocess.Popen[bytes], row: Decision) -> None:
        with self._lock:
            if process is self._coming and (row.state is State.OK or self._answers is None):
                before, self._answers, self._coming = self._answers, process, None
                self._began = self._names[process.pid]
                if before is not None:
                    before.terminate()
            if process is not self._answers or row.t <= self._last_t:
                return
            self._last_t, self._newest = row.t, row
            self._publish(row)


def _said(line: bytes) -> dict[str, Any]:
    """Read a line of `decode_in_background`; empty for anything else."""
    try:
        said = json.loads(line)
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _row(said: Mapping[str, Any]) -> Decision | None:
    try:
        return Decision(**{**said, "state": State(said["state"])})
    except (ValueError, TypeError, KeyError):
        return None
