"""What the colours of the head map stand for, when they show the power of a rhythm."""

from __future__ import annotations

import pyqtgraph as pg
from qtpy import QtCore, QtGui, QtWidgets

from neuript.realtime.dashboard.stream_head import PowerScale
from neuript.realtime.dashboard.theme import Theme

COLORS: list[QtGui.QColor] = pg.colormap.get("viridis").getLookupTable(nPts=256, mode=pg.ColorMap.QCOLOR)
"""From weak to strong, by lightness as well, so that eyes that lack a cone read it."""
_BAR_PX, _TEXT_PX = 10, 12


def color_of(share: float) -> QtGui.QColor:
    """Return the colour of a power between the weakest (0) and the strongest (1)."""
    return COLORS[round(min(1.0, max(0.0, share)) * (len(COLORS) - 1))]


class PowerLegend(QtWidgets.QWidget):
    """A bar of all colours with the powers at its ends; hidden while the map shows quality."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._scale: PowerScale | None = None
        self.setFixedHeight(2 * _TEXT_PX + _BAR_PX + 12)
        self.hide()

    def show_scale(self, scale: PowerScale | None) -> None:
        """Show what the colours stand for; None hides it."""
        self.setVisible(scale is not None)
        if scale != self._scale:
            self._scale = scale
            self.update()

    def paintEvent(self, event: QtGui.QPaintEvent | None) -> None:  # noqa: N802
        """Draw title, bar and the two ends."""
        scale = self._scale
        if scale is None:
            return
        painter = QtGui.QPainter(self)
        font = QtGui.QFont(self.font())
        font.setPixelSize(_TEXT_PX)
        painter.setFont(font)
        painter.setPen(QtGui.QColor(self._theme.text))
        line = _TEXT_PX + 4
        band = scale.band
        title = f"{band.name} power, {band.low_hz:g}–{band.high_hz:g} Hz"
        painter.drawText(QtCore.QRect(0, 0, self.width(), line), 0, title)
        bar = QtCore.QRect(0, line, self.width(), _BAR_PX)
        painter.drawImage(bar, _gradient())
        below = QtCore.QRect(0, bar.bottom() + 2, self.width(), line)
        painter.setPen(QtGui.QColor(self._theme.muted))
        painter.drawText(below, int(QtCore.Qt.AlignmentFlag.AlignLeft), _number(scale.low))
        painter.drawText(below, int(QtCore.Qt.AlignmentFlag.AlignRight), f"{_number(scale.high)} {scale.unit}")
        painter.end()


def _number(power: float) -> str:
    return f"{power:.2g}" if power < 100 else f"{power:.0f}"


def _gradient() -> QtGui.QImage:
    image = QtGui.QImage(len(COLORS), 1, QtGui.QImage.Format.Format_RGB32)
    for x, color in enumerate(COLORS):
        image.setPixelColor(x, 0, color)
    return image
