"""A block of trials as a state machine: times come as arguments, and what must be shown comes out.

Nothing here knows a clock, a screen or a network: a test runs a thousand blocks in a second.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from neuript.errors import NeuriptError
from neuript.realtime.paradigm.graz_timing import GrazTiming

Outcome = Literal["done", "skipped", "aborted"]
"""What became of a trial; an aborted one comes again. The last word about a trial counts."""


class Phase(StrEnum):
    """What is on the screen."""

    FIXATION = "fixation"
    """The cross, with which a trial begins."""
    BEEP = "beep"
    """The cross, brighter; a tone."""
    CUE = "cue"
    IMAGERY = "imagery"
    """The cross again, or the bar of the feedback."""
    PAUSE = "pause"
    """Nothing."""
    HELD = "held"
    """The session stands still until somebody says that it goes on."""
    OVER = "over"


IN_TRIAL = frozenset({Phase.FIXATION, Phase.BEEP, Phase.CUE, Phase.IMAGERY})


@dataclass(frozen=True, slots=True, kw_only=True)
class CuedTrial:
    """A trial as it was planned: its number in the session, and its class."""

    trial: int
    cls: str


@dataclass(frozen=True, slots=True)
class TrialMark:
    """A marker to be sent with the stamp of the frame that shows a change."""

    ev: str
    """One of `trial_start`, `cross`, `beep`, `cue`, `feedback`, `trial_end`, `rejected`."""
    trial: CuedTrial


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """What must be on the screen from now on."""

    due: float
    """When it should have been there, in seconds on the clock of the caller."""
    phase: Phase
    trial: CuedTrial | None = None
    """The trial that is running, or the last one."""
    marks: tuple[TrialMark, ...] = ()
    ended: tuple[CuedTrial, Outcome] | None = None
    """A trial of which this is the end."""


class TrialRun:
    """One block; each call returns the change that follows from it, or None.

    Parameters
    ----------
    trials : sequence of CuedTrial
        In the order of showing.
    timing : GrazTiming
        How long what is shown.
    now : float
        Time of the start in seconds, on any clock that goes on.
    seed : int
        Of the length of the pauses.
    feedback : bool
        True sends `feedback` when the bar appears.
    scale : float
        Factor of all times; below 1 for tests.

    Examples
    --------
    >>> run = TrialRun([CuedTrial(trial=1, cls="feet")], GrazTiming(), now=0.0)
    >>> run.advance(1.0) is None
    True
    >>> run.advance(1.6).phase
    <Phase.FIXATION: 'fixation'>
    """

    def __init__(
        self,
        trials: Sequence[CuedTrial],
        timing: GrazTiming,
        *,
        now: float,
        seed: int = 0,
        feedback: bool = False,
        scale: float = 1.0,
    ) -> None:
        if not trials:
            raise NeuriptError("the block has no trials; give it at least one")
        self.phase = Phase.PAUSE
        self.trial: CuedTrial | None = None
        """The trial that was begun last."""
        self.stopped = False
        self.next_due: float | None = now + scale * timing.pause_s[0]
        """Time of the next change that comes by itself; None while held and when over."""
        self._outcome: Outcome | None = None  # of `trial`, once it has ended
        self._queue = deque(trials)
        self._timing, self._seed, self._feedback, self._scale = timing, seed, feedback, scale

    @property
    def n_left(self) -> int:
        """Number of trials that are still to be begun."""
        return len(self._queue)

    def advance(self, now: float) -> Change | None:
        """Make the change that is due by `now`; one at a time, so that nothing is left out however late it is."""
        due = self.next_due
        if due is None or now < due:
            return None
        follows = {Phase.FIXATION: self._beep, Phase.BEEP: self._cue, Phase.CUE: self._imagery}
        follows |= {Phase.IMAGERY: self._end, Phase.PAUSE: self._begin}
        return follows[self.phase](now, due)

    def pause(self, now: float) -> Change | None:
        """Stand still; a trial that is running is aborted, and comes again."""
        if self.phase in (Phase.HELD, Phase.OVER):
            return None
        return self._leave(now, Phase.HELD, "aborted")

    def go_on(self, now: float) -> Change | None:
        """Go on after a pause."""
        return self._to(Phase.PAUSE, now, now, self._timing.pause_s[0]) if self.phase is Phase.HELD else None

    def repeat(self, now: float) -> Change | None:
        """Do the trial again: the one that is running, or the last one; goes on where it was held."""
        if self.phase is Phase.OVER or (self.trial is None and self.phase is not Phase.HELD):
            return None
        return self._leave(now, Phase.PAUSE, "aborted", also_done=True)

    def skip(self, now: float) -> Change | None:
        """Leave the trial out: the one that is running, or the last one, or the first where none was begun."""
        if self.phase is Phase.OVER or self._outcome == "skipped":
            return None
        if self.trial is None:
            self.trial = self._queue.popleft()
            return self._leave(now, self.phase, "skipped")
        return self._leave(now, Phase.PAUSE if self.phase in IN_TRIAL else self.phase, "skipped", also_done=True)

    def stop(self, now: float) -> Change | None:
        """End the block; a trial that is running is aborted."""
        if self.phase is Phase.OVER:
            return None
        self.stopped = True
        return self._leave(now, Phase.OVER, "aborted")

    def _begin(self, now: float, due: float) -> Change:
        if not self._queue:
            return self._to(Phase.OVER, now, due, None)
        self.trial, self._outcome = self._queue.popleft(), None
        return self._to(Phase.FIXATION, now, due, self._timing.beep_s, "trial_start", "cross")

    def _beep(self, now: float, due: float) -> Change:
        return self._to(Phase.BEEP, now, due, self._timing.fixation_s - self._timing.beep_s, "beep")

    def _cue(self, now: float, due: float) -> Change:
        return self._to(Phase.CUE, now, due, self._timing.cue_s, "cue")

    def _imagery(self, now: float, due: float) -> Change:
        marks = ("feedback",) if self._feedback else ()
        return self._to(Phase.IMAGERY, now, due, self._timing.imagery_s - self._timing.cue_s, *marks)

    def _end(self, now: float, due: float) -> Change:
        assert self.trial is not None
        self._outcome = "done"
        pause_s = self._timing.pause_after(self.trial.trial, self._seed)
        return self._to(Phase.PAUSE, now, due, pause_s, "trial_end", ended=(self.trial, "done"))

    def _leave(self, now: float, phase: Phase, outcome: Outcome, *, also_done: bool = False) -> Change:
        """Go to another phase; what is running, or `also_done` what has just ended, has another outcome."""
        running, trial = self.phase in IN_TRIAL, self.trial
        touched = trial is not None and (running or (also_done and self._outcome != outcome) or outcome == "skipped")
        if trial is None or not touched:
            return self._to(phase, now, now, self._duration(phase))
        shown = running or self._outcome == "done"
        if self._outcome == "aborted":
            self._queue.remove(trial)
        if outcome == "aborted" and phase is not Phase.OVER:
            self._queue.appendleft(trial)
        self._outcome = outcome
        marks = ("rejected",) if shown else ()
        return self._to(phase, now, now, self._duration(phase), *marks, ended=(trial, outcome))

    def _duration(self, phase: Phase) -> float | None:
        return self._timing.pause_s[0] if phase is Phase.PAUSE else None

    def _to(
        self,
        phase: Phase,
        now: float,
        due: float,
        duration_s: float | None,
        *marks: str,
        ended: tuple[CuedTrial, Outcome] | None = None,
    ) -> Change:
        self.phase = phase
        self.next_due = None if duration_s is None else now + self._scale * duration_s
        trial = self.trial
        sent = tuple(TrialMark(ev, trial) for ev in marks) if trial is not None else ()
        return Change(due=due, phase=phase, trial=trial, marks=sent, ended=ended)
