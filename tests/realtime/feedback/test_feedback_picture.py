"""Frames drawn offscreen: every view fits its window, and is large enough to be read from two metres."""

from __future__ import annotations

import os

import numpy as np
import pytest
from qt_pixels import pixels_of

from neuript.realtime.decoding.decoder_header import DecoderHeader
from neuript.realtime.feedback.feedback_client import Heard
from neuript.realtime.feedback.feedback_spec import FeedbackSpec
from neuript.realtime.feedback.feedback_task import Command, FeedbackTask, TargetPhase
from neuript.realtime.feedback.feedback_view import FeedbackView, view_of

pytestmark = pytest.mark.qt

HEADER = DecoderHeader(
    task="mi",
    classes=("left_hand", "right_hand", "rest"),
    idle_class="rest",
    threshold=0.75,
    window_s=4.0,
    simulated=True,
)
SIZES = [("dark", (1024, 640)), ("light", (960, 540)), ("dark", (600, 900))]


@pytest.fixture(scope="module", autouse=True)
def application():
    widgets = pytest.importorskip("qtpy.QtWidgets")
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    return widgets.QApplication.instance() or widgets.QApplication([])


def views(kind: str) -> dict[str, FeedbackView]:
    """What is seen in a session in which everything happens, by a name for each."""
    task = FeedbackTask(FeedbackSpec(kind=kind, n_per_class=1, seed=3), HEADER)
    seen: dict[str, FeedbackView] = {"nothing": view_of(None, Heard("SEARCHING"), "SEARCHING")}
    now, quiet, asked = 0.0, 0.0, 0
    while task.phase is not TargetPhase.DONE:
        now += 0.1
        state = "BAD_SIGNAL" if task.number == 1 and quiet < 6 else "OK"
        quiet += 0.1 * (state != "OK")
        evidence = None if state != "OK" else {c: 0.8 if c == "left_hand" else 0.1 for c in HEADER.classes}
        begun = "left_hand" if task.number != asked and task.phase is TargetPhase.TARGET else None
        asked = task.number
        heard = Heard(state, HEADER, "x", Command(evidence=evidence, begun=begun, state=state))
        task.advance(now, heard.command)
        name = f"{task.phase.value} {task.target if task.phase is TargetPhase.TARGET else ''}"
        name += task.results[-1].outcome if task.phase is TargetPhase.RESULT else ""
        seen[name] = view_of(task, heard, state)
    task.paused, task.phase = True, TargetPhase.PAUSE
    seen["paused"] = view_of(task, heard, "OK")
    return seen


def pixels(view: FeedbackView, width: int, height: int, theme: str = "dark") -> np.ndarray:
    from qtpy import QtCore, QtGui

    from neuript.realtime.dashboard.theme import THEMES
    from neuript.realtime.feedback.qt.feedback_picture import FeedbackPicture

    image = QtGui.QImage(width, height, QtGui.QImage.Format.Format_RGB32)
    picture = FeedbackPicture(THEMES[theme])
    picture.classes = HEADER.classes
    painter = QtGui.QPainter(image)
    picture.draw(painter, QtCore.QSizeF(width, height), view)
    painter.end()
    return pixels_of(image)


@pytest.mark.parametrize("kind", ["bar", "cursor"])
def test_everything_is_seen_in_words(kind):
    seen = views(kind)
    assert {
        "nothing",
        "paused",
        "waiting ",
        "pause ",
        "done ",
        "target left_hand",
        "target right_hand",
        "target rest",
    } <= set(seen)
    assert {name for name in seen if name.startswith("result")} >= {"result hit", "result void", "result miss"}
    assert seen["waiting "].headline == "▲ BAD SIGNAL"
    assert "electrode" in seen["waiting "].hint
    assert seen["result void"].hint == "This one does not count; it is asked for again."
    assert seen["target left_hand"].headline == "◀ left hand"
    assert (seen["target left_hand"].level, seen["target rest"].threshold) == (0.8, None)
    assert "of 3 hit" in seen["done "].headline
    assert seen["pause "].counter == "target 3 of 3"
    assert all(view.simulated for name, view in seen.items() if name != "nothing")


@pytest.mark.parametrize(("theme", "size"), SIZES, ids=str)
def test_no_view_touches_the_edge_and_its_headline_is_large(size, theme):
    width, height = size
    for kind in ("bar", "cursor"):
        for name, view in views(kind).items():
            drawn = pixels(view, width, height, theme)
            ink = (np.abs(drawn.astype(int) - drawn[0, 0]) > 40).any(axis=2)
            edge = np.concatenate([ink[:4].ravel(), ink[-4:].ravel(), ink[:, :4].ravel(), ink[:, -4:].ravel()])
            assert not edge.any(), name
            top, bottom = (0.13, 0.3) if view.picture != "none" else (0.28, 0.54) if not view.lines else (0.12, 0.34)
            rows = np.flatnonzero(ink[int(top * height) : int(bottom * height)].any(axis=1))
            assert len(rows) >= 0.03 * min(width, height), name


def test_the_bar_is_as_high_as_the_evidence():
    """The share of coloured pixels in the middle column of the track is the level."""
    for level in (0.25, 0.5, 0.75):
        view = FeedbackView(headline="x", picture="bar", target="left_hand", level=level)
        column = pixels(view, 1000, 1000)[330:880, 500].astype(int)
        full = (np.abs(column - column[-20]).max(axis=1) < 30).mean()
        assert full == pytest.approx(level, abs=0.02)
