"""The feedback's bar and cursor in every phase of the task, moved by the evidence that the real decoder gave."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any

from qtpy.QtCore import QSize, QSizeF
from qtpy.QtGui import QImage, QPainter

from neuript.realtime.dashboard.theme import THEMES
from neuript.realtime.feedback.feedback_client import Heard
from neuript.realtime.feedback.feedback_spec import FeedbackSpec
from neuript.realtime.feedback.feedback_task import Command, FeedbackTask, TargetPhase
from neuript.realtime.feedback.feedback_view import FeedbackView, view_of
from neuript.realtime.feedback.qt.feedback_picture import FeedbackPicture
from screens.shots import BOTH, Screen, ratio_now
from screens.twin_session import twin_session

KINDS = ("bar", "cursor")
STATES = ("SEARCHING", "BAD_SIGNAL", "LATE", "SILENT", "GONE")
LOST_S = (0.2, 0.9)
"""Seconds of the third target in which the decoder has nothing to say."""


@lru_cache(maxsize=4)
def views(kind: str) -> dict[str, FeedbackView]:
    """Return what is seen in a session in which everything happens, by phase and outcome."""
    session = twin_session()
    task = FeedbackTask(FeedbackSpec(kind=kind, n_per_class=8, seed=5, target_s=3.0), session.header)  # type: ignore[arg-type]
    rows = [row for at, row in session.rows if row.state == "OK" and row.evidence is not None]
    seen: dict[str, FeedbackView] = {}
    now, k, in_target_s = 0.0, 0, 0.0
    while task.phase is not TargetPhase.DONE:
        now, k = now + 0.125, (k + 1) % len(rows)
        in_target_s = in_target_s + 0.125 if task.phase is TargetPhase.TARGET else 0.0
        away = task.number == 3 and not any(r.outcome == "void" for r in task.results) and in_target_s > LOST_S[0]
        state, row = "BAD_SIGNAL" if away else "OK", rows[k]
        begun = row.decision if row.committed and not away else None
        command = Command(evidence=None if away else row.evidence, begun=begun, state=state)
        heard = Heard(state, session.header, "x", command)
        task.advance(now, command)
        outcome = f"-{task.results[-1].outcome}" if task.phase is TargetPhase.RESULT else ""
        name = f"{task.phase.value}{outcome}"
        if name != "target" or in_target_s > 0.4:
            seen.setdefault(name, view_of(task, heard, state))
    seen["done"] = view_of(task, heard, "OK")
    task.phase, task.paused = TargetPhase.PAUSE, True
    seen["paused"] = view_of(task, heard, "OK")
    return seen


def draw(view: Any, size: QSize, theme: str) -> QImage:
    ratio = ratio_now()
    image = QImage(size * ratio, QImage.Format.Format_RGB32)
    image.setDevicePixelRatio(ratio)
    picture = FeedbackPicture(THEMES[theme])
    picture.classes = twin_session().header.classes
    painter = QPainter(image)
    picture.draw(painter, QSizeF(size), view())
    painter.end()
    return image


def waiting(state: str) -> FeedbackView:
    """What is seen while the decoder is in a state, before the first target."""
    header = twin_session().header
    if state == "SEARCHING":
        return view_of(None, Heard(state), state)
    return view_of(FeedbackTask(FeedbackSpec(), header), Heard(state, header, "x"), state)


def screens() -> list[Screen]:
    found = [Screen(f"feedback-{s}", partial(draw, partial(waiting, s)), BOTH, shows=s) for s in STATES]
    outcomes = ("result-hit", "result-miss", "result-timeout", "result-void")
    for kind in KINDS:
        for phase in ("pause", "target", *outcomes, "done", "paused"):
            view = lambda kind=kind, phase=phase: views(kind).get(phase)  # noqa: E731
            found.append(Screen(f"feedback-{kind}-{phase}", partial(draw, view), BOTH, shows=phase))
    return found
