"""A block on the screen: which scene, which markers at which frame, what was late. Frames and times are told to it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Protocol

from neuript.realtime.paradigm.cue_commands import RunBlock, ShowFeedback, Wish
from neuript.realtime.paradigm.cue_settings import CueSettings
from neuript.realtime.paradigm.frame_log import FrameLog
from neuript.realtime.paradigm.scenes import HELD, Scene, TrialScene
from neuript.realtime.paradigm.trial_run import IN_TRIAL, Change, Phase, TrialRun

NEVER_SHOWN_S = 0.25
"""A change that no frame has shown for so long is stamped without one, and its trial is late."""
_SMOOTH_S = 0.2
_FEEDBACK_OLD_S = 1.0


class SendMarker(Protocol):
    """What publishes a marker (`CueOutlets.send`)."""

    def __call__(self, ev: str, stamp: float, *, cls: str, trial: int, block: int, practice: bool, late: bool) -> None:
        """Push it."""


class SmoothBar:
    """The length of a bar that follows what it is told without jumping."""

    def __init__(self) -> None:
        self._goal, self._told_at = 0.0, -math.inf
        self._length, self._drawn_at = 0.0, -math.inf

    def aim(self, length: float, now: float) -> None:
        """Go toward a length, 0 to 1."""
        self._goal, self._told_at = length, now

    def lives(self, now: float) -> bool:
        """Tell whether somebody still says how long it is to be."""
        return now - self._told_at < _FEEDBACK_OLD_S

    def at(self, now: float) -> float:
        """Length at a time; it sinks to 0 when nobody says anything."""
        passed, self._drawn_at = min(1.0, max(0.0, now - self._drawn_at)), now
        goal = self._goal if self.lives(now) else 0.0
        self._length += (goal - self._length) * (1 - math.exp(-passed / _SMOOTH_S))
        return self._length

    def reset(self) -> None:
        """Begin again from nothing."""
        self._goal = self._length = 0.0
        self._told_at = -math.inf


class BlockShow:
    """One block, from its first pause to its last.

    Parameters
    ----------
    block : RunBlock
        Its trials.
    settings : CueSettings
        Cues, times, feedback.
    frames : FrameLog
        Where delays are noted.
    now : float
        LSL time in seconds.
    send : callable
        Publishes a marker.
    say : callable
        Tells whoever runs the session: what was said, and its fields.
    """

    def __init__(
        self,
        block: RunBlock,
        settings: CueSettings,
        frames: FrameLog,
        *,
        now: float,
        send: SendMarker,
        say: Callable[..., None],
    ) -> None:
        self._block, self._frames, self._send, self._say = block, frames, send, say
        self._cues, self._feedback = settings.cues, settings.feedback
        self._run = TrialRun(
            block.trials, settings.timing, now=now, seed=settings.seed, feedback=settings.feedback,
            scale=settings.time_scale,
        )  # fmt: skip
        self._bar = SmoothBar()
        self._pending: list[Change] = []
        self._drawn: list[Change] = []
        self._cue_t: float | None = None
        self._late = False
        self._asked_at = now
        self.over = False
        """True once the last frame of the block was shown."""
        frames.rest()

    @property
    def block(self) -> int:
        """Number of the block."""
        return self._block.block

    @property
    def beeps(self) -> bool:
        """True while the last change is the beep."""
        return self._run.phase is Phase.BEEP

    @property
    def held(self) -> bool:
        """True while somebody has to say that it goes on."""
        return self._run.phase is Phase.HELD

    @property
    def stopped(self) -> bool:
        """True if it was ended before its last trial."""
        return self._run.stopped

    @property
    def moves(self) -> bool:
        """True while the picture changes by itself."""
        return self._feedback and self._run.phase is Phase.IMAGERY

    def scene(self, now: float) -> Scene:
        """What must be on the screen."""
        run = self._run
        if run.phase is Phase.HELD:
            return HELD
        bar = self._bar.at(now) if self._feedback else None
        cue = self._cues[run.trial.cls] if run.trial is not None else None
        note = self._note() if run.phase is Phase.PAUSE else ""
        return TrialScene(phase=run.phase, cue=cue, bar=bar, bar_lives=self._bar.lives(now), note=note)

    def step(self, when: float) -> bool:
        """Make the change that is due by the time of the next frame; return whether there is one."""
        return self._take(self._run.advance(when))

    def wish(self, wish: Wish, now: float) -> bool:
        """Pause, go on, repeat, skip or stop; return whether the screen changes."""
        run = self._run
        doing = {"pause": run.pause, "go_on": run.go_on, "repeat": run.repeat, "skip": run.skip, "stop": run.stop}
        return wish in doing and self._take(doing[wish](now))

    def feedback(self, row: ShowFeedback, now: float) -> None:
        """Move the bar toward the cued class."""
        if self._run.trial is not None and self._run.phase is Phase.IMAGERY and row.state == "OK":
            self._bar.aim(row.toward(self._run.trial.cls, len(self._cues)), now)

    def drawn(self) -> None:
        """Take note that the scene is being drawn: the next frame shows all changes so far."""
        self._drawn, self._pending = [*self._drawn, *self._pending], []

    def shown(self, stamp: float, *, steady: bool) -> None:
        """Take note of a frame on the screen.

        Parameters
        ----------
        stamp : float
            LSL time of the frame in seconds.
        steady : bool
            True where every frame is drawn, so that a missed one can be told.
        """
        if steady and not self._frames.frame(stamp) and self._run.phase in (Phase.CUE, Phase.IMAGERY):
            self._late = True
        drawn, self._drawn = self._drawn, []
        for change in drawn:
            self._stamp(change, stamp)

    def give_up(self, now: float) -> None:
        """Stamp what no frame has shown for long: the window is covered, or the screen is off."""
        if (self._pending or self._drawn) and now - self._asked_at > NEVER_SHOWN_S:
            self.stamp_now(now)

    def stamp_now(self, now: float) -> None:
        """Stamp all that waits for a frame, without one."""
        self.disturbed()
        self.drawn()
        self.shown(now, steady=False)

    def disturbed(self) -> None:
        """Take note that the window was moved or covered."""
        if self._run.phase in (Phase.CUE, Phase.IMAGERY):
            self._late = True

    def _take(self, change: Change | None) -> bool:
        if change is None:
            return False
        if not (self._pending or self._drawn):
            self._asked_at = change.due
        self._pending.append(change)
        if change.phase is Phase.FIXATION:
            self._bar.reset()
        return True

    def _stamp(self, change: Change, stamp: float) -> None:
        if change.phase is Phase.FIXATION:
            self._cue_t, self._late = None, False
        elif change.phase is Phase.CUE:
            self._cue_t = stamp
            self._late = not self._frames.cue(change.due, stamp) or self._late
        for mark in change.marks:
            self._send(
                mark.ev, stamp, cls=mark.trial.cls, trial=mark.trial.trial, block=self._block.block,
                practice=self._block.practice, late=self._late,
            )  # fmt: skip
        if change.ended is not None:
            self._report(change)
        if change.phase not in IN_TRIAL:
            self._frames.rest()
        self.over = self.over or change.phase is Phase.OVER

    def _report(self, change: Change) -> None:
        assert change.ended is not None
        trial, outcome = change.ended
        if self._late:
            self._frames.late()
        said = {"trial": trial.trial, "cls": trial.cls, "status": outcome, "cue_t": self._cue_t, "late": self._late}
        self._say("trial", block=self._block.block, practice=self._block.practice, **said)

    def _note(self) -> str:
        n = len(self._block.trials)
        done = n - self._run.n_left
        what = "practice" if self._block.practice else f"block {self._block.block} of {self._block.n_blocks}"
        return f"{what}, {done} of {n}"
