"""A recorder in a process of its own, watched: started again when it dies, and never believed because it lives.

It is another LSL client, so it cannot delay a decoder, and what happens to it never ends a session. It uses the LSL
library of this program, so it sees what this program sees, whatever the network settings are.
"""

from __future__ import annotations

import json
import logging
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

from neuript import specs
from neuript.errors import NeuriptError
from neuript.files import check_writable
from neuript.realtime.lsl.record_in_background import RecordingTask
from neuript.realtime.lsl.recording_rule import RecordingRule

logger = logging.getLogger(__name__)

CHECK_EVERY_S = 0.2
SILENT_S = 5.0
"""Seconds without a word after which a recorder counts as standing still."""
STOP_TIMEOUT_S = 10.0
"""Seconds that it may take to end."""
KILL_TIMEOUT_S = 2.0
"""Seconds that it may take to be gone when it is killed; one that waits for a dead disk never is."""
WELL_S = 4.0
"""Seconds after which one that dies is started again without a pause."""
LONGEST_PAUSE_S = 30.0
"""Longest time in seconds between two starts of a recorder that dies again and again."""
_CODE = "neuript.realtime.lsl.record_in_background"


def check_recording(path: str | Path) -> Path:
    """Refuse, before anything is started, a file that cannot be recorded to.

    Raises
    ------
    NeuriptError
        If the file exists (recordings are never overwritten) or cannot be written, or its name is not that of an XDF
        file.
    """
    path = Path(path)
    if path.suffix.lower() != ".xdf":
        raise NeuriptError(f"the recording {path} must end in .xdf, such as {path.with_suffix('.xdf')}")
    check_writable(path)
    if path.exists():
        raise NeuriptError(
            f"{path} exists already, and may be in use by another recorder; recordings "
            "are never overwritten: choose another name"
        )
    return path


class Recorder:
    """Streams into a file, from `start` to `close`.

    Parameters
    ----------
    path : str or Path
        XDF file to write, as `check_recording` returns it.
    rule : RecordingRule
        What is recorded.
    clock : callable
        Stopwatch, in seconds.
    """

    def __init__(self, path: str | Path, rule: RecordingRule, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.path, self.rule = Path(path), rule
        self.problems: list[str] = []
        """A sentence for each thing that went wrong, whether or not something was lost by it."""
        self.losses: list[str] = []
        """Those of them by which something is missing that nobody can count."""
        self.n_restarts = 0
        self.stuck = False
        """True where it could not even be killed: its disk does not answer, and nobody should ask it."""
        self.refuses = ""
        """Why nothing can be written at the moment; empty while it can, or nothing is known."""
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None
        self._said: dict[str, Any] = {}
        self._heard_at = self._checked_at = self._launched_at = -1e9
        self._start_at, self._pause_s = -1e9, 0.0
        self._silent = self._misplaced = self._opened = False
        self.joined_after_s: dict[int, float | None] = {}
        """How long after it opened each stream was first joined, by its number in the file, in seconds."""
        self._instances: dict[int, int] = {}
        self._refused: set[str] = set()
        self._unanswered: set[str] = set()
        self._reader: threading.Thread | None = None

    @property
    def n_bytes(self) -> int:
        """Bytes in the file; 0 until something is in it."""
        return int(self._said.get("bytes", 0)) if self.streams else 0

    @property
    def streams(self) -> list[dict[str, Any]]:
        """What the recorder said last of each stream; see `FileStream.status`."""
        return list(self._said.get("streams", ()))

    @property
    def quiet_s(self) -> float:
        """Seconds since it said something: what it said last is as old."""
        return self._clock() - self._heard_at

    @property
    def pid(self) -> int | None:
        """The recorder's process; None while there is none."""
        return None if self._process is None else self._process.pid

    def stream(self, uid: str) -> dict[str, Any] | None:
        """Return what was said last of the stream whose first instance this is; None before it is recorded."""
        return next((s for s in self.streams if s["first_uid"] == uid), None)

    def start(self) -> None:
        """Start it, without waiting: it takes about a second to find the streams."""
        logger.info("recording to %s", self.path)
        self._launch(go_on=False)

    def check(self) -> None:
        """Look now and then after it: what it says is passed on, and a dead one is started again. Never waits."""
        now = self._clock()
        if self._process is None or now < self._checked_at + CHECK_EVERY_S:
            return
        self._checked_at = now
        if self._process.poll() is not None:
            self._start_again(now)
            return
        self._listen_for_silence()
        self._tell_streams()
        self._tell_trouble()

    def close(self) -> None:
        """Let it write the rest, and wait for that; harmless when called twice."""
        process, self._process = self._process, None
        if process is None:
            return
        early = process.poll() is not None
        killed = not early and self._end(process)
        if self.stuck:
            return
        if self._reader is not None:
            self._reader.join(1.0)
        _let_go(process)
        self._tell_streams()
        self._tell_trouble()
        for text in self._said.get("unanswered", ()):
            self.report(f"{text} is not in the recording: it was announced, and could not be connected to", loss=True)
        if early:
            self.report(f"the recorder had ended before ({self._how_it_ended(process)})", loss=True)
        elif not killed and (process.returncode != 0 or not self._said.get("finished")):
            self.report(f"the recorder did not finish the recording ({self._how_it_ended(process)})", loss=True)

    def _end(self, process: subprocess.Popen[bytes]) -> bool:
        """Tell it to end; return whether it had to be killed."""
        _say_end(process)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_TIMEOUT_S)
            return False
        process.kill()
        try:
            process.wait(KILL_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self.stuck = True
            self.report(
                "the recorder cannot be ended, since its disk does not answer; what is in the recording is not known",
                loss=True,
            )
            return True
        self.report(
            f"the recorder did not end within {STOP_TIMEOUT_S:g} s and was killed; the recording can be read up to "
            "what it had written",
            loss=True,
        )
        return True

    # -- the process ------------------------------------------------------------------------------------------------

    def _launch(self, *, go_on: bool) -> None:
        task = RecordingTask(path=str(self.path), rule=self.rule, go_on=go_on)
        try:
            self._process = subprocess.Popen(
                _command(task),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=sys.platform != "win32",  # Ctrl-C is for us; we tell it to stop
                creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # the same, on Windows
            )
        except OSError as error:
            self.report(f"the recorder cannot be started: {error.strerror or error}", loss=True)
            return
        self._heard_at = self._launched_at = self._clock()
        assert self._process.stdout is not None
        self._reader = threading.Thread(
            target=self._listen, args=(self._process.stdout,), daemon=True, name="recorder says"
        )
        self._reader.start()

    def _start_again(self, now: float) -> None:
        """Say that it is dead, once, and start another one; later each time it dies again soon."""
        assert self._process is not None
        if self._start_at < 0:
            failed, how = "failed" in self._said, self._how_it_ended(self._process)
            self._said.pop("failed", None)
            self._opened |= not failed  # what it could not open may be another recorder's
            if self.streams or not failed:
                self.report(
                    f"the recorder has died ({how}); it is started again, and what comes meanwhile is missing",
                    loss=True,
                )
            else:
                self.report(f"the recording did not begin: {how}", loss=True)
            pause_s = 0.0 if now - self._launched_at > WELL_S else self._pause_s
            self._start_at, self._pause_s = now + pause_s, min(max(1.0, 2 * pause_s), LONGEST_PAUSE_S)
        if now >= self._start_at:
            self._start_at = -1e9
            self.n_restarts += 1
            _let_go(self._process)
            self._launch(go_on=self._opened)

    def _how_it_ended(self, process: subprocess.Popen[bytes]) -> str:
        """In its own words, where it had some."""
        return str(self._said.get("failed", "")) or _how(process.returncode)

    def _listen(self, out: IO[bytes]) -> None:
        """Keep what it said last; in a thread of its own."""
        with suppress(OSError, ValueError):
            for line in out:
                with suppress(ValueError):
                    said = json.loads(line)
                    self._said = {**self._said, **said} if "failed" in said else said
                    self._heard_at = self._clock()

    # -- what it says -----------------------------------------------------------------------------------------------

    def _listen_for_silence(self) -> None:
        silent_s = self.quiet_s
        if silent_s > SILENT_S and not self._silent:
            self._silent = True
            self.report(
                f"the recorder has said nothing for {silent_s:.0f} s: does its disk still answer? It loses nothing if "
                "it goes on within minutes"
            )
        elif silent_s <= SILENT_S and self._silent:
            self._silent = False
            logger.info("the recorder of %s goes on", self.path)

    def _tell_streams(self) -> None:
        for stream in self.streams:
            if stream["id"] not in self.joined_after_s:
                missed_s = self.joined_after_s[stream["id"]] = stream["missed_s"]
                is_late = missed_s is not None and 0 <= missed_s < self._clock() - self._launched_at
                late = f", {missed_s:.1f} s after it opened" if is_late else ""
                logger.info("records %s%s", stream["text"] or f"'{stream['name']}' again", late)
            before = self._instances.setdefault(stream["id"], stream["instances"])
            if stream["instances"] != before:
                self._instances[stream["id"]] = stream["instances"]
                logger.warning("'%s' was started again, and is recorded on", stream["name"])

    def _tell_trouble(self) -> None:
        trouble = str(self._said.get("trouble", ""))
        if trouble and not self.refuses:
            self.report(
                f"{trouble}: what comes from here on waits for room, and is missing from the recording where there is "
                "none soon; make space"
            )
        elif self.refuses and not trouble:
            logger.info("%s can be written again", self.path)
        self.refuses = trouble
        if not self._said.get("in_place", True) and not self._misplaced:
            self._misplaced = True
            self.report("somebody has moved or removed the recording while it is recorded to; put it back")
        for text, why in self._said.get("refused", {}).items():
            if text not in self._refused:
                self._refused.add(text)
                self.report(f"{text} is not recorded: {why}", loss=True)
        for text in self._said.get("unanswered", ()):
            if text not in self._unanswered:
                self._unanswered.add(text)
                self.report(f"{text} is announced, and does not answer: nothing of it is recorded so far")

    def report(self, sentence: str, *, loss: bool = False) -> None:
        """Say that something went wrong, and keep it; `loss` where nobody can count what is missing by it.

        It goes into the session's report, so it names no folder and no file.
        """
        self.problems.append(sentence)
        if loss:
            self.losses.append(sentence)
        logger.error("%s", sentence)


def _command(task: RecordingTask) -> list[str]:
    return [sys.executable, "-P", "-m", _CODE, json.dumps(specs.to_dict(task))]


def _say_end(process: subprocess.Popen[bytes]) -> None:
    with suppress(OSError):
        assert process.stdin is not None
        process.stdin.write(b"end\n")
        process.stdin.close()


def _let_go(process: subprocess.Popen[bytes]) -> None:
    for end in (process.stdin, process.stdout):
        if end is not None:
            with suppress(OSError):
                end.close()


def _how(code: int | None) -> str:
    if code is not None and code < 0:
        return f"ended by signal {-code}"
    return f"exit code {code}"
