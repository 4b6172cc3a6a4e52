"""The cue window as a program: opens it, connects stdin, stdout and LSL, and runs until it is told to end."""

from __future__ import annotations

import gc
import signal
import sys

from PyQt6.QtCore import QRect, Qt, QTimer
from PyQt6.QtGui import QGuiApplication, QScreen, QSurfaceFormat

from neuript.errors import NeuriptError
from neuript.realtime.dashboard.parent import parent_lives
from neuript.realtime.lsl.cue_outlet import CueOutlets
from neuript.realtime.paradigm.cue_settings import SMALLEST, CueSettings
from neuript.realtime.paradigm.line_pipe import LinePipe
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
    outlets: list[CueOutlets] = []
    pipe = LinePipe(lambda line: stage.told.emit(line))

    def ready(period_s: float, paced: bool) -> None:
        outlets.append(CueOutlets(settings.header))
        gc.collect()
        gc.freeze()  # a pause of the collector is a late frame
        pipe.say("ready", **_ready(window, outlets[0], beep, period_s, paced, awake))

    def send(ev: str, stamp: float, **about: object) -> None:
        outlets[0].send(ev, stamp, **about)  # type: ignore[arg-type]

    stage = CueStage(settings, send=send, say=pipe.say, ready=ready)
    pipe.open()
    try:
        screen = _screen(settings.screen)
        for cue in settings.cues.values():
            if cue.picture is not None:
                picture_of(cue.picture)
    except NeuriptError as error:
        pipe.say("error", text=str(error))
        pipe.say("closed")
        return error.exit_code
    beep = Beep()
    if settings.sound:
        beep.open()
    awake = stay_awake()
    window = _open(settings, stage, screen)
    stage.open(window, _refresh_hz(screen), beep)
    watch = QTimer()
    watch.timeout.connect(lambda: None if parent_lives(parent) else stage.end())
    watch.start(_WATCH_MS)  # also lets Python hear signals
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stage.end())
    code = int(app.exec())
    for outlet in outlets:
        outlet.close()
    return code


def _screen(number: int) -> QScreen:
    screens = QGuiApplication.screens()
    if number >= len(screens):
        names = ", ".join(f"{i} ({s.name()}, {s.size().width()}x{s.size().height()})" for i, s in enumerate(screens))
        raise NeuriptError(f"there is no screen {number}; there are {names}")
    return screens[number]


def _refresh_hz(screen: QScreen) -> float:
    hz = float(screen.refreshRate())
    return hz if _SLOWEST_HZ <= hz <= _FASTEST_HZ else _USUAL_HZ


def _open(settings: CueSettings, stage: CueStage, screen: QScreen) -> Surface:
    window: Surface = SwappingWindow(stage) if settings.opengl and opengl_works() else PaintingWindow(stage)
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
    return window


def _ordinary(size: tuple[int, int] | None, room: QRect) -> QRect:
    """Place of an ordinary window: in the middle, and never larger than the room there is."""
    w, h = size or (min(_BIGGEST[0], int(0.9 * room.width())), min(_BIGGEST[1], int(0.85 * room.height())))
    w, h = min(max(w, SMALLEST[0]), room.width()), min(max(h, SMALLEST[1]), room.height())
    place = QRect(0, 0, w, h)
    place.moveCenter(room.center())
    return place


def _ready(
    window: Surface, outlets: CueOutlets, beep: Beep, period_s: float, paced: bool, awake: str
) -> dict[str, object]:
    notes = [beep.why_not, awake]
    if window.stamps == "paint":
        notes.append("there is no OpenGL: stamps are those of painting, and the screen may be up to two frames later")
    elif not paced:
        notes.append("swapping does not wait for the screen: stamps may be up to a frame before it")
    return {
        "refresh_hz": round(1 / period_s, 2),
        "stamps": window.stamps,
        "waits_for_screen": paced,
        "sound": beep.works,
        "size": [window.width(), window.height()],
        "ratio": window.devicePixelRatio(),
        "markers": outlets.markers_id,
        "gdf": outlets.gdf_id,
        "notes": [note for note in notes if note],
    }
