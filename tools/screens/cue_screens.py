"""The moments of a trial and of a pause, as the cue window draws them."""

from __future__ import annotations

import tempfile
from functools import partial
from pathlib import Path

from qtpy.QtCore import QPointF, QSize
from qtpy.QtGui import QColor, QImage, QPainter, QPolygonF

from neuript.realtime.paradigm.qt.draw_screens import picture
from neuript.realtime.paradigm.scenes import HELD, Scene, TrialScene
from neuript.realtime.paradigm.task_cues import BUILT_IN, TaskCue
from neuript.realtime.paradigm.trial_run import Phase
from screens.shots import Screen, ratio_now

NOTE = "block 2 of 5, 7 of 24"
OVERLAY = "Esc again: stop the session"


def draw(scene: Scene, overlay: str, size: QSize, theme: str) -> QImage:
    return picture(scene, size, ratio_now(), overlay)


def house() -> str:
    """Draw what somebody may choose as a picture for a class of one's own; return its file."""
    image = QImage(600, 480, QImage.Format.Format_RGB32)
    image.fill(QColor("#b8d8e8"))
    painter = QPainter(image)
    painter.fillRect(0, 380, 600, 100, QColor("#7fa66a"))
    painter.fillRect(170, 210, 260, 190, QColor("#d8c49a"))
    painter.fillRect(275, 300, 60, 100, QColor("#6b4a2f"))
    painter.setBrush(QColor("#9c4a3a"))
    painter.drawPolygon(QPolygonF([QPointF(140, 215), QPointF(300, 90), QPointF(460, 215)]))
    painter.end()
    file = Path(tempfile.gettempdir()) / "neuript-screens-house.png"
    image.save(str(file))
    return str(file)


def scenes() -> dict[str, tuple[Scene, str]]:
    """Return every scene by a name, with the phase that it covers."""
    left = BUILT_IN["left_hand"]
    words = TaskCue(name="words", text="words that begin with A")
    found: dict[str, tuple[Scene, str]] = {
        "fixation": (TrialScene(phase=Phase.FIXATION), Phase.FIXATION),
        "beep": (TrialScene(phase=Phase.BEEP), Phase.BEEP),
        **{name: (TrialScene(phase=Phase.CUE, cue=cue), Phase.CUE) for name, cue in BUILT_IN.items()},
        "own-text": (TrialScene(phase=Phase.CUE, cue=words), Phase.CUE),
        "own-picture": (
            TrialScene(phase=Phase.CUE, cue=TaskCue(name="house", text="walk through it", picture=house())),
            Phase.CUE,
        ),
        "imagery": (TrialScene(phase=Phase.IMAGERY, cue=left), Phase.IMAGERY),
        **{
            f"feedback-{name}": (TrialScene(phase=Phase.IMAGERY, cue=cue, bar=0.6), Phase.IMAGERY)
            for name, cue in BUILT_IN.items()
        },
        "feedback-full": (TrialScene(phase=Phase.IMAGERY, cue=left, bar=1.0), Phase.IMAGERY),
        "feedback-still": (TrialScene(phase=Phase.IMAGERY, cue=left, bar=0.3, bar_lives=False), Phase.IMAGERY),
        "pause": (TrialScene(phase=Phase.PAUSE, note=NOTE), Phase.PAUSE),
        "over": (TrialScene(phase=Phase.OVER), Phase.OVER),
        "held": (HELD, Phase.HELD),
    }
    return found


def screens() -> list[Screen]:
    found = [
        Screen(f"cue-{name}", partial(draw, scene, ""), shows=str(phase)) for name, (scene, phase) in scenes().items()
    ]
    return [*found, Screen("cue-stopping", partial(draw, HELD, OVERLAY), shows=str(Phase.HELD))]
