"""An X server without a screen, for tests that press keys: it says which keys are down."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from processes import running
from waiting import wait_for


@contextmanager
def an_x_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """Start one, let DISPLAY name it, and give a connection to it; skip where there is none."""
    if shutil.which("Xvfb") is None:
        pytest.skip("Xvfb is not installed")
    xdisplay = pytest.importorskip("Xlib.display")
    with running(["Xvfb", "-displayfd", "1", "-screen", "0", "64x64x8", "-nolisten", "tcp"]) as server:
        wait_for(lambda: server.lines, 20, "the number of a display")
        monkeypatch.setenv("DISPLAY", f":{server.lines[0]}")
        monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
        monkeypatch.delenv("XDG_SESSION_TYPE", raising=False)
        display = xdisplay.Display()
        try:
            yield display
        finally:
            display.close()


def down(display: Any, keysym: str) -> bool:
    """Whether a key is down, by its name in X11."""
    from Xlib import XK

    code = display.keysym_to_keycode(XK.string_to_keysym(keysym))
    return bool(display.query_keymap()[code // 8] >> code % 8 & 1)
