"""Start the dashboard in a process of its own, in a window or on the console."""

from __future__ import annotations

import importlib.util
import logging
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from typing import Literal

from neuript.errors import NeuriptError
from neuript.qt_choice import choose_qt
from neuript.realtime.dashboard.control_pipe import ControlPipe

logger = logging.getLogger(__name__)

Kind = Literal["window", "console"]

_PROBE = (
    "from neuript.qt_choice import choose_qt; choose_qt(); from qtpy.QtWidgets import QApplication; QApplication([])"
)
PROBE_TIMEOUT_S = 20.0
QT_PACKAGES = (
    *("libegl1", "libgl1", "libglib2.0-0", "libxkbcommon0", "libxkbcommon-x11-0", "libxcb-cursor0", "libxcb-icccm4"),
    *("libxcb-keysyms1", "libxcb-shape0", "libxcb-xkb1", "libdbus-1-3", "libfontconfig1", "fonts-dejavu-core"),
)
"""What Qt's window needs on bare Debian or Ubuntu; `libglib2.0-0` is provided by `libglib2.0-0t64` on newer ones."""
QT_LIBRARIES = (
    *("libEGL", "libGL", "libglib-2.0", "libxkbcommon", "libxkbcommon-x11", "libxcb-cursor", "libxcb-icccm"),
    *("libxcb-keysyms", "libxcb-shape", "libxcb-xkb", "libdbus-1", "libfontconfig", "a font such as DejaVu Sans"),
)
"""The same by the names of the libraries."""


_NO_REASON = ("Available platform plugins", "Aborted", "This application failed to start")
_MISSING_LIBRARY = ("cannot open shared object", "no Qt platform plugin could be initialized", "xcb-cursor")


@dataclass(frozen=True, slots=True)
class Handle:
    """A running dashboard."""

    process: subprocess.Popen[bytes]
    kind: Kind
    note: str
    """Why it is the console view; empty for a window or where the console was asked for."""
    pipe: ControlPipe | None = None
    """By which a window steers the decoder; a console view only watches."""

    def asked(self) -> list[str]:
        """Return what was asked for in the window since the last call, as it would be typed."""
        return self.pipe.newest() if self.pipe is not None else []

    def tell(self, **said: str | float | bool) -> None:
        """Tell the window how the decoder stands; never waits."""
        if self.pipe is not None:
            self.pipe.tell(**said)

    @property
    def n_dropped(self) -> int:
        """What the window was told and did not take."""
        return self.pipe.n_dropped if self.pipe is not None else 0

    @property
    def running(self) -> bool:
        """True until the dashboard has ended."""
        return self.process.poll() is None

    def close(self, timeout_s: float = 3.0) -> None:
        """End the dashboard; harmless when it has ended already. Kills it if it does not listen."""
        if self.running:
            self.process.terminate()
            try:
                self.process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait(timeout_s)
        if self.pipe is not None:
            self.pipe.close()


def why_no_window() -> str | None:
    """Say in one sentence why a window cannot be opened here; None where it can.

    Qt aborts the whole process where it finds no display or lacks a library, so the last word has
    a short-lived process that tries.
    """
    try:
        choose_qt()
    except NeuriptError as error:
        return str(error)
    if importlib.util.find_spec("pyqtgraph") is None:
        return "pyqtgraph is not installed (pip install pyqtgraph)"
    asked = os.environ.get("QT_QPA_PLATFORM")
    unix = sys.platform not in {"win32", "darwin"}
    if unix and not asked and not any(map(os.environ.get, ("DISPLAY", "WAYLAND_DISPLAY"))):
        return "there is no display (neither DISPLAY nor WAYLAND_DISPLAY is set)"
    try:
        probe = subprocess.run(
            [sys.executable, "-P", "-c", _PROBE],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=PROBE_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"Qt did not open a window within {PROBE_TIMEOUT_S:g} s"
    if probe.returncode == 0:
        return None
    return qt_refusal(probe.stderr.decode("utf-8", "replace"), apt=shutil.which("apt-get") is not None)


def qt_refusal(said: str, *, apt: bool) -> str:
    """Return one sentence for what Qt said before it gave up: its last line, and what to install.

    Parameters
    ----------
    said : str
        What the process that tried has written; Python's or Qt's reason is at its end.
    apt : bool
        True where packages are installed with apt; elsewhere the libraries are named.
    """
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    reasons = [line for line in lines if not line.startswith(_NO_REASON)]
    named = [line for line in reasons if "is needed" in line]  # the library by its name, before Qt's general words
    last = (named or reasons or ["no reason given"])[-1]
    if display := [line for line in lines if "could not connect to display" in line]:
        return f"Qt cannot open a window ({display[-1]}); is DISPLAY right, and may this user open windows there?"
    if not any(sign in said for sign in _MISSING_LIBRARY):
        return f"Qt cannot open a window ({last})"
    if apt:
        return f"Qt cannot open a window ({last}): apt-get install {' '.join(QT_PACKAGES)}"
    return f"Qt cannot open a window ({last}): install the libraries {', '.join(QT_LIBRARIES)} of this system"


@dataclass(frozen=True, slots=True)
class View:
    """Which dashboard can be shown here."""

    kind: Kind
    note: str = ""
    """Why it is the console view; empty for a window or where the console was asked for."""


def choose_view(*, console: bool | None = None) -> View:
    """Find out which dashboard can be shown; this may take seconds, so do it before data flow.

    Parameters
    ----------
    console : bool | None
        True = the console view, False or None = a window where one can be opened.
    """
    reason = None if console else why_no_window()
    note = f"{reason}; showing the console view instead." if reason else ""
    if note:
        logger.warning("%s", note)
    return View("console" if console or reason else "window", note)


def launch(
    decoder_source_id: str, eeg_source_id: str = "", *, console: bool | None = None, view: View | None = None
) -> Handle:
    """Start the dashboard beside a decoder; it is only an LSL client and can be killed any time.

    Parameters
    ----------
    decoder_source_id : str
        `source_id` of the decoder's `Predictions` stream.
    eeg_source_id : str
        `source_id` of the EEG stream; an empty text takes the one that the decoder's header names.
    console : bool, optional
        Argument of `choose_view`, which is asked if `view` is None.
    view : View, optional
        What `choose_view` said earlier; then nothing here takes more than milliseconds. None asks it now.

    Returns
    -------
    Handle
        The running process (own session: Ctrl-C in the terminal does not reach it, the caller
        calls `close`), with `kind` and, where a window was not possible, a `note` that says why.
    """
    view = view or choose_view(console=console)
    command = [
        sys.executable,
        "-P",  # the code of this process, whatever lies in the working folder
        "-m",
        "neuript.realtime.dashboard",
        f"--proba-source-id={decoder_source_id}",
        f"--eeg-source-id={eeg_source_id}",
        f"--parent={os.getpid()}",
        *(["--console"] if view.kind == "console" else ["--window", "--steer"]),
    ]
    ends = subprocess.DEVNULL if view.kind == "console" else subprocess.PIPE
    process = subprocess.Popen(
        command,
        stdin=ends,
        stdout=ends,
        bufsize=0,
        env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        start_new_session=sys.platform != "win32",
    )
    pipe = None if view.kind == "console" else ControlPipe(process)
    if pipe is not None:
        pipe.open()
    return Handle(process, view.kind, view.note, pipe)
