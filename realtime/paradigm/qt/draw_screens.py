"""Draws a scene: screens of words, the signal check, or a moment of a trial."""

from __future__ import annotations

from qtpy.QtCore import QRectF, QSize, Qt
from qtpy.QtGui import QColor, QImage, QPainter

from neuript.realtime.paradigm.cue_commands import ShowCheck, ShowMessage
from neuript.realtime.paradigm.qt.draw_head import LEVEL_COLORS, draw_head, worst_last
from neuript.realtime.paradigm.qt.draw_trials import BACKGROUND, DIM, INK, draw_trial, font_of, unit_of, write
from neuript.realtime.paradigm.scenes import Scene, TrialScene

_LEFT = Qt.AlignmentFlag.AlignLeft | Qt.AlignmentFlag.AlignTop
_AMBER = "#f2a922"
MOST_NAMED = 6
"""More electrodes than this are counted."""


def draw_scene(painter: QPainter, rect: QRectF, scene: Scene, overlay: str = "") -> None:
    """Draw what is on the screen.

    Parameters
    ----------
    painter : QPainter
        On a window or a picture.
    rect : QRectF
        All of it.
    scene : Scene
        What to draw.
    overlay : str
        A line above everything, at the bottom.
    """
    painter.setRenderHints(QPainter.RenderHint.Antialiasing | QPainter.RenderHint.TextAntialiasing)
    painter.fillRect(rect, QColor(BACKGROUND))
    if isinstance(scene, TrialScene):
        draw_trial(painter, rect, scene)
    elif isinstance(scene, ShowCheck):
        _check(painter, rect, scene)
    else:
        _message(painter, rect, scene)
    if overlay:
        u = unit_of(rect)
        strip = QRectF(rect.left(), rect.bottom() - 0.16 * u, rect.width(), 0.07 * u)
        write(painter, strip, overlay, 0.042 * u, color=_AMBER)


def picture(scene: Scene, size: QSize, ratio: float, overlay: str = "") -> QImage:
    """Return what a window of a size (in its own units) and a device pixel ratio shows."""
    image = QImage(round(size.width() * ratio), round(size.height() * ratio), QImage.Format.Format_RGB32)
    image.setDevicePixelRatio(ratio)
    painter = QPainter(image)
    draw_scene(painter, QRectF(0, 0, size.width(), size.height()), scene, overlay)
    painter.end()
    return image


def _message(painter: QPainter, rect: QRectF, scene: ShowMessage) -> None:
    u = unit_of(rect)
    inner = rect.adjusted(0.09 * u, 0.08 * u, -0.09 * u, -0.02 * u)
    words = QRectF(inner.left(), inner.top() + 0.2 * u, inner.width(), inner.height() - 0.32 * u)
    if scene.text:
        title = QRectF(inner.left(), inner.top(), inner.width(), 0.18 * u)
        write(painter, title, scene.title, 0.09 * u, bold=True)
        write(painter, words, scene.text, 0.054 * u)
    else:
        write(painter, words, scene.title, 0.11 * u, bold=True)
    _hint(painter, rect, u, scene.hint)


def _hint(painter: QPainter, rect: QRectF, u: float, text: str) -> None:
    strip = QRectF(rect.left() + 0.04 * u, rect.bottom() - 0.095 * u, rect.width() - 0.08 * u, 0.07 * u)
    write(painter, strip, text, 0.038 * u, color=DIM)


def _check(painter: QPainter, rect: QRectF, scene: ShowCheck) -> None:
    u = unit_of(rect)
    title = QRectF(rect.left(), rect.top() + 0.03 * u, rect.width(), 0.1 * u)
    write(painter, title, "Ready to record" if scene.go else "Signal check", 0.065 * u, bold=True)
    body = rect.adjusted(0.05 * u, 0.15 * u, -0.05 * u, -0.12 * u)
    side = min(body.height(), 0.5 * body.width())
    head = QRectF(body.left(), body.top(), side, side)
    head.moveTop(body.center().y() - side / 2)
    draw_head(painter, head, scene.electrodes)
    _sentences(painter, body.adjusted(side + 0.06 * u, 0, 0, 0), u, scene)
    _hint(painter, rect, u, "Space: go on" if scene.go else "fix this one first, then Space: go on")


def _sentences(painter: QPainter, box: QRectF, u: float, scene: ShowCheck) -> None:
    """The one thing to do, then what is wrong with each electrode, then what else there is to say."""
    blocks = [(scene.fix, 0.052, _AMBER)] if scene.fix else []
    blocks += [(words, 0.04, LEVEL_COLORS.get(level, DIM)) for words, level in _wrong(scene)]
    blocks += [(text, 0.04, INK) for text in scene.say]
    shrink = 1.0
    while shrink > 0.5 and _height(painter, box, u * shrink, blocks) > box.height():
        shrink *= 0.93
    top = box.top()
    for text, size, color in blocks:
        room = QRectF(box.left(), top, box.width(), box.bottom() - top)
        if room.height() < 10:
            break
        top = write(painter, room, text, size * shrink * u, color=color, flags=_LEFT).bottom() + 0.018 * shrink * u


def _wrong(scene: ShowCheck) -> list[tuple[str, str]]:
    """What is wrong with electrodes, and its level, the worst first; the same about several in one sentence."""
    said: dict[tuple[str, str], list[str]] = {}
    for one in reversed(worst_last(scene.electrodes)):
        if one.why and not scene.fix.startswith(f"{one.name} {one.why}"):
            said.setdefault((one.why, one.level), []).append(one.name)
    return [(f"{_listed(names)} {why}", level) for (why, level), names in said.items()]


def _listed(names: list[str]) -> str:
    """Name some, count the rest; an explanation begins behind a colon."""
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more + ":"


def _height(painter: QPainter, box: QRectF, u: float, blocks: list[tuple[str, float, str]]) -> float:
    """Height in pixels of sentences below each other."""
    total = 0.0
    for text, size, _ in blocks:
        painter.setFont(font_of(size * u))
        how = int(_LEFT) | int(Qt.TextFlag.TextWordWrap)
        total += painter.boundingRect(QRectF(0, 0, box.width(), 1e5), how, text).height() + 0.018 * u
    return total
