"""The task itself, without a screen and without LSL: targets, the cursor, hits and misses. Times are arguments.

While the decoder cannot say anything the time of a target stands still. Where that lasts it is not the person's fault:
the target is void, and asked for again at the end.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum

from neuript.realtime.decoding.decoder_header import DecoderHeader
from neuript.realtime.feedback.feedback_results import TargetEnd, TargetResult
from neuript.realtime.feedback.feedback_spec import SHORTEST_S, FeedbackSpec, chosen_classes, cursor_axis, target_order

LONGEST_STEP_S = 0.25
"""What passes beyond that between two frames (a window that was dragged, a computer that slept) does not count."""
STAY = 0.5
"""The cursor stays where the idle class is asked for while it is no farther from the middle than this."""


class TargetPhase(Enum):
    """What the person sees."""

    WAITING = "waiting"
    """The decoder says nothing that could be used."""
    PAUSE = "pause"
    TARGET = "target"
    RESULT = "result"
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Command:
    """What came of the decoder since the last frame."""

    evidence: dict[str, float] | None
    """The newest, None where nothing may be acted on."""
    begun: str | None = None
    """Class of a command that began."""
    state: str = "OK"
    """Why nothing may be acted on, where that is so."""


NOTHING = Command(evidence=None)
"""What a decoder says that is not there."""


class FeedbackTask:
    """One session, moved on frame by frame.

    Parameters
    ----------
    spec : FeedbackSpec
        What is asked for.
    header : DecoderHeader
        What the decoder says about itself.

    Attributes
    ----------
    phase : TargetPhase
        What is going on.
    target : str
        The class that is asked for, or was asked for last.
    number : int
        Number of the target, from 1; 0 before the first.
    position : float
        Where the cursor is, from -1 to 1.
    results : list of TargetResult
        How the targets ended.
    paused : bool
        Whether the person has stopped the task; nothing moves then.
    """

    def __init__(self, spec: FeedbackSpec, header: DecoderHeader) -> None:
        self.spec, self.idle_class = spec, header.idle_class
        self.classes = chosen_classes(spec, header)
        self.axis = cursor_axis(self.classes, self.idle_class) if spec.kind == "cursor" else None
        self._left = deque(target_order(self.classes, spec.n_per_class, spec.seed))
        self.n_targets = len(self._left)
        self.phase, self.target, self.number, self.position = TargetPhase.WAITING, "", 0, 0.0
        self.results: list[TargetResult] = []
        self.paused = False
        self._in_phase_s = 0.0
        self._quiet_s = 0.0
        self._before: float | None = None
        self._shown_at = 0.0

    @property
    def left_s(self) -> float:
        """Seconds until the target is over."""
        return max(0.0, self.spec.target_s - self._in_phase_s)

    def advance(self, now: float, command: Command) -> TargetPhase:
        """Move on to `now`, in seconds on the LSL clock."""
        step_s = 0.0 if self._before is None else min(max(0.0, now - self._before), LONGEST_STEP_S)
        self._before = now
        if self.paused or self.phase is TargetPhase.DONE:
            return self.phase
        live = command.evidence is not None
        self._quiet_s = 0.0 if live else self._quiet_s + step_s
        if live or self.phase is not TargetPhase.TARGET:
            self._in_phase_s += step_s
        if self.phase is TargetPhase.WAITING and live and self._in_phase_s >= SHORTEST_S:
            self._enter(TargetPhase.PAUSE)
        elif self.phase is TargetPhase.PAUSE:
            self._pause(now, live=live)
        elif self.phase is TargetPhase.TARGET:
            self._judge(command, step_s)
        elif self.phase is TargetPhase.RESULT and self._in_phase_s >= self.spec.shown_s:
            self._enter(TargetPhase.PAUSE if self._left else TargetPhase.DONE)
        return self.phase

    def shown(self, t: float) -> None:
        """Note when the target was drawn, in seconds on the LSL clock."""
        self._shown_at = t

    def _enter(self, phase: TargetPhase) -> None:
        self.phase, self._in_phase_s = phase, 0.0

    def _pause(self, now: float, *, live: bool) -> None:
        if self._quiet_s >= SHORTEST_S:
            self._enter(TargetPhase.WAITING)
        elif live and self._in_phase_s >= self.spec.pause_s:
            self.target, self.position, self._shown_at = self._left.popleft(), 0.0, now
            self.number += 1
            self._enter(TargetPhase.TARGET)

    def _judge(self, command: Command, step_s: float) -> None:
        if command.evidence is None:
            if self._quiet_s >= SHORTEST_S:
                self._left.append(self.target)
                self._end(TargetEnd.VOID, None, command.state)
            return
        answer = command.begun
        if self.axis is not None:
            answer = self._move(command.evidence, step_s)
        over = self._in_phase_s >= self.spec.target_s
        if answer is not None:
            self._end(TargetEnd.HIT if answer == self.target else TargetEnd.MISS, answer)
        elif over and self.target == self.idle_class:
            self._end(TargetEnd.HIT, self.idle_class)
        elif over:
            self._end(TargetEnd.TIMEOUT, None)

    def _move(self, evidence: dict[str, float], step_s: float) -> str | None:
        """Move the cursor; return the class whose place it has reached."""
        axis = self.axis
        if axis is None:
            return None
        way = self.spec.speed * step_s * axis.drive(evidence, self.idle_class)
        self.position = min(1.0, max(axis.low, self.position + way))
        edge = STAY if self.target == self.idle_class else 1.0
        if self.position >= edge:
            return axis.plus
        return axis.minus if self.position <= -edge else None

    def _end(self, outcome: TargetEnd, answer: str | None, state: str = "OK") -> None:
        self.results.append(
            TargetResult(
                number=self.number,
                target=self.target,
                t=self._shown_at,
                outcome=outcome,
                answer=answer,
                time_s=self._in_phase_s,
                state=state,
            )
        )
        self._enter(TargetPhase.RESULT)
