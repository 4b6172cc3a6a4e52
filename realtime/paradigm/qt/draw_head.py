"""Draws the head from above with its electrodes: shape, colour and name tell which one is in order."""

from __future__ import annotations

import math
from collections.abc import Sequence

from qtpy.QtCore import QPointF, QRectF, Qt
from qtpy.QtGui import QColor, QPainter, QPen, QPolygonF

from neuript.realtime.paradigm.cue_commands import Electrode
from neuript.realtime.paradigm.qt.draw_trials import DIM, INK, write

RIM = 0.8
"""Radius of the head's outline in the unit disc; what lies lower than the middle of the head is drawn outside."""
LEVEL_COLORS = {"absent": "#8f969d", "good": "#2fbf93", "doubtful": "#f2a922", "bad": "#f4743b"}
"""From the least to the most important."""
_DARK = "#16181b"


def worst_last(electrodes: Sequence[Electrode]) -> list[Electrode]:
    """Return electrodes in the order of drawing, the worst on top; unknown levels first."""
    order = {level: i for i, level in enumerate(LEVEL_COLORS)}
    return sorted(electrodes, key=lambda one: order.get(one.level, -1))


def draw_head(painter: QPainter, box: QRectF, electrodes: Sequence[Electrode]) -> None:
    """Draw into a square; electrodes without a place stand in a row below the head."""
    loose = [one for one in electrodes if one.x is None or one.y is None]
    disc = (0.42 if loose else 0.47) * box.width()
    middle = QPointF(box.center().x(), box.top() + 0.03 * box.height() + disc)
    _outline(painter, middle, RIM * disc)
    places = {
        one.name: middle + QPointF(one.x * disc, -one.y * disc)
        for one in electrodes
        if one.x is not None and one.y is not None
    }
    for i, one in enumerate(loose):
        places[one.name] = QPointF(
            box.left() + box.width() * (i + 0.5) / len(loose), box.bottom() - 0.05 * box.height()
        )
    size = _symbol(list(places.values()), box.width())
    for one in worst_last(electrodes):
        _electrode(painter, places[one.name], size, one)


def _outline(painter: QPainter, middle: QPointF, r: float) -> None:
    painter.setPen(QPen(QColor(DIM), max(1.5, 0.012 * r)))
    painter.setBrush(Qt.BrushStyle.NoBrush)
    nose = ((-0.12, -0.99), (0.0, -1.14), (0.12, -0.99))
    painter.drawPolyline(QPolygonF([middle + QPointF(x * r, y * r) for x, y in nose]))
    painter.drawEllipse(middle, r, r)


def _symbol(places: Sequence[QPointF], width: float) -> float:
    """Radius of a symbol: as large as the nearest two electrodes allow."""
    gaps = [math.hypot(a.x() - b.x(), a.y() - b.y()) for i, a in enumerate(places) for b in places[:i]]
    return min(max(0.46 * min(gaps, default=width), 0.012 * width), 0.05 * width)


def _electrode(painter: QPainter, at: QPointF, r: float, one: Electrode) -> None:
    color = QColor(LEVEL_COLORS.get(one.level, DIM))
    painter.setPen(QPen(color, 1.5, Qt.PenStyle.DotLine if one.level == "absent" else Qt.PenStyle.SolidLine))
    painter.setBrush(Qt.BrushStyle.NoBrush if one.level == "absent" else color)
    if one.level == "bad":
        painter.drawRect(QRectF(at.x() - r, at.y() - r, 2 * r, 2 * r))
    elif one.level == "doubtful":
        corners = [at + QPointF(1.35 * r * math.sin(a), -1.35 * r * math.cos(a)) for a in (0, 2.0944, 4.18879)]
        painter.drawPolygon(QPolygonF(corners))
    else:
        painter.drawEllipse(at, r, r)
    narrow = one.level == "doubtful"
    name = QRectF(0, 0, (1.4 if narrow else 1.9) * r, 1.4 * r)
    name.moveCenter(at + QPointF(0, 0.2 * r if narrow else 0))
    write(painter, name, one.name, 0.9 * r, color=INK if one.level == "absent" else _DARK, bold=True)
