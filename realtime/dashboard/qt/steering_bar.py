"""The row of buttons by which the decoder's own dashboard steers it; any other dashboard says that it only watches."""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial

from qtpy import QtCore, QtWidgets

from neuript.realtime.dashboard.control_pipe import MARK, PAUSE, RECENTRE, THRESHOLD, UNDO
from neuript.realtime.dashboard.line_pipe import LinePipe
from neuript.realtime.dashboard.qt.window_frame import ElidedLabel
from neuript.realtime.dashboard.theme import Theme

STEP = 0.05
"""By how much a key changes the threshold."""
LOWEST, HIGHEST = 0.05, 1.0
WATCHING = "watch only: the decoder is steered in its own dashboard (the one that neuript-live opened) or its terminal"
BUTTONS = (
    (PAUSE, "Pause commands  P", "P", "Give no commands until you go on; decoding, recording and traces go on."),
    (MARK, "Mark event  M", "M", "Put a marker neuript/mark/… on the decoder's events stream, now."),
    (RECENTRE, "Recentre  R", "R", "The cap moved: see windows from the signal that comes from now on. "
     "Nothing is decoded until enough of it is clean."),
    (UNDO, "Undo recentring  U", "U", "See windows from where they were seen before."),
)  # fmt: skip
"""What is asked for, and the words, key and tooltip of its button."""


class SteeringBar(QtWidgets.QWidget):
    """Buttons for a decoder that holds the other ends of stdin and stdout.

    Parameters
    ----------
    theme : Theme
        Colours to paint with.
    steers : bool
        False shows no buttons and says that this dashboard only watches.
    """

    heard = QtCore.Signal(dict)
    """How the decoder stands, as it says: `paused`, `threshold`, `recentres`, and a sentence `text`."""

    def __init__(self, theme: Theme, *, steers: bool) -> None:
        super().__init__()
        self.threshold: float | None = None
        self._marks = 0
        self._paused = False
        self._buttons: dict[str, QtWidgets.QPushButton] = {}
        self._pipe = LinePipe(self._told) if steers else None
        self._row = QtWidgets.QHBoxLayout(self)
        self._row.setContentsMargins(0, 0, 0, 0)
        self.said = ElidedLabel("" if steers else WATCHING)
        self.said.setStyleSheet(f"color: {theme.muted}; font-size: 12px;")
        if steers:
            self._build(theme)
        self._row.addWidget(self.said, 1)
        self.heard.connect(self._show)

    def _build(self, theme: Theme) -> None:
        self.setStyleSheet(
            f"QPushButton {{ background: {theme.panel}; color: {theme.text}; border: 1px solid {theme.line};"
            "border-radius: 4px; padding: 4px 8px; font-size: 12px; }"
            f"QPushButton:hover {{ border-color: {theme.muted}; }} QPushButton:disabled {{ color: {theme.idle}; }}"
            f"QLabel#threshold {{ color: {theme.text}; font-size: 12px; }}"
        )
        for do, words, _key, tip in BUTTONS:
            self._button(do, words, tip, partial(self.ask, do))
        self._button(
            "less",
            "−",
            "Lower the threshold (key ↓): commands come sooner, and more of them wrong.",
            partial(self.step, -STEP),
        )
        self._value = QtWidgets.QLabel("threshold")
        self._value.setObjectName("threshold")
        self._row.addWidget(self._value)
        self._button(
            "more",
            "+",
            "Raise the threshold (key ↑): fewer commands, and more of them right.",
            partial(self.step, STEP),
        )

    def _button(self, name: str, words: str, tip: str, act: Callable[[], None]) -> None:
        button = QtWidgets.QPushButton(words)
        button.setToolTip(tip)
        button.setFocusPolicy(QtCore.Qt.FocusPolicy.NoFocus)  # the keys belong to the window
        button.clicked.connect(lambda _checked: act())
        self._buttons[name] = button
        self._row.addWidget(button)

    # --- to and from the decoder ---------------------------------------------------------------

    def open(self) -> None:
        """Take over stdin and stdout, where there is somebody to steer."""
        if self._pipe is not None:
            self._pipe.open()

    def ask(self, do: str) -> None:
        """Ask the decoder for something; what came of it is heard later."""
        if self._pipe is None:
            return
        if do == MARK:
            self._marks += 1
        texts = {MARK: f"mark {self._marks}", PAUSE: "off" if self._paused else "on"}
        self._pipe.say(do, text=texts.get(do, ""))

    def step(self, by: float) -> None:
        """Ask for a threshold that is higher or lower by so much."""
        if self._pipe is None or self.threshold is None:
            return
        wanted = min(HIGHEST, max(LOWEST, self.threshold + by))
        self._pipe.say(THRESHOLD, text=f"{wanted:.2f}")

    def key_actions(self) -> dict[QtCore.Qt.Key, Callable[[], None]]:
        """Return what each key asks for, for the window that hears the keys."""
        key = QtCore.Qt.Key
        keys = {key.Key_P: PAUSE, key.Key_M: MARK, key.Key_R: RECENTRE, key.Key_U: UNDO}
        return {
            **{k: partial(self.ask, do) for k, do in keys.items()},
            key.Key_Up: lambda: self.step(STEP),
            key.Key_Down: lambda: self.step(-STEP),
        }

    def _told(self, line: str | None) -> None:
        """From the pipe's own thread: a line of the decoder, or None at its end."""
        try:
            said = json.loads(line or "")
        except ValueError:
            return
        if isinstance(said, dict):
            self.heard.emit(said)

    def _show(self, said: dict[str, object]) -> None:
        """Show how the decoder stands."""
        self._paused = said.get("paused") is True
        if isinstance(value := said.get("threshold"), int | float):
            self.threshold = float(value)
            self._value.setText(f"threshold {self.threshold:.2f}  ↑ ↓")
        if self._buttons:
            self._buttons[PAUSE].setText("Go on  P" if said.get("paused") else "Pause commands  P")
            for do in (RECENTRE, UNDO):
                self._buttons[do].setVisible(bool(said.get("recentres")))
        if text := said.get("text"):
            self.said.setText(str(text))
