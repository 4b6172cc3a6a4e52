"""Which windows are due, which of them may be decoded, and in which state the others are."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np

from neuript.realtime.chain.conditioner import InputChange, Piece, RateChange, Stretch, Touched
from neuript.realtime.chain.holes import Hole
from neuript.realtime.chain.sample_rate import RateVerdict
from neuript.realtime.chain.timestamps import STEP_S, StampEvent, StampKind
from neuript.realtime.chain.windowing import Windower
from neuript.realtime.decoding.states import State

logger = logging.getLogger(__name__)

_NO_CRYSTAL = ": more than a crystal is off; samples may be lost on the way"
_ANOTHER_RATE = ": nothing is commanded until both agree; if the second is right, start again and give it with --sfreq"

SOFT_RECOVERY_S = 0.5
"""Seconds for which nothing is committed after late data went on without a hole."""


@dataclass(frozen=True, slots=True)
class DueWindow:
    """A decision that has fallen due.

    Attributes
    ----------
    end : int
        Absolute index, in output samples, just after the newest sample of the window.
    t : float
        Time of its newest input sample, seconds.
    index : int
        Hops since the beginning.
    state : State
        What the row is to say.
    ready : bool
        Whether there is a whole window without a break or a bad channel, so that it can be decoded.
    """

    end: int
    t: float
    index: int
    state: State
    ready: bool


class Admission:
    """Follows the pieces of a conditioner and admits windows to decoding.

    A window is admitted when it lies wholly behind the last break, start or bad second and the stamps raise no
    suspicion. All it counts are samples, so it says the same however the stream was cut into chunks.

    Parameters
    ----------
    n_times : int
        Samples of a window.
    hop : int
        Samples from one decision to the next.
    settle_samples : int
        Output samples after a start that no window may hold.
    """

    def __init__(self, n_times: int, hop: int, settle_samples: int) -> None:
        self.windower = Windower(n_times, hop)
        self.windower.restart(settle_samples)
        self.n_gaps = self.n_missing = self.n_clock_steps = self.n_bridged = 0
        self._settle_samples = settle_samples
        self._until_full = State.WARMUP
        self._suspicion: State | None = None
        self._input_bad = self._band_bad = self._hole = self._told_of_holes = False
        self._rate_wrong = False
        self._soft_until = self._doubt_until = 0
        self._touched_to = -1
        self._index = -1

    @property
    def index(self) -> int:
        """Number of the newest decision that fell due."""
        return self._index

    @property
    def next_end(self) -> int:
        """Absolute output index just after the newest sample of the next decision's window."""
        return (self.windower.total // self.windower.hop + 1) * self.windower.hop

    def take(self, piece: Piece, *, counted: bool = False) -> list[DueWindow]:
        """Follow one piece and return the decisions that fell due in it, oldest first.

        `counted` says that lost samples are counted one by one elsewhere.
        """
        if isinstance(piece, Stretch):
            return self._due_in(piece)
        if isinstance(piece, InputChange):
            self._input_bad = piece.lost
        elif isinstance(piece, RateChange):
            self._note_rate(piece)
        elif isinstance(piece, Touched):
            self.touch(piece.last, State.BAD_SIGNAL if piece.dead else State.GAP)
        elif isinstance(piece, Hole):
            self._note_hole(piece)
        else:
            self._note_stamps(piece, counted)
        return []

    def recovered(self, n_in: int, sfreq: float) -> None:
        """Data flow again after input sample `n_in` of a stream with `sfreq` Hz."""
        self._soft_until = n_in + round(SOFT_RECOVERY_S * sfreq)

    def touch(self, last: int, state: State) -> None:
        """Admit no window that holds anything up to input sample `last`; `state` until one without is full."""
        self._touched_to = max(self._touched_to, last)
        self._until_full = state

    def start_over(self, state: State) -> None:
        """Admit nothing from before the next sample; `state` until a window without the break is full."""
        self._suspicion = None
        self._band_bad = False
        self.windower.restart(self.windower.total + self._settle_samples)
        self._until_full = state

    def _due_in(self, piece: Stretch) -> list[DueWindow]:
        changes = [(change.index, bool(change.verdicts.any())) for change in piece.band]
        due = []
        if len(piece.newest) and self._touched_to >= piece.newest[0]:
            self.windower.restart(piece.first + int(np.searchsorted(piece.newest, self._touched_to, "right")))
        for end in self.windower.advance(len(piece.y)):
            while changes and changes[0][0] <= end:
                self._band_bad = changes.pop(0)[1]
            newest = end - 1 - piece.first
            due.append(self._admit(end, int(piece.newest[newest]), float(piece.t[newest])))
        if changes:
            self._band_bad = changes[-1][1]
        return due

    def _admit(self, end: int, newest: int, t: float) -> DueWindow:
        self._index += 1
        if self._input_bad or self._band_bad:  # no window may touch the bad stretch
            self._until_full = State.BAD_SIGNAL
            self.windower.restart(end)
        elif self._rate_wrong:
            self._until_full = State.CLOCK
            self.windower.restart(end)
        elif self._hole:
            self._until_full = State.GAP
            self.windower.restart(end)
        full = self.windower.is_full(end)
        state = self._suspicion or (State.OK if full else self._until_full)
        doubted = newest < self._doubt_until
        if doubted and state is State.OK:
            state = State.GAP
        if newest < self._soft_until and state in (State.OK, State.GAP):
            state = State.RECOVERED
        return DueWindow(end, t, self._index, state, full and self._suspicion is None and not doubted)

    def _note_rate(self, change: RateChange) -> None:
        self._rate_wrong = change.verdict is RateVerdict.WRONG
        if change.verdict is RateVerdict.FINE:
            return
        logger.warning(
            "the stream declares %g Hz and sends %.4g Hz by its stamps%s",
            change.declared,
            change.measured,
            _NO_CRYSTAL if change.verdict is RateVerdict.ODD else _ANOTHER_RATE,
        )

    def _note_hole(self, hole: Hole) -> None:
        """Count what was bridged; no window may touch what was not."""
        self.n_bridged += hole.bridged
        self._doubt_until = max(self._doubt_until, hole.doubt_until)
        if hole.condemned and not self._told_of_holes:
            self._told_of_holes = True
            logger.warning("samples are missing (no numbers, or held): longer or more of them than can be bridged")
        if hole.condemned or self._hole:
            self.windower.restart(self.windower.total)
            self._until_full = State.GAP
        self._hole = hole.condemned

    def _note_stamps(self, event: StampEvent, counted: bool) -> None:
        if event.kind is StampKind.SUSPECT:
            self._suspicion = State.GAP if 0 < event.seconds <= STEP_S else State.CLOCK
        elif event.kind is StampKind.BURST:
            self._suspicion = None
        elif event.kind is StampKind.GAP:
            self.n_gaps += 1
            self.n_missing += 0 if counted else round(event.missing)
            logger.warning("%.0f samples are missing", event.missing)
            self.start_over(State.RECOVERED if event.index <= self._soft_until else State.GAP)
        else:
            self.n_clock_steps += 1
            logger.warning("the clock of the stream jumped by %.3f s", event.seconds)
            self.start_over(State.CLOCK)
