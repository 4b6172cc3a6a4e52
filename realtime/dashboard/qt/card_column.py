"""The column of cards: all below each other where there is room; else the last ones share a place, one at a time."""

from __future__ import annotations

from collections.abc import Sequence

from qtpy import QtCore, QtGui, QtWidgets

from neuript.realtime.dashboard.qt.cards import Card
from neuript.realtime.dashboard.theme import Theme

SPACING = 8


class CardColumn(QtWidgets.QWidget):
    """Arranges cards by the height that there is.

    Parameters
    ----------
    theme : Theme
        Colours to paint with.
    always : sequence of Card
        Cards that are always seen, at the top.
    others : sequence of Card
        Cards that follow; from the first that does not fit on they take turns.
    """

    def __init__(self, theme: Theme, always: Sequence[Card], others: Sequence[Card]) -> None:
        super().__init__()
        self.setObjectName("page")
        self._always, self._others = tuple(always), tuple(others)
        self._chosen: Card | None = None
        self._current, self._room = others[0], 10_000
        self._turns: tuple[Card, ...] = ()
        self._box = QtWidgets.QVBoxLayout(self)
        self._box.setContentsMargins(0, 0, 0, 0)
        self._box.setSpacing(SPACING)
        for card in (*always, *others):
            self._box.addWidget(card, 100 if card.grows else 0)
        self._box.addStretch(1)
        self._tabs = QtWidgets.QWidget()
        row = QtWidgets.QHBoxLayout(self._tabs)
        row.setContentsMargins(0, 0, 0, 0)
        row.setSpacing(4)
        self._buttons = {card: self._button(theme, row, card) for card in others}
        self._box.addWidget(self._tabs)

    def _button(self, theme: Theme, row: QtWidgets.QHBoxLayout, card: Card) -> QtWidgets.QPushButton:
        button = QtWidgets.QPushButton(card.name)
        button.setCheckable(True)
        button.setFocusPolicy(QtCore.Qt.FocusPolicy.NoFocus)  # the keys belong to the window
        button.setToolTip(f"Show {card.name.lower()} here (key N: the next one).")
        button.setStyleSheet(
            f"QPushButton {{ background: {theme.background}; color: {theme.muted}; border: none;"
            f"border-bottom: 2px solid {theme.line}; padding: 2px 4px; font-size: 12px; }}"
            f"QPushButton:checked {{ color: {theme.text}; border-bottom-color: {theme.text}; font-weight: 700; }}"
        )
        button.clicked.connect(lambda _checked: self._choose(card))
        row.addWidget(button)
        return button

    def show_next(self) -> None:
        """Give the shared place to the next card."""
        turns = [card for card in self._turns if not card.empty]
        if turns:
            at = turns.index(self._current) if self._current in turns else -1
            self._choose(turns[(at + 1) % len(turns)])

    def _choose(self, card: Card) -> None:
        self._chosen = card
        self.arrange(self._room)

    def arrange(self, room: int) -> None:
        """Show what fits into so many pixels."""
        self._room = room
        others = [card for card in self._others if not card.empty]
        n_fit = next((n for n in range(len(others), 0, -1) if self._needs(others, n) <= room), 0)
        turns = tuple(others[n_fit:]) if n_fit < len(others) else ()
        if turns:
            self._current = self._chosen if self._chosen in turns else turns[0]
        self._place_tabs(turns)
        for card in self._others:
            card.setVisible(card in others[:n_fit] or (card in turns and card is self._current))

    def _needs(self, others: Sequence[Card], n_fit: int) -> int:
        """Pixels for the first `n_fit` cards below each other, and a shared place for the rest."""
        alone, turns = [*self._always, *others[:n_fit]], others[n_fit:]
        heights = [card.needs_px() for card in alone]
        if turns:
            heights += [self._tabs.sizeHint().height(), max(card.needs_px() for card in turns)]
        return sum(heights) + SPACING * (len(heights) - 1)

    def _place_tabs(self, turns: tuple[Card, ...]) -> None:
        if turns != self._turns:
            self._turns = turns
            self._box.removeWidget(self._tabs)
            self._box.insertWidget(self._box.indexOf(turns[0]) if turns else -1, self._tabs)
        self._tabs.setVisible(bool(turns))
        for card, button in self._buttons.items():
            button.setVisible(card in turns)
            button.setChecked(card is self._current)
            button.setText(f"■ {card.name}" if card.alarmed else card.name)


class ColumnArea(QtWidgets.QScrollArea):
    """Shows a column, which is told how high it may be; scrolls where not even the least fits.

    Parameters
    ----------
    column : CardColumn
        What is shown.
    width : int
        Its width in pixels.
    """

    def __init__(self, column: CardColumn, width: int) -> None:
        super().__init__()
        self._column = column
        self.setWidgetResizable(True)
        self.setFrameShape(QtWidgets.QFrame.Shape.NoFrame)
        self.setHorizontalScrollBarPolicy(QtCore.Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setFixedWidth(width)
        self.setWidget(column)

    def arrange(self) -> None:
        """Show the cards that fit now."""
        self._column.arrange(self.height())

    def resizeEvent(self, event: QtGui.QResizeEvent | None) -> None:  # noqa: N802
        """Arrange the cards for the new height."""
        super().resizeEvent(event)
        self.arrange()
