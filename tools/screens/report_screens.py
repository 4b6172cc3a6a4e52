"""The report of a calibration: its pictures, and its page section by section, drawn by a browser."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import Any

from qtpy.QtCore import QEventLoop, QSize, QTimer, QUrl
from qtpy.QtGui import QImage, QPainter

from screens.shots import KEPT_IN, Screen
from screens.twin_calibration import SKILLED, twin_calibration

PEOPLE = {"report": SKILLED, "report-chance": 0.0}
SETTLE_MS = 400
N_HEADS = 14
"""Headings of a page; where one has fewer its end is shown."""
COLUMN_PX = 850
"""Width of a page in its whole length, of which two halves stand beside each other."""


def prepare() -> bool:
    """Load the browser, which must be there before the application; say whether it is."""
    os.environ.setdefault("QTWEBENGINE_DISABLE_SANDBOX", "1")
    try:
        import qtpy.QtWebEngineWidgets  # noqa: F401
    except ImportError as error:
        print(f"the report's pages are left out ({error}): pip install PyQt6-WebEngine", file=sys.stderr)
        return False
    return True


def page_of(name: str) -> Path:
    file = Path(os.environ[KEPT_IN]) / f"{name}.html"
    file.write_text(twin_calibration(PEOPLE[name]).page, "utf-8")
    return file


def wait(begin: object = None, signal: object = None, ms: int = 20_000) -> None:
    """Let the browser work until a signal comes, or for some time."""
    loop = QEventLoop()
    if signal is not None:
        signal.connect(lambda *_: loop.quit())  # type: ignore[attr-defined]
    QTimer.singleShot(ms, loop.quit)
    if callable(begin):
        begin()
    loop.exec()


def opened(name: str, size: QSize) -> Any:
    """Return a browser's window that shows the page."""
    from qtpy.QtWebEngineWidgets import QWebEngineView

    view = QWebEngineView()
    view.resize(size)
    view.show()
    wait(lambda: view.load(QUrl.fromLocalFile(str(page_of(name)))), view.loadFinished)
    return view


def closed(view: Any, settle_ms: int = SETTLE_MS) -> QImage:
    """Return what the window shows, and close it."""
    wait(ms=settle_ms)
    image = view.grab().toImage()
    view.close()
    view.deleteLater()
    return image


def whole(name: str, size: QSize, theme: str) -> QImage:
    """Return all of the page in two columns."""
    view = opened(name, QSize(COLUMN_PX, size.height()))
    told: list[int] = []
    wait(lambda: view.page().runJavaScript("document.documentElement.scrollHeight", told.append), ms=SETTLE_MS)
    view.resize(COLUMN_PX, told[0] + told[0] % 2)
    page = closed(view, 10 * SETTLE_MS)
    columns = QImage(2 * page.width(), page.height() // 2, QImage.Format.Format_RGB32)
    painter = QPainter(columns)
    for at in (0, 1):
        painter.drawImage(at * page.width(), 0, page, 0, at * columns.height(), page.width(), columns.height())
    painter.end()
    return columns


def section(name: str, at: int, size: QSize, theme: str) -> QImage:
    """Return what a browser's window shows when it is scrolled to a heading of the page; 0 is its beginning."""
    view = opened(name, size)
    page = view.page()
    where = f"document.querySelectorAll('h1, h2')[{at}]"
    if at:
        page.runJavaScript(f"{where} ? {where}.scrollIntoView() : window.scrollTo(0, 1e9)")
    return closed(view)


def screens() -> list[Screen]:
    if not prepare():
        return []
    found = []
    for name in PEOPLE:
        found += [Screen(f"{name}-whole", partial(whole, name), shows=name, long=True)]
        found += [Screen(f"{name}-{k:02d}", partial(section, name, k), shows=name) for k in range(N_HEADS)]
    return found
