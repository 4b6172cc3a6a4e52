"""The window of `neuript view`: traces, head, spectrum, table, and the one thing to put right first."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

import numpy as np
from qtpy import QtCore, QtGui, QtWidgets

from neuript.realtime.dashboard.qt.cards import Card, paint
from neuript.realtime.dashboard.qt.head_map import HeadMap
from neuript.realtime.dashboard.qt.trace_view import TraceView
from neuript.realtime.dashboard.qt.window_frame import (
    FONTS,
    LOW_PX,
    ElidedLabel,
    WindowMemory,
    application,
    base_style,
    empty_page,
    show_until_closed,
    simulated_banner,
)
from neuript.realtime.dashboard.theme import Theme
from neuript.realtime.dashboard.words import Tone, duration
from neuript.realtime.lsl.library import lsl_clock
from neuript.realtime.view.qt.channel_table import ChannelTable
from neuript.realtime.view.qt.spectrum_plot import SpectrumPlot
from neuript.realtime.view.signal_client import SignalClient
from neuript.realtime.view.signal_model import SignalSnapshot

logger = logging.getLogger(__name__)

FRAME_MS = 33
WORDS_EVERY = 10
"""Everything but the traces is refreshed on every tenth frame."""
SIZE = "1360x840"
SIDE_PX = (300, 430)
"""Least and largest width of the side with the head."""
KEYS = (
    "click an electrode: its spectrum   ·   space pause   ·   + − scale   ·   A auto scale   ·   F filter   ·   "
    "C channels per page   ·   PgUp PgDn page   ·   Q quit"
)


class SignalWindow(QtWidgets.QMainWindow):
    """Draws what the client's model says; it never touches LSL."""

    def __init__(self, client: SignalClient, theme: Theme, *, clock: Callable[[], float] = lsl_clock) -> None:
        super().__init__()
        self._clock = clock
        self._client, self._theme = client, theme
        self._frames = 0
        self._picked = ""
        self._snapshot: SignalSnapshot | None = None
        self._last_frame = time.perf_counter()
        self.frame_ms: deque[float] = deque(maxlen=2000)
        self.setWindowTitle("neuript view")
        self._build()
        self._timer = QtCore.QTimer(self)
        self._timer.setTimerType(QtCore.Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._frame)

    def start(self) -> None:
        """Begin to draw."""
        self._timer.start(FRAME_MS)

    # --- layout --------------------------------------------------------------------------------

    def _build(self) -> None:
        theme = self._theme
        self.setStyleSheet(base_style(theme))
        page, outer = empty_page()
        self._banner = simulated_banner(theme)
        self._stream = ElidedLabel("neuript view")
        paint(self._stream, theme.text, 15, bold=True)
        self._notice = _wrapped(theme.tones[Tone.WARN], 13)
        self._notice.hide()
        self._verdict = _wrapped(theme.text, 18)
        middle = QtWidgets.QHBoxLayout()
        middle.setSpacing(8)
        middle.addLayout(self._build_left(), 5)
        middle.addWidget(self._build_side(), 2)
        self._foot = ElidedLabel(KEYS)
        paint(self._foot, theme.muted, 12)
        for widget in (self._banner, self._stream, self._verdict, self._notice):
            outer.addWidget(widget)
        outer.addLayout(middle, 1)
        outer.addWidget(self._foot)
        self.setCentralWidget(page)

    def _build_left(self) -> QtWidgets.QVBoxLayout:
        left = QtWidgets.QVBoxLayout()
        left.setSpacing(8)
        self.traces = TraceView(self._client, self._theme)
        font = self.traces.font()
        font.setFamilies(FONTS)
        self.traces.setFont(font)
        self.traces.shown.wall_offset_s = time.time() - self._clock()
        self._caption, self._spectrum_caption = ElidedLabel(), ElidedLabel()
        for label in (self._caption, self._spectrum_caption):
            paint(label, self._theme.muted, 12)
        self._spectrum = SpectrumPlot(self._theme)
        left.addWidget(self._caption)
        left.addWidget(self.traces, 5)
        left.addWidget(self._spectrum_caption)
        left.addWidget(self._spectrum.widget, 2)
        return left

    def _build_side(self) -> QtWidgets.QWidget:
        side = QtWidgets.QWidget()
        side.setMinimumWidth(SIDE_PX[0])
        side.setMaximumWidth(SIDE_PX[1])
        side.setSizePolicy(QtWidgets.QSizePolicy.Policy.Expanding, QtWidgets.QSizePolicy.Policy.Expanding)
        box = QtWidgets.QVBoxLayout(side)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(8)
        self.head, self.table = HeadMap(self._theme), ChannelTable(self._theme)
        self._head_card, self._whole_card, self._table_card = (
            Card(self._theme, heading) for heading in ("Electrodes", "Signal", "Channels")
        )
        self._head_card.box.addWidget(self.head, 1)
        self._whole = self._whole_card.label("", 12, self._theme.text, wrap=True)
        self._table_card.box.addWidget(self.table, 1)
        for card, stretch in ((self._head_card, 4), (self._whole_card, 0), (self._table_card, 3)):
            box.addWidget(card, stretch)
        self.head.picked.connect(self.pick)
        self.table.picked.connect(self.pick)
        return side

    def resizeEvent(self, event: QtGui.QResizeEvent | None) -> None:  # noqa: N802
        """Leave the table and the line of keys out of a low window; the head and the tooltips tell them too."""
        super().resizeEvent(event)
        for part in (self._table_card, self._foot):
            part.setVisible(self.height() >= LOW_PX)

    def pick(self, name: str) -> None:
        """Choose an electrode, on the head, in the table and in the spectrum; an empty text chooses none."""
        self._picked = "" if name == self._picked else name
        self.head.pick(self._picked)
        self.table.pick(self._picked)
        if self._snapshot is not None:
            self._show_spectrum(self._snapshot)

    # --- frames --------------------------------------------------------------------------------

    def _frame(self) -> None:
        began = time.perf_counter()
        dt_s, self._last_frame = began - self._last_frame, began
        self.traces.advance(dt_s)
        if self._frames % WORDS_EVERY == 0:
            self.refresh()
        self._frames += 1
        self.frame_ms.append(1000 * (time.perf_counter() - began))

    def refresh(self) -> None:
        """Show everything but the traces as it is now."""
        now = self._clock()
        with self._client.lock:
            snapshot = self._client.model.snapshot(now)
        self._snapshot = snapshot
        self._banner.setVisible(bool(snapshot.eeg and snapshot.eeg.simulated))
        self._stream.setText(snapshot.stream_words)
        color = self._theme.text if snapshot.check is None else self._theme.tones[snapshot.level.tone]
        paint(self._verdict, color, 18, bold=True)
        _say(self._verdict, f"{snapshot.level.mark} {snapshot.verdict}")
        _say(self._notice, "\n".join(f"▲ {notice}" for notice in snapshot.notices[:3]))
        self._notice.setVisible(bool(snapshot.notices))
        self._show_traces(snapshot)
        self._show_spectrum(snapshot)
        self._head_card.heading.setText("ELECTRODES" + (f"  ·  {snapshot.counts}" if snapshot.counts else ""))
        self.table.show_snapshot(snapshot)
        if snapshot.check is not None:
            self.head.show_points(snapshot.check.electrodes)
            _say(self._whole, "\n".join(f"· {sentence}" for sentence in snapshot.more_sentences))
        if self._client.failure is not None:
            self.close()

    def _show_traces(self, snapshot: SignalSnapshot) -> None:
        silence = snapshot.silence_s
        quiet = silence is not None and silence > 1.0
        message = f"no samples for {duration(silence or 0.0)}" if quiet else "no samples yet" if silence is None else ""
        if message or message != self.traces.shown.message:
            self.traces.shown.message = message
            self.traces.update()
        shown = self.traces.shown_channels()
        n_chans = len(self.traces.shown.names)
        part = f"   ·   channels {shown.start + 1} to {shown.stop} of {n_chans}" if len(shown) < n_chans else ""
        paused = "   ·   PAUSED (space goes on)" if self.traces.paused else ""
        self._caption.setText(f"Traces filtered {snapshot.display_filter} for display only{part}{paused}")

    def _show_spectrum(self, snapshot: SignalSnapshot) -> None:
        if snapshot.check is None or snapshot.spectrum is None:
            return
        at = {e.name: e.channel for e in snapshot.check.electrodes}.get(self._picked)
        self._spectrum.show_spectrum(snapshot.spectrum, at, snapshot.check.mains_hz)
        what = f"{self._picked} strong" if at is not None else "the median strong"
        self._spectrum_caption.setText(f"Power of the last seconds in {snapshot.spectrum.unit}   ·   {what}")

    # --- keys ----------------------------------------------------------------------------------

    def keyPressEvent(self, event: QtGui.QKeyEvent | None) -> None:  # noqa: N802
        """Do what the line at the foot says."""
        if event is None:
            return
        key = QtCore.Qt.Key
        actions = {**self.traces.key_actions(), key.Key_F: self._toggle_filter, key.Key_Q: self.close}
        action = actions.get(key(event.key()))
        if action is not None:
            action()
            self.refresh()

    def _toggle_filter(self) -> None:
        with self._client.lock:
            self._client.model.toggle_filter()

    def stats(self) -> str:
        """Frame times in words."""
        if not self.frame_ms:
            return "no frames"
        p50, p99 = np.percentile(self.frame_ms, [50, 99])
        return f"{self._frames} frames, {p50:.1f} ms p50, {p99:.1f} ms p99 to compute"


def _wrapped(color: str, pixels: int) -> QtWidgets.QLabel:
    label = QtWidgets.QLabel()
    label.setTextFormat(QtCore.Qt.TextFormat.PlainText)
    label.setWordWrap(True)
    label.setSizePolicy(QtWidgets.QSizePolicy.Policy.Ignored, QtWidgets.QSizePolicy.Policy.Preferred)
    paint(label, color, pixels, bold=True)
    return label


def _say(label: QtWidgets.QLabel, text: str) -> None:
    if label.text() != text:
        label.setText(text)


def run_window(client: SignalClient, theme: str | None, size: str | None, picture: Path | None, after_s: float) -> bool:
    """Open the window; return when it is closed, and whether a picture that was asked for is there."""
    with client:  # its thread is the only other one, and begins before Qt exists
        app = application()
        memory = WindowMemory("view", remembers=picture is None)
        window = SignalWindow(client, memory.theme(theme))
        memory.place(window, SIZE, size)
        window.start()
        saved = show_until_closed(app, window, picture, after_s)
        memory.keep(window)
        logger.debug("%s", window.stats())
    return saved
