"""The dashboard in every state, its window fed with what the real decoder published on the twin."""

from __future__ import annotations

from functools import partial

from qtpy.QtCore import QEvent, QSize, Qt
from qtpy.QtGui import QImage, QKeyEvent
from qtpy.QtTest import QTest
from qtpy.QtWidgets import QMainWindow

from neuript.realtime.dashboard.client import DashboardClient
from neuript.realtime.dashboard.qt.window import Dashboard
from neuript.realtime.dashboard.theme import THEMES
from neuript.realtime.dashboard.view_model import ViewModel
from neuript.realtime.decoding.states import STATE_ORDER
from neuript.realtime.lsl.library import lsl_clock
from screens.shots import BOTH, Screen
from screens.twin_session import twin_session

READERS_OWN = ("SEARCHING", "SILENT", "GONE")
"""States that the dashboard itself notices."""
FRAMES_MS = 150


def model_in(state: str, now: float) -> ViewModel:
    """Return what the dashboard knows at `now` on the LSL clock, a little after a state began."""
    if state == "SEARCHING":
        return ViewModel()
    session = twin_session()
    if state in READERS_OWN:
        at = session.held()
        model = session.model(at + 4.0, now, rows_until_s=at)
        if state == "GONE":
            model.disconnect_decoder(now - 1.0)
        return model
    return session.model(session.held() if state == "OK" else session.moment(state), now)


def dashboard(model: ViewModel, now: float, size: QSize, theme: str, *, paused: bool = False) -> QImage:
    window = Dashboard(DashboardClient(model), THEMES[theme], steers=True, clock=lambda: now)
    threshold = model.decoder.threshold if model.decoder else None
    window.steering.heard.emit({"paused": paused, "threshold": threshold, "recentres": True})
    return pictured(window, size)


def pictured(window: QMainWindow, size: QSize) -> QImage:
    """Show a window that draws by a timer for some frames, all of its traces at once."""
    window.resize(size)
    window.show()
    window.start()  # type: ignore[attr-defined]
    QTest.qWait(FRAMES_MS)
    press(window, Qt.Key.Key_A)
    QTest.qWait(FRAMES_MS)
    image = window.grab().toImage()
    window.close()
    window.deleteLater()
    return image


def press(window: QMainWindow, key: Qt.Key) -> None:
    window.keyPressEvent(QKeyEvent(QEvent.Type.KeyPress, key, Qt.KeyboardModifier.NoModifier))


def in_state(state: str, size: QSize, theme: str) -> QImage:
    now = lsl_clock()
    return dashboard(model_in(state, now), now, size, theme, paused=state == "PAUSED")


def of_64(shows: str, size: QSize, theme: str) -> QImage:
    session, now = twin_session("biosemi-64", "", 26.0), lsl_clock()
    return dashboard(session.model(25.0, now, shows=shows), now, size, theme)


def rhythm(shows: str, size: QSize, theme: str) -> QImage:
    session, now = twin_session(), lsl_clock()
    return dashboard(session.model(session.held(), now, shows=shows), now, size, theme)


def screens() -> list[Screen]:
    found = [
        Screen(f"dashboard-{state}", partial(in_state, str(state)), BOTH, shows=str(state))
        for state in (*STATE_ORDER, *READERS_OWN)
    ]
    found += [Screen(f"dashboard-{shows}", partial(rhythm, shows), BOTH) for shows in ("mu", "beta")]
    return [*found, *(Screen(f"dashboard-64-{shows}", partial(of_64, shows), BOTH) for shows in ("quality", "mu"))]
