"""What every window of neuript does alike: fits the screen, remembers its place and theme, shortens what is too long.

What is remembered lies in `windows.ini` in the user's settings folder, beside nothing that matters.
"""

from __future__ import annotations

import logging
import signal
import sys
from pathlib import Path

from qtpy import QtCore, QtGui, QtWidgets

from neuript.errors import NeuriptError
from neuript.interrupt import take_over
from neuript.realtime.dashboard.theme import DARK, LIGHT, THEMES, Theme
from neuript.user_folders import config_dir

logger = logging.getLogger(__name__)

FONTS = ["Inter", "Segoe UI", "SF Pro Text", "Helvetica Neue", "Noto Sans", "DejaVu Sans"]
LOW_PX = 600
"""Height of a window below which what can be known elsewhere is left out."""
FRAME_PX = QtCore.QSize(4, 36)
"""Room that the borders and the title bar of a window may take."""


def simulated_banner(theme: Theme) -> QtWidgets.QLabel:
    """Return the line, hidden at first, that says that nobody wears the cap."""
    banner = QtWidgets.QLabel("SIMULATED SIGNAL  ·  no person is connected")
    banner.setAlignment(QtCore.Qt.AlignmentFlag.AlignCenter)
    banner.setStyleSheet(
        f"background: {theme.banner}; color: {theme.banner_text}; font-weight: 700;"
        "font-size: 14px; padding: 4px; border-radius: 4px;"
    )
    banner.hide()
    return banner


def empty_page() -> tuple[QtWidgets.QWidget, QtWidgets.QVBoxLayout]:
    """Return the middle of a window with its layout, from top to bottom."""
    page = QtWidgets.QWidget()
    page.setObjectName("page")
    outer = QtWidgets.QVBoxLayout(page)
    outer.setContentsMargins(12, 10, 12, 8)
    outer.setSpacing(8)
    return page, outer


class WindowMemory:
    """What one window remembers from one time to the next.

    Parameters
    ----------
    name : str
        Name of the window among those of neuript.
    remembers : bool
        False remembers nothing and knows nothing, for pictures that come out alike everywhere.
    """

    def __init__(self, name: str, *, remembers: bool = True) -> None:
        self._name = name
        file = str(config_dir() / "windows.ini")
        self._settings = QtCore.QSettings(file, QtCore.QSettings.Format.IniFormat) if remembers else None

    def theme(self, asked: str | None) -> Theme:
        """Return the theme that was asked for, else the one of the last time; what is asked for is remembered.

        Parameters
        ----------
        asked : str or None
            `dark`, `light`, `system` for what the desktop has, or None.
        """
        name = asked
        if self._settings is not None:
            name = name or str(self._settings.value("theme", "dark"))
            self._settings.setValue("theme", name)
        return system_theme() if name == "system" else THEMES.get(name or "", DARK)

    def place(self, window: QtWidgets.QWidget, usual: str, asked: str | None = None) -> None:
        """Put the window where it was the last time and as large, inside the screen in any case.

        Parameters
        ----------
        window : QWidget
            Window that is not shown yet.
        usual : str
            Size where nothing is remembered, such as `1360x840`.
        asked : str or None
            Size that the user asks for; a window that remembers nothing has it whatever the screen is.
        """
        window.resize(size_of(asked or usual))
        if self._settings is None:
            return
        size, at = self._settings.value(f"{self._name}/size"), self._settings.value(f"{self._name}/at")
        if isinstance(size, QtCore.QSize) and size.isValid() and asked is None:
            window.resize(size)
        if isinstance(at, QtCore.QPoint):
            window.move(at)
        keep_inside(window)

    def recall(self, what: str, usual: str) -> str:
        """Return what was kept under this name the last time, else `usual`."""
        return usual if self._settings is None else str(self._settings.value(f"{self._name}/{what}", usual))

    def keep(self, window: QtWidgets.QWidget, **also: str) -> None:
        """Remember where the window is and how large, and whatever else `recall` is to return."""
        if self._settings is None:
            return
        for what, value in also.items():
            self._settings.setValue(f"{self._name}/{what}", value)
        if window.isFullScreen() or window.isMaximized():
            return
        self._settings.setValue(f"{self._name}/size", window.size())
        self._settings.setValue(f"{self._name}/at", window.pos())


def system_theme() -> Theme:
    """Return the theme that the desktop asks for; the dark one where it asks for none."""
    hints = QtGui.QGuiApplication.styleHints()
    light = hints is not None and hints.colorScheme() == QtCore.Qt.ColorScheme.Light
    return LIGHT if light else DARK


def keep_inside(window: QtWidgets.QWidget) -> None:
    """Move and shrink a window until the screen that it is on shows all of it."""
    screen = QtGui.QGuiApplication.screenAt(window.frameGeometry().center()) or QtGui.QGuiApplication.primaryScreen()
    if screen is None:
        return
    free = screen.availableGeometry()
    window.resize(window.size().boundedTo(free.size() - FRAME_PX))
    x = min(max(window.x(), free.left()), free.right() + 1 - window.width())
    y = min(max(window.y(), free.top()), free.bottom() + 1 - window.height())
    window.move(max(x, free.left()), max(y, free.top()))


def size_of(text: str) -> QtCore.QSize:
    """Read a size such as `1360x840`.

    Raises
    ------
    NeuriptError
        If it is none.
    """
    width, sign, height = text.partition("x")
    if not (sign and width.isdigit() and height.isdigit() and min(int(width), int(height)) >= 100):
        raise NeuriptError(f"--size {text} must be width and height in pixels, such as 1360x840")
    return QtCore.QSize(int(width), int(height))


class ElidedLabel(QtWidgets.QLabel):
    """A line of text that ends in an ellipsis where there is no room; the whole of it is in the tooltip."""

    def __init__(self, text: str = "") -> None:
        super().__init__()
        self._whole = text
        self.setTextFormat(QtCore.Qt.TextFormat.PlainText)
        self.setSizePolicy(QtWidgets.QSizePolicy.Policy.Ignored, QtWidgets.QSizePolicy.Policy.Preferred)
        self.setText(text)

    def setText(self, text: str | None) -> None:  # noqa: N802
        """Take another text."""
        self._whole = text or ""
        self._fit()

    def whole(self) -> str:
        """Return the text, shortened or not."""
        return self._whole

    def resizeEvent(self, event: QtGui.QResizeEvent | None) -> None:  # noqa: N802
        """Shorten it to the new width."""
        super().resizeEvent(event)
        self._fit()

    def minimumSizeHint(self) -> QtCore.QSize:  # noqa: N802
        """Need the height of a line and no width at all."""
        return QtCore.QSize(0, super().minimumSizeHint().height())

    def _fit(self) -> None:
        room = max(0, self.contentsRect().width())
        shown = self.fontMetrics().elidedText(self._whole, QtCore.Qt.TextElideMode.ElideRight, room)
        if shown != self.text():
            super().setText(shown)
        self.setToolTip(self._whole if shown != self._whole else "")


def base_style(theme: Theme) -> str:
    """Return the style sheet that all windows begin with."""
    families = ", ".join(f"'{name}'" for name in FONTS)
    return (
        f"QMainWindow, QWidget#page, QScrollArea {{ background: {theme.background}; }}"
        f"QLabel {{ font-family: {families}; background: transparent; }}"
        f"QToolTip {{ font-family: {families}; font-size: 13px; color: {theme.text}; background: {theme.panel};"
        f"border: 1px solid {theme.muted}; padding: 5px; }}"
        f"QFrame#card {{ background: {theme.panel}; border-radius: 6px; }}"
        f"QScrollBar:vertical {{ background: {theme.background}; width: 10px; margin: 0; }}"
        f"QScrollBar::handle:vertical {{ background: {theme.line}; border-radius: 5px; min-height: 24px; }}"
        "QScrollBar::add-line, QScrollBar::sub-line, QScrollBar::add-page, QScrollBar::sub-page "
        "{ height: 0; background: none; }"
    )


def application() -> QtWidgets.QApplication:
    """Return the application; Ctrl-C and SIGTERM end it at the next frame, and what Qt says goes to the log."""
    QtCore.qInstallMessageHandler(lambda kind, where, text: logger.debug("Qt: %s", text))
    app = QtWidgets.QApplication(sys.argv[:1])
    app.setApplicationName("neuript")

    take_over((signal.SIGINT, signal.SIGTERM), lambda *_: app.quit())
    return app


def show_until_closed(
    app: QtWidgets.QApplication, window: QtWidgets.QWidget, picture: Path | None, after_s: float
) -> bool:
    """Show a window until it is closed, or for a picture; say whether the picture could be written.

    Parameters
    ----------
    app : QApplication
        The application.
    window : QWidget
        A window that has its size and place.
    picture : Path or None
        File to write a picture of it to, which closes it; None leaves it open.
    after_s : float
        Seconds until then.
    """
    saved = True

    def shoot(path: Path) -> None:
        nonlocal saved
        saved = save(window, path)
        window.close()

    window.show()
    if picture is not None:
        QtCore.QTimer.singleShot(round(1000 * after_s), lambda: shoot(picture))
    app.exec()
    return saved


def save(window: QtWidgets.QWidget, path: Path) -> bool:
    """Write a picture of the window; say whether it worked."""
    if window.grab().save(str(path)):
        return True
    logger.error(
        "cannot write the window's picture to %s: give a .png in a folder that exists (.svg, .txt: --console)", path
    )
    return False
