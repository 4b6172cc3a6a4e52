"""Places on the head seen from above, and the map that is drawn of them."""

from __future__ import annotations

import numpy as np
import pytest
from qt_pixels import pixels_of

from neuript.montages import load_montage
from neuript.realtime.dashboard.head_points import RIM, HeadPoint, Level, nearest_px, top_view


def seen(*names: str) -> np.ndarray:
    montage = load_montage("10-05")
    return top_view([montage.electrode_pos_m[montage.electrodes.index(name)] for name in names])


def test_every_place_of_the_10_05_system_lies_in_the_disc_where_its_name_says():
    montage = load_montage("10-05")
    xy = top_view(montage.electrode_pos_m)
    assert np.hypot(*xy.T).max() <= 1 + 1e-12
    sides = {name[-1]: x for name, x in zip(montage.electrodes, xy[:, 0], strict=True)}
    assert {digit: np.sign(sides[digit]) for digit in "1357"} == dict.fromkeys("1357", -1.0)
    assert {digit: np.sign(sides[digit]) for digit in "2468"} == dict.fromkeys("2468", 1.0)
    fpz, fz, cz, pz, oz = seen("Fpz", "Fz", "Cz", "Pz", "Oz")[:, 1]
    assert fpz > fz > cz > pz > oz
    assert np.hypot(*seen("Cz")[0]) < 0.1
    assert np.hypot(*seen("T7", "T8", "Fpz", "Oz").T) == pytest.approx(RIM, abs=0.1)


def test_distances_from_the_vertex_are_true_to_the_angle():
    centre = np.array([0.0, -0.016, -0.004])
    angles = np.radians([0, 30, 60, 90])
    on_arc = centre + 0.1 * np.stack([np.sin(angles), 0 * angles, np.cos(angles)], axis=1)
    np.testing.assert_allclose(top_view(on_arc)[:, 0], RIM * np.array([0, 1 / 3, 2 / 3, 1]), atol=1e-12)
    np.testing.assert_allclose(top_view(on_arc)[:, 1], 0, atol=1e-12)


def test_an_unknown_place_stays_unknown():
    xy = top_view([[0.0, 0.0, 0.1], [np.nan, 0.0, 0.1]])
    assert np.isfinite(xy[0]).all()
    assert not HeadPoint(name="?", x=xy[1, 0], y=xy[1, 1]).placed


def test_nearest():
    assert nearest_px(np.array([[0.0, 0.0], [3.0, 4.0], [np.nan, 0.0]])) == 5.0
    assert nearest_px(np.zeros((1, 2))) == np.inf


def test_levels_differ_by_more_than_their_colour():
    assert len({level.mark for level in Level}) == len(Level)


@pytest.mark.qt
@pytest.mark.parametrize("size", [160, 900])
@pytest.mark.parametrize("n", [1, 8, 128])
def test_the_map_draws_any_number_of_electrodes_at_any_size(monkeypatch, size, n):
    pytest.importorskip("qtpy")
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    from qtpy.QtWidgets import QApplication

    from neuript.realtime.dashboard.qt.head_map import HeadMap
    from neuript.realtime.dashboard.theme import DARK

    app = QApplication.instance() or QApplication(["test"])
    montage = load_montage("10-05")
    xy = top_view(montage.electrode_pos_m)[:n]
    view = HeadMap(DARK)
    view.resize(size, size)

    def pixels(level: Level, *, placed: bool = True) -> np.ndarray:
        places = xy if placed else np.full_like(xy, np.nan)
        named = zip(montage.electrodes, places, strict=False)
        view.show_points([HeadPoint(name=name, x=x, y=y, level=level) for name, (x, y) in named])
        app.processEvents()
        return pixels_of(view.grab().toImage()).astype(int)

    def has(picture: np.ndarray, color: str) -> bool:
        rgb = [int(color[k : k + 2], 16) for k in (1, 3, 5)]
        return bool((np.abs(picture - rgb).max(axis=-1) < 25).any())

    good, bad = pixels(Level.GOOD), pixels(Level.BAD)
    assert has(good, DARK.tones[Level.GOOD.tone])
    assert not has(good, DARK.tones[Level.BAD.tone])
    assert has(bad, DARK.tones[Level.BAD.tone])
    grey = [picture.mean(axis=-1) for picture in (good, bad)]
    assert (np.abs(grey[0] - grey[1]) > 60).any()  # also without colours
    assert has(pixels(Level.GOOD, placed=False), DARK.tones[Level.GOOD.tone])


@pytest.mark.qt
def test_a_click_picks_the_electrode_under_the_mouse(monkeypatch):
    pytest.importorskip("qtpy")
    monkeypatch.setenv("QT_QPA_PLATFORM", "offscreen")
    from qtpy.QtCore import QPoint, Qt
    from qtpy.QtTest import QTest
    from qtpy.QtWidgets import QApplication

    from neuript.realtime.dashboard.qt.head_map import HeadMap
    from neuript.realtime.dashboard.theme import DARK

    app = QApplication.instance() or QApplication(["test"])
    view = HeadMap(DARK)
    view.resize(400, 400)
    view.show_points([HeadPoint(name="A", x=-0.5, y=0.0), HeadPoint(name="B", x=0.5, y=0.5)])
    picked: list[str] = []
    view.picked.connect(picked.append)
    for x, y in ((105, 210), (296, 115), (200, 380)):
        QTest.mouseClick(view, Qt.MouseButton.LeftButton, pos=QPoint(x, y))
    app.processEvents()
    assert picked == ["A", "B", ""]
