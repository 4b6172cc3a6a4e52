"""What a guided session says: to the person in the cap on the screen, and to whoever leads the session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from neuript.pasteable import pasteable
from neuript.realtime.live.signal_check import SignalCheck
from neuript.training.calibration.fitted_decoder import STACK
from neuript.training.calibration.to_model import CalibrationResult
from neuript.training.guided.guided_spec import GuidedSpec
from neuript.training.guided.refit import FittedSoFar
from neuript.training.report.verdict import about_today

GO_ON = "Space: go on"
SLOW_HZ = 50.0
"""Frames a second below which the screen is too slow for cues."""


def resume(path: Path) -> str:
    """Return the command that goes on with a session."""
    return f"go on with: {pasteable('neuript-calibrate', '--resume', path)}"


def check_screen(check: SignalCheck) -> dict[str, Any]:
    """Return the signal check as the cue window takes it."""
    electrodes = [
        {
            "name": e.name,
            "x": float(e.x) if e.placed else None,
            "y": float(e.y) if e.placed else None,
            "level": str(e.level),
            "why": e.why,
        }
        for e in check.electrodes
    ]
    say = [sentence for sentence in check.sentences if sentence != check.fix]
    return {"electrodes": electrodes, "say": say, "fix": check.fix, "go": check.go}


def about_window(ready: Mapping[str, Any]) -> list[str]:
    """Return what whoever leads the session should know of the cue window, from what it said when it was ready."""
    hz = float(ready.get("refresh_hz") or 0)
    slow = f"the screen shows only {hz:g} frames a second: a cue comes up to {2e3 / hz:.0f} ms late; set it to 60 Hz"
    return [*([slow] if 0 < hz < SLOW_HZ else []), *ready.get("notes", ())]


def late_trials(n: int) -> str:
    """Return what is said of the trials of a block in which something was late."""
    return (
        f"{n} trial{'s' if n > 1 else ''} of this block had a late frame, or a window that was moved or covered; leave "
        "this screen to the cues. They count, and their markers say so"
    )


def preparing() -> dict[str, str]:
    """Return the screen while the recording starts."""
    return {"title": "One moment", "text": "The recording starts.", "hint": ""}


def welcome(spec: GuidedSpec, *, practice: bool) -> dict[str, str]:
    """Return the instructions."""
    tasks = ", ".join(name.replace("_", " ") for name in spec.classes)
    lines = [
        f"You will be asked for: {tasks}.",
        "Look at the cross. When the sign appears, imagine that movement, and feel it, until the screen is empty.",
        "Do not really move. Rest means: think of nothing in particular. Blink and swallow while the screen is empty.",
        f"{spec.n_trials} times, in {spec.n_blocks} blocks, about {max(1, round(spec.minutes))} minutes in all.",
    ]
    if practice:
        lines.append("First some for practice.")
    return {"title": "What to do", "text": "\n".join(lines), "hint": f"{GO_ON}   ·   Esc twice: end"}


def after_practice() -> dict[str, str]:
    """Return the screen between practice and the first block."""
    return {"title": "That was practice", "text": "Now it counts. Sit comfortably.", "hint": GO_ON}


def goodbye() -> dict[str, str]:
    """Return the screen after the last trial."""
    return {"title": "Thank you", "text": "That was all.\nThe decoder is being made.", "hint": ""}


def result_screen(result: CalibrationResult) -> dict[str, str]:
    """Return the last screen: what came of it, said so that nobody is to blame."""
    card = result.published
    if card is None:
        text = "There were too few trials to say how well it works."
    elif card.above_chance:
        text = f"The decoder gets about {round(10 * card.accuracy)} of 10 right.\nNow you can use it."
    else:
        text = (
            "Today the decoder could not tell the tasks apart. That happens to many, and says nothing about you.\n"
            "More trials, another task, or another day often help."
        )
    return {"title": "Thank you", "text": text, "hint": "Space: close"}


def block_summary(
    number: int, n_blocks: int, *, lost: Sequence[str], so_far: FittedSoFar | None, fitting: bool
) -> dict[str, str]:
    """Return the screen of a break.

    Parameters
    ----------
    number, n_blocks : int
        Number of the block that is over, and of all.
    lost : sequence of str
        Electrodes that were bad for much of the block.
    so_far : FittedSoFar or None
        What the last fit brought.
    fitting : bool
        True while one runs.
    """
    lines = ["Take a break, as long as you like."]
    if lost:
        them = "it" if len(lost) == 1 else "them"
        lines.append(f"In this block {', '.join(lost)} lost contact: press {them} down, then R repeats the block.")
    if so_far is not None and so_far.model is not None:
        lines += [_person_words(so_far)]
    elif fitting:
        lines.append("The decoder learns meanwhile.")
    keys = f"{GO_ON}   ·   R: this block again   ·   Esc twice: that is enough"
    return {"title": f"Block {number} of {n_blocks} is done", "text": "\n".join(lines), "hint": keys}


def _person_words(fitted: FittedSoFar) -> str:
    card = fitted.figures.get("decoders", {}).get(STACK)
    if card is None:
        return "The decoder has begun to learn."
    right = round(10 * card["accuracy"])
    if card["accuracy"] <= card["chance_bound_5"]:
        return "The decoder cannot tell your thoughts apart yet. That is common at the beginning."
    return f"The decoder gets about {right} of 10 right so far."


def so_far(fitted: FittedSoFar) -> list[str]:
    """Return what a fit in the background says to whoever leads the session."""
    if fitted.model is None:
        return [f"after {len(fitted.shown)} trials: no decoder yet ({fitted.problem.partition(';')[0]})"]
    card = fitted.figures.get("decoders", {}).get(STACK)
    if card is None:
        return [f"after {len(fitted.shown)} trials: too few to hold some out"]
    low, high = card["interval_95"]
    verdict = "above" if card["accuracy"] > card["chance_bound_5"] else "not above"
    return [
        f"after {len(fitted.shown)} trials: {card['accuracy']:.0%} right on trials held out ({low:.0%} to {high:.0%}), "
        f"{verdict} chance ({card['chance_bound_5']:.0%})",
        *about_today(fitted.figures),
        *([f"stop now (q and Enter), or go on: {fitted.forecast}"] if fitted.forecast else []),
    ]
