"""What is on the screen, without saying how it is drawn."""

from __future__ import annotations

from dataclasses import dataclass

from neuript.realtime.paradigm.cue_commands import ShowCheck, ShowMessage
from neuript.realtime.paradigm.task_cues import TaskCue
from neuript.realtime.paradigm.trial_run import Phase


@dataclass(frozen=True, slots=True, kw_only=True)
class TrialScene:
    """A moment of a trial."""

    phase: Phase
    cue: TaskCue | None = None
    bar: float | None = None
    """Length of the feedback's bar, 0 to 1; None where there is no feedback."""
    bar_lives: bool = True
    """False while the decoder has nothing to say."""
    note: str = ""
    """Small words in the pauses: which trial this is."""


Scene = ShowMessage | ShowCheck | TrialScene

HELD = ShowMessage(title="Pause", text="", hint="Space: go on    R: repeat the trial    S: skip it    Esc twice: stop")
