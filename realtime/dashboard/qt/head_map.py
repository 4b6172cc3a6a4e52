"""The head from above with its electrodes: which one is in order, by colour, shape and name; or how strong a rhythm."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from qtpy import QtCore, QtGui, QtWidgets

from neuript.realtime.dashboard.head_points import RIM, HeadPoint, Level, nearest_px
from neuript.realtime.dashboard.qt.power_legend import color_of
from neuript.realtime.dashboard.theme import Theme

_CENTER = int(QtCore.Qt.AlignmentFlag.AlignCenter | QtCore.Qt.TextFlag.TextDontClip)
_ORDER = (Level.ABSENT, Level.GOOD, Level.DOUBTFUL, Level.BAD)
_INKS = ("#101418", "#f2f5f8")
"""On a light colour, and on a dark one."""
MIN_PX = 160


class HeadMap(QtWidgets.QWidget):
    """Electrodes on the head; those whose place nobody knows stand in rows below it.

    Parameters
    ----------
    theme : Theme
        Colours to paint with.
    """

    picked = QtCore.Signal(str)
    """Name of an electrode that was clicked."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._points: tuple[HeadPoint, ...] = ()
        self._picked = ""
        self.setMinimumSize(MIN_PX, MIN_PX)
        self.setMouseTracking(True)

    def show_points(self, points: Sequence[HeadPoint]) -> None:
        """Draw these electrodes from now on."""
        if tuple(points) != self._points:
            self._points = tuple(points)
            self.update()

    def pick(self, name: str) -> None:
        """Ring the electrode of this name; an empty text rings none."""
        if name != self._picked:
            self._picked = name
            self.update()

    # --- geometry ------------------------------------------------------------------------------

    def _places(self) -> list[QtCore.QPointF]:
        """Where each electrode is drawn, in pixels."""
        loose = [k for k, point in enumerate(self._points) if not point.placed]
        middle, radius = self._disc(bool(loose))
        places = [QtCore.QPointF(middle.x() + radius * p.x, middle.y() - radius * p.y) for p in self._points]
        per_row = max(8, math.ceil(len(loose) / 4))
        if len(loose) == len(self._points):  # no head to speak of: use all of the room
            per_row = max(4, math.ceil(math.sqrt(len(loose))))
        n_rows = max(1, math.ceil(len(loose) / per_row))
        top, height = (0.0, float(self.height())) if len(loose) == len(self._points) else self._strip(middle, radius)
        for at, k in enumerate(loose):
            row, column = divmod(at, per_row)
            in_row = min(per_row, len(loose) - row * per_row)
            x = self.width() * (column + 0.5) / in_row
            places[k] = QtCore.QPointF(x, top + height * (row + 0.5) / n_rows)
        return places

    def _strip(self, middle: QtCore.QPointF, radius: float) -> tuple[float, float]:
        top = middle.y() + radius + 4
        return top, max(10.0, self.height() - top - 2)

    def _disc(self, loose: bool) -> tuple[QtCore.QPointF, float]:
        """Middle and radius of the unit disc in pixels."""
        height = self.height() * (0.8 if loose else 1.0)
        nose = 0.06 * min(self.width(), height)
        radius = 0.5 * min(self.width(), height - nose) - 6
        return QtCore.QPointF(self.width() / 2, nose + (height - nose) / 2), radius

    def _symbol_px(self, places: Sequence[QtCore.QPointF]) -> float:
        """Radius of a symbol: as large as the nearest two electrodes allow."""
        gap = nearest_px(np.array([(p.x(), p.y()) for p in places]).reshape(-1, 2))
        return float(np.clip(0.46 * gap, 2.5, max(9.0, min(24.0, 0.05 * min(self.width(), self.height())))))

    # --- painting ------------------------------------------------------------------------------

    def paintEvent(self, event: QtGui.QPaintEvent | None) -> None:  # noqa: N802
        """Draw the head, then the electrodes, the worst ones on top."""
        painter = QtGui.QPainter(self)
        painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
        painter.fillRect(self.rect(), QtGui.QColor(self._theme.panel))
        points, places = self._points, self._places()
        if not points or any(point.placed for point in points):
            self._draw_head(painter, *self._disc(any(not point.placed for point in points)))
        size = self._symbol_px(places)
        order = sorted(range(len(points)), key=lambda k: _ORDER.index(points[k].level))
        for k in order:
            self._draw_symbol(painter, points[k], places[k], size)
        taken: list[QtCore.QRectF] = []
        for k in reversed(order):
            self._draw_name(painter, points[k], places[k], size, taken)
        painter.end()

    def _draw_head(self, painter: QtGui.QPainter, middle: QtCore.QPointF, disc: float) -> None:
        r = RIM * disc
        painter.setPen(QtGui.QPen(QtGui.QColor(self._theme.muted), 1.5))
        painter.setBrush(QtCore.Qt.BrushStyle.NoBrush)
        for side in (-1, 1):
            painter.drawEllipse(QtCore.QPointF(middle.x() + side * r, middle.y()), 0.07 * r, 0.16 * r)
        nose = QtGui.QPolygonF(
            [
                QtCore.QPointF(middle.x() + dx * r, middle.y() - dy * r)
                for dx, dy in ((-0.12, 0.98), (0, 1.14), (0.12, 0.98))
            ]
        )
        painter.drawPolyline(nose)
        painter.setBrush(QtGui.QColor(self._theme.background))
        painter.drawEllipse(middle, r, r)

    def _draw_symbol(self, painter: QtGui.QPainter, point: HeadPoint, at: QtCore.QPointF, size: float) -> None:
        plain = point.level is Level.ABSENT or not point.used
        color = QtGui.QColor(self._theme.muted if plain else self._theme.tones[point.level.tone])
        painter.setPen(QtGui.QPen(color, 1.5, QtCore.Qt.PenStyle.SolidLine))
        painter.setBrush(color)
        if math.isfinite(point.share):
            painter.setPen(QtGui.QPen(QtGui.QColor(self._theme.muted), 0.8))
            painter.setBrush(color_of(point.share))
        elif plain and point.level is not Level.BAD:
            painter.setPen(QtGui.QPen(color, 1.2, QtCore.Qt.PenStyle.DotLine))
            painter.setBrush(QtCore.Qt.BrushStyle.NoBrush)
        if point.level is Level.BAD:
            painter.drawRect(QtCore.QRectF(at.x() - size, at.y() - size, 2 * size, 2 * size))
        elif point.level is Level.DOUBTFUL:
            painter.drawPolygon(_triangle(at, 1.2 * size))
        else:
            painter.drawEllipse(at, size, size)
        if self._picked and point.name == self._picked:
            painter.setPen(QtGui.QPen(QtGui.QColor(self._theme.text), 2))
            painter.setBrush(QtCore.Qt.BrushStyle.NoBrush)
            painter.drawEllipse(at, 1.5 * size + 2, 1.5 * size + 2)

    def _draw_name(
        self, painter: QtGui.QPainter, point: HeadPoint, at: QtCore.QPointF, size: float, taken: list[QtCore.QRectF]
    ) -> None:
        """Write a name into its symbol where it fits, that of a bad electrode larger and below; none over another."""
        wrong = point.level in (Level.BAD, Level.DOUBTFUL)
        font = QtGui.QFont(self.font())
        font.setPixelSize(round(max(12.0, min(20.0, 1.1 * size))) if wrong else max(7, round(min(14.0, 0.78 * size))))
        font.setBold(wrong)
        box = QtGui.QFontMetricsF(font).boundingRect(point.name).adjusted(-2, -1, 2, 1)
        box.moveCenter(at)
        if wrong:
            below = at.y() + 1.25 * size + box.height() / 2
            box.moveCenter(
                QtCore.QPointF(at.x(), below if below + box.height() / 2 < self.height() else at.y() - 2 * size)
            )
            box.moveLeft(min(max(0.0, box.left()), self.width() - box.width()))
        elif box.width() > 2.2 * size:
            return
        if any(box.intersects(other) for other in taken):
            return
        if wrong:
            taken.append(box)
        painter.setFont(font)
        if wrong:
            back = QtGui.QColor(self._theme.background)
            back.setAlpha(210)
            painter.fillRect(box, back)
        painter.setPen(QtGui.QColor(self._theme.text if wrong else self._ink(point)))
        painter.drawText(box, _CENTER, point.name)

    def _ink(self, point: HeadPoint) -> str:
        """Colour of a name inside its symbol."""
        if math.isfinite(point.share):
            return _INKS[color_of(point.share).lightnessF() < 0.4]
        return self._theme.panel if point.level is Level.GOOD and point.used else self._theme.muted

    # --- mouse ---------------------------------------------------------------------------------

    def _under(self, where: QtCore.QPointF) -> HeadPoint | None:
        places = self._places()
        reach = max(8.0, 1.5 * self._symbol_px(places))
        near = [(math.hypot(p.x() - where.x(), p.y() - where.y()), k) for k, p in enumerate(places)]
        distance, k = min(near, default=(math.inf, -1))
        return self._points[k] if distance <= reach else None

    def mousePressEvent(self, event: QtGui.QMouseEvent | None) -> None:  # noqa: N802
        """Tell which electrode was clicked."""
        point = None if event is None else self._under(event.position())
        self.picked.emit("" if point is None else point.name)

    def mouseMoveEvent(self, event: QtGui.QMouseEvent | None) -> None:  # noqa: N802
        """Say in a tooltip what is wrong with the electrode under the mouse."""
        point = None if event is None else self._under(event.position())
        self.setToolTip("" if point is None else f"{point.name}: {point.why or point.level.value}")


def _triangle(at: QtCore.QPointF, size: float) -> QtGui.QPolygonF:
    corners = [(math.sin(a), math.cos(a)) for a in (0.0, 2 * math.pi / 3, 4 * math.pi / 3)]
    return QtGui.QPolygonF([QtCore.QPointF(at.x() + size * x, at.y() - size * y) for x, y in corners])
