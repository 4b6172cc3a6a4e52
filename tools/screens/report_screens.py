"""The report of a calibration: its pictures, and its page section by section, drawn by a browser."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path

from PyQt6.QtCore import QEventLoop, QSize, QTimer, QUrl
from PyQt6.QtGui import QImage

from screens.shots import KEPT_IN, Screen
from screens.twin_calibration import twin_calibration

PEOPLE = {"report": 0.8, "report-chance": 0.0}
SETTLE_MS = 400


def prepare() -> bool:
    """Load the browser, which must be there before the application; say whether it is."""
    os.environ.setdefault("QTWEBENGINE_DISABLE_SANDBOX", "1")
    try:
        import PyQt6.QtWebEngineWidgets  # noqa: F401
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


def section(name: str, at: int, size: QSize, theme: str) -> QImage:
    """Return what a browser's window shows when it is scrolled to a heading of the page; 0 is its beginning."""
    from PyQt6.QtWebEngineWidgets import QWebEngineView

    view = QWebEngineView()
    view.resize(size)
    view.show()
    wait(lambda: view.load(QUrl.fromLocalFile(str(page_of(name)))), view.loadFinished)
    page = view.page()
    assert page is not None
    where = f"document.querySelectorAll('h1, h2')[{at}]"
    page.runJavaScript(f"{where} ? {where}.scrollIntoView() : window.scrollTo(0, 1e9)")
    wait(ms=SETTLE_MS)
    image = view.grab().toImage()
    view.close()
    view.deleteLater()
    return image


def screens() -> list[Screen]:
    if not prepare():
        return []
    import re

    found = []
    for name in PEOPLE:
        n_heads = len(re.findall(r"<h[12][ >]", page_of(name).read_text("utf-8")))
        found += [Screen(f"{name}-{k:02d}", partial(section, name, k), shows=name) for k in range(n_heads)]
    return found
