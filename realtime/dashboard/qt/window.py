"""The dashboard's window (this folder holds the only Qt in neuript)."""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable

import numpy as np
from qtpy import QtCore, QtGui, QtWidgets

from neuript.realtime.dashboard.client import DashboardClient
from neuript.realtime.dashboard.cue_lane import LaneMark
from neuript.realtime.dashboard.parent import parent_lives
from neuript.realtime.dashboard.qt.card_column import CardColumn, ColumnArea
from neuript.realtime.dashboard.qt.cards import BarsCard, CommandCard, RecentCard, StateCard, TimingCard, paint
from neuript.realtime.dashboard.qt.electrode_card import ElectrodeCard
from neuript.realtime.dashboard.qt.probability_plot import ProbabilityPlot
from neuript.realtime.dashboard.qt.steering_bar import SteeringBar
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
from neuript.realtime.dashboard.show import DashboardOptions
from neuript.realtime.dashboard.stream_head import QUALITY, SHOWS
from neuript.realtime.dashboard.theme import Theme
from neuript.realtime.dashboard.view_model import Snapshot, ViewModel
from neuript.realtime.dashboard.words import Tone, duration
from neuript.realtime.lsl.library import lsl_clock

logger = logging.getLogger(__name__)

FRAME_MS = 33
CARDS_EVERY = 3
"""Cards are refreshed on every third frame."""
GRACE_S = 30.0
"""Seconds for which the window stays when the process that opened it has ended."""
SIZE = "1360x900"
CARD_PX = 370
KEYS = (
    "space hold   ·   + − scale   ·   A auto scale   ·   F filter   ·   H head map   ·   N next card   ·   "
    "C channels per page   ·   PgUp PgDn page   ·   Q quit"
)


class Dashboard(QtWidgets.QMainWindow):
    """The window: it draws what the client's model says, thirty times a second."""

    def __init__(
        self,
        client: DashboardClient,
        theme: Theme,
        parent: int | None = None,
        *,
        steers: bool = False,
        clock: Callable[[], float] = lsl_clock,
    ) -> None:
        super().__init__()
        self._clock = clock
        self._steers = steers
        self._client, self._theme, self._parent = client, theme, parent
        self._orphan_since: float | None = None
        self._frames = 0
        self._last_frame = time.perf_counter()
        self._wall_offset_s = time.time() - clock()
        self.frame_ms: deque[float] = deque(maxlen=2000)
        self.interval_ms: deque[float] = deque(maxlen=2000)
        self.setWindowTitle("neuript")
        self._build()
        self._timer = QtCore.QTimer(self)
        self._timer.setTimerType(QtCore.Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._frame)

    def start(self) -> None:
        """Begin to draw."""
        self.steering.open()
        self._timer.start(FRAME_MS)

    # --- layout --------------------------------------------------------------------------------

    def _build(self) -> None:
        theme = self._theme
        self.setStyleSheet(base_style(theme))
        page, outer = empty_page()
        self._banner = simulated_banner(theme)
        outer.addWidget(self._banner)
        outer.addLayout(self._build_head())
        middle = QtWidgets.QHBoxLayout()
        middle.setSpacing(8)
        middle.addLayout(self._build_left(), 1)
        self._cards = ColumnArea(self._build_right(), CARD_PX)
        middle.addWidget(self._cards)
        outer.addLayout(middle, 1)
        self.steering = SteeringBar(theme, steers=self._steers)
        self.steering.heard.connect(self._hear)
        outer.addWidget(self.steering)
        self._foot = ElidedLabel(KEYS)
        self._foot.setStyleSheet(f"color: {theme.muted}; font-size: 12px;")
        outer.addWidget(self._foot)
        self.setCentralWidget(page)

    def _build_head(self) -> QtWidgets.QHBoxLayout:
        head = QtWidgets.QHBoxLayout()
        self._title = QtWidgets.QLabel("neuript")
        self._title.setStyleSheet(f"color: {self._theme.text}; font-size: 17px; font-weight: 700;")
        self._stream = ElidedLabel()
        self._stream.setStyleSheet(f"color: {self._theme.muted}; font-size: 14px;")
        self._model = QtWidgets.QLabel("")
        self._model.setStyleSheet(f"color: {self._theme.muted}; font-size: 13px;")
        self._model.setToolTip("the model's name and the first digits of its SHA-256")
        for label in (self._title, self._model):
            label.setTextFormat(QtCore.Qt.TextFormat.PlainText)
        self._light = QtWidgets.QLabel()
        self._light.setTextFormat(QtCore.Qt.TextFormat.PlainText)
        paint(self._light, self._theme.tones[Tone.BAD], 14, bold=True)
        self._light.hide()
        head.addWidget(self._light)
        head.addWidget(self._title)
        head.addSpacing(14)
        head.addWidget(self._stream, 1)
        head.addWidget(self._model)
        return head

    def _build_left(self) -> QtWidgets.QVBoxLayout:
        left = QtWidgets.QVBoxLayout()
        left.setSpacing(8)
        self.traces = TraceView(self._client, self._theme)
        font = self.traces.font()
        font.setFamilies(FONTS)
        self.traces.setFont(font)
        self.traces.shown.wall_offset_s = self._wall_offset_s
        self._caption = ElidedLabel()
        self._caption.setStyleSheet(f"color: {self._theme.muted}; font-size: 12px;")
        self._plot = ProbabilityPlot(self._theme)
        left.addWidget(self._caption)
        left.addWidget(self.traces, 1)
        left.addWidget(self._plot)
        return left

    def _build_right(self) -> CardColumn:
        self._state = StateCard(self._theme)
        self._command = CommandCard(self._theme)
        self._bars = BarsCard(self._theme)
        self._electrodes = ElectrodeCard(self._theme)
        self._electrodes.chosen.connect(self.show_on_head)
        self._recent = RecentCard(self._theme)
        self._timing = TimingCard(self._theme)
        always, others = (self._state, self._command), (self._bars, self._electrodes, self._recent, self._timing)
        for card in (*always, *others):
            card.setMaximumWidth(CARD_PX)
        self._column = CardColumn(self._theme, always, others)
        return self._column

    def resizeEvent(self, event: QtGui.QResizeEvent | None) -> None:  # noqa: N802
        """Leave the line of keys out of a low window; the tooltips tell them too."""
        super().resizeEvent(event)
        self._foot.setVisible(self.height() >= LOW_PX)

    # --- frames --------------------------------------------------------------------------------

    def _frame(self) -> None:
        began = time.perf_counter()
        dt_s, self._last_frame = began - self._last_frame, began
        self.traces.advance(dt_s)
        if self._frames % CARDS_EVERY == 0:
            self._refresh_cards()
        self._frames += 1
        self.interval_ms.append(1000 * dt_s)
        self.frame_ms.append(1000 * (time.perf_counter() - began))

    def _refresh_cards(self) -> None:
        now = self._clock()
        with self._client.lock:
            snapshot = self._client.model.snapshot(now)
            shown_since = now - self.traces.span_s - 2.0
            decisions = self._client.model.decisions_since(shown_since)
            marks = self._client.model.cues.since(shown_since)
        self._show(snapshot)
        classes = snapshot.decoder.classes if snapshot.decoder else ()
        self.traces.shown.decisions = [
            (entry, self._theme.class_color(classes.index(entry.label)))
            for entry in decisions
            if entry.label in classes
        ]
        self.traces.shown.cues = [(mark, self._cue_color(mark, snapshot)) for mark in marks]
        used_of = len(snapshot.eeg.ch_names) if snapshot.eeg else 0
        self.traces.show_used(snapshot.used if len(snapshot.used) < used_of else frozenset())
        silence = snapshot.eeg_silence_s
        quiet = silence is not None and silence > 1.0
        self.traces.shown.message = (
            f"no samples for {duration(silence or 0.0)}"
            if quiet
            else snapshot.stream_words
            if snapshot.eeg is None
            else "no samples yet"
            if silence is None
            else ""
        )
        if quiet or self.traces.shown.message:
            self.traces.update()
        self._plot.begin(snapshot)
        if not self.traces.paused:
            head = self.traces.head_stamp if not quiet else None
            self._plot.show_history(self._client, head or now, self.traces.span_s)
        self._check_health()

    def _hear(self, said: dict[str, object]) -> None:
        """Take the threshold that the decoder has now."""
        if isinstance(value := said.get("threshold"), int | float):
            with self._client.lock:
                self._client.model.take_threshold(float(value))

    def _cue_color(self, mark: LaneMark, snapshot: Snapshot) -> str:
        info = snapshot.decoder
        if info is None or mark.text not in info.classes:
            return self._theme.muted
        return self._theme.class_color(info.classes.index(mark.text), idle=mark.text == info.idle_class)

    def _show(self, snapshot: Snapshot) -> None:
        self._banner.setVisible(snapshot.simulated)
        self._title.setText(snapshot.title)
        self._light.setText(f"● REC {snapshot.recording}  ")
        self._light.setVisible(bool(snapshot.recording))
        self._stream.setText(snapshot.stream_words)
        self._model.setText(snapshot.model_words)
        paused = "   ·   PICTURE HELD (space goes on)" if self.traces.paused else ""
        shown = self.traces.shown_channels()
        part = ""
        if snapshot.eeg is not None and len(shown) < len(snapshot.eeg.ch_names):
            n_chans = len(snapshot.eeg.ch_names)
            part = f"   ·   channels {shown.start + 1} to {shown.stop} of {n_chans}"
        if self.traces.shown.used:
            part += f"   ·   the {len(snapshot.used)} with a bar are decoded"
        caption = f"Traces filtered {snapshot.display_filter} for display only" + part + paused
        self._caption.setText(caption if snapshot.eeg is not None else "")
        for card in (self._state, self._command, self._bars, self._electrodes, self._timing):
            card.show_snapshot(snapshot)
        self._recent.show_snapshot(snapshot, self._wall_offset_s)
        self._cards.arrange()

    def _check_health(self) -> None:
        if self._client.failure is not None:
            self.close()
        if parent_lives(self._parent):
            return
        self._orphan_since = self._orphan_since or time.monotonic()
        if time.monotonic() - self._orphan_since > GRACE_S:
            self.close()

    # --- keys ----------------------------------------------------------------------------------

    def keyPressEvent(self, event: QtGui.QKeyEvent | None) -> None:  # noqa: N802
        """Do what the line at the foot says."""
        if event is None:
            return
        key = QtCore.Qt.Key
        actions = {
            **self.traces.key_actions(),
            **self.steering.key_actions(),
            key.Key_F: self._toggle_filter,
            key.Key_H: self._electrodes.choose_next,
            key.Key_N: self._column.show_next,
            key.Key_Q: self.close,
        }
        action = actions.get(key(event.key()))
        if action is not None:
            action()
            self._refresh_cards()

    def show_on_head(self, shows: str) -> None:
        """Show on the head map from now on one of `stream_head.SHOWS`; anything else changes nothing."""
        if shows in SHOWS:
            with self._client.lock:
                self._client.model.head.choose(shows)
            self._refresh_cards()

    def _toggle_filter(self) -> None:
        with self._client.lock:
            self._client.model.toggle_filter()

    def stats(self) -> str:
        """Frame times in words."""
        if not self.frame_ms:
            return "no frames"
        p50, p99 = np.percentile(self.frame_ms, [50, 99])
        paint50, paint99 = np.percentile(self.traces.paint_ms or [0.0], [50, 99])
        gap50, gap99 = np.percentile(self.interval_ms, [50, 99])
        return (
            f"{self._frames} frames, {p50:.1f} ms p50, {p99:.1f} ms p99 to compute, "
            f"{paint50:.1f} ms p50, {paint99:.1f} ms p99 to paint the traces, "
            f"{gap50:.0f} ms p50, {gap99:.0f} ms p99 between frames"
        )


def run(options: DashboardOptions) -> int:
    """Open the window; return when it is closed."""
    began = time.process_time(), time.perf_counter()
    client = DashboardClient(ViewModel(), options.proba_source_id, options.eeg_source_id)
    client.start()  # the only other thread, before Qt exists
    app = application()
    memory = WindowMemory("dashboard", remembers=options.screenshot is None)
    window = Dashboard(client, memory.theme(options.theme), options.parent, steers=options.steer)
    memory.place(window, SIZE, options.size)
    window.show_on_head(memory.recall("head", QUALITY))
    window.start()
    saved = show_until_closed(app, window, options.screenshot, options.after)
    memory.keep(window, head=client.model.head.shows)
    client.stop()
    cpu = (time.process_time() - began[0]) / (time.perf_counter() - began[1])
    logger.log(logging.INFO if options.stats else logging.DEBUG, "%s; %.0f %% of a core", window.stats(), 100 * cpu)
    return 0 if saved and client.failure is None else 1
