"""The decoder's states in words: what is wrong, what it means for commands, what to do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

from neuript.durations import clock


class Tone(StrEnum):
    """How a state is coloured; the word and the mark always say the same without colour."""

    GOOD = "good"
    BUSY = "busy"
    WARN = "warn"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class StateWords:
    """A state as a person reads it."""

    title: str
    hint: str
    tone: Tone
    mark: str
    """One character whose shape differs per tone, for eyes that do not tell the colours apart."""


MOST_NAMED = 3
"""More channels than this are counted, not named."""

_MARKS = {Tone.GOOD: "●", Tone.BUSY: "◔", Tone.WARN: "▲", Tone.BAD: "■"}

_WORDS: dict[str, tuple[str, str, Tone]] = {
    "OK": ("OK", "Signal is clean; commands are enabled.", Tone.GOOD),
    "WARMUP": ("WARM-UP", "Filters are settling; no commands until {window} of signal has arrived.", Tone.BUSY),
    "GAP": (
        "GAP",
        "Samples are late or lost; no commands until {window} of clean signal. If it repeats: radio link or cable.",
        Tone.WARN,
    ),
    "STALE": ("STALE", "No samples arrive; no commands. Is the amplifier on and connected?", Tone.WARN),
    "CLOCK": (
        "CLOCK",
        "The clock of the stream jumped, nothing is lost; no commands until {window} of steady signal.",
        Tone.WARN,
    ),
    "BAD_SIGNAL": (
        "BAD SIGNAL",
        "A channel that the model needs is flat, saturated, far too large or without numbers; no commands. "
        "Check its electrode, the gel and the reference.",
        Tone.WARN,
    ),
    "OVERLOAD": (
        "OVERLOAD",
        "The computer is too slow for this model; windows are skipped, no commands. "
        "Close other programs or use a smaller model or a longer hop.",
        Tone.WARN,
    ),
    "LOST": (
        "LOST",
        "The EEG stream is gone; no commands. Restart the amplifier: decoding resumes by itself.",
        Tone.BAD,
    ),
    "RECOVERED": (
        "RECOVERED",
        "The stream is back and was checked again; no commands until {window} of clean signal.",
        Tone.BUSY,
    ),
    "PAUSED": (
        "PAUSED",
        "Commands were paused by hand: the signal is clean and decoded, no commands until somebody goes on.",
        Tone.BUSY,
    ),
    "SEARCHING": (
        "SEARCHING",
        "Waiting for the decoder's stream. If this stays: is neuript-live running? "
        "neuript doctor says why a stream cannot be seen.",
        Tone.BUSY,
    ),
    "SILENT": ("DECODER SILENT", "The decoder publishes nothing any more; what is shown is old.", Tone.BAD),
    "LATE": (
        "ROWS COME LATE",
        "What the decoder publishes is too old to act on when it arrives; no commands. "
        "Is a computer too busy, or its clock off?",
        Tone.BAD,
    ),
    "GONE": (
        "DECODER GONE",
        "The decoder has stopped; what is shown is old. This view connects again when the decoder is back.",
        Tone.BAD,
    ),
}


def describe(name: str, window_s: float | None = None) -> StateWords:
    """Put a state into words.

    Parameters
    ----------
    name : str
        A `State`, or what a reader alone knows: SEARCHING, SILENT, LATE, GONE.
    window_s : float | None
        Length of the decoder's window in seconds, named in the hints; None = "a full window".

    Returns
    -------
    StateWords
        Title, hint, tone and mark. An unknown state is a warning that says so.
    """
    window = "a full window" if window_s is None else f"{window_s:g} s"
    title, hint, tone = _WORDS.get(
        name, (name, "This version does not know the decoder's state; no commands.", Tone.WARN)
    )
    return StateWords(title, hint.format(window=window), tone, _MARKS[tone])


def naming(words: StateWords, wrong: Sequence[str]) -> StateWords:
    """Name the channels that are wrong in what is said of a bad signal.

    Parameters
    ----------
    words : StateWords
        Words for a bad signal.
    wrong : sequence of str
        Each channel with what is wrong, such as `C3 is flat`; none leaves the words as they are.
    """
    if not wrong:
        return words
    rest = f" and {len(wrong) - MOST_NAMED} more" if len(wrong) > MOST_NAMED else ""
    hint = f"{', '.join(wrong[:MOST_NAMED])}{rest}: no commands. Check the electrode, the gel and the reference."
    return replace(words, hint=hint)


def spoken(label: str) -> str:
    """Say a class name as a person does: `left hand`."""
    return label.replace("_", " ")


def duration(seconds: float) -> str:
    """Say a time span: `0.4 s`, `12 s`, `3:05`, `1:02:03`."""
    if seconds < 10:
        return f"{max(0.0, seconds):.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    return clock(seconds)
