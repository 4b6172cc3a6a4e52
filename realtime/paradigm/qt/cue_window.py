"""The cue window as a program: opens it, connects stdin, stdout and LSL, and runs until it is told to end."""

from __future__ import annotations

import gc
import signal
import sys
from functools import partial
from typing import Any

from qtpy.QtCore import QRect, Qt, QTimer
from qtpy.QtGui import QGuiApplication, QScreen, QSurfaceFormat

from neuript.errors import NeuriptError
from neuript.realtime.dashboard.line_pipe import LinePipe
from neuript.realtime.dashboard.parent import parent_lives
from neuript.realtime.lsl.cue_outlet import CueOutlets
from neuript.realtime.paradigm.cue_settings import SMALLEST, CueSettings
from neuript.realtime.paradigm.qt.beep import Beep
from neuript.realtime.paradigm.qt.cue_stage import CueStage
from neuript.realtime.paradigm.qt.draw_trials import picture_of
from neuript.realtime.paradigm.qt.stay_awake import stay_awake
from neuript.realtime.paradigm.qt.surfaces import (
    PaintingWindow,
    Surface,
    SwappingWindow,
    opengl_works,
    waits_for_the_screen,
)

_USUAL_HZ, _SLOWEST_HZ, _FASTEST_HZ = 60.0, 20.0, 500.0
_WATCH_MS = 500
_BIGGEST = (1280, 800)


def run(settings: CueSettings, parent: int | None = None) -> int:
    """Show cues as stdin says until it closes; return the exit code.

    Parameters
    ----------
    settings : CueSettings
        Classes, times, looks.
    parent : int, optional
        Process that must go on for this one to go on.
    """
    QSurfaceFormat.setDefaultFormat(waits_for_the_screen())
    app = QGuiApplication(sys.argv[:1])
    app.setApplicationName("neuript")
    program = _Program(settings)
    try:
        program.open()
    except NeuriptError as error:
        program.pipe.say("error", text=str(error))
        program.pipe.say("closed")
        return error.exit_code
    watch = QTimer()
    watch.timeout.connect(lambda: None if parent_lives(parent) else program.stage.end())
    watch.start(_WATCH_MS)  # also lets Python hear signals
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: program.stage.end())
    code = int(app.exec())
    program.close()
    return code


class _Program:
    """The window with what it is connected to."""

    def __init__(self, settings: CueSettings) -> None:
        self._settings = settings
        self.pipe = LinePipe(lambda line: self.stage.told.emit(line))
        self.stage = CueStage(
            settings, send=self._send, say=self.pipe.say, ready=self._ready, listeners=self._listeners
        )
        self._outlets: CueOutlets | None = None
        self._beep = Beep()
        self._awake = ""
        self._windows: list[Surface] = []  # Qt must not lose one that is hidden

    def open(self) -> None:
        """Take stdin and stdout, and open the window.

        Raises
        ------
        NeuriptError
            If there is no such screen, or a picture cannot be read.
        """
        self.pipe.open()
        screen = _screen(self._settings.screen)
        for cue in self._settings.cues.values():
            if cue.picture is not None:
                picture_of(cue.picture)
        if self._settings.sound:
            self._beep.open()
        self._awake = stay_awake()
        wanted = self._settings.opengl
        window = self._show(screen, swapping=wanted is not False and opengl_works())
        instead = partial(self._show, screen, swapping=False) if wanted is None else None
        self.stage.open(window, _refresh_hz(screen), self._beep, instead)

    def close(self) -> None:
        """Take the markers off the network."""
        if self._outlets is not None:
            self._outlets.close()

    def _show(self, screen: QScreen, *, swapping: bool) -> Surface:
        window: Surface = SwappingWindow(self.stage) if swapping else PaintingWindow(self.stage)
        self._windows.append(window)
        _place(window, self._settings, screen)
        return window

    def _ready(self, period_s: float, paced: bool) -> None:
        self._outlets = CueOutlets(self._settings.header)
        gc.collect()
        gc.freeze()  # a pause of the collector is a late frame
        about = _about(self._windows[-1], self._outlets, period_s, paced=paced)
        notes = [note for note in (self._beep.why_not, self._awake, _stamp_note(about)) if note]
        self.pipe.say("ready", **about, sound=self._beep.works, notes=notes)

    def _listeners(self) -> dict[str, bool]:
        return {} if self._outlets is None else self._outlets.listeners()

    def _send(self, ev: str, stamp: float, **about: Any) -> None:
        assert self._outlets is not None, "no block runs before all is ready"
        self._outlets.send(ev, stamp, **about)


def _screen(number: int) -> QScreen:
    screens = QGuiApplication.screens()
    if number >= len(screens):
        names = ", ".join(f"{i} ({s.name()}, {s.size().width()}x{s.size().height()})" for i, s in enumerate(screens))
        raise NeuriptError(f"there is no screen {number}; there are {names}")
    return screens[number]


def _refresh_hz(screen: QScreen) -> float:
    hz = float(screen.refreshRate())
    return hz if _SLOWEST_HZ <= hz <= _FASTEST_HZ else _USUAL_HZ


def _place(window: Surface, settings: CueSettings, screen: QScreen) -> None:
    window.setTitle("neuript cues")
    window.setScreen(screen)
    if settings.fullscreen:
        window.setGeometry(screen.geometry())
        window.setCursor(Qt.CursorShape.BlankCursor)
        window.showFullScreen()
    else:
        window.setGeometry(_ordinary(settings.size, screen.availableGeometry()))
        window.show()
    window.requestActivate()


def _ordinary(size: tuple[int, int] | None, room: QRect) -> QRect:
    """Place of an ordinary window: in the middle, and never larger than the room there is."""
    w, h = size or (min(_BIGGEST[0], int(0.9 * room.width())), min(_BIGGEST[1], int(0.85 * room.height())))
    w, h = min(max(w, SMALLEST[0]), room.width()), min(max(h, SMALLEST[1]), room.height())
    place = QRect(0, 0, w, h)
    place.moveCenter(room.center())
    return place


def _about(window: Surface, outlets: CueOutlets, period_s: float, *, paced: bool) -> dict[str, object]:
    return {
        "refresh_hz": round(1 / period_s, 2),
        "stamps": window.stamps,
        "waits_for_screen": paced,
        "size": [window.width(), window.height()],
        "ratio": window.devicePixelRatio(),
        "markers": outlets.markers_id,
        "gdf": outlets.gdf_id,
    }


def _stamp_note(about: dict[str, object]) -> str:
    if about["waits_for_screen"]:
        return ""
    which = "painting, up to two frames" if about["stamps"] == "paint" else "the swap, up to a frame"
    return f"frames do not wait for the screen here: a stamp is that of {which} before it is seen"
