"""How a frame of the feedback is drawn; every size is a share of the window, so that it is read from two metres."""

from __future__ import annotations

from qtpy import QtCore, QtGui

from neuript.realtime.dashboard.theme import Theme
from neuript.realtime.dashboard.words import spoken
from neuript.realtime.feedback.feedback_task import STAY
from neuript.realtime.feedback.feedback_view import KEYS, FeedbackView

FONTS = ["Inter", "Segoe UI", "SF Pro Text", "Helvetica Neue", "Noto Sans", "DejaVu Sans"]
HUGE, LARGE, SMALL = 0.11, 0.055, 0.042
"""Heights of letters as shares of the window's height."""
_CENTRE = QtCore.Qt.AlignmentFlag.AlignCenter
_LEAST_PX = 10
_MOST_KNOWN = 500
_NO_PEN = QtCore.Qt.PenStyle.NoPen


class FeedbackPicture:
    """Draws frames of one theme.

    Parameters
    ----------
    theme : Theme
        The colours.

    Attributes
    ----------
    classes : tuple of str
        The decoder's classes, whose colours are those of the dashboard.
    """

    def __init__(self, theme: Theme) -> None:
        self._theme = theme
        self._height = 0.0
        self._pixels: dict[tuple[str, float, float, float], int] = {}
        self.classes: tuple[str, ...] = ()

    def draw(self, painter: QtGui.QPainter, size: QtCore.QSizeF, view: FeedbackView) -> None:
        """Draw a frame over the whole window."""
        painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
        box = QtCore.QRectF(0, 0, size.width(), size.height())
        self._height = size.height()
        painter.fillRect(box, QtGui.QColor(self._theme.background))
        self._edges(painter, box, view)
        if view.lines:
            self._results(painter, box, view)
        elif view.picture == "none":
            color = self._theme.text if view.tone is None else self._theme.tones[view.tone]
            self._words(painter, _part(box, 0.05, 0.28, 0.9, 0.26), view.headline, HUGE, color, bold=True)
            self._words(painter, _part(box, 0.08, 0.55, 0.84, 0.27), view.hint, LARGE, self._theme.text)
        else:
            color = self._color(view, view.target)
            self._words(painter, _part(box, 0.05, 0.13, 0.9, 0.17), view.headline, HUGE, color, bold=True)
            draw = self._bar if view.picture == "bar" else self._cursor
            draw(painter, box, view)

    def _edges(self, painter: QtGui.QPainter, box: QtCore.QRectF, view: FeedbackView) -> None:
        top, muted = _part(box, 0.03, 0.02, 0.94, 0.09), self._theme.muted
        left, right = QtCore.Qt.AlignmentFlag.AlignLeft, QtCore.Qt.AlignmentFlag.AlignRight
        middle = QtCore.Qt.AlignmentFlag.AlignVCenter
        self._words(painter, top, view.counter, SMALL, muted, align=left | middle)
        self._words(painter, top, view.score, SMALL, muted, align=right | middle)
        bottom = _part(box, 0.03, 0.915, 0.94, 0.07)
        self._words(painter, bottom, KEYS, 0.032, muted, align=right | middle)
        if view.simulated:
            badge = _part(box, 0.03, 0.915, 0.3, 0.065)
            painter.setPen(_NO_PEN)
            painter.setBrush(QtGui.QColor(self._theme.banner))
            painter.drawRoundedRect(badge, 6, 6)
            self._words(painter, badge, "SIMULATED SIGNAL", 0.034, self._theme.banner_text, bold=True)

    def _bar(self, painter: QtGui.QPainter, box: QtCore.QRectF, view: FeedbackView) -> None:
        track = _part(box, 0.42, 0.33, 0.16, 0.55)
        self._field(painter, track, self._theme.panel, edge=self._theme.muted)
        if view.level is not None:
            level = min(1.0, max(0.0, view.level))
            full = QtCore.QRectF(track)
            full.setTop(track.bottom() - level * track.height())
            self._field(painter, full, self._color(view, view.target))
            beside = _part(box, 0.61, 0.33, 0.3, 0.55)
            align = QtCore.Qt.AlignmentFlag.AlignLeft | QtCore.Qt.AlignmentFlag.AlignBottom
            self._words(painter, beside, f"{level:.2f}", LARGE, self._theme.text, bold=True, align=align)
        if view.threshold is not None:
            y = track.bottom() - view.threshold * track.height()
            painter.setPen(QtGui.QPen(QtGui.QColor(self._theme.threshold), max(3.0, 0.006 * box.height())))
            reach = 0.02 * box.width()
            painter.drawLine(QtCore.QPointF(track.left() - reach, y), QtCore.QPointF(track.right() + reach, y))
            place = QtCore.QRectF(0.05 * box.width(), y - 0.05 * box.height(), 0.33 * box.width(), 0.1 * box.height())
            align = QtCore.Qt.AlignmentFlag.AlignRight | QtCore.Qt.AlignmentFlag.AlignVCenter
            self._words(painter, place, "command", SMALL, self._theme.muted, align=align)

    def _cursor(self, painter: QtGui.QPainter, box: QtCore.QRectF, view: FeedbackView) -> None:
        axis = view.axis
        if axis is None:
            return
        line = _part(box, 0.16, 0.52, 0.68, 0.0)
        span = 1.0 - axis.low
        radius = 0.05 * box.height()

        def x_of(position: float) -> float:
            return line.left() + (position - axis.low) / span * line.width()

        painter.setPen(QtGui.QPen(QtGui.QColor(self._theme.line), max(4.0, 0.01 * box.height())))
        painter.drawLine(line.topLeft(), line.topRight())
        if view.target == view.idle_class:
            left, right = x_of(max(axis.low, -STAY)), x_of(STAY)
            zone = QtCore.QRectF(left, line.top() - 3 * radius, right - left, 6 * radius)
            self._field(painter, zone, self._color(view, view.target), alpha=150)
        for name, position in ((axis.minus, -1.0), (axis.plus, 1.0)):
            if name is None:
                continue
            goal = QtCore.QRectF(x_of(position) - 1.3 * radius, line.top() - 3 * radius, 2.6 * radius, 6 * radius)
            is_target = name == view.target
            color = self._color(view, name) if is_target else self._theme.panel
            self._field(painter, goal, color, edge=self._theme.muted)
            place = QtCore.QRectF(
                goal.center().x() - 0.16 * box.width(), goal.bottom(), 0.32 * box.width(), 0.12 * box.height()
            )
            self._words(painter, place, spoken(name), LARGE, self._theme.text if is_target else self._theme.muted)
        painter.setPen(QtGui.QPen(QtGui.QColor(self._theme.background), 0.3 * radius))
        painter.setBrush(QtGui.QColor(self._theme.text))
        painter.drawEllipse(QtCore.QPointF(x_of(view.position), line.top()), radius, radius)

    def _results(self, painter: QtGui.QPainter, box: QtCore.QRectF, view: FeedbackView) -> None:
        self._words(painter, _part(box, 0.05, 0.12, 0.9, 0.22), view.headline, 0.08, self._theme.text, bold=True)
        height = min(0.1, 0.5 / len(view.lines))
        for k, text in enumerate(view.lines):
            last = k == len(view.lines) - 1
            place = _part(box, 0.06, 0.4 + k * height, 0.88, height)
            self._words(painter, place, text, SMALL, self._theme.muted if last else self._theme.text)

    def _color(self, view: FeedbackView, name: str) -> str:
        at = self.classes.index(name) if name in self.classes else 0
        return self._theme.class_color(at, idle=name == view.idle_class)

    @staticmethod
    def _field(painter: QtGui.QPainter, place: QtCore.QRectF, color: str, *, alpha: int = 255, edge: str = "") -> None:
        fill = QtGui.QColor(color)
        fill.setAlpha(alpha)
        painter.setPen(QtGui.QPen(QtGui.QColor(edge), 2) if edge else QtGui.QPen(_NO_PEN))
        painter.setBrush(fill)
        painter.drawRoundedRect(place, 8, 8)

    def _words(
        self,
        painter: QtGui.QPainter,
        place: QtCore.QRectF,
        text: str,
        share: float,
        color: str,
        *,
        bold: bool = False,
        align: QtCore.Qt.AlignmentFlag = _CENTRE,
    ) -> None:
        """Text in a place, smaller where it would not fit."""
        if not text:
            return
        flags = align.value | QtCore.Qt.TextFlag.TextWordWrap.value
        font = QtGui.QFont()
        font.setFamilies(FONTS)
        font.setBold(bold)
        known = (text, share, place.width(), place.height())
        if known not in self._pixels:
            if len(self._pixels) > _MOST_KNOWN:
                self._pixels.clear()
            self._pixels[known] = _fitting(font, place, flags, text, round(share * self._height))
        font.setPixelSize(self._pixels[known])
        painter.setFont(font)
        painter.setPen(QtGui.QColor(color))
        painter.drawText(place, flags, text)


def _fitting(font: QtGui.QFont, place: QtCore.QRectF, flags: int, text: str, pixels: int) -> int:
    """The largest size of letters, at most `pixels`, with which a text fits its place."""
    while pixels > _LEAST_PX:
        font.setPixelSize(pixels)
        needed = QtGui.QFontMetricsF(font).boundingRect(place, flags, text)
        if needed.width() <= place.width() and needed.height() <= place.height() + 1:
            break
        pixels -= 1
    return max(_LEAST_PX, pixels)


def _part(box: QtCore.QRectF, x: float, y: float, width: float, height: float) -> QtCore.QRectF:
    """A rectangle in shares of another one."""
    return QtCore.QRectF(x * box.width(), y * box.height(), width * box.width(), height * box.height())
