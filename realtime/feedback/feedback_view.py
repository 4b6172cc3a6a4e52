"""What the window shows at a moment, in words and numbers, ready to draw."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from neuript.realtime.dashboard.words import Tone, describe, spoken
from neuript.realtime.feedback.feedback_client import Heard
from neuript.realtime.feedback.feedback_results import TargetEnd, TargetResult, hit_rate
from neuript.realtime.feedback.feedback_spec import CursorAxis
from neuript.realtime.feedback.feedback_task import FeedbackTask, TargetPhase

Picture = Literal["none", "bar", "cursor"]

_ARROWS = (("left", "◀"), ("right", "▶"), ("feet", "▼"), ("foot", "▼"), ("tongue", "▲"))
KEYS = "Space pauses  ·  Esc ends"


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackView:
    """A frame, without its colours and places."""

    headline: str
    """The largest words."""
    hint: str = ""
    tone: Tone | None = None
    """How the words are meant; None for what is asked for."""
    counter: str = ""
    score: str = ""
    picture: Picture = "none"
    target: str = ""
    level: float | None = None
    """Evidence of the class that is asked for, 0 to 1."""
    threshold: float | None = None
    position: float = 0.0
    axis: CursorAxis | None = None
    idle_class: str | None = None
    lines: tuple[str, ...] = ()
    """The results, at the end."""
    simulated: bool = False


def view_of(task: FeedbackTask | None, heard: Heard, state: str) -> FeedbackView:
    """Return what is shown.

    Parameters
    ----------
    task : FeedbackTask or None
        The task; None before a decoder is known.
    heard : Heard
        The newest of the decoder.
    state : str
        Its state as it is shown (steadied).
    """
    simulated = heard.header is not None and heard.header.simulated
    if task is None:
        words = describe(state)
        return FeedbackView(headline=f"{words.mark} {words.title}", hint=words.hint, tone=words.tone)
    done = hit_rate(task.results, task.idle_class)
    if task.phase is TargetPhase.DONE:
        return FeedbackView(headline=done.words, lines=_lines(task), simulated=simulated)
    base = FeedbackView(
        headline="",
        counter=f"target {min(len(_counted(task)) + 1, task.n_targets)} of {task.n_targets}",
        score=f"{done.n_hits} hit" if done.n_targets else "",
        simulated=simulated,
        idle_class=task.idle_class,
    )
    if task.paused:
        return replace(base, headline="PAUSED", hint="Space goes on, Esc ends.", tone=Tone.BUSY)
    if task.phase is TargetPhase.WAITING:
        words = describe(state, None if heard.header is None else heard.header.window_s)
        return replace(base, headline=f"{words.mark} {words.title}", hint=words.hint, tone=words.tone)
    if task.phase is TargetPhase.PAUSE:
        return replace(base, headline="+", hint="get ready")
    if task.phase is TargetPhase.RESULT:
        return _result(task, task.results[-1], base)
    return _target(task, heard, base)


def _target(task: FeedbackTask, heard: Heard, base: FeedbackView) -> FeedbackView:
    evidence = heard.command.evidence
    return replace(
        base,
        headline=asked(task.target, task.idle_class),
        picture=task.spec.kind,
        target=task.target,
        level=None if evidence is None else evidence.get(task.target),
        threshold=heard.header.threshold if heard.header and task.target != task.idle_class else None,
        position=task.position,
        axis=task.axis,
    )


def asked(target: str, idle_class: str | None) -> str:
    """Say what a target asks for, with an arrow where it has a direction."""
    if target == idle_class:
        return f"■ {spoken(target)}"
    arrow = next((arrow for part, arrow in _ARROWS if part in target), "●")
    return f"{arrow} {spoken(target)}"


def _result(task: FeedbackTask, result: TargetResult, base: FeedbackView) -> FeedbackView:
    seconds = "" if result.target == task.idle_class else f" after {result.time_s:.1f} s"
    words = describe(result.state)
    headline, hint, tone = {
        TargetEnd.HIT: ("✓ hit", f"{spoken(result.target)}{seconds}", Tone.GOOD),
        TargetEnd.MISS: (f"✗ {spoken(result.answer or '')}", f"{spoken(result.target)} was asked for", Tone.WARN),
        TargetEnd.TIMEOUT: ("– time is over", f"{spoken(result.target)} was asked for", Tone.WARN),
        TargetEnd.VOID: (f"{words.mark} {words.title}", "This one does not count; it is asked for again.", Tone.BUSY),
    }[result.outcome]
    return replace(base, headline=headline, hint=hint, tone=tone)


def _counted(task: FeedbackTask) -> list[TargetResult]:
    return [r for r in task.results if r.outcome is not TargetEnd.VOID]


def _lines(task: FeedbackTask) -> tuple[str, ...]:
    """The results of each class, and what they can be believed for."""
    lines = []
    for name in task.classes:
        rate = hit_rate(task.results, task.idle_class, name)
        time = "" if rate.median_hit_s is None else f", median {rate.median_hit_s:.1f} s"
        lines.append(f"{spoken(name)}: {rate.words}{time}")
    return (*lines, "in brackets: where the rate lies with 95 % confidence")
