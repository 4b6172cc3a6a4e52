"""The card with the head: which electrodes the decoder uses, which one is wrong, or how strong a rhythm is on each."""

from __future__ import annotations

from qtpy import QtCore, QtWidgets

from neuript.realtime.dashboard.head_points import HeadPoint, Level
from neuript.realtime.dashboard.qt.cards import Card
from neuript.realtime.dashboard.qt.head_map import HeadMap
from neuript.realtime.dashboard.qt.power_legend import PowerLegend
from neuript.realtime.dashboard.stream_head import QUALITY, SHOWS
from neuript.realtime.dashboard.theme import Theme
from neuript.realtime.dashboard.view_model import Snapshot
from neuript.realtime.dashboard.words import MOST_NAMED

MAP_PX = 150


class ElectrodeCard(Card):
    """Electrodes at their places, with the wrong ones in words beside them; empty where the decoder names none."""

    chosen = QtCore.Signal(str)
    """What the map is to show next: one of `SHOWS`."""

    def __init__(self, theme: Theme) -> None:
        super().__init__(theme, "Electrodes")
        self._shows = QUALITY
        self.head = HeadMap(theme)
        self.head.setFixedSize(MAP_PX, MAP_PX)
        self.words = self.label("", 13, theme.text, wrap=True)
        self._legend = PowerLegend(theme)
        self._choice = self._build_choice()
        beside = QtWidgets.QVBoxLayout()
        row = QtWidgets.QHBoxLayout()
        row.setSpacing(10)
        for widget in (self.words, self._legend):
            self.box.removeWidget(widget)
            beside.addWidget(widget, 1 if widget is self.words else 0)
        beside.addWidget(self._choice)
        row.addWidget(self.head)
        row.addLayout(beside, 1)
        self.box.addLayout(row)
        self.empty = True

    def _build_choice(self) -> QtWidgets.QPushButton:
        theme, button = self.theme, QtWidgets.QPushButton()
        button.setFocusPolicy(QtCore.Qt.FocusPolicy.NoFocus)  # the keys belong to the window
        button.setToolTip("Show on the head how good each electrode is, or how strong mu or beta is there (key H).")
        button.setStyleSheet(
            f"QPushButton {{ background: {theme.panel}; color: {theme.text}; border: 1px solid {theme.line};"
            "border-radius: 4px; padding: 3px 6px; font-size: 12px; }"
            f"QPushButton:hover {{ border-color: {theme.muted}; }}"
        )
        button.clicked.connect(lambda _checked: self.choose_next())
        return button

    def choose_next(self) -> None:
        """Ask for the next thing that the map can show."""
        self.chosen.emit(SHOWS[(SHOWS.index(self._shows) + 1) % len(SHOWS)])

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Draw the electrodes as they are now."""
        points = snapshot.electrodes
        self._shows = snapshot.head_shows
        self.empty, self.alarmed = not points, any(point.level is Level.BAD for point in points)
        self.head.show_points(points)
        self._legend.show_scale(snapshot.power)
        self._choice.setText(f"map: {self._shows}  H")
        n_chans = len(snapshot.eeg.ch_names) if snapshot.eeg else 0
        n_used = f"{len(snapshot.used)} of {n_chans} channels in use" if n_chans and snapshot.used else ""
        self.heading.setText("ELECTRODES" + (f"  ·  {n_used}" if n_used else ""))
        self.words.setText("\n".join(_sentences(points)))


def _sentences(points: tuple[HeadPoint, ...]) -> list[str]:
    bad = [point for point in points if point.level is Level.BAD]
    absent = [point.name for point in points if point.level is Level.ABSENT]
    said = [f"■ {point.name} {point.why}" for point in bad[:MOST_NAMED]]
    said += [f"■ {len(bad) - MOST_NAMED} more"] if len(bad) > MOST_NAMED else []
    said = said or ["● all in order"]
    return said + ([f"○ {_listed(absent)}: made of other channels"] if absent else [])


def _listed(names: list[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return ", ".join(names[:MOST_NAMED]) + more
