"""The channels in a table, the worst first: electrode, name as sent, unit, level, reason."""

from __future__ import annotations

from qtpy import QtCore, QtGui, QtWidgets

from neuript.realtime.chain.units import unit_name
from neuript.realtime.dashboard.theme import Theme
from neuript.realtime.live.worn_cap import WornElectrode
from neuript.realtime.view.signal_model import SignalSnapshot, worst_first

SYMBOLS = {"volts": "V", "millivolts": "mV", "microvolts": "µV", "nanovolts": "nV"}
COLUMNS = ("", "electrode", "as sent", "unit", "verdict")


class ChannelTable(QtWidgets.QTableWidget):
    """One row an electrode; only what changed is written."""

    picked = QtCore.Signal(str)
    """Name of an electrode whose row was clicked."""

    def __init__(self, theme: Theme) -> None:
        super().__init__(0, len(COLUMNS))
        self._theme = theme
        self._rows: list[tuple[str, ...]] = []
        self._picked = ""
        self.setHorizontalHeaderLabels(COLUMNS)
        self.setEditTriggers(QtWidgets.QAbstractItemView.EditTrigger.NoEditTriggers)
        self.setSelectionBehavior(QtWidgets.QAbstractItemView.SelectionBehavior.SelectRows)
        self.setSelectionMode(QtWidgets.QAbstractItemView.SelectionMode.SingleSelection)
        self.setFocusPolicy(QtCore.Qt.FocusPolicy.NoFocus)
        self.setShowGrid(False)
        self.setWordWrap(False)
        self.setMinimumHeight(90)
        self.setHorizontalScrollBarPolicy(QtCore.Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
        self.setVerticalScrollBarPolicy(QtCore.Qt.ScrollBarPolicy.ScrollBarAlwaysOn)  # or it covers the last column
        self.setStyleSheet(
            f"QTableWidget {{ background: {theme.panel}; color: {theme.text}; border: none; font-size: 12px;"
            f"selection-background-color: {theme.line}; selection-color: {theme.text}; }}"
            f"QHeaderView::section {{ background: {theme.panel}; color: {theme.muted}; border: none; padding: 2px 4px;"
            "font-size: 11px; }"
        )
        rows, columns = self.verticalHeader(), self.horizontalHeader()
        if rows is not None and columns is not None:
            rows.hide()
            rows.setDefaultSectionSize(20)
            columns.setDefaultAlignment(QtCore.Qt.AlignmentFlag.AlignLeft)
            columns.setStretchLastSection(True)
            columns.setMinimumSectionSize(22)
        for column, width in enumerate((22, 64, 60, 42)):
            self.setColumnWidth(column, width)
        self.cellClicked.connect(lambda row, _column: self.picked.emit(self._rows[row][1]))

    def show_snapshot(self, snapshot: SignalSnapshot) -> None:
        """Write what is known of each electrode."""
        if snapshot.check is None or snapshot.eeg is None:
            self.setRowCount(0)
            self._rows = []
            return
        units, given = snapshot.eeg.units, snapshot.check.unit
        electrodes = worst_first(snapshot.check.electrodes)
        rows = [_row(e, units[e.channel] if units and e.channel is not None else "", given) for e in electrodes]
        self.setColumnHidden(2, all(row[1] == row[2] for row in rows))  # room for what is wrong
        self.setColumnHidden(3, len({row[3] for row in rows}) == 1 and rows[0][3] != "none")
        if len(rows) != len(self._rows):
            self._rows = [()] * len(rows)
            self.setRowCount(len(rows))
        for at, row in enumerate(rows):
            if row != self._rows[at]:
                self._write(at, row, electrodes[at])
        moved = [row[1:2] for row in rows] != [row[1:2] for row in self._rows]
        self._rows = rows
        if moved:
            self.pick(self._picked)

    def _write(self, at: int, row: tuple[str, ...], electrode: WornElectrode) -> None:
        for column, text in enumerate(row):
            item = self.item(at, column)
            if item is None:
                item = QtWidgets.QTableWidgetItem()
                self.setItem(at, column, item)
            item.setText(text)
            item.setToolTip(text)
            colored = column == 0 or (column == len(row) - 1)
            color = self._theme.tones[electrode.level.tone] if colored else self._theme.text
            item.setForeground(QtGui.QColor(color))

    def pick(self, name: str) -> None:
        """Select the row of an electrode and bring it into view; an empty text selects none."""
        self._picked = name
        self.clearSelection()
        for at, row in enumerate(self._rows):
            if row[1] == name:
                self.selectRow(at)


def _row(electrode: WornElectrode, sent_unit: str, given: str) -> tuple[str, ...]:
    label = electrode.label or ("–" if electrode.channel is None else f"ch {electrode.channel + 1}")
    unit = given or sent_unit
    unit = "" if electrode.channel is None else SYMBOLS.get(unit_name(unit) or "", unit) or "none"
    return electrode.level.mark, electrode.name, label, unit, electrode.why or electrode.level.value
