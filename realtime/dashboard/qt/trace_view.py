"""The scrolling traces: only new columns are drawn, the rest of the picture is moved.

A frame costs what arrived since the last one (a few columns), not what is on screen, so that
64 channels at 1 kHz, or 256 at 2 kHz, take a few milliseconds. The whole picture is drawn again
only when the size, the scale or the page changes.
"""

from __future__ import annotations

import math
import time
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PyQt6 import QtCore, QtGui, QtWidgets
from pyqtgraph.Qt.internals import PrimitiveArray

from neuript.realtime.dashboard.client import DashboardClient
from neuript.realtime.dashboard.theme import Theme
from neuript.realtime.dashboard.traces import ScrollPacer
from neuript.realtime.dashboard.view_model import LogEntry, channel_verdicts, fitting_scale, next_scale
from neuript.realtime.dashboard.words import Tone

LEFT = 62
RIGHT = 10
TOP = 6
BOTTOM = 20
MIN_ROW_PX = 9
MAX_AT_ONCE = 72
"""With more channels than this, pages of 32 are shown at first."""
CLIP_ROWS = 1.6
CLIP_PX = 60
"""A trace leaves its row by this much at most, whichever is more."""


@dataclass
class _Picture:
    """What the view has copied from the model for one frame."""

    generation: int
    total: int
    extremes: NDArray[np.float32]
    stamps: NDArray[np.float64]
    column_s: float


class TraceView(QtWidgets.QWidget):
    """Channels over time, newest at the right edge.

    Parameters
    ----------
    client : DashboardClient
        Its model is read under its lock, once per frame.
    theme : Theme
        Colours.
    """

    def __init__(self, client: DashboardClient, theme: Theme) -> None:
        super().__init__()
        self._client, self._theme = client, theme
        self.setMinimumSize(300, 160)
        self.setAttribute(QtCore.Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self._pixmap = QtGui.QPixmap(1, 1)
        self._lines = PrimitiveArray(QtCore.QLineF, 4)
        self._generation = -1
        self._drawn = 0
        self._pacer = ScrollPacer(0.01)
        self._stamps, self._empty = np.empty(0), np.empty(0, bool)
        self._names: tuple[str, ...] = ()
        self._verdicts: list[str] = []
        self._verdicts_at = 0.0
        self._column_s = 0.01
        self._unit = "µV"
        self.scale: float | None = None
        self._auto_until = self._auto_next = 0
        self.paint_ms: deque[float] = deque(maxlen=2000)
        self.paused = False
        self.page_size: int | None = None
        self.page = 0
        self.message = ""
        self.decisions: list[tuple[LogEntry, str]] = []
        self.wall_offset_s = 0.0

    # --- geometry ------------------------------------------------------------------------------

    @property
    def _zoom(self) -> int:
        """Device pixels per column."""
        return max(1, round(self.devicePixelRatioF()))

    def _plot_rect(self) -> QtCore.QRect:
        return QtCore.QRect(LEFT, TOP, self.width() - LEFT - RIGHT, max(20, self.height() - TOP - BOTTOM))

    @property
    def n_visible(self) -> int:
        """Columns that fit on screen."""
        return max(1, int(self._plot_rect().width() * self.devicePixelRatioF()) // self._zoom)

    @property
    def span_s(self) -> float:
        """Seconds on screen."""
        return self.n_visible * self._column_s

    @property
    def head_stamp(self) -> float | None:
        """Stamp at the right edge, once there are samples."""
        return float(self._stamps[-1]) if len(self._stamps) else None

    def shown_channels(self) -> range:
        """The channels of this page."""
        n_chans = len(self._names)
        if self.page_size is None or self.page_size >= n_chans:
            return range(n_chans)
        start = self.page * self.page_size
        return range(start, min(n_chans, start + self.page_size))

    # --- what the keyboard does ----------------------------------------------------------------

    def change_scale(self, steps: int) -> None:
        """Span more (positive) or fewer microvolts per row."""
        self.scale = next_scale(self.scale or 100.0, steps)
        self._auto_until = 0
        self._redraw()

    def auto_scale(self) -> None:
        """Choose the scale again from what is on screen."""
        self.scale = None
        self._redraw()

    def turn_page(self, step: int) -> None:
        """Show the next or previous channels, where not all are shown."""
        size = self.page_size or max(1, len(self._names))
        n_pages = max(1, math.ceil(len(self._names) / size))
        self.page = (self.page + step) % n_pages
        self._redraw()

    def cycle_page_size(self) -> None:
        """Show 8, 16, 32 or all channels at once."""
        sizes: list[int | None] = [s for s in (8, 16, 32) if s < len(self._names)]
        sizes = [None, *sizes]
        at = sizes.index(self.page_size) if self.page_size in sizes else 0
        self.page_size, self.page = sizes[(at + 1) % len(sizes)], 0
        self._redraw()

    def toggle_pause(self) -> None:
        """Hold the picture, or catch up."""
        self.paused = not self.paused
        if not self.paused:
            self._redraw()

    # --- frames --------------------------------------------------------------------------------

    def advance(self, dt_s: float) -> None:
        """Draw what arrived in the last `dt_s` seconds."""
        if self.paused:
            return
        with self._client.lock:
            model = self._client.model
            ring, eeg = model.ring, model.eeg
            if ring is None or eeg is None:
                return
            if model.ring_generation != self._generation:
                self._begin(model.ring_generation, eeg.ch_names, ring.column_s, ring.total)
            self._unit = model.unit
            waiting = ring.total - self._drawn
            n_new = min(self._pacer.step(waiting, dt_s), self.n_visible)
            if n_new == 0 and self.scale is not None:
                return
            stop = ring.total if n_new == self.n_visible else self._drawn + n_new
            start = stop - n_new - 1
            extremes, stamps = ring.columns(start, stop)
        self._extend(extremes, stamps, stop, n_new)
        self._auto_scale_at_start(stop)
        self._judge_channels()
        self.update(self._plot_rect().adjusted(0, 0, 0, BOTTOM))  # not the names

    def _begin(self, generation: int, names: tuple[str, ...], column_s: float, total: int) -> None:
        self._generation, self._names, self._column_s = generation, names, column_s
        self._verdicts = [""] * len(names)
        self._pacer = ScrollPacer(column_s)
        self._stamps, self._empty = np.empty(0), np.empty(0, bool)
        self._drawn = total
        self.page, self.scale = 0, None
        self.page_size = None if len(names) <= MAX_AT_ONCE else 32
        self._auto_until, self._auto_next = total + round(4.0 / column_s), 0
        self._blank()

    def _extend(self, extremes: NDArray[np.float32], stamps: NDArray[np.float64], stop: int, n_new: int) -> None:
        """Move the picture left and draw the `n_new` newest columns (one before them is given)."""
        self._drawn = stop
        new = slice(len(stamps) - n_new, None)
        self._stamps = np.concatenate([self._stamps, stamps[new]])[-self.n_visible :]
        empty = _without_samples(extremes[new])
        self._empty = np.concatenate([self._empty, empty])[-self.n_visible :]
        if n_new <= 0:
            return
        zoom, pixmap = self._zoom, self._pixmap
        pixmap.scroll(-n_new * zoom, 0, pixmap.rect())
        painter = QtGui.QPainter(pixmap)
        x0 = pixmap.width() - n_new * zoom
        painter.fillRect(x0, 0, n_new * zoom, pixmap.height(), QtGui.QColor(self._theme.panel))
        self._draw_columns(painter, extremes, stamps, n_new)
        painter.end()

    def _draw_columns(
        self, painter: QtGui.QPainter, extremes: NDArray[np.float32], stamps: NDArray[np.float64], n_new: int
    ) -> None:
        zoom, height, width = self._zoom, self._pixmap.height(), self._pixmap.width()
        x = width - zoom * np.arange(len(extremes), 0, -1, dtype=np.float64)
        self._draw_grid(painter, x, stamps, height)
        self._draw_gaps(painter, x, extremes, n_new, height)
        channels = self.shown_channels()
        if len(channels) == 0 or self.scale is None:
            return
        values = extremes[:, :, channels.start : channels.stop]
        row = height / len(channels)
        clip = max(CLIP_ROWS, CLIP_PX * self._zoom / row)
        up = np.clip(values / self.scale, -clip, clip)
        y = (np.arange(len(channels)) + 0.5) * row - up * row  # (n, 2, n_chans)
        points_y = y.reshape(-1, len(channels)).T  # (n_chans, 2 n)
        points_x = (x[:, None] + zoom * np.array([0.25, 0.75])).ravel()
        segments = np.empty((len(channels), len(points_x) - 1, 4))
        segments[:, :, 0], segments[:, :, 2] = points_x[:-1], points_x[1:]
        segments[:, :, 1], segments[:, :, 3] = points_y[:, :-1], points_y[:, 1:]
        segments = segments[:, 1:] if len(extremes) > n_new else segments
        bad = np.array([bool(self._verdicts[k]) for k in channels])
        painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
        for rows, color in ((~bad, self._theme.trace), (bad, self._theme.trace_bad)):
            self._draw_segments(painter, segments[rows].reshape(-1, 4), color)

    def _draw_segments(self, painter: QtGui.QPainter, segments: NDArray[np.float64], color: str) -> None:
        segments = segments[np.isfinite(segments).all(axis=1)]
        if len(segments) == 0:
            return
        pen = QtGui.QPen(QtGui.QColor(color))
        pen.setWidthF(1.0 * self._zoom)
        pen.setCapStyle(QtCore.Qt.PenCapStyle.FlatCap)
        painter.setPen(pen)
        self._lines.resize(len(segments))
        self._lines.ndarray()[:] = segments
        painter.drawLines(*self._lines.drawargs())

    def _draw_grid(
        self, painter: QtGui.QPainter, x: NDArray[np.float64], stamps: NDArray[np.float64], height: int
    ) -> None:
        seconds = np.floor(stamps + self.wall_offset_s)
        painter.setPen(QtGui.QColor(self._theme.line))
        for k in np.nonzero(np.diff(seconds) > 0)[0] + 1:
            painter.drawLine(int(x[k]), 0, int(x[k]), height)

    def _draw_gaps(
        self, painter: QtGui.QPainter, x: NDArray[np.float64], extremes: NDArray[np.float32], n_new: int, height: int
    ) -> None:
        empty = _without_samples(extremes)
        for k in np.nonzero(empty)[0]:
            if k >= len(extremes) - n_new:
                color = QtGui.QColor(self._theme.gap)
                painter.fillRect(int(x[k]), 0, self._zoom, height, color)

    # --- the whole picture ---------------------------------------------------------------------

    def resizeEvent(self, event: QtGui.QResizeEvent | None) -> None:  # noqa: N802
        """Fit the picture to the new size."""
        self._redraw()

    def _blank(self) -> None:
        rect = self._plot_rect()
        zoom = self._zoom
        height = max(1, int(rect.height() * self.devicePixelRatioF()))
        self._pixmap = QtGui.QPixmap(self.n_visible * zoom, height)
        self._pixmap.fill(QtGui.QColor(self._theme.panel))

    def _redraw(self) -> None:
        """Draw everything that is on screen again, up to the column drawn last."""
        self._blank()
        picture = self._copy(self._drawn)
        if picture is None:
            return
        if self.scale is None and len(picture.extremes):
            self.scale = self._fitting_scale(picture, 5.0)
        painter = QtGui.QPainter(self._pixmap)
        self._draw_columns(painter, picture.extremes, picture.stamps, len(picture.extremes))
        painter.end()
        self._stamps = picture.stamps
        self._empty = _without_samples(picture.extremes)
        self.update()

    def _copy(self, stop: int) -> _Picture | None:
        with self._client.lock:
            model = self._client.model
            if model.ring is None or model.ring_generation != self._generation:
                return None
            extremes, stamps = model.ring.columns(stop - self.n_visible, stop)
            return _Picture(self._generation, stop, extremes, stamps, model.ring.column_s)

    def _fitting_scale(self, picture: _Picture, last_s: float) -> float:
        channels = self.shown_channels()
        recent = picture.extremes[-round(last_s / self._column_s) :]
        fill = 1.25 if len(channels) <= 16 else 1.5
        return fitting_scale(recent[:, :, channels.start : channels.stop], fill)

    def _auto_scale_at_start(self, stop: int) -> None:
        """Settle the scale while the first seconds of a stream come in."""
        if self.scale is not None and not self._auto_next <= stop < self._auto_until:
            return
        self._auto_next = stop + round(0.8 / self._column_s)
        picture = self._copy(stop)
        if picture is None or len(picture.extremes) < 0.5 / self._column_s:
            return
        scale = self._fitting_scale(picture, 1.5)
        if scale != self.scale:
            self.scale = scale
            self._redraw()

    def _judge_channels(self) -> None:
        now = time.monotonic()
        if now - self._verdicts_at < 0.5:
            return
        self._verdicts_at = now
        with self._client.lock:
            ring = self._client.model.ring
            if ring is None or ring.total * ring.column_s < 2.0:
                return
            recent, _ = ring.columns(ring.total - round(2.0 / ring.column_s), ring.total)
        if len(recent):
            before, self._verdicts = self._verdicts, self._channel_verdicts(recent)
            if before != self._verdicts:
                self.update()

    def _channel_verdicts(self, recent: NDArray[np.float32]) -> list[str]:
        return channel_verdicts(recent, in_uv=self._unit == "µV")

    # --- painting ------------------------------------------------------------------------------

    def paintEvent(self, event: QtGui.QPaintEvent | None) -> None:  # noqa: N802
        """Show the picture with names, times, commands and scale on top."""
        began = time.perf_counter()
        painter = QtGui.QPainter(self)
        region = self.rect() if event is None else event.rect()
        painter.fillRect(region, QtGui.QColor(self._theme.panel))
        rect = self._plot_rect()
        painter.drawPixmap(rect, self._pixmap)
        if region.left() < LEFT:
            self._paint_names(painter, rect)
        self._paint_verdicts(painter, rect)
        self._paint_seconds(painter, rect)
        self._paint_gaps(painter, rect)
        self._paint_decisions(painter, rect)
        self._paint_scale_bar(painter, rect)
        if self.message:
            self._paint_message(painter, rect)
        painter.end()
        self.paint_ms.append(1000 * (time.perf_counter() - began))

    def _name_font(self, row: float) -> QtGui.QFont:
        font = QtGui.QFont(self.font())
        font.setPixelSize(max(8, min(13, int(row))))
        return font

    def _paint_names(self, painter: QtGui.QPainter, rect: QtCore.QRect) -> None:
        channels = self.shown_channels()
        if len(channels) == 0:
            return
        row = rect.height() / len(channels)
        painter.setFont(self._name_font(row))
        every = max(1, math.ceil(MIN_ROW_PX / row))
        right = QtCore.Qt.AlignmentFlag.AlignRight | QtCore.Qt.AlignmentFlag.AlignVCenter
        for at, k in enumerate(channels):
            wrong = bool(self._verdicts[k])
            if at % every and not wrong:
                continue
            painter.setPen(QtGui.QColor(self._theme.trace_bad if wrong else self._theme.muted))
            box = QtCore.QRectF(0, rect.top() + at * row - 4, LEFT - 8, row + 8)
            painter.drawText(box, int(right), self._names[k])

    def _paint_verdicts(self, painter: QtGui.QPainter, rect: QtCore.QRect) -> None:
        """Write "flat" and the like where a channel's trace begins."""
        channels = self.shown_channels()
        wrong = [(at, self._verdicts[k]) for at, k in enumerate(channels) if self._verdicts[k]]
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
            painter.fillRect(box, QtGui.QColor(self._theme.panel))
            painter.setPen(QtGui.QColor(self._theme.trace_bad))
            painter.drawText(box, int(left), text)

    def _x_of(self, stamp: float, rect: QtCore.QRect) -> float | None:
        """Where a stamp lies on screen; None where it is not shown."""
        if len(self._stamps) == 0 or not self._stamps[0] <= stamp <= self._stamps[-1]:
            return None
        at = int(np.searchsorted(self._stamps, stamp))
        columns_from_right = len(self._stamps) - at
        return rect.right() + 1 - columns_from_right * self._zoom / self.devicePixelRatioF()

    def _paint_seconds(self, painter: QtGui.QPainter, rect: QtCore.QRect) -> None:
        if len(self._stamps) == 0:
            return
        font = QtGui.QFont(self.font())
        font.setPixelSize(11)
        painter.setFont(font)
        painter.setPen(QtGui.QColor(self._theme.muted))
        first = math.ceil(self._stamps[0] + self.wall_offset_s)
        last = math.floor(self._stamps[-1] + self.wall_offset_s)
        if last - first > 600:  # a clock step: seconds would not fit
            return
        for second in range(first + first % 2, last + 1, 2):
            x = self._x_of(second - self.wall_offset_s, rect)
            if x is None or x > rect.right() - 24 or x < rect.left() + 24:
                continue
            text = time.strftime("%H:%M:%S", time.localtime(second))
            box = QtCore.QRectF(x - 40, rect.bottom() + 3, 80, BOTTOM - 4)
            painter.drawText(box, int(QtCore.Qt.AlignmentFlag.AlignCenter), text)

    def _paint_gaps(self, painter: QtGui.QPainter, rect: QtCore.QRect) -> None:
        """Write into each hole how much is missing."""
        edges = np.flatnonzero(np.diff(np.concatenate([[False], self._empty, [False]])))
        if len(edges) == 0:
            return
        font = QtGui.QFont(self.font())
        font.setPixelSize(12)
        font.setBold(True)
        painter.setFont(font)
        painter.setPen(QtGui.QColor(self._theme.tones[Tone.WARN]))
        column = self._zoom / self.devicePixelRatioF()
        for start, stop in edges.reshape(-1, 2):
            width = (stop - start) * column
            if width < 16:
                continue
            center = rect.right() + 1 - (len(self._stamps) - (start + stop) / 2) * column
            painter.save()
            painter.translate(center, rect.center().y())
            painter.rotate(-90)
            text = f"▲ {(stop - start) * self._column_s:.1f} s of samples lost"
            box = QtCore.QRectF(-150, -10, 300, 20)
            painter.drawText(box, int(QtCore.Qt.AlignmentFlag.AlignCenter), text)
            painter.restore()

    def _paint_decisions(self, painter: QtGui.QPainter, rect: QtCore.QRect) -> None:
        font = QtGui.QFont(self.font())
        font.setPixelSize(12)
        font.setBold(True)
        painter.setFont(font)
        metrics = painter.fontMetrics()
        for entry, color in self.decisions:
            x = self._x_of(entry.stamp, rect)
            if x is None:
                continue
            painter.setPen(QtGui.QPen(QtGui.QColor(color), 2))
            painter.drawLine(QtCore.QPointF(x, rect.top()), QtCore.QPointF(x, rect.bottom()))
            text = f"▶ {entry.label.replace('_', ' ')}"
            width = metrics.horizontalAdvance(text) + 10
            left = min(max(x + 1, rect.left()), rect.right() - width)
            box = QtCore.QRectF(left, rect.top(), width, 18)
            painter.fillRect(box, QtGui.QColor(self._theme.panel))
            painter.drawText(box, int(QtCore.Qt.AlignmentFlag.AlignCenter), text)

    def _paint_scale_bar(self, painter: QtGui.QPainter, rect: QtCore.QRect) -> None:
        channels = self.shown_channels()
        if len(channels) == 0 or self.scale is None:
            return
        row = rect.height() / len(channels)
        rows = max(1, math.ceil(22 / row))  # a bar that can be seen
        height, value = rows * row, rows * self.scale
        text = f"{value:g} {self._unit}"
        font = QtGui.QFont(self.font())
        font.setPixelSize(12)
        font.setBold(True)
        painter.setFont(font)
        width = painter.fontMetrics().horizontalAdvance(text) + 26
        bottom = rect.bottom() - 8
        height = min(height, rect.height() - 20)
        back = QtGui.QColor(self._theme.panel)
        back.setAlpha(225)
        box = QtCore.QRectF(rect.left() + 4, bottom - height - 5, width, height + 10)
        painter.fillRect(box, back)
        painter.setPen(QtGui.QPen(QtGui.QColor(self._theme.text), 2))
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

    def _paint_message(self, painter: QtGui.QPainter, rect: QtCore.QRect) -> None:
        font = QtGui.QFont(self.font())
        font.setPixelSize(18)
        font.setBold(True)
        painter.setFont(font)
        width = painter.fontMetrics().horizontalAdvance(self.message) + 48
        box = QtCore.QRectF(0, 0, width, 48)
        box.moveCenter(QtCore.QPointF(rect.center()))
        back = QtGui.QColor(self._theme.background)
        back.setAlpha(235)
        painter.setBrush(back)
        painter.setPen(QtGui.QPen(QtGui.QColor(self._theme.line), 1))
        painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
        painter.drawRoundedRect(box, 8, 8)
        painter.setPen(QtGui.QColor(self._theme.text))
        painter.drawText(box, int(QtCore.Qt.AlignmentFlag.AlignCenter), self.message)


def _without_samples(extremes: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Say which columns (n, 2, n_chans) are a gap."""
    empty: NDArray[np.bool_] = np.logical_and.reduce(np.isnan(extremes), axis=(1, 2))
    return empty
