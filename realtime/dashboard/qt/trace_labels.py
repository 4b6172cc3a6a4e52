"""What is written over the traces: names, verdicts, times, holes, commands, the scale, a message."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from qtpy import QtCore, QtGui

from neuript.realtime.chain.timestamps import STEP_S
from neuript.realtime.dashboard.cue_lane import Answer, LaneMark
from neuript.realtime.dashboard.theme import Theme
from neuript.realtime.dashboard.view_model import LogEntry
from neuript.realtime.dashboard.words import Tone, spoken

LEFT = 62
"""Pixels left of the traces, for the names."""
BOTTOM = 20
"""Pixels below the traces, for the times."""
MIN_ROW_PX = 9
BACK_S = 0.05
"""Seconds by which stamps must run back to be a step of the clock."""
LANE = 18
"""Pixels of the lane of cues, at the foot of the traces."""


def clock_steps(stamps: NDArray[np.float64]) -> list[int]:
    """Return the columns before which the clock jumped back, or further ahead than samples are ever late."""
    change = np.diff(stamps)
    return (np.flatnonzero((change < -BACK_S) | (change > STEP_S)) + 1).tolist()


@dataclass
class OnScreen:
    """What the traces show at present."""

    names: tuple[str, ...] = ()
    """Names of all channels, shown or not."""
    verdicts: list[str] = field(default_factory=list)
    """What is wrong with each channel; empty where nothing is."""
    stamps: NDArray[np.float64] = field(default_factory=lambda: np.empty(0))
    """Time of each column, seconds on the LSL clock, shape (n_columns,)."""
    empty: NDArray[np.bool_] = field(default_factory=lambda: np.empty(0, bool))
    """True for a column that is a gap, shape (n_columns,)."""
    column_s: float = 0.01
    """Duration of a column in seconds."""
    unit: str = "µV"
    scale: float | None = None
    """What a row spans, in that unit; None until it is chosen."""
    decisions: list[tuple[LogEntry, str]] = field(default_factory=list)
    """Commands, each with its colour."""
    cues: list[tuple[LaneMark, str]] = field(default_factory=list)
    """Markers, each with its colour."""
    used: frozenset[int] = frozenset()
    """Channels that reach the model; empty where nobody knows, or all do."""
    message: str = ""
    wall_offset_s: float = 0.0
    """What is added to a stamp to get the time of day."""


@dataclass(frozen=True, slots=True)
class TraceLabels:
    """Paints one frame's labels.

    Parameters
    ----------
    painter : QPainter
        Painter that is open on the widget.
    rect : QRect
        Rectangle of the traces, in logical pixels.
    shown : OnScreen
        What the traces show.
    channels : range
        The channels of this page.
    column_px : float
        Width of a column in logical pixels.
    theme : Theme
        Colours to paint with.
    font : QFont
        Font of the widget; only its size and weight change.
    """

    painter: QtGui.QPainter
    rect: QtCore.QRect
    shown: OnScreen
    channels: range
    column_px: float
    theme: Theme
    font: QtGui.QFont

    def _sized(self, pixels: int, *, bold: bool = False) -> QtGui.QFont:
        font = QtGui.QFont(self.font)
        font.setPixelSize(pixels)
        font.setBold(bold or font.bold())
        return font

    def _name_font(self, row: float, *, bold: bool = False) -> QtGui.QFont:
        return self._sized(max(8, min(13, int(row))), bold=bold)

    def names(self) -> None:
        """Write the channels' names at the left edge; those of bad channels even where there is no room."""
        painter, rect = self.painter, self.rect
        channels = self.channels
        if len(channels) == 0:
            return
        row = rect.height() / len(channels)
        right = QtCore.Qt.AlignmentFlag.AlignRight | QtCore.Qt.AlignmentFlag.AlignVCenter
        for at in self._named(row):
            k = channels[at]
            wrong, decoded = bool(self.shown.verdicts[k]), k in self.shown.used
            painter.setFont(self._name_font(row, bold=decoded))
            color = self.theme.trace_bad if wrong else self.theme.text if decoded else self.theme.muted
            painter.setPen(QtGui.QColor(color))
            box = QtCore.QRectF(0, rect.top() + at * row - 4, LEFT - 8, row + 8)
            painter.drawText(box, int(right), self.shown.names[k])
            if decoded:
                painter.fillRect(
                    QtCore.QRectF(LEFT - 5, rect.top() + (at + 0.15) * row, 3, 0.7 * row), painter.pen().color()
                )

    def _named(self, row: float) -> list[int]:
        """Rows whose names are written: those of bad channels and of channels in use, and the others between them."""
        every = max(1, math.ceil(MIN_ROW_PX / row))
        rows = range(len(self.channels))
        first = [at for at in rows if self.shown.verdicts[self.channels[at]] or self.channels[at] in self.shown.used]
        return first + [at for at in rows[::every] if all(abs(at - other) >= every for other in first)]

    def verdicts(self) -> None:
        """Write "flat" and the like where a channel's trace begins."""
        painter, rect = self.painter, self.rect
        channels = self.channels
        wrong = [(at, self.shown.verdicts[k]) for at, k in enumerate(channels) if self.shown.verdicts[k]]
        if not wrong:
            return
        row = rect.height() / len(channels)
        painter.setFont(self._name_font(row))
        left = QtCore.Qt.AlignmentFlag.AlignLeft | QtCore.Qt.AlignmentFlag.AlignVCenter
        metrics = painter.fontMetrics()
        for at, verdict in wrong:
            text = f"▲ {verdict}"
            box = QtCore.QRectF(rect.left() + 2, 0, metrics.horizontalAdvance(text) + 6, 0)
            box.setHeight(metrics.height())
            box.moveCenter(QtCore.QPointF(box.center().x(), rect.top() + (at + 0.5) * row))
            painter.fillRect(box, QtGui.QColor(self.theme.panel))
            painter.setPen(QtGui.QColor(self.theme.trace_bad))
            painter.drawText(box, int(left), text)

    def _x_of(self, stamp: float) -> float | None:
        """Where a stamp lies on screen, since the clock's last jump if it lies on both sides; None if nowhere."""
        stamps = self.shown.stamps
        edges = [0, *clock_steps(stamps), len(stamps)]
        for start, stop in reversed(list(pairwise(edges))):
            if stop > start and stamps[start] <= stamp <= stamps[stop - 1]:
                return self._x_of_column(start + int(np.searchsorted(stamps[start:stop], stamp)))
        return None

    def _x_of_column(self, column: int) -> float:
        return self.rect.right() + 1 - (len(self.shown.stamps) - column) * self.column_px

    def clock_steps(self) -> None:
        """Draw a line where the clock of the stream jumped, with by how much."""
        painter, rect, stamps = self.painter, self.rect, self.shown.stamps
        painter.setFont(self._sized(12, bold=True))
        painter.setPen(QtGui.QColor(self.theme.tones[Tone.WARN]))
        for column in clock_steps(stamps):
            x = self._x_of_column(column)
            painter.drawLine(QtCore.QPointF(x, rect.top()), QtCore.QPointF(x, rect.bottom()))
            text = f"▲ clock step of {stamps[column] - stamps[column - 1]:+.1f} s"
            width = painter.fontMetrics().horizontalAdvance(text) + 10
            left = min(max(x + 1, rect.left()), rect.right() - width)
            box = QtCore.QRectF(left, rect.top() + 20, width, 18)
            painter.fillRect(box, QtGui.QColor(self.theme.panel))
            painter.drawText(box, int(QtCore.Qt.AlignmentFlag.AlignCenter), text)

    def seconds(self) -> None:
        """Write the time of day under every second line."""
        painter, rect = self.painter, self.rect
        if len(self.shown.stamps) == 0:
            return
        painter.setFont(self._sized(11))
        painter.setPen(QtGui.QColor(self.theme.muted))
        if clock_steps(self.shown.stamps):  # times of day on both sides of a jump would not agree
            return
        first = math.ceil(self.shown.stamps[0] + self.shown.wall_offset_s)
        last = math.floor(self.shown.stamps[-1] + self.shown.wall_offset_s)
        if last - first > 600:  # a clock step: seconds would not fit
            return
        for second in range(first + first % 2, last + 1, 2):
            x = self._x_of(second - self.shown.wall_offset_s)
            if x is None or x > rect.right() - 24 or x < rect.left() + 24:
                continue
            text = time.strftime("%H:%M:%S", time.localtime(second))
            box = QtCore.QRectF(x - 40, rect.bottom() + 3, 80, BOTTOM - 4)
            painter.drawText(box, int(QtCore.Qt.AlignmentFlag.AlignCenter), text)

    def gaps(self) -> None:
        """Write into each hole how much is missing."""
        painter, rect = self.painter, self.rect
        edges = np.flatnonzero(np.diff(np.concatenate([[False], self.shown.empty, [False]])))
        if len(edges) == 0:
            return
        painter.setFont(self._sized(12, bold=True))
        painter.setPen(QtGui.QColor(self.theme.tones[Tone.WARN]))
        column = self.column_px
        for start, stop in edges.reshape(-1, 2):
            width = (stop - start) * column
            if width < 16:
                continue
            center = rect.right() + 1 - (len(self.shown.stamps) - (start + stop) / 2) * column
            painter.save()
            painter.translate(center, rect.center().y())
            painter.rotate(-90)
            text = f"▲ {(stop - start) * self.shown.column_s:.1f} s without samples"
            box = QtCore.QRectF(-150, -10, 300, 20)
            painter.drawText(box, int(QtCore.Qt.AlignmentFlag.AlignCenter), text)
            painter.restore()

    def decisions(self) -> None:
        """Draw a line with its class where a command began."""
        painter, rect = self.painter, self.rect
        painter.setFont(self._sized(12, bold=True))
        metrics = painter.fontMetrics()
        for entry, color in self.shown.decisions:
            x = self._x_of(entry.stamp)
            if x is None:
                continue
            painter.setPen(QtGui.QPen(QtGui.QColor(color), 2))
            painter.drawLine(QtCore.QPointF(x, rect.top()), QtCore.QPointF(x, rect.bottom()))
            text = f"▶ {spoken(entry.label)}"
            width = metrics.horizontalAdvance(text) + 10
            left = min(max(x + 1, rect.left()), rect.right() - width)
            box = QtCore.QRectF(left, rect.top(), width, 18)
            painter.fillRect(box, QtGui.QColor(self.theme.panel))
            painter.drawText(box, int(QtCore.Qt.AlignmentFlag.AlignCenter), text)

    def cues(self) -> None:
        """Draw a dotted line with its class where a cue was shown, and its answer; a tick for other markers."""
        painter, rect = self.painter, self.rect
        painter.setFont(self._sized(12, bold=True))
        metrics = painter.fontMetrics()
        for mark, color in self.shown.cues:
            x = self._x_of(mark.stamp)
            if x is None:
                continue
            painter.setPen(QtGui.QPen(QtGui.QColor(color), 1.5, QtCore.Qt.PenStyle.DotLine))
            if not mark.cue and not mark.noted:
                painter.drawLine(QtCore.QPointF(x, rect.bottom() - 10), QtCore.QPointF(x, rect.bottom()))
                continue
            painter.drawLine(QtCore.QPointF(x, rect.top()), QtCore.QPointF(x, rect.bottom()))
            said = {Answer.PENDING: "", Answer.NONE: "  – no command"}.get(mark.answer, f"  {mark.answer}")
            text = f"cue: {spoken(mark.text)}{said}" if mark.cue else f"◆ {mark.text}"
            width = metrics.horizontalAdvance(text) + 10
            left = min(max(x + 1, rect.left()), rect.right() - width)
            box = QtCore.QRectF(left, rect.bottom() - LANE, width, LANE)
            painter.fillRect(box, QtGui.QColor(self.theme.background))
            painter.drawText(box, int(QtCore.Qt.AlignmentFlag.AlignCenter), text)

    def scale_bar(self) -> None:
        """Draw what height is how many microvolts."""
        painter, rect = self.painter, self.rect
        channels = self.channels
        if len(channels) == 0 or self.shown.scale is None:
            return
        row = rect.height() / len(channels)
        rows = max(1, math.ceil(22 / row))  # a bar that can be seen
        height, value = rows * row, rows * self.shown.scale
        text = f"{value:g} {self.shown.unit}"
        painter.setFont(self._sized(12, bold=True))
        width = painter.fontMetrics().horizontalAdvance(text) + 26
        bottom = rect.bottom() - 8 - (LANE if self.shown.cues else 0)
        height = min(height, rect.height() - 20)
        back = QtGui.QColor(self.theme.panel)
        back.setAlpha(225)
        box = QtCore.QRectF(rect.left() + 4, bottom - height - 5, width, height + 10)
        painter.fillRect(box, back)
        painter.setPen(QtGui.QPen(QtGui.QColor(self.theme.text), 2))
        x = box.left() + 9
        for a, b in (
            ((x, bottom - height), (x, bottom)),
            ((x - 4, bottom - height), (x + 4, bottom - height)),
            ((x - 4, bottom), (x + 4, bottom)),
        ):
            painter.drawLine(QtCore.QPointF(*a), QtCore.QPointF(*b))
        words = QtCore.QRectF(x + 8, bottom - height, width, height)
        left = QtCore.Qt.AlignmentFlag.AlignLeft | QtCore.Qt.AlignmentFlag.AlignVCenter
        painter.drawText(words, int(left | QtCore.Qt.TextFlag.TextDontClip), text)

    def message(self) -> None:
        """Write the message across the traces, if there is one."""
        if not self.shown.message:
            return
        painter, rect = self.painter, self.rect
        painter.setFont(self._sized(18, bold=True))
        width = painter.fontMetrics().horizontalAdvance(self.shown.message) + 48
        box = QtCore.QRectF(0, 0, width, 48)
        box.moveCenter(QtCore.QPointF(rect.center()))
        back = QtGui.QColor(self.theme.background)
        back.setAlpha(235)
        painter.setBrush(back)
        painter.setPen(QtGui.QPen(QtGui.QColor(self.theme.line), 1))
        painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
        painter.drawRoundedRect(box, 8, 8)
        painter.setPen(QtGui.QColor(self.theme.text))
        painter.drawText(box, int(QtCore.Qt.AlignmentFlag.AlignCenter), self.shown.message)
