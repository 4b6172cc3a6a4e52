"""Cards fit the window that there is: all of them, or some that take turns; none is cut."""

from __future__ import annotations

import numpy as np
import pytest

pytestmark = pytest.mark.qt
pytest.importorskip("qtpy")

from neuript.realtime.chain.chunk import SignalInfo  # noqa: E402
from neuript.realtime.dashboard.client import DashboardClient  # noqa: E402
from neuript.realtime.dashboard.theme import DARK  # noqa: E402
from neuript.realtime.dashboard.view_model import ViewModel  # noqa: E402
from neuript.realtime.decoding.decoder_header import DecoderHeader  # noqa: E402
from neuript.realtime.decoding.header_electrodes import HeaderElectrode  # noqa: E402

CLASSES = ("left_hand", "right_hand")


@pytest.fixture
def window(monkeypatch):
    """A dashboard of a decoder with three electrodes, on a clock that stands still."""
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    from qtpy.QtWidgets import QApplication

    from neuript.realtime.dashboard.qt.window import Dashboard

    app = QApplication.instance() or QApplication(["test"])
    model = ViewModel()
    electrodes = tuple(
        HeaderElectrode(name=name, channel=k, pos_m=(0.06 * (k - 1), 0.0, 0.07))
        for k, name in enumerate(("C3", "Cz", "C4"))
    )
    header = DecoderHeader(task="mi", classes=CLASSES, threshold=0.75, electrodes=electrodes, used=(0, 1, 2))
    model.connect_decoder(header, 100.0)
    model.connect_eeg(SignalInfo(name="x", source_id="x", sfreq=250, ch_names=("C3", "Cz", "C4"), units=("uV",) * 3))
    x = np.random.default_rng(1).normal(0, 10, (1000, 3)).astype(np.float32)
    model.add_eeg(x, 96 + np.arange(1000) / 250, 100.0)
    model.add_rows(np.array([[0.2, 0.8, -1, 0.8, 0, 3, 12, 0.2, 0.8]], np.float32), np.array([100.0]), 100.0)
    view = Dashboard(DashboardClient(model), DARK, steers=True, clock=lambda: 100.2)
    view.show()
    view.sized = lambda width, height: (view.resize(width, height), view._refresh_cards(), app.processEvents())
    yield view
    view.close()
    app.processEvents()


def seen(window) -> list[str]:
    column = window._column
    return [card.name for card in (*column._always, *column._others) if card.isVisible()]


EVERY = ["State", "Command", "Probability", "Electrodes", "Recent", "Timing"]


@pytest.mark.parametrize(("size", "names"), [((1920, 1080), EVERY), ((1366, 768), None), ((1024, 640), None)])
def test_no_card_is_cut(window, size, names):
    window.sized(*size)
    shown = seen(window)
    assert shown == (names or shown)
    assert shown[:3] == EVERY[:3]
    column, area = window._column, window._cards
    assert column.height() <= area.viewport().height()
    bottoms = [card.geometry().bottom() for card in (*column._always, *column._others) if card.isVisible()]
    tops = [card.geometry().top() for card in (*column._always, *column._others) if card.isVisible()]
    assert all(top > bottom for top, bottom in zip(tops[1:], bottoms, strict=False))
    assert bottoms[-1] <= column.height()
    for card in column._others:
        assert not card.isVisible() or card.height() >= card.needs_px() - 1, card.name


def test_cards_take_turns_and_the_one_that_was_chosen_stays(window):
    window.sized(1024, 640)
    turns = []
    for _ in range(4):
        turns += seen(window)[2:]
        window._column.show_next()
    assert turns == EVERY[2:]
    window._column.show_next()
    window.sized(1024, 640)
    assert seen(window)[2:] == ["Electrodes"]


def test_the_head_shows_what_the_key_asks_for(window):
    from qtpy.QtCore import QEvent, Qt
    from qtpy.QtGui import QKeyEvent

    window.sized(1920, 1080)
    card, shown = window._electrodes, []
    for _ in range(4):
        shown.append((card._choice.text(), card._legend.isVisible()))
        window.keyPressEvent(QKeyEvent(QEvent.Type.KeyPress, Qt.Key.Key_H, Qt.KeyboardModifier.NoModifier))
        x = np.random.default_rng(2).normal(0, 10, (250, 3)).astype(np.float32)
        window._client.model.add_eeg(x, 100 + np.arange(250) / 250, 100.1)
        window._refresh_cards()
    assert [text for text, _ in shown] == [f"map: {what}  H" for what in ("quality", "mu", "beta", "quality")]
    assert [legend for _, legend in shown] == [False, True, True, False]
