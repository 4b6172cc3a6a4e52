"""The spectrum of the last seconds: each channel thin, the chosen one strong; mains and imagery's bands marked."""

from __future__ import annotations

import numpy as np
import pyqtgraph as pg
from qtpy import QtCore, QtGui

from neuript.realtime.dashboard.band_power import BANDS
from neuript.realtime.dashboard.qt.trace_labels import LEFT
from neuript.realtime.dashboard.theme import Theme
from neuript.realtime.dashboard.words import Tone
from neuript.realtime.view.signal_model import HIGHEST_HZ, Spectrum

_FLOOR = 1e-6


class SpectrumPlot:
    """Power density over frequency, logarithmic."""

    def __init__(self, theme: Theme) -> None:
        self.widget = pg.PlotWidget(background=theme.panel, antialias=True)
        self._theme = theme
        self._shown: Spectrum | None = None
        self._picked: int | None = None
        plot = self.widget.getPlotItem()
        self.widget.setMenuEnabled(False)
        self.widget.setMouseEnabled(False, False)
        self.widget.hideButtons()
        self.widget.setMinimumHeight(110)
        self.widget.setXRange(0, HIGHEST_HZ, padding=0)
        for side in ("left", "bottom"):
            axis = self.widget.getAxis(side)
            axis.setPen(theme.line)
            axis.setTextPen(theme.muted)
        self.widget.getAxis("left").setWidth(LEFT)
        self.widget.getAxis("bottom").setTicks([[(f, f"{f} Hz") for f in range(0, 70, 10)]])
        plot.setLogMode(y=True)
        for name, low, high in BANDS:
            self._add_band(name, low, high)
        all_pen, strong_pen = pg.mkPen(self._faint(), width=1), pg.mkPen(theme.text, width=2)
        self._all = self.widget.plot(pen=all_pen, connect="finite")
        self._strong = self.widget.plot(pen=strong_pen)
        warn = pg.mkPen(theme.tones[Tone.WARN], width=1, style=QtCore.Qt.PenStyle.DashLine)
        self._mains = pg.InfiniteLine(
            angle=90, pen=warn, label="", labelOpts={"color": theme.tones[Tone.WARN], "position": 0.9}
        )
        self._mains.hide()
        self.widget.addItem(self._mains)

    def _faint(self) -> QtGui.QColor:
        color = QtGui.QColor(self._theme.trace)
        color.setAlpha(110)
        return color

    def _add_band(self, name: str, low: float, high: float) -> None:
        fill = QtGui.QColor(self._theme.line)
        fill.setAlpha(110 if name == "mu" else 60)
        band = pg.LinearRegionItem((low, high), movable=False, brush=fill, pen=pg.mkPen(None))
        pg.InfLineLabel(band.lines[0], name, position=0.93, anchor=(0, 0.5), color=self._theme.muted)
        band.setZValue(-10)
        self.widget.addItem(band)

    def show_spectrum(self, spectrum: Spectrum | None, picked: int | None, mains_hz: float | None) -> None:
        """Draw what is new.

        Parameters
        ----------
        spectrum : Spectrum or None
            What was measured; None draws nothing yet.
        picked : int or None
            The stream's channel that is drawn strong; None draws the median of all.
        mains_hz : float or None
            Where mains are heard.
        """
        if spectrum is None or (spectrum is self._shown and picked == self._picked):
            return
        self._shown, self._picked = spectrum, picked
        power = np.maximum(spectrum.power, _FLOOR)
        freq, n_chans = spectrum.freq, power.shape[1]
        gap = np.full((1, n_chans), np.nan)
        x = np.tile(np.append(freq, np.nan), n_chans)
        self._all.setData(x, np.concatenate([power, gap]).T.ravel())
        chosen = spectrum.channels.index(picked) if picked in spectrum.channels else None
        self._strong.setData(freq, np.median(power, axis=1) if chosen is None else power[:, chosen])
        low, high = np.log10(power.min()), np.log10(power.max())
        self.widget.setYRange(max(low, high - 7), high + 0.2, padding=0.02)
        self._mains.setVisible(mains_hz is not None)
        if mains_hz is not None:
            self._mains.setValue(mains_hz)
            self._mains.label.setFormat(f"{mains_hz:g} Hz mains")
