"""Why there is no window, in one sentence, and with what to install."""

from __future__ import annotations

import subprocess

import pytest

from neuript.realtime.dashboard import launch


def test_without_a_display_the_reason_is_one_sentence(monkeypatch):
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "QT_QPA_PLATFORM"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(launch.sys, "platform", "linux")
    assert "no display" in launch.why_no_window()


def test_without_qt_the_reason_is_one_sentence(monkeypatch):
    monkeypatch.setattr(launch.importlib.util, "find_spec", lambda name: None)
    assert "not installed" in launch.why_no_window()


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (b"", "no reason"),
        (b"could not load xcb\nmore", "(more)"),
        (b"From 6.5.0, xcb-cursor0 or libxcb-cursor0 is needed", "libxcb-cursor0"),
        (b"Traceback\nImportError: libEGL.so.1: cannot open shared object file", "(ImportError: libEGL.so.1: "),
        (
            b"qt.qpa.xcb: could not connect to display :7\nno Qt platform plugin could be initialized",
            "is DISPLAY right",
        ),
    ],
)
def test_a_qt_that_aborts_is_found_out_in_another_process(monkeypatch, error, word):
    monkeypatch.setenv("QT_QPA_PLATFORM", "xcb")
    failed = subprocess.CompletedProcess([], -6, b"", error)
    monkeypatch.setattr(launch.subprocess, "run", lambda *a, **k: failed)
    assert word in launch.why_no_window()


ABORTED = """qt.qpa.plugin: Could not load the Qt platform plugin "xcb" in "" even though it was found.
This application failed to start because no Qt platform plugin could be initialized. Reinstalling may fix this.

Available platform plugins are: xcb, offscreen.
"""


def test_a_missing_library_is_said_with_what_to_install():
    with_apt, without = (launch.qt_refusal(ABORTED, apt=apt) for apt in (True, False))
    for said in (with_apt, without):
        assert said.startswith("Qt cannot open a window (qt.qpa.plugin: Could not load the Qt platform plugin")
    assert "apt-get install libegl1 libgl1 " in with_apt
    assert "apt" not in without
    first = "qt.qpa.plugin: From 6.5.0, xcb-cursor0 or libxcb-cursor0 is needed to load the Qt xcb platform plugin."
    assert f"({first})" in launch.qt_refusal(f"{first}\n{ABORTED}", apt=True)
    assert "libEGL, libGL" in without
