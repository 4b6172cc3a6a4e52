"""The scrolling traces: only new columns are drawn, the rest of the picture is moved.

A frame costs what arrived since the last one (a few columns), not what is on screen, so that
64 channels at 1 kHz, or 256 at 2 kHz, take a few milliseconds. The whole picture is drawn again
only when the size, the scale or the page changes.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from pyqtgraph.Qt.internals import PrimitiveArray
from qtpy import QtCore, QtGui, QtWidgets

from neuript.realtime.dashboard.qt.trace_labels import BOTTOM, LEFT, OnScreen, TraceLabels
from neuript.realtime.dashboard.theme import Theme
from neuript.realtime.dashboard.trace_model import TraceClient
from neuript.realtime.dashboard.traces import ScrollPacer, fitting_scale, next_scale

RIGHT = 10
TOP = 6
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
    client : TraceClient
        Client whose model is read under its lock, once per frame.
    theme : Theme
        Colours to paint with.
    """

    def __init__(self, client: TraceClient, theme: Theme) -> None:
        super().__init__()
        self._client, self._theme = client, theme
        self.setMinimumSize(300, 160)
        self.setAttribute(QtCore.Qt.WidgetAttribute.WA_OpaquePaintEvent)
        self._pixmap = QtGui.QPixmap(1, 1)
        self._lines = PrimitiveArray(QtCore.QLineF, 4)
        self._generation = -1
        self._drawn = 0
        self._pacer = ScrollPacer(0.01)
        self.shown = OnScreen()
        self._verdicts_at = 0.0
        self._auto_until = self._auto_next = 0
        self.paint_ms: deque[float] = deque(maxlen=2000)
        self.paused = False
        self.page_size: int | None = None
        self.page = 0

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
        return self.n_visible * self.shown.column_s

    @property
    def head_stamp(self) -> float | None:
        """Stamp at the right edge, once there are samples."""
        return float(self.shown.stamps[-1]) if len(self.shown.stamps) else None

    def shown_channels(self) -> range:
        """The channels of this page."""
        n_chans = len(self.shown.names)
        if self.page_size is None or self.page_size >= n_chans:
            return range(n_chans)
        start = self.page * self.page_size
        return range(start, min(n_chans, start + self.page_size))

    # --- what the keyboard does ----------------------------------------------------------------

    def change_scale(self, steps: int) -> None:
        """Span more (positive) or fewer microvolts per row."""
        self.shown.scale = next_scale(self.shown.scale or 100.0, steps)
        self._auto_until = 0
        self._redraw()

    def auto_scale(self) -> None:
        """Choose the scale again from what is on screen."""
        self.shown.scale = None
        self._redraw()

    def turn_page(self, step: int) -> None:
        """Show the next or previous channels, where not all are shown."""
        size = self.page_size or max(1, len(self.shown.names))
        n_pages = max(1, math.ceil(len(self.shown.names) / size))
        self.page = (self.page + step) % n_pages
        self._redraw()

    def cycle_page_size(self) -> None:
        """Show 8, 16, 32 or all channels at once."""
        sizes: list[int | None] = [s for s in (8, 16, 32) if s < len(self.shown.names)]
        sizes = [None, *sizes]
        at = sizes.index(self.page_size) if self.page_size in sizes else 0
        self.page_size, self.page = sizes[(at + 1) % len(sizes)], 0
        self._redraw()

    def toggle_pause(self) -> None:
        """Hold the picture, or catch up."""
        self.paused = not self.paused
        if not self.paused:
            self._redraw()

    def key_actions(self) -> dict[QtCore.Qt.Key, Callable[[], None]]:
        """Return what each key does with the traces, for the window that hears the keys."""
        key = QtCore.Qt.Key
        return {
            key.Key_Space: self.toggle_pause,
            key.Key_Plus: lambda: self.change_scale(-1),
            key.Key_Equal: lambda: self.change_scale(-1),
            key.Key_Minus: lambda: self.change_scale(1),
            key.Key_A: self.auto_scale,
            key.Key_C: self.cycle_page_size,
            key.Key_PageDown: lambda: self.turn_page(1),
            key.Key_PageUp: lambda: self.turn_page(-1),
        }

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
            self.shown.unit = model.unit
            self._rename(eeg.ch_names)
            waiting = ring.total - self._drawn
            n_new = min(self._pacer.step(waiting, dt_s), self.n_visible)
            if n_new == 0 and self.shown.scale is not None:
                return
            stop = ring.total if n_new == self.n_visible else self._drawn + n_new
            start = stop - n_new - 1
            extremes, stamps = ring.columns(start, stop)
        self._extend(extremes, stamps, stop, n_new)
        self._auto_scale_at_start(stop)
        self._judge_channels()
        self.update(self._plot_rect().adjusted(0, 0, 0, BOTTOM))  # not the names

    def _begin(self, generation: int, names: tuple[str, ...], column_s: float, total: int) -> None:
        self._generation, self.shown.names, self.shown.column_s = generation, names, column_s
        self.shown.verdicts = [""] * len(names)
        self._pacer = ScrollPacer(column_s)
        self.shown.stamps, self.shown.empty = np.empty(0), np.empty(0, bool)
        self._drawn = total
        self.page, self.shown.scale = 0, None
        self.page_size = None if len(names) <= MAX_AT_ONCE else 32
        self._auto_until, self._auto_next = total + round(4.0 / column_s), 0
        self._blank()

    def show_used(self, used: frozenset[int]) -> None:
        """Set these channels off from the others; none sets nothing off."""
        if used != self.shown.used:
            self.shown.used = used
            self._redraw()

    def _rename(self, names: tuple[str, ...]) -> None:
        """The decoder may say what a channel is when the traces run already."""
        if names != self.shown.names:
            self.shown.names = names
            self.update()

    def _extend(self, extremes: NDArray[np.float32], stamps: NDArray[np.float64], stop: int, n_new: int) -> None:
        """Move the picture left and draw the `n_new` newest columns (one before them is given)."""
        self._drawn = stop
        new = slice(len(stamps) - n_new, None)
        self.shown.stamps = np.concatenate([self.shown.stamps, stamps[new]])[-self.n_visible :]
        empty = _without_samples(extremes[new])
        self.shown.empty = np.concatenate([self.shown.empty, empty])[-self.n_visible :]
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
        if len(channels) == 0 or self.shown.scale is None:
            return
        values = extremes[:, :, channels.start : channels.stop]
        row = height / len(channels)
        clip = max(CLIP_ROWS, CLIP_PX * self._zoom / row)
        up = np.clip(values / self.shown.scale, -clip, clip)
        y = (np.arange(len(channels)) + 0.5) * row - up * row  # (n, 2, n_chans)
        points_y = y.reshape(-1, len(channels)).T  # (n_chans, 2 n)
        points_x = (x[:, None] + zoom * np.array([0.25, 0.75])).ravel()
        segments = np.empty((len(channels), len(points_x) - 1, 4))
        segments[:, :, 0], segments[:, :, 2] = points_x[:-1], points_x[1:]
        segments[:, :, 1], segments[:, :, 3] = points_y[:, :-1], points_y[:, 1:]
        segments = segments[:, 1:] if len(extremes) > n_new else segments
        bad = np.array([bool(self.shown.verdicts[k]) for k in channels])
        painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
        idle = np.array([bool(self.shown.used) and k not in self.shown.used for k in channels]) & ~bad
        good = ~bad & ~idle
        for rows, color in ((idle, self._theme.idle), (good, self._theme.trace), (bad, self._theme.trace_bad)):
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
        seconds = np.floor(stamps + self.shown.wall_offset_s)
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
        if self.shown.scale is None and len(picture.extremes):
            self.shown.scale = self._fitting_scale(picture, 5.0)
        painter = QtGui.QPainter(self._pixmap)
        self._draw_columns(painter, picture.extremes, picture.stamps, len(picture.extremes))
        painter.end()
        self.shown.stamps = picture.stamps
        self.shown.empty = _without_samples(picture.extremes)
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
        recent = picture.extremes[-round(last_s / self.shown.column_s) :]
        fill = 1.25 if len(channels) <= 16 else 1.5
        return fitting_scale(recent[:, :, channels.start : channels.stop], fill)

    def _auto_scale_at_start(self, stop: int) -> None:
        """Settle the scale while the first seconds of a stream come in."""
        if self.shown.scale is not None and not self._auto_next <= stop < self._auto_until:
            return
        self._auto_next = stop + round(0.8 / self.shown.column_s)
        picture = self._copy(stop)
        if picture is None or len(picture.extremes) < 0.5 / self.shown.column_s:
            return
        scale = self._fitting_scale(picture, 1.5)
        if scale != self.shown.scale:
            self.shown.scale = scale
            self._redraw()

    def _judge_channels(self) -> None:
        now = time.monotonic()
        if now - self._verdicts_at < 0.5:
            return
        self._verdicts_at = now
        with self._client.lock:
            verdicts = self._client.model.verdicts()
        before, self.shown.verdicts = self.shown.verdicts, verdicts
        if before != verdicts:
            self.update()

    # --- painting ------------------------------------------------------------------------------

    def paintEvent(self, event: QtGui.QPaintEvent | None) -> None:  # noqa: N802
        """Show the picture with names, times, commands and scale on top."""
        began = time.perf_counter()
        painter = QtGui.QPainter(self)
        region = self.rect() if event is None else event.rect()
        painter.fillRect(region, QtGui.QColor(self._theme.panel))
        rect = self._plot_rect()
        painter.drawPixmap(rect, self._pixmap)
        column_px = self._zoom / self.devicePixelRatioF()
        labels = TraceLabels(painter, rect, self.shown, self.shown_channels(), column_px, self._theme, self.font())
        if region.left() < LEFT:
            labels.names()
        labels.verdicts()
        labels.seconds()
        labels.gaps()
        labels.clock_steps()
        labels.cues()
        labels.decisions()
        labels.scale_bar()
        labels.message()
        painter.end()
        self.paint_ms.append(1000 * (time.perf_counter() - began))


def _without_samples(extremes: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Say which columns (n, 2, n_chans) are a gap."""
    empty: NDArray[np.bool_] = np.logical_and.reduce(np.isnan(extremes), axis=(1, 2))
    return empty
