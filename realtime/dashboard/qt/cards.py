"""The cards beside the traces: state, command, probabilities, what happened, timing."""

from __future__ import annotations

import time

from qtpy import QtCore, QtGui, QtWidgets

from neuript.realtime.dashboard.cue_lane import LONGEST_S
from neuript.realtime.dashboard.theme import Theme
from neuript.realtime.dashboard.view_model import Snapshot
from neuript.realtime.dashboard.words import describe, duration, spoken

_ALIGN = QtCore.Qt.AlignmentFlag
N_RECENT = 14


class Card(QtWidgets.QFrame):
    """A panel with a small heading."""

    grows = False
    """Whether it takes the room that is left over."""
    empty = False
    """Whether it has nothing to show, so that it is left out."""
    alarmed = False
    """Whether it has something to show that should be looked at."""

    def __init__(self, theme: Theme, heading: str) -> None:
        super().__init__()
        self.theme, self.name = theme, heading
        self.setObjectName("card")
        self.box = QtWidgets.QVBoxLayout(self)
        self.box.setContentsMargins(14, 8, 14, 9)
        self.box.setSpacing(3)
        self.heading = self.label(heading.upper(), 11, theme.muted, bold=True)

    def needs_px(self) -> int:
        """Height without which something of it would be cut."""
        height = self.box.totalHeightForWidth(self.maximumWidth()) if self.box.hasHeightForWidth() else -1
        return max(height, self.minimumSizeHint().height(), self.minimumHeight())

    def label(self, text: str, pixels: int, color: str, *, bold: bool = False, wrap: bool = False) -> QtWidgets.QLabel:
        """Add a line of text."""
        label = QtWidgets.QLabel(text)
        label.setTextFormat(QtCore.Qt.TextFormat.PlainText)
        label.setWordWrap(wrap)
        self.box.addWidget(label)
        paint(label, color, pixels, bold=bold)
        return label


def paint(label: QtWidgets.QLabel, color: str, pixels: int, *, bold: bool = False) -> None:
    """Set colour and size of a label, only where they change (a style sheet is slow)."""
    weight = 700 if bold else 400
    style = f"color: {color}; font-size: {pixels}px; font-weight: {weight};"
    if label.styleSheet() != style:
        label.setStyleSheet(style)


class StateCard(Card):
    """The decoder's state: mark, word, colour and a hint what to do."""

    def __init__(self, theme: Theme) -> None:
        super().__init__(theme, "State")
        self._title = self.label("", 26, theme.text, bold=True)
        self._hint = self.label("", 13, theme.text, wrap=True)
        self._hint.setMinimumHeight(36)
        self._hint.setAlignment(_ALIGN.AlignTop)
        self._edge = ""

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Say the state."""
        words = snapshot.words
        color = self.theme.tones[words.tone]
        self._title.setText(f"{words.mark} {words.title}")
        paint(self._title, color, 26, bold=True)
        self._hint.setText(words.hint)
        self.heading.setText(f"STATE  ·  for {duration(snapshot.since_s)}")
        if color != self._edge:
            self._edge = color
            self.setStyleSheet(
                f"#card {{ border-left: 6px solid {color};border-top-left-radius: 0; border-bottom-left-radius: 0; }}"
            )


class CommandCard(Card):
    """The command that is being given, large; else the last one, small."""

    def __init__(self, theme: Theme) -> None:
        super().__init__(theme, "Command")
        self._now = self.label("", 28, theme.text, bold=True)
        self._more = self.label("", 13, theme.muted)
        self._cue = self.label("", 13, theme.text)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Say the command, and how the cues were answered where there are any."""
        self._show_cue(snapshot)
        last = snapshot.last_decision
        if snapshot.held is not None and snapshot.decoder is not None:
            at = snapshot.decoder.classes.index(snapshot.held)
            self._now.setText(f"▶ {spoken(snapshot.held)}")
            paint(self._now, self.theme.class_color(at), 28, bold=True)
            sure = "" if snapshot.confidence is None else f"confidence {snapshot.confidence:.2f}"
            since = "" if last is None else f" · for {duration(snapshot.now - last.heard)}"
            self._more.setText(sure + since)
            return
        self._now.setText("no command")
        paint(self._now, self.theme.muted, 28, bold=True)
        if last is None:
            self._more.setText("none given so far")
        else:
            ago = duration(snapshot.now - last.heard)
            self._more.setText(f"last: {spoken(last.label)}, {ago} ago")

    def _show_cue(self, snapshot: Snapshot) -> None:
        cue, fresh_s = snapshot.cue, snapshot.newest_stamp
        now = cue is not None and fresh_s is not None and fresh_s - cue.stamp < LONGEST_S and not cue.answer
        parts = [f"cue: {spoken(cue.text)}"] if now and cue is not None else []
        parts += [snapshot.score.words] if snapshot.score.words else []
        self.heading.setText("COMMAND" + (f"  ·  {parts.pop(0)}" if now else ""))
        self._cue.setText(" · ".join(parts))


class Bars(QtWidgets.QWidget):
    """One horizontal bar per class with the threshold drawn across.

    The bar is the smoothed probability, which the decoder compares with the threshold; the small
    tick below it is the newest window alone.
    """

    ROWS_PX = (38, 38, 38, 34, 31, 27)
    """Height of a bar in pixels with 1, 2, ... classes."""
    TOP = 20

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._snapshot: Snapshot | None = None

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Take new probabilities."""
        n = len(snapshot.decoder.classes) if snapshot.decoder else 2
        row = self.ROWS_PX[min(n, len(self.ROWS_PX)) - 1]
        self.setFixedHeight(self.TOP + row * n + 4)
        before, self._snapshot = self._snapshot, snapshot
        if before is None or (before.evidence, before.proba, before.decoder) != (
            snapshot.evidence,
            snapshot.proba,
            snapshot.decoder,
        ):
            self.update()

    def paintEvent(self, event: QtGui.QPaintEvent | None) -> None:  # noqa: N802
        """Draw the bars."""
        snapshot = self._snapshot
        if snapshot is None or snapshot.decoder is None:
            return
        info, theme = snapshot.decoder, self._theme
        painter = QtGui.QPainter(self)
        painter.setRenderHint(QtGui.QPainter.RenderHint.Antialiasing)
        row = (self.height() - self.TOP - 4) / len(info.classes)
        font = QtGui.QFont(self.font())
        for k, name in enumerate(info.classes):
            top = self.TOP + k * row
            value = None if snapshot.evidence is None else snapshot.evidence[k]
            window = None if snapshot.proba is None else snapshot.proba[k]
            idle = name == info.idle_class
            track = QtCore.QRectF(0, top + 3, self.width(), row - 8)
            painter.setPen(QtCore.Qt.PenStyle.NoPen)
            painter.setBrush(QtGui.QColor(theme.background))
            painter.drawRoundedRect(track, 4, 4)
            if value is not None:
                color = QtGui.QColor(theme.class_color(k, idle=idle))
                above = info.threshold is None or value >= info.threshold
                color.setAlpha(255 if above and not idle else 165)
                bar = QtCore.QRectF(track)
                bar.setWidth(max(2.0, value * track.width()))
                painter.setBrush(color)
                painter.drawRoundedRect(bar, 4, 4)
            if window is not None:
                tick = QtCore.QRectF(window * track.width() - 1.5, track.bottom() - 5, 3, 5)
                painter.setBrush(QtGui.QColor(theme.text))
                painter.drawRect(tick)
            font.setPixelSize(14)
            font.setBold(True)
            painter.setFont(font)
            note = " (idle)" if idle else ""
            number = "–" if value is None else f"{value:.2f}"
            self._outlined(painter, track.adjusted(10, 0, 0, 0), f"{spoken(name)}{note}", left=True)
            self._outlined(painter, track.adjusted(0, 0, -10, 0), number, left=False)
        self._thresholds(painter, info.threshold, info.release)
        painter.end()

    def _outlined(self, painter: QtGui.QPainter, box: QtCore.QRectF, text: str, *, left: bool) -> None:
        """Text that reads on the bar and beside it."""
        metrics = QtGui.QFontMetricsF(painter.font())
        x = box.left() if left else box.right() - metrics.horizontalAdvance(text)
        y = box.center().y() + (metrics.ascent() - metrics.descent()) / 2
        path = QtGui.QPainterPath()
        path.addText(QtCore.QPointF(x, y), painter.font(), text)
        pen = QtGui.QPen(QtGui.QColor(self._theme.panel), 3.5)
        pen.setJoinStyle(QtCore.Qt.PenJoinStyle.RoundJoin)
        painter.strokePath(path, pen)
        painter.fillPath(path, QtGui.QColor(self._theme.text))

    def _thresholds(self, painter: QtGui.QPainter, threshold: float | None, release: float | None) -> None:
        font = QtGui.QFont(self.font())
        font.setPixelSize(11)
        painter.setFont(font)
        metrics = painter.fontMetrics()
        bottom = self.height() - 2
        for value, text, style, color in (
            (release, "release", QtCore.Qt.PenStyle.DotLine, self._theme.muted),
            (threshold, "commit", QtCore.Qt.PenStyle.SolidLine, self._theme.threshold),
        ):
            if value is None:
                continue
            x = value * self.width()
            painter.setPen(QtGui.QPen(QtGui.QColor(color), 2, style))
            painter.drawLine(QtCore.QPointF(x, self.TOP - 4), QtCore.QPointF(x, bottom))
            words = f"{text} {value:.2f}"
            width = metrics.horizontalAdvance(words)
            at = x - width - 3 if text == "release" else min(x - 2, self.width() - width)
            painter.drawText(QtCore.QPointF(at, self.TOP - 7), words)


class BarsCard(Card):
    """Probabilities with their heading."""

    def __init__(self, theme: Theme) -> None:
        super().__init__(theme, "Probability")
        self._bars = Bars(theme)
        self.box.addWidget(self._bars)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Show the bars, or say why there are none."""
        self.empty = snapshot.decoder is None
        self._bars.show_snapshot(snapshot)
        empty = snapshot.proba is None and snapshot.decoder is not None
        seconds = snapshot.decoder.smoothing_s if snapshot.decoder else None
        how = f"  ·  over {seconds:g} s (tick: newest window)" if seconds else ""
        self.heading.setText("PROBABILITY" + ("  ·  none without a clean window" if empty else how))


class RecentCard(Card):
    """Commands and changes of state, newest first."""

    grows = True

    def __init__(self, theme: Theme) -> None:
        super().__init__(theme, "Recent")
        self._grid = QtWidgets.QGridLayout()
        self._grid.setHorizontalSpacing(12)
        self._grid.setVerticalSpacing(2)
        self._grid.setColumnStretch(1, 1)
        self._cells: list[tuple[QtWidgets.QLabel, ...]] = []
        for row in range(N_RECENT):
            cells = tuple(QtWidgets.QLabel() for _ in range(3))
            for column, cell in enumerate(cells):
                cell.setTextFormat(QtCore.Qt.TextFormat.PlainText)
                self._grid.addWidget(cell, row, column)
            cells[2].setAlignment(_ALIGN.AlignRight)
            self._cells.append(cells)
        self.box.addLayout(self._grid)
        self.box.addStretch(1)
        self.setMinimumHeight(86)
        self.setSizePolicy(QtWidgets.QSizePolicy.Policy.Preferred, QtWidgets.QSizePolicy.Policy.Ignored)

    def needs_px(self) -> int:
        """Height of its heading and two lines."""
        return self.minimumHeight()

    def show_snapshot(self, snapshot: Snapshot, wall_offset_s: float) -> None:
        """List what happened."""
        plural = "" if snapshot.n_decisions == 1 else "s"
        self.heading.setText(f"RECENT  ·  {snapshot.n_decisions} command{plural}")
        n_rows = min(len(snapshot.log), (self.height() - 44) // 19)
        for k, cells in enumerate(self._cells):
            for cell in cells:
                cell.setVisible(k < n_rows)
            if k >= n_rows:
                continue
            entry = snapshot.log[k]
            clock = time.strftime("%H:%M:%S", time.localtime(entry.heard + wall_offset_s))
            if entry.kind == "decision":
                classes = snapshot.decoder.classes if snapshot.decoder else ()
                at = classes.index(entry.label) if entry.label in classes else 0
                text, color = f"▶ {spoken(entry.label)}", self.theme.class_color(at)
            else:
                words = describe(entry.label)
                text, color = f"{words.mark} {words.title}", self.theme.tones[words.tone]
            for cell, words_, paint_color, bold in (
                (cells[0], clock, self.theme.muted, False),
                (cells[1], text, color, entry.kind == "decision"),
                (cells[2], f"{duration(snapshot.now - entry.heard)} ago", self.theme.muted, False),
            ):
                cell.setText(words_)
                paint(cell, paint_color, 13, bold=bold)


class TimingCard(Card):
    """Latency, age, delay and rate in numbers."""

    ROWS = (
        ("Latency p50 / p99", "time from pulling the samples to publishing the decision"),
        ("Slowest stage p50 / p99", "what a decision's time is made of: pull, filter, window, inference, decision"),
        ("Sample age / p99", "age of the newest EEG sample when it was decoded"),
        ("Filter delay 10 / 20 Hz", "group delay of the decoder's causal filters"),
        ("Window", "length of signal per decoding, and how often"),
        ("Decodings", "rows that arrive here per second"),
    )

    def __init__(self, theme: Theme) -> None:
        super().__init__(theme, "Timing")
        grid = QtWidgets.QGridLayout()
        grid.setHorizontalSpacing(12)
        grid.setVerticalSpacing(2)
        self._values: list[QtWidgets.QLabel] = []
        for row, (name, tip) in enumerate(self.ROWS):
            left, right = QtWidgets.QLabel(name), QtWidgets.QLabel("–")
            right.setTextFormat(QtCore.Qt.TextFormat.PlainText)
            right.setAlignment(_ALIGN.AlignRight)
            paint(left, theme.muted, 13)
            paint(right, theme.text, 13)
            left.setToolTip(tip)
            grid.addWidget(left, row, 0)
            grid.addWidget(right, row, 1)
            self._values.append(right)
        self.box.addLayout(grid)

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Fill in the numbers."""
        rate = "–" if snapshot.rows_per_s is None else f"{snapshot.rows_per_s:.1f} per s"
        s = snapshot
        values = (s.latency_words, s.stages.words, s.age_words, s.delay_words, s.rhythm_words, rate)
        self._values[1].setToolTip(s.stages.table)
        for label, value in zip(self._values, values, strict=True):
            label.setText(value)
