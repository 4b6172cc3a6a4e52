"""The window of the feedback: a frame is what was heard, what the task makes of it, and a picture of that."""

from __future__ import annotations

import logging
import signal
import sys
from pathlib import Path

from qtpy import QtCore, QtGui, QtWidgets

from neuript.interrupt import take_over
from neuript.realtime.dashboard.theme import THEMES
from neuript.realtime.feedback.feedback_client import FeedbackClient, Heard
from neuript.realtime.feedback.feedback_results import TargetEnd
from neuript.realtime.feedback.feedback_spec import SHORTEST_S, FeedbackSpec
from neuript.realtime.feedback.feedback_task import FeedbackTask
from neuript.realtime.feedback.feedback_view import FeedbackView, view_of
from neuript.realtime.feedback.qt.feedback_picture import FeedbackPicture
from neuript.realtime.feedback.steady import Steady
from neuript.realtime.lsl.gdf import gdf_codes
from neuript.realtime.lsl.library import lsl_clock
from neuript.realtime.lsl.target_outlet import TargetOutlet

logger = logging.getLogger(__name__)

FRAME_MS = 16
CORRECT, INCORRECT, REJECTED = 897, 898, 1023
"""GDF codes of how a target ended."""


class FeedbackWindow(QtWidgets.QWidget):
    """Shows the task until it is closed.

    Parameters
    ----------
    client : FeedbackClient
        Follows the decoder.
    spec : FeedbackSpec
        What is asked for.
    theme : str
        Name of the colours.
    """

    def __init__(self, client: FeedbackClient, spec: FeedbackSpec, theme: str = "dark") -> None:
        super().__init__()
        self.task: FeedbackTask | None = None
        self.view: FeedbackView | None = None
        self._client, self._spec = client, spec
        self._picture = FeedbackPicture(THEMES[theme])
        self._state = Steady("SEARCHING", SHORTEST_S)
        self._outlet: TargetOutlet | None = None
        self._codes: dict[str, int] = {}
        self._marked = 0
        self._told = 0
        self.setWindowTitle("neuript feedback")
        self.setMinimumSize(480, 300)
        self._timer = QtCore.QTimer(self)
        self._timer.setTimerType(QtCore.Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._frame)

    def start(self) -> None:
        """Begin to draw."""
        self._timer.start(FRAME_MS)

    def closeEvent(self, event: QtGui.QCloseEvent | None) -> None:  # noqa: N802
        """Take the markers off the network."""
        self._timer.stop()
        if self._outlet is not None:
            self._outlet.close()
        super().closeEvent(event)

    def keyPressEvent(self, event: QtGui.QKeyEvent | None) -> None:  # noqa: N802
        """Space pauses and goes on, Esc ends."""
        if event is None:
            return
        if event.key() == QtCore.Qt.Key.Key_Escape:
            self.close()
        elif event.key() == QtCore.Qt.Key.Key_Space and self.task is not None and not event.isAutoRepeat():
            self.task.paused = not self.task.paused

    def paintEvent(self, event: QtGui.QPaintEvent | None) -> None:  # noqa: N802
        """Draw the frame; the marker of a target is stamped when it has been drawn first."""
        if self.view is None:
            return
        painter = QtGui.QPainter(self)
        self._picture.draw(painter, QtCore.QSizeF(self.size()), self.view)
        painter.end()
        if self.view.target and self.task is not None and self._marked < self.task.number:
            self._mark_target(self.task)

    # --- frames --------------------------------------------------------------------------------

    def _frame(self) -> None:
        if self._client.failure is not None:
            self.close()
            return
        now = lsl_clock()
        heard = self._client.heard(now)
        if self.task is None and heard.header is not None:
            self._begin(heard)
        state = self._state.show(heard.state, now)
        if self.task is not None:
            self.task.advance(now, heard.command)
            self._mark_results(self.task, now)
        view = view_of(self.task, heard, state)
        if view != self.view:
            self.view = view
            self.update()

    def _begin(self, heard: Heard) -> None:
        if heard.header is None:
            return
        self.task = FeedbackTask(self._spec, heard.header)
        self._picture.classes = heard.header.classes
        self._codes = gdf_codes(heard.header.classes)
        self._outlet = TargetOutlet(heard.source_id)

    # --- markers -------------------------------------------------------------------------------

    def _mark_target(self, task: FeedbackTask) -> None:
        t = lsl_clock()
        self._marked = task.number
        task.shown(t)
        self._send({"ev": "cue", "cls": task.target, "trial": task.number, "gdf": self._codes[task.target]}, t)

    def _mark_results(self, task: FeedbackTask, now: float) -> None:
        for result in task.results[self._told :]:
            code = {TargetEnd.HIT: CORRECT, TargetEnd.VOID: REJECTED}.get(result.outcome, INCORRECT)
            said = {"ev": "result", "cls": result.target, "trial": result.number, "outcome": str(result.outcome)}
            self._send({**said, "gdf": code}, now)
        self._told = len(task.results)

    def _send(self, marker: dict[str, object], t: float) -> None:
        if self._outlet is not None:
            self._outlet.send({**marker, "from": f"feedback-{self._spec.kind}"}, t)


def run_window(
    client: FeedbackClient,
    spec: FeedbackSpec,
    *,
    theme: str = "dark",
    size: tuple[int, int] | None = None,
    screenshot: Path | None = None,
    after_s: float = 10.0,
) -> tuple[FeedbackTask | None, bool]:
    """Show the task until it is closed.

    Parameters
    ----------
    client : FeedbackClient
        Started and stopped here.
    spec : FeedbackSpec
        What is asked for.
    theme : str
        Name of the colours.
    size : tuple of int, optional
        Width and height in pixels; None takes the whole screen.
    screenshot : Path, optional
        Where a picture of the window is written after `after_s` seconds, which ends it; None takes none.
    after_s : float
        Seconds until the picture.

    Returns
    -------
    task : FeedbackTask or None
        What was done; None where no decoder was found.
    interrupted : bool
        Whether Ctrl-C ended it.
    """
    client.start()  # the only other thread, before Qt exists
    QtCore.qInstallMessageHandler(lambda kind, where, text: logger.debug("Qt: %s", text))
    app = QtWidgets.QApplication(sys.argv[:1])
    interrupted = []

    def interrupt(*_: object) -> None:
        interrupted.append(True)
        app.quit()  # seen at the next frame

    take_over((signal.SIGINT, signal.SIGTERM), interrupt)
    window = FeedbackWindow(client, spec, theme)
    if size is None:
        window.showFullScreen()
    else:
        window.resize(*size)
        window.show()
    window.start()
    if screenshot is not None:
        QtCore.QTimer.singleShot(round(1000 * after_s), lambda: _shoot(window, screenshot))
    app.exec()
    window.close()
    client.stop()
    return window.task, bool(interrupted)


def _shoot(window: FeedbackWindow, path: Path) -> None:
    if not window.grab().save(str(path)):
        logger.error("cannot write the window's picture to %s: give a .png in a folder that exists", path)
    window.close()
