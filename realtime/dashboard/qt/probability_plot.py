"""The lower plot: the evidence of each class over the same seconds as the traces above it."""

from __future__ import annotations

import pyqtgraph as pg
from qtpy import QtCore, QtWidgets

from neuript.realtime.dashboard.client import DashboardClient
from neuript.realtime.dashboard.qt.cards import paint
from neuript.realtime.dashboard.qt.trace_labels import LEFT
from neuript.realtime.dashboard.qt.trace_view import RIGHT
from neuript.realtime.dashboard.qt.window_frame import ElidedLabel
from neuript.realtime.dashboard.theme import Theme
from neuript.realtime.dashboard.view_model import Snapshot
from neuript.realtime.dashboard.words import spoken

HEIGHT_PX = 110


class ProbabilityPlot(QtWidgets.QWidget):
    """Smoothed probabilities with title, legend and the line that a command has to reach."""

    def __init__(self, theme: Theme) -> None:
        super().__init__()
        self._theme = theme
        self._curves: list[pg.PlotDataItem] = []
        self._told: tuple[object, ...] = ()
        self._plot = pg.PlotWidget(background=theme.panel, antialias=True)
        self._plot.setFixedHeight(HEIGHT_PX)
        self._plot.setMenuEnabled(False)
        self._plot.setMouseEnabled(False, False)
        self._plot.hideButtons()
        self._plot.setYRange(0, 1, padding=0.02)
        self._dress_axes()
        self._threshold = self._line()
        box = QtWidgets.QVBoxLayout(self)
        box.setContentsMargins(0, 0, 0, 0)
        box.setSpacing(2)
        box.addLayout(self._build_head())
        box.addWidget(self._plot)

    def _dress_axes(self) -> None:
        axis = self._plot.getAxis("left")
        axis.setWidth(LEFT)
        axis.setTicks([[(0, "0.00"), (0.5, "0.50"), (1, "1.00")]])
        axis.setPen(self._theme.line)
        axis.setTextPen(self._theme.muted)
        self._plot.hideAxis("bottom")
        self._plot.getPlotItem().layout.setContentsMargins(0, 4, RIGHT, 4)

    def _line(self) -> pg.InfiniteLine:
        pen = pg.mkPen(self._theme.threshold, width=1, style=QtCore.Qt.PenStyle.DashLine)
        options = {"position": 0.0, "anchors": [(0.0, 1.0), (0.0, 0.0)], "color": self._theme.threshold,
                   "fill": self._theme.panel}  # fmt: skip
        return pg.InfiniteLine(angle=0, pen=pen, label="commit {value:.2f}", labelOpts=options)

    def _build_head(self) -> QtWidgets.QHBoxLayout:
        """Title on the left, legend on the right."""
        head = QtWidgets.QHBoxLayout()
        self._title = ElidedLabel()
        paint(self._title, self._theme.muted, 12)
        self._legend = QtWidgets.QLabel()
        self._legend.setTextFormat(QtCore.Qt.TextFormat.RichText)
        paint(self._legend, self._theme.muted, 12)
        head.addWidget(self._title, 1)
        head.addWidget(self._legend)
        return head

    def begin(self, snapshot: Snapshot) -> None:
        """Make one curve per class where the classes are new, and name everything."""
        info = snapshot.decoder
        if info is None or self._told == (info.classes, info.threshold, info.smoothing_s):
            return
        self._told = info.classes, info.threshold, info.smoothing_s
        colors = [self._theme.class_color(k, idle=name == info.idle_class) for k, name in enumerate(info.classes)]
        self._plot.clear()
        self._curves = [self._plot.plot(pen=pg.mkPen(color, width=2), connect="finite") for color in colors]
        if info.threshold is not None:
            self._threshold.setValue(info.threshold)
            self._plot.addItem(self._threshold)
        over = f", over {info.smoothing_s:g} s" if info.smoothing_s else ""
        self._title.setText(f"Evidence for each class (probability{over}); a command needs the dashed line")
        names = [(color, spoken(name)) for color, name in zip(colors, info.classes, strict=True)]
        self._legend.setText(" &nbsp; ".join(f'<span style="color:{c}">━━</span> {_escaped(n)}' for c, n in names))

    def show_history(self, client: DashboardClient, head: float, span_s: float) -> None:
        """Draw the last `span_s` seconds before `head`."""
        with client.lock:
            stamps, proba = client.model.evidence_history(head - span_s - 1.0)
        for k, curve in enumerate(self._curves):
            if k < proba.shape[1]:
                curve.setData(stamps - head, proba[:, k])
        self._plot.setXRange(-span_s, 0, padding=0)


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;")
