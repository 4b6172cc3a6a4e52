"""The states a decision row can be in, and their numbers in the published stream."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """State of the decoder at one row; only in `OK` may a command be committed.

    The order of the members is the number published in the `state` channel.
    """

    OK = "OK"
    WARMUP = "WARMUP"  # the first window is not full yet
    GAP = "GAP"  # samples are missing, late or lost; until a window without the hole is full
    STALE = "STALE"  # nothing arrived for several chunk periods, or only what is too old
    CLOCK = "CLOCK"  # the time stamps jumped; until a window after the jump is full
    BAD_SIGNAL = "BAD_SIGNAL"  # a channel in use is dead or far too large, or the whole cannot be EEG
    OVERLOAD = "OVERLOAD"  # inference is slower than the hop, or this process slept; hops are being skipped
    LOST = "LOST"  # the stream is gone
    RECOVERED = "RECOVERED"  # the stream came back; until a window after it is full
    PAUSED = "PAUSED"  # a person has paused the commands; the signal is clean

    @property
    def code(self) -> int:
        """Number of this state in the published stream."""
        return STATE_ORDER.index(self)

    @property
    def text(self) -> str:
        """The state in words, for people."""
        return _TEXT[self]


STATE_ORDER: tuple[State, ...] = tuple(State)


def state_name(code: float) -> str:
    """Name the numeric state of a published row; an unknown code is shown as it is."""
    if code in range(len(STATE_ORDER)):
        return str(STATE_ORDER[int(code)])
    return f"STATE {code:g}"


_TEXT: dict[State, str] = {
    State.OK: "decoding",
    State.WARMUP: "filling the first window, or learning the reference",
    State.GAP: "samples are missing, late or lost; waiting for a whole window",
    State.STALE: "no samples are arriving, or only old ones",
    State.CLOCK: "the clock of the stream jumped; waiting for a whole window",
    State.BAD_SIGNAL: "a channel is flat, not a number, saturated or far too large, or the signal cannot be EEG",
    State.OVERLOAD: "this computer is too slow; hops are skipped",
    State.LOST: "the stream is gone",
    State.RECOVERED: "the stream is back; waiting for a whole window",
    State.PAUSED: "commands are paused by hand",
}
