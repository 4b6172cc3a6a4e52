"""Whether what a decoder publishes may be acted on at this moment: for whoever reads its stream and moves something.

Pure: times are arguments, seconds on this computer's LSL clock. The decoder's own state is believed only while rows
come and are fresh. A row that is old, repeated or stamped in the future commands nothing, and does not count as a sign
of life; a command that was already held when the first row arrived has begun some time ago, and is not given.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from neuript.realtime.decoding.decision import Decision
from neuript.realtime.decoding.proba_row import ProbaRow, unpack_row
from neuript.realtime.decoding.states import State, state_name

SEARCHING, GONE, SILENT, LATE = "SEARCHING", "GONE", "SILENT", "LATE"
"""What a reader alone can know: no stream yet, the stream is gone, no rows come, or rows come and are too old."""
MAX_AGE_S = 1.0
"""Seconds after which a row is too old to act on, unless somebody chooses otherwise."""


class DeadMan:
    """Takes rows as they arrive and gives those that may be acted on.

    Parameters
    ----------
    max_age_s : float
        Seconds: the oldest that the newest EEG sample of a row may be, and the longest silence.
    """

    def __init__(self, max_age_s: float = MAX_AGE_S) -> None:
        self._max_age_s = max_age_s
        self._classes: tuple[str, ...] | None = None
        self._none = SEARCHING
        self._stamp = -np.inf
        self._fresh_at = -np.inf
        self._came_at = -np.inf
        self._state = SEARCHING
        self._in_sight = False
        self._held: int | None = None
        self._unseen: int | None = None
        self._n_taken = 0

    def connect(self, classes: Sequence[str], now: float) -> None:
        """Begin with a stream that was found, or found again."""
        self._classes = tuple(classes)
        self._stamp, self._fresh_at, self._came_at = -np.inf, now, now
        self._state, self._in_sight = SEARCHING, False

    def disconnect(self) -> None:
        """Note that the stream is gone."""
        self._none = GONE if self._classes is not None else self._none
        self._classes = None

    def state(self, now: float) -> str:
        """The decoder's state if it can be believed, else what is wrong: "OK" is the only one to act in."""
        if self._classes is None:
            return self._none
        if now - self._fresh_at <= self._max_age_s:
            return self._state
        return LATE if now - self._came_at <= self._max_age_s else SILENT

    def take(self, values: NDArray[np.floating], stamp: float, now: float) -> Decision | None:
        """Take one row, shape (2 n_classes + 5,).

        Returns
        -------
        Decision or None
            The row, if it is in order, fresh and its state OK; `committed` where its command begins. None commands
            nothing.
        """
        if self._classes is None:
            return None
        self._came_at = now
        row = unpack_row(values, len(self._classes))
        state = state_name(row.state_code)
        if state != State.OK and not self._stamp < stamp:  # a stop is believed without a new sample; nothing else is
            self._state = state
            self._follow(None)
            return None
        if not self._stamp < stamp or abs(now - stamp) > self._max_age_s or (state == State.OK and not _whole(row)):
            return None
        self._in_sight &= now - self._fresh_at <= self._max_age_s
        self._stamp, self._fresh_at, self._state = stamp, now, state
        begins = self._follow(row.decision if state == State.OK else None)
        return self._decision(row, stamp, begins=begins) if state == State.OK else None

    def _follow(self, held: int | None) -> bool:
        """Note the command that is held, and say whether it begins; one that began unseen is not given."""
        if not self._in_sight:
            self._unseen = held
        elif held != self._unseen:
            self._unseen = None
        begins = self._in_sight and held is not None and held != self._held
        self._held, self._in_sight = held, True
        return begins

    def _decision(self, row: ProbaRow, stamp: float, *, begins: bool) -> Decision:
        classes = self._classes or ()
        held = None if self._held == self._unseen else self._held
        self._n_taken += 1
        return Decision(
            t=stamp,
            window_index=self._n_taken,
            state=State.OK,
            proba=_by_class(classes, row.proba),
            evidence=_by_class(classes, row.evidence),
            decision=None if held is None else classes[held],
            confidence=round(row.confidence, 6),
            committed=begins,
            sample_age_ms=row.sample_age_ms,
            latency_ms={"total": row.latency_ms},
        )


def _whole(row: ProbaRow) -> bool:
    """A row that says OK has all its numbers."""
    return bool(np.isfinite([*row.proba, *row.evidence, row.confidence]).all())


def _by_class(classes: Sequence[str], values: NDArray[np.float64]) -> dict[str, float]:
    """Numbers of a float32 stream without the digits that it did not carry."""
    return dict(zip(classes, np.round(values, 6).tolist(), strict=True))
