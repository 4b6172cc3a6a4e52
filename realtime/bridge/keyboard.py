"""The keyboard of this computer, played by a program: X11 on Linux, pynput elsewhere; and why it may not work.

pynput needs a compiler to be installed on Linux (evdev has no wheel), where python-xlib does the same without one.
"""

from __future__ import annotations

import os
import sys
from typing import Any, Protocol

from neuript.errors import NeuriptError
from neuript.realtime.bridge.extra import of_the_extra
from neuript.realtime.bridge.key_map import KEYS

_INSTEAD = "or use --osc or --websocket"


class Keyboard(Protocol):
    """Moves keys by their names in `KEYS`."""

    def press(self, key: str) -> None:
        """Push a key down."""
        ...

    def release(self, key: str) -> None:
        """Let it go."""
        ...


def open_keyboard() -> Keyboard:
    """Return the keyboard of this computer.

    Raises
    ------
    NeuriptError
        If keys cannot be pressed here; one sentence says why and what helps.
    """
    if sys.platform in ("win32", "darwin"):
        return PynputKeyboard()
    return X11Keyboard()


class X11Keyboard:
    """Keys through the XTEST extension of an X server."""

    def __init__(self) -> None:
        _check_session()
        display = of_the_extra("Xlib.display", "--keys")
        error = of_the_extra("Xlib.error", "--keys")
        self._xtest = of_the_extra("Xlib.ext.xtest", "--keys")
        self._x = of_the_extra("Xlib.X", "--keys")
        self._keysym = of_the_extra("Xlib.XK", "--keys").string_to_keysym
        try:
            self._display: Any = display.Display()
        except (error.DisplayError, OSError) as cause:
            raise NeuriptError(
                f"keys cannot be pressed: the display {os.environ['DISPLAY']} does not answer ({cause}); run it in the "
                f"desktop's own session, {_INSTEAD}"
            ) from cause
        if not self._display.has_extension("XTEST"):
            raise NeuriptError(f"keys cannot be pressed: this X server has no XTEST; allow it there, {_INSTEAD}")

    def press(self, key: str) -> None:
        """Push a key down."""
        self._move(self._x.KeyPress, key)

    def release(self, key: str) -> None:
        """Let it go."""
        self._move(self._x.KeyRelease, key)

    def _move(self, kind: int, key: str) -> None:
        code = self._display.keysym_to_keycode(self._keysym(KEYS[key][0]))
        if not code:
            raise NeuriptError(f"the keyboard layout of this computer has no key {key}; choose another one in --keys")
        self._xtest.fake_input(self._display, kind, code)
        self._display.sync()


def _check_session() -> None:
    if os.environ.get("XDG_SESSION_TYPE") == "wayland" or os.environ.get("WAYLAND_DISPLAY"):
        raise NeuriptError(
            "keys cannot be pressed under Wayland, which keeps programs from doing it; log in to an X11 (Xorg) "
            f"session, {_INSTEAD}"
        )
    if not os.environ.get("DISPLAY"):
        raise NeuriptError(f"keys cannot be pressed: there is no display (DISPLAY is not set); {_INSTEAD[3:]}")


class PynputKeyboard:
    """Keys through pynput, on Windows and macOS."""

    def __init__(self) -> None:
        if sys.platform == "darwin":
            _check_permission()
        module = of_the_extra("pynput.keyboard", "--keys")
        self._controller: Any = module.Controller()
        self._special: Any = module.Key

    def press(self, key: str) -> None:
        """Push a key down."""
        self._controller.press(self._named(key))

    def release(self, key: str) -> None:
        """Let it go."""
        self._controller.release(self._named(key))

    def _named(self, key: str) -> Any:
        name = KEYS[key][1]
        return name if len(name) == 1 else getattr(self._special, name)


def _check_permission() -> None:
    if not of_the_extra("HIServices", "--keys").AXIsProcessTrusted():
        raise NeuriptError(
            "keys cannot be pressed until macOS allows it: System Settings, Privacy & Security, Accessibility, switch "
            f"on the terminal that runs this; {_INSTEAD[3:]}"
        )
