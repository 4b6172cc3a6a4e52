"""The screen: commands in, scenes drawn, frames stamped, words out."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from qtpy.QtCore import QObject, QRectF, QSize, Qt, QTimer, Signal
from qtpy.QtGui import QPainter

from neuript.errors import NeuriptError
from neuript.realtime.lsl.library import lsl_clock
from neuript.realtime.paradigm.block_show import BlockShow, SendMarker
from neuript.realtime.paradigm.cue_commands import (
    RunBlock,
    ShowCheck,
    ShowFeedback,
    ShowMessage,
    TakeScreenshot,
    Wish,
    read_command,
)
from neuript.realtime.paradigm.cue_settings import CueSettings
from neuript.realtime.paradigm.frame_log import FrameLog
from neuript.realtime.paradigm.qt.beep import Beep
from neuript.realtime.paradigm.qt.draw_screens import draw_scene, picture
from neuript.realtime.paradigm.qt.surfaces import Surface
from neuript.realtime.paradigm.scenes import Scene, TrialScene
from neuript.realtime.paradigm.trial_run import Phase

BLANK = TrialScene(phase=Phase.PAUSE)
MEASURED_FRAMES = 40
_MEASURE_MS, _STALLED_FRAMES, _LINGER_MS, _ESC_MS = 1500, 6, 300, 2000
_K = Qt.Key
_ALWAYS: dict[int, str] = {_K.Key_R: "repeat", _K.Key_S: "skip"}
_GO: dict[int, str] = {_K.Key_Space: "go_on", _K.Key_Return: "go_on", _K.Key_Enter: "go_on"}
_STANDING: dict[int, str] = {**_GO, _K.Key_R: "repeat", _K.Key_Backspace: "back", _K.Key_Left: "back"}
_RUNNING: dict[int, str] = {_K.Key_Space: "pause", _K.Key_P: "pause", **_ALWAYS}


class CueStage(QObject):
    """Everything that happens between commands and frames.

    Parameters
    ----------
    settings : CueSettings
        Classes, times, looks.
    send : callable
        Publishes a marker.
    say : callable
        Tells whoever runs the session: what was said, and its fields.
    ready : callable
        Called once with the time between two frames in seconds, and whether swapping waits for the screen.
    listeners : callable
        Asked when a block begins: whether somebody listens to each stream of markers.
    """

    told = Signal(object)
    """A line of stdin, from any thread; None when there will be no more."""

    def __init__(
        self,
        settings: CueSettings,
        *,
        send: SendMarker,
        say: Callable[..., None],
        ready: Callable[[float, bool], None],
        listeners: Callable[[], dict[str, bool]],
    ) -> None:
        super().__init__()
        self._settings, self._send, self._say, self._ready = settings, send, say, ready
        self._listeners = listeners
        self._window: Surface | None = None
        self._instead: Callable[[], Surface] | None = None
        self._beep = Beep()
        self._screen: Scene = BLANK
        self._show: BlockShow | None = None
        self._overlay = ""
        self._early: list[str | None] | None = []  # what was told before all was ready
        self._frames = FrameLog(1 / 60)
        self._measuring: list[float] | None = None
        self._paced = False
        self._last_frame = 0.0
        self._ending = False
        self._timer = QTimer(self)
        self._timer.setTimerType(Qt.TimerType.PreciseTimer)
        self._timer.timeout.connect(self._tick)
        self.told.connect(self._on_line)

    def open(
        self, window: Surface, refresh_hz: float, beep: Beep, instead: Callable[[], Surface] | None = None
    ) -> None:
        """Take a window that is shown already; `ready` is called when its frames were measured.

        Parameters
        ----------
        window : Surface
            One of the two kinds.
        refresh_hz : float
            Frames a second, as the screen says.
        beep : Beep
            What plays the tone.
        instead : callable, optional
            Opens a window that paints, if the frames of this one turn out not to wait for the screen.
        """
        self._window, self._beep, self._instead = window, beep, instead
        self._frames = FrameLog(1 / refresh_hz)
        self._start_measuring()

    # what the window says

    def draw(self, painter: QPainter, rect: QRectF) -> None:
        """Draw what is on the screen."""
        if self._show is not None:
            self._show.drawn()
        draw_scene(painter, rect, self._scene(), self._overlay)

    def shown(self) -> None:
        """Stamp a frame."""
        now = lsl_clock()
        self._last_frame = now
        if self._measuring is not None:
            self._measure(now)
        elif self._show is not None:
            self._show.shown(now, steady=self._swaps)
            if self._paced:  # the next frame is seen one period from now
                self._step(now + self._frames.period_s)
                self._update()
            self._look_whether_over()

    def pressed(self, key: int) -> None:
        """Say what a key asks for."""
        if key == _K.Key_Escape:
            self._escape()
        elif word := self._keys().get(key):
            self._say("key", key=word)

    def clicked(self) -> None:
        """Say that a mouse button asks to go on."""
        if self._show is None or self._show.held:
            self._say("key", key="go_on")

    def disturbed(self) -> None:
        """Take note that the window was moved or covered."""
        if self._show is not None:
            self._show.disturbed()

    def closed(self) -> None:
        """End, for somebody has closed the window."""
        self.end()

    # what is told

    def end(self) -> None:
        """End what runs, let the last markers go, and leave."""
        if self._ending:
            return
        self._ending = True
        if self._show is not None:
            self._wish("stop")
            self._show.stamp_now(lsl_clock())
            self._look_whether_over()
        QTimer.singleShot(_LINGER_MS, self._leave)

    def _leave(self) -> None:
        from qtpy.QtGui import QGuiApplication

        self._timer.stop()
        self._beep.close()
        self._say("closed")
        QGuiApplication.quit()

    def _on_line(self, line: str | None) -> None:
        if self._early is not None:
            self._early.append(line)
        elif line is None:
            self.end()
        else:
            try:
                self._do(read_command(line))
            except NeuriptError as error:
                self._say("error", text=str(error))

    def _do(self, command: object) -> None:
        if isinstance(command, ShowFeedback):
            if self._show is not None:
                self._show.feedback(command, lsl_clock())
        elif isinstance(command, RunBlock):
            self._begin(command)
        elif isinstance(command, ShowMessage | ShowCheck):
            self._refuse_while_running("another screen")
            self._screen = command
            self._update()
        elif isinstance(command, TakeScreenshot):
            self._photograph(command.file)
        elif command == "end":
            self.end()
        else:
            self._wish(command)  # type: ignore[arg-type]

    def _begin(self, block: RunBlock) -> None:
        self._refuse_while_running("another block")
        if unknown := sorted({one.cls for one in block.trials} - set(self._settings.cues)):
            raise NeuriptError(
                f"block {block.block} cues {unknown[0]!r}; the window was started with {', '.join(self._settings.cues)}"
            )
        self._screen, self._overlay = BLANK, ""
        self._say("listeners", **self._listeners())
        self._show = BlockShow(
            block, self._settings, self._frames, now=lsl_clock(), send=self._send, say=self._say
        )  # fmt: skip
        self._update()
        self._timer.start(self._tick_ms)

    def _refuse_while_running(self, what: str) -> None:
        if self._show is not None:
            raise NeuriptError(f'{what} was asked for while a block runs; send {{"do": "stop"}} first')

    def _wish(self, wish: Wish) -> None:
        if self._show is not None and self._show.wish(wish, lsl_clock()):
            self._update()

    def _photograph(self, file: str) -> None:
        if self._window is None:
            return
        size = QSize(self._window.width(), self._window.height())
        image = picture(self._scene(), size, self._window.devicePixelRatio(), self._overlay)
        if not image.save(file):
            raise NeuriptError(f"the picture cannot be written to {file}; name a .png in a folder that exists")
        self._say("screenshot", file=file)

    # time

    @property
    def _swaps(self) -> bool:
        return self._window is not None and self._window.stamps == "frame swapped"

    @property
    def _tick_ms(self) -> int:
        """Every frame where each is drawn; more often where only changes are."""
        return max(1, int(self._frames.period_s * (1000 if self._swaps else 300)))

    def _tick(self) -> None:
        show, now = self._show, lsl_clock()
        if show is None or self._window is None:
            self._timer.stop()
            return
        if not self._window.isExposed():
            show.disturbed()
        elif self._paced and now - self._last_frame < _STALLED_FRAMES * self._frames.period_s:
            return  # each frame asks for the next
        changed = self._step(now)
        if changed or self._swaps or show.moves:
            self._update()
        show.give_up(now)
        self._look_whether_over()

    def _step(self, when: float) -> bool:
        if self._show is None:
            return False
        changed = self._show.step(when)
        if changed and self._show.beeps:
            self._beep.play()
        return changed

    def _look_whether_over(self) -> None:
        show = self._show
        if show is None or not show.over:
            return
        self._show = None
        self._timer.stop()
        self._update()
        self._say("jitter", **self._frames.figures())
        self._say("block", block=show.block, status="closed" if self._ending else "stopped" if show.stopped else "done")

    def _start_measuring(self) -> None:
        self._measuring = []
        QTimer.singleShot(_MEASURE_MS, self._measured)
        self._update()

    def _measure(self, now: float) -> None:
        assert self._measuring is not None
        self._measuring.append(now)
        if not self._swaps or len(self._measuring) > MEASURED_FRAMES:
            self._measured()
        else:
            self._update()

    def _measured(self) -> None:
        """Find out whether swapping waits for the screen, and say that all is ready."""
        if self._measuring is None:
            return
        stamps, self._measuring = self._measuring, None
        least_s = _least_interval(stamps)
        if self._swaps and least_s is not None and least_s > 0.75 * self._frames.period_s:
            self._paced = True
            self._frames = FrameLog(max(least_s, self._frames.period_s))
        elif self._swaps and self._instead is not None:
            self._take_the_other()
            return
        self._ready(self._frames.period_s, self._paced)
        early, self._early = self._early or [], None
        for line in early:
            self._on_line(line)

    def _take_the_other(self) -> None:
        """Go on in a window that paints, which costs less where frames are not those of the screen anyway."""
        assert self._instead is not None
        assert self._window is not None
        before, self._window, self._instead = self._window, self._instead(), None
        before.frameSwapped.disconnect(self.shown)
        before.hide()
        self._start_measuring()

    def _scene(self) -> Scene:
        return self._screen if self._show is None else self._show.scene(lsl_clock())

    def _update(self) -> None:
        if self._window is not None:
            self._window.update()

    # keys

    def _keys(self) -> dict[int, str]:
        if self._show is None:
            return _STANDING
        return {**_GO, **_ALWAYS} if self._show.held else _RUNNING

    def _escape(self) -> None:
        if self._overlay:
            self._set_overlay("")
            self._say("key", key="stop")
            return
        self._set_overlay("Esc again: stop the session")
        QTimer.singleShot(_ESC_MS, lambda: self._set_overlay(""))

    def _set_overlay(self, text: str) -> None:
        self._overlay = text
        self._update()


def _least_interval(stamps: Sequence[float]) -> float | None:
    """Time between two frames in seconds when nothing else delays them; None where too few were shown."""
    settled = np.diff(stamps)[5:]
    return float(np.quantile(settled, 0.1)) if len(settled) >= 10 else None
