"""Asks the desktop not to blank or lock the screen while the window is open."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys

_LINUX = ("org.freedesktop.ScreenSaver", "/org/freedesktop/ScreenSaver", "org.freedesktop.ScreenSaver")
_ES_CONTINUOUS, _ES_SYSTEM, _ES_DISPLAY = 0x80000000, 0x1, 0x2
_PLEASE = "switch off the screen saver and the lock screen for the session"


def stay_awake() -> str:
    """Ask; return a sentence where nobody answers, or an empty text.

    The request ends with this process.
    """
    asked = {"win32": _windows, "darwin": _macos}.get(sys.platform, _freedesktop)
    done = False
    with contextlib.suppress(ImportError, OSError, AttributeError):
        done = asked()
    return "" if done else f"the screen saver could not be held back; {_PLEASE}"


def _windows() -> bool:
    import ctypes

    return bool(ctypes.windll.kernel32.SetThreadExecutionState(_ES_CONTINUOUS | _ES_SYSTEM | _ES_DISPLAY))  # type: ignore[attr-defined]


def _macos() -> bool:
    subprocess.Popen(["/usr/bin/caffeinate", "-d", "-i", "-w", str(os.getpid())], stdin=subprocess.DEVNULL)
    return True


def _freedesktop() -> bool:
    from qtpy.QtDBus import QDBusConnection, QDBusInterface, QDBusMessage

    bus = QDBusConnection.sessionBus()
    if not bus.isConnected():
        return False
    saver = QDBusInterface(*_LINUX, bus)
    saver.setTimeout(1000)
    answer = saver.call("Inhibit", "neuript", "a session with cues")
    return bool(answer.type() == QDBusMessage.MessageType.ReplyMessage)
