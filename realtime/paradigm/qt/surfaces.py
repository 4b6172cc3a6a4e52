"""The two kinds of window: one that swaps frames through OpenGL, and one that paints where there is none.

Both ask the stage to draw, and tell it when what was drawn is on the screen, and what was pressed.
"""

from __future__ import annotations

from typing import Protocol

from qtpy.QtCore import QEvent, QRectF
from qtpy.QtGui import (
    QCloseEvent,
    QKeyEvent,
    QMouseEvent,
    QMoveEvent,
    QOpenGLContext,
    QPainter,
    QPaintEvent,
    QRasterWindow,
    QSurfaceFormat,
)
from qtpy.QtOpenGL import QOpenGLWindow


class Showing(Protocol):
    """What a window needs of the stage."""

    def draw(self, painter: QPainter, rect: QRectF) -> None:
        """Draw what is on the screen."""

    def shown(self) -> None:
        """Take note that what was drawn is there now."""

    def pressed(self, key: int) -> None:
        """Take note of a key."""

    def clicked(self) -> None:
        """Take note of a mouse button."""

    def disturbed(self) -> None:
        """Take note that the window was moved or covered."""

    def closed(self) -> None:
        """Take note that somebody closed the window."""


class _Heard:
    """What both windows hear; mixed in before Qt's class."""

    stage: Showing

    def keyPressEvent(self, event: QKeyEvent | None) -> None:  # noqa: N802 - Qt's name
        """Pass a key on, but for its repetitions."""
        if event is not None and not event.isAutoRepeat():
            self.stage.pressed(event.key())

    def mousePressEvent(self, event: QMouseEvent | None) -> None:  # noqa: N802
        """Pass a mouse button on."""
        self.stage.clicked()

    def moveEvent(self, event: QMoveEvent | None) -> None:  # noqa: N802
        """Pass on that the window was moved."""
        self.stage.disturbed()

    def closeEvent(self, event: QCloseEvent | None) -> None:  # noqa: N802
        """Pass on that the window was closed."""
        self.stage.closed()


class SwappingWindow(_Heard, QOpenGLWindow):
    """Draws through OpenGL; told by `frameSwapped` when a frame has gone to the screen."""

    stamps = "frame swapped"

    def __init__(self, stage: Showing) -> None:
        super().__init__(QOpenGLWindow.UpdateBehavior.NoPartialUpdate)
        self.stage = stage
        self.frameSwapped.connect(stage.shown)

    def paintGL(self) -> None:  # noqa: N802
        """Draw a frame."""
        painter = QPainter(self)
        self.stage.draw(painter, QRectF(0, 0, self.width(), self.height()))
        painter.end()


class PaintingWindow(_Heard, QRasterWindow):
    """Draws on the processor; a frame counts as shown when the painted picture was handed over."""

    stamps = "paint"

    def __init__(self, stage: Showing) -> None:
        super().__init__()
        self.stage = stage
        self._painted = False

    def paintEvent(self, event: QPaintEvent | None) -> None:  # noqa: N802
        """Draw a frame."""
        painter = QPainter(self)
        self.stage.draw(painter, QRectF(0, 0, self.width(), self.height()))
        painter.end()
        self._painted = True

    def event(self, event: QEvent | None) -> bool:
        """Handle an event; what it painted is with the screen afterwards."""
        done: bool = super().event(event)
        if self._painted:
            self._painted = False
            self.stage.shown()
        return done


def opengl_works() -> bool:
    """Tell whether a window can swap frames here."""
    return bool(QOpenGLContext().create())


def waits_for_the_screen() -> QSurfaceFormat:
    """Return the format of a surface whose swaps wait for the screen, where the driver lets them."""
    form = QSurfaceFormat()
    form.setSwapInterval(1)
    form.setSwapBehavior(QSurfaceFormat.SwapBehavior.DoubleBuffer)
    return form


Surface = SwappingWindow | PaintingWindow
