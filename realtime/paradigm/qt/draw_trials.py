"""Draws the moments of a trial: cross, signs, pictures, the feedback's bar; readable from two metres."""

from __future__ import annotations

from functools import lru_cache

from qtpy.QtCore import QPointF, QRectF, QSizeF, Qt
from qtpy.QtGui import QColor, QFont, QFontMetricsF, QImage, QImageReader, QPainter, QPen, QPolygonF

from neuript.errors import NeuriptError
from neuript.realtime.paradigm.scenes import TrialScene
from neuript.realtime.paradigm.task_cues import TaskCue
from neuript.realtime.paradigm.trial_run import Phase

BACKGROUND = "#2a2d31"
INK = "#e6e9ec"
DIM = "#8f969d"
BAR, BAR_STILL, BAR_FRAME = "#56b4e9", "#6c737b", "#565c64"
_TOWARD = {"left": (-1, 0), "right": (1, 0), "down": (0, 1), "up": (0, -1)}
_MAX_PICTURE_PX = 2048


def unit_of(rect: QRectF) -> float:
    """Length that everything is measured in: the height, or what a narrow window leaves."""
    return min(rect.height(), 0.75 * rect.width())


def font_of(pixels: float, *, bold: bool = False) -> QFont:
    """Return a plain font of a height in pixels."""
    font = QFont("sans-serif")
    font.setStyleHint(QFont.StyleHint.SansSerif)
    font.setPixelSize(max(6, round(pixels)))
    font.setBold(bold)
    return font


def write(
    painter: QPainter,
    rect: QRectF,
    text: str,
    pixels: float,
    *,
    color: str = INK,
    bold: bool = False,
    flags: Qt.AlignmentFlag = Qt.AlignmentFlag.AlignCenter,
) -> QRectF:
    """Write wrapped text into a rectangle, smaller where it would not fit; return where it stands."""
    how = int(flags) | int(Qt.TextFlag.TextWordWrap)
    while True:
        font = font_of(pixels, bold=bold)
        bounds = QFontMetricsF(font).boundingRect(rect, how, text)
        if pixels <= 8 or (bounds.height() <= rect.height() and bounds.width() <= rect.width()):
            break
        pixels *= 0.9
    painter.setFont(font)
    painter.setPen(QColor(color))
    painter.drawText(rect, how, text)
    return bounds


def draw_trial(painter: QPainter, rect: QRectF, scene: TrialScene) -> None:
    """Draw a moment of a trial onto the background."""
    u = unit_of(rect)
    middle = rect.center() - QPointF(0, 0.04 * u)
    if scene.phase in (Phase.FIXATION, Phase.BEEP):
        _cross(painter, middle, u, INK if scene.phase is Phase.BEEP else DIM)
    elif scene.phase is Phase.CUE and scene.cue is not None:
        _cue(painter, rect, middle, u, scene.cue)
    elif scene.phase is Phase.IMAGERY:
        _cross(painter, middle, u, DIM)
        if scene.bar is not None and scene.cue is not None:
            _bar(painter, middle, u, scene.cue, scene.bar, BAR if scene.bar_lives else BAR_STILL)
    if scene.note:
        strip = QRectF(rect.left(), rect.bottom() - 0.075 * u, rect.width(), 0.06 * u)
        write(painter, strip, scene.note, 0.032 * u, color=DIM)


def _cross(painter: QPainter, middle: QPointF, u: float, color: str) -> None:
    pen = QPen(QColor(color), 0.014 * u)
    pen.setCapStyle(Qt.PenCapStyle.FlatCap)
    painter.setPen(pen)
    arm = 0.07 * u
    painter.drawLine(middle - QPointF(arm, 0), middle + QPointF(arm, 0))
    painter.drawLine(middle - QPointF(0, arm), middle + QPointF(0, arm))


def _cue(painter: QPainter, rect: QRectF, middle: QPointF, u: float, cue: TaskCue) -> None:
    box = QRectF(0, 0, 0.46 * u, 0.46 * u)
    box.moveCenter(middle - QPointF(0, 0.05 * u))
    below = QRectF(rect.left(), box.bottom() + 0.02 * u, rect.width(), 0.14 * u)
    if cue.picture is not None:
        _picture(painter, box.adjusted(-0.2 * u, -0.1 * u, 0.2 * u, 0), cue.picture)
    elif cue.sign is not None:
        _sign(painter, box.center(), u, cue.sign)
    else:
        write(painter, rect.adjusted(0.08 * u, 0.1 * u, -0.08 * u, -0.1 * u), cue.text, 0.19 * u)
        return
    write(painter, below, cue.text, 0.085 * u)


def _sign(painter: QPainter, middle: QPointF, u: float, sign: str) -> None:
    painter.save()
    painter.translate(middle)
    if sign == "ring":
        painter.setPen(QPen(QColor(INK), 0.035 * u))
        painter.drawEllipse(QPointF(0, 0), 0.14 * u, 0.14 * u)
    else:
        painter.setPen(Qt.PenStyle.NoPen)
        painter.setBrush(QColor(INK))
        painter.rotate({"right": 0, "down": 90, "left": 180, "up": -90, "both": 0}[sign])
        painter.drawPolygon(_double_arrow(u) if sign == "both" else _arrow(u))
    painter.restore()


def _arrow(u: float) -> QPolygonF:
    """An arrow to the right around the origin."""
    points = [(-0.21, -0.035), (0.05, -0.035), (0.05, -0.12), (0.22, 0), (0.05, 0.12), (0.05, 0.035), (-0.21, 0.035)]
    return QPolygonF([QPointF(x * u, y * u) for x, y in points])


def _double_arrow(u: float) -> QPolygonF:
    """An arrow to both sides around the origin."""
    half = [(0.1, 0.035), (0.1, 0.12), (0.26, 0), (0.1, -0.12), (0.1, -0.035)]
    return QPolygonF([QPointF(x * u, y * u) for x, y in [*half, *((-x, -y) for x, y in half)]])


def _picture(painter: QPainter, box: QRectF, file: str) -> None:
    image = picture_of(file)
    size = QSizeF(image.size()).scaled(box.size(), Qt.AspectRatioMode.KeepAspectRatio)
    target = QRectF(QPointF(0, 0), size)
    target.moveCenter(box.center())
    painter.setRenderHint(QPainter.RenderHint.SmoothPixmapTransform)
    painter.drawImage(target, image)


@lru_cache(maxsize=64)
def picture_of(file: str) -> QImage:
    """Read a picture once; a moving one stands still.

    Raises
    ------
    NeuriptError
        If Qt cannot read it.
    """
    reader = QImageReader(file)
    reader.setAutoTransform(True)
    size = reader.size()
    if size.isValid() and max(size.width(), size.height()) > _MAX_PICTURE_PX:
        reader.setScaledSize(size.scaled(_MAX_PICTURE_PX, _MAX_PICTURE_PX, Qt.AspectRatioMode.KeepAspectRatio))
    image = reader.read()
    if image.isNull():
        raise NeuriptError(
            f"the picture {file} cannot be read ({reader.errorString()}); save it as PNG or JPEG, or give no picture "
            "to show the text alone"
        )
    return image


def _bar(painter: QPainter, middle: QPointF, u: float, cue: TaskCue, length: float, color: str) -> None:
    """A bar from the cross toward where the arrow pointed, or to both sides; its frame is as far as it can go."""
    toward = _TOWARD.get(cue.sign or "")
    for x, y in [toward] if toward else [(-1, 0), (1, 0)]:
        painter.save()
        painter.translate(middle)
        painter.rotate({(1, 0): 0, (0, 1): 90, (-1, 0): 180, (0, -1): -90}[(x, y)])
        full = QRectF(0.1 * u, -0.045 * u, 0.3 * u, 0.09 * u)
        painter.setPen(Qt.PenStyle.NoPen)
        painter.fillRect(QRectF(full.left(), full.top(), full.width() * length, full.height()), QColor(color))
        painter.setPen(QPen(QColor(BAR_FRAME), 0.005 * u))
        painter.setBrush(Qt.BrushStyle.NoBrush)
        painter.drawRect(full)
        painter.restore()
