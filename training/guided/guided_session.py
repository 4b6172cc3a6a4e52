"""The guided session: check the signal, show cues, record everything, learn meanwhile, fit the decoder at the end."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import ExitStack

from neuript.errors import NeuriptError
from neuript.interrupt import Interrupt
from neuript.realtime.dashboard.head_points import Level
from neuript.realtime.live.signal_check import SignalCheck
from neuript.training.calibration.to_model import CalibrationResult
from neuript.training.guided import guided_words
from neuript.training.guided.session_parts import PULL_S, SessionParts
from neuript.training.guided.session_plan import SessionBlock, plan_session, practice, still_to_do

READ_S = 120.0
"""Longest time in seconds for which the result stays on the screen."""
SAY_AGAIN_S = 5.0
"""Seconds between two sentences about what is wrong with the signal before the session."""
_ANSWERS = ("go_on", "repeat", "stop")


class GuidedSession:
    """One session, from `run` to its end.

    Parameters
    ----------
    parts : SessionParts
        Amplifier, cue window, recording; nothing of it opened yet.
    stop : Interrupt
        The wish to end now.
    """

    def __init__(self, parts: SessionParts, stop: Interrupt) -> None:
        self._parts, self._cues, self._stop = parts, parts.cues, stop
        self._folder, self._spec, self._view = parts.folder, parts.spec, parts.view
        self._blocks = plan_session(parts.spec)

    def run(self, learn: Callable[[], CalibrationResult]) -> CalibrationResult:
        """Hold the session until its trials are over, or somebody stops it, and learn from them.

        Parameters
        ----------
        learn : callable
            Makes and saves the decoder of all that was recorded.

        Raises
        ------
        NeuriptError
            If a part of it cannot go on; everything until then is kept, and the session can be resumed.
        KeyboardInterrupt
            If it was interrupted; the same holds.
        """
        parts = self._parts
        with ExitStack() as stack:
            parts.open(stack)
            parts.start_decoder(stack)
            self._check_signal()
            parts.await_decoder()
            parts.start_recording(stack)
            self._practise()
            while not parts.stopped and (left := self._left()):
                self._hold(left[0])
            if not self._folder.shown_trials():
                raise NeuriptError("the session was ended before a trial was over, so there is nothing to learn from")
            self._cues.send(do="message", **guided_words.goodbye())
            parts.end_recording()
            return self._finish(learn)

    def _left(self) -> list[SessionBlock]:
        return still_to_do(self._blocks, self._folder.journal())

    def _check_signal(self) -> None:
        self._parts.tell("signal check: look at the window; Space goes on when it says GO")
        began, shown, told = time.monotonic(), None, ("", -math.inf)
        while True:
            self._parts.tend()
            check = self._parts.signal.watch.latest
            if check is not None and check is not shown:
                shown = check
                self._cues.send(do="check", **guided_words.check_screen(check))
                told = self._tell_what_is_wrong(check, told)
            key = self._parts.take_key()
            if key == "stop":
                raise KeyboardInterrupt
            if shown is not None and (key == "go_on" or self._by_itself(began)):
                if shown.go:
                    break
                if key:
                    told = self._tell_what_is_wrong(shown, ("", -math.inf))
        self._parts.tell(f"signal: {shown.verdict}")
        self._folder.note("check", go=True, bad=[e.name for e in shown.with_level(Level.BAD, Level.ABSENT)])

    def _tell_what_is_wrong(self, check: SignalCheck, told: tuple[str, float]) -> tuple[str, float]:
        """Say what keeps the session from going on, when it is something else than what was told, and when."""
        now = time.monotonic()
        if check.go or check.fix == told[0] or now - told[1] < SAY_AGAIN_S:
            return told
        self._parts.tell(f"not yet: {check.fix}")
        return check.fix, now

    def _practise(self) -> None:
        block = practice(self._spec)
        done = any(line["event"] == "practised" for line in self._folder.journal())
        self._pause_at(lambda: guided_words.welcome(self._spec, practice=block is not None and not done))
        if block is None or done or self._parts.stopped:
            return
        self._show_trials(block, practice=True)
        if not self._parts.stopped:
            self._folder.note("practised")
            self._pause_at(guided_words.after_practice)

    def _hold(self, block: SessionBlock) -> None:
        """Show the trials of a block, then rest; somebody may ask for it once more, or for the end."""
        self._show_trials(block)
        if shown := self._folder.shown_trials():
            self._parts.refit.ask(self._folder.recordings, shown)
        if self._parts.stopped or not (self._left() or self._parts.signal.lost_electrodes()):
            return
        key = self._pause_at(lambda: self._summary(block))
        if key == "repeat":
            self._folder.note("repeat", block=block.number)
            self._parts.tell(f"block {block.number} comes again")

    def _show_trials(self, block: SessionBlock, *, practice: bool = False) -> None:
        self._parts.signal.begin_block()
        self._parts.block_over = False
        trials = [{"trial": t.trial, "cls": t.cls} for t in block.trials]
        self._cues.send(do="run", block=block.number, n_blocks=len(self._blocks), trials=trials, practice=practice)
        if self._parts.signal.away:  # it stopped before the block: nothing would hold its trials
            self._cues.send(do="pause")
        while not self._parts.block_over:
            self._parts.tend()

    def _summary(self, block: SessionBlock) -> dict[str, str]:
        return guided_words.block_summary(
            block.number,
            len(self._blocks),
            lost=self._parts.signal.lost_electrodes(),
            so_far=self._parts.so_far,
            fitting=self._parts.refit.running,
        )

    def _pause_at(self, screen: Callable[[], dict[str, str]]) -> str:
        """Show words until a key says how it goes on; return the key."""
        self._parts.take_key()
        self._parts.screen = screen
        self._cues.send(do="message", **screen())
        began, key = time.monotonic(), ""
        while not key:
            self._parts.tend()
            pressed = self._parts.take_key()
            key = pressed if pressed in _ANSWERS else "go_on" if self._by_itself(began) else ""
        self._parts.screen = None
        self._parts.stopped = self._parts.stopped or key == "stop"
        return key

    def _by_itself(self, began: float) -> bool:
        """Tell whether a screen that came at `began` has been there for long enough to go on without a key."""
        after_s = self._view.go_on_after_s
        return after_s is not None and time.monotonic() - began > after_s

    def _finish(self, learn: Callable[[], CalibrationResult]) -> CalibrationResult:
        """Learn, and leave what came of it on the screen until somebody has read it."""
        result = learn()
        self._cues.send(do="message", **guided_words.result_screen(result))
        until = time.monotonic() + (READ_S if self._view.go_on_after_s is None else self._view.go_on_after_s)
        while time.monotonic() < until and not self._stop.requested:
            if any(said["said"] in ("key", "closed") for said in self._cues.poll(PULL_S)):
                break
        return result
