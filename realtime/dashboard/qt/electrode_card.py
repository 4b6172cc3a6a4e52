"""The card with the head: which electrodes the decoder uses, and which one is wrong."""

from __future__ import annotations

from PyQt6 import QtWidgets

from neuript.realtime.dashboard.head_points import HeadPoint, Level
from neuript.realtime.dashboard.qt.cards import Card
from neuript.realtime.dashboard.qt.head_map import HeadMap
from neuript.realtime.dashboard.theme import Theme
from neuript.realtime.dashboard.view_model import Snapshot
from neuript.realtime.dashboard.words import MOST_NAMED

MAP_PX = 150


class ElectrodeCard(Card):
    """Electrodes at their places, with the wrong ones in words beside them; hidden where the decoder names none."""

    def __init__(self, theme: Theme) -> None:
        super().__init__(theme, "Electrodes")
        row = QtWidgets.QHBoxLayout()
        row.setSpacing(10)
        self.head = HeadMap(theme)
        self.head.setFixedSize(MAP_PX, MAP_PX)
        self.words = self.label("", 13, theme.text, wrap=True)
        self.box.removeWidget(self.words)
        row.addWidget(self.head)
        row.addWidget(self.words, 1)
        self.box.addLayout(row)
        self.hide()

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Draw the electrodes as they are now."""
        points = snapshot.electrodes
        self.setVisible(bool(points))
        self.head.show_points(points)
        n_chans = len(snapshot.eeg.ch_names) if snapshot.eeg else 0
        n_used = f"{len(snapshot.used)} of {n_chans} channels in use" if n_chans and snapshot.used else ""
        self.heading.setText("ELECTRODES" + (f"  ·  {n_used}" if n_used else ""))
        self.words.setText("\n".join(_sentences(points)))


def _sentences(points: tuple[HeadPoint, ...]) -> list[str]:
    bad = [point for point in points if point.level is Level.BAD]
    absent = [point.name for point in points if point.level is Level.ABSENT]
    said = [f"■ {point.name}: {point.why}" for point in bad[:MOST_NAMED]]
    said += [f"■ {len(bad) - MOST_NAMED} more"] if len(bad) > MOST_NAMED else []
    said = said or ["● all that are measured look right"]
    return said + ([f"○ {', '.join(absent)}: made of other channels"] if absent else [])
