"""What the cue window can be told: one JSON object a line, `{"do": "run", ...}`."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Any, Literal

from neuript import specs
from neuript.errors import NeuriptError
from neuript.realtime.paradigm.trial_run import CuedTrial

MAX_TRIALS = 2000

Wish = Literal["pause", "go_on", "repeat", "skip", "stop", "end"]
"""Commands of one word; all but `end` are about the block that runs."""


@dataclass(frozen=True, kw_only=True)
class ShowMessage:
    """A screen of words: instructions, a break, what a block brought."""

    title: str = ""
    text: str = ""
    """Paragraphs, one a line."""
    hint: str = "Space: go on"
    """What may be pressed; small, at the bottom."""


@dataclass(frozen=True, kw_only=True)
class Electrode:
    """One electrode on the head map."""

    name: str
    x: float | None
    """To the right, in the unit disc, in which the outline of the head has the radius 0.8; None where nobody knows."""
    y: float | None
    """To the front, likewise."""
    level: str
    """`good`, `doubtful`, `bad`, or `absent`: there is no channel for it."""
    why: str = ""


@dataclass(frozen=True, kw_only=True)
class ShowCheck:
    """The signal check: contact on the head map, and what to do about it."""

    electrodes: tuple[Electrode, ...] = ()
    say: tuple[str, ...] = ()
    """Sentences: mains, unit, drift."""
    fix: str = ""
    """The one thing to do next; empty where nothing is."""
    go: bool = False
    """True if recording may begin."""


@dataclass(frozen=True, kw_only=True)
class RunBlock:
    """Show a block of trials."""

    block: int
    n_blocks: int = 1
    trials: tuple[CuedTrial, ...]
    practice: bool = False
    """True for trials that are not to be learnt from."""

    def __post_init__(self) -> None:
        """Check the trials; whether the classes are known is for the window to say."""
        specs.check_types(self)
        numbers = [one.trial for one in self.trials]
        if not numbers or len(numbers) > MAX_TRIALS or len(set(numbers)) < len(numbers) or min(numbers) < 0:
            raise NeuriptError(
                f"block {self.block} has {len(numbers)} trials; give 1 to {MAX_TRIALS}, each with a number of its own"
            )


@dataclass(frozen=True, kw_only=True)
class ShowFeedback:
    """What the decoder says at this moment."""

    proba: dict[str, float]
    """Class to its probability."""
    state: str = "OK"
    """State of the decoder; in any but OK the bar goes back."""

    def toward(self, cls: str, n_classes: int) -> float:
        """How far the bar goes for a class, 0 (no better than guessing) to 1."""
        p = self.proba.get(cls, 0.0) if self.state == "OK" else 0.0
        guess = 1 / max(2, n_classes)
        return min(1.0, max(0.0, (p - guess) / (1 - guess))) if math.isfinite(p) else 0.0


@dataclass(frozen=True, kw_only=True)
class TakeScreenshot:
    """Write a picture of what is on the screen."""

    file: str


Command = ShowMessage | ShowCheck | RunBlock | ShowFeedback | TakeScreenshot | Wish
_WITH_FIELDS: dict[str, type[Any]] = {
    "message": ShowMessage,
    "check": ShowCheck,
    "run": RunBlock,
    "feedback": ShowFeedback,
    "screenshot": TakeScreenshot,
}
_WISHES: dict[str, Wish] = {w: w for w in ("pause", "go_on", "repeat", "skip", "stop", "end")}


def read_command(line: str) -> Command:
    """Read one line.

    Raises
    ------
    NeuriptError
        If it is no command, naming what is wrong with it.
    """
    try:
        said = json.loads(line)
    except (ValueError, RecursionError):
        raise NeuriptError(f"{specs.short(line)} is no JSON; send one object a line") from None
    if not isinstance(said, dict):
        raise NeuriptError(f'{specs.short(line)} is no object; send for example {{"do": "pause"}}')
    do = said.pop("do", None)
    word = do if isinstance(do, str) else ""
    if word in _WISHES and not said:
        return _WISHES[word]
    kind = _WITH_FIELDS.get(word)
    if kind is None:
        raise NeuriptError(f"do={specs.short(do)} is not known; use one of {', '.join([*_WITH_FIELDS, *_WISHES])}")
    command: Command = specs.from_dict(kind, said, word)
    return command
