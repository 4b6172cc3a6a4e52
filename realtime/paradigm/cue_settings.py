"""What the cue window is started with: one checked, JSON-safe object."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field

from neuript import specs
from neuript.realtime.lsl.gdf import PHASE_CODES, gdf_codes
from neuript.realtime.paradigm.graz_timing import GrazTiming
from neuript.realtime.paradigm.task_cues import OwnCue, TaskCue, cues_of
from neuript.realtime.recordings.cue_markers import CueHeader

SMALLEST = (640, 400)
"""Least width and height of the window."""


@dataclass(frozen=True, kw_only=True)
class CueSettings:
    """Classes, times and looks of a session with cues.

    Raises
    ------
    NeuriptError
        If a value is not allowed, naming it and what is.
    """

    classes: tuple[str, ...] = ("left_hand", "right_hand")
    """Names of the classes, in the order of the model's; built-in ones (`task_cues.BUILT_IN`) or those of `own`."""
    own: tuple[OwnCue, ...] = ()
    """Texts and pictures for further classes, or in the place of the built-in ones."""
    timing: GrazTiming = field(default_factory=GrazTiming)
    """How long what is shown."""
    subject: str = ""
    """Alias of the person (no name): written into the marker streams, and part of their source ids."""
    seed: int = 0
    """Of the pauses; written into the marker streams."""
    feedback: bool = False
    """True shows a bar during the imagery, moved by what the decoder says."""
    sound: bool = True
    """False never beeps."""
    screen: int = 0
    """Number of the screen, from 0 on."""
    fullscreen: bool = True
    """False opens an ordinary window."""
    size: tuple[int, int] | None = None
    """Width and height of an ordinary window, in the screen's own units; None fits it to the screen."""
    opengl: bool | None = None
    """True draws through OpenGL wherever it is there, False never; None where its frames wait for the screen."""
    time_scale: float = 1.0
    """Factor of all times; for tests."""

    def __post_init__(self) -> None:
        """Check what can be checked without a window."""
        specs.check_types(self)
        cues_of(self.classes, self.own)
        specs.require(self.seed >= 0, self, "seed", "0 or more")
        specs.require(self.screen >= 0, self, "screen", "0 or more")
        specs.require(len(self.subject) <= 40 and self.subject.isprintable(), self, "subject", "an alias of one line")
        specs.require(0 < self.time_scale <= 1, self, "time_scale", "larger than 0, at most 1")
        w, h = self.size or SMALLEST
        specs.require(w >= SMALLEST[0] and h >= SMALLEST[1], self, "size", f"{SMALLEST[0]} x {SMALLEST[1]} or more")

    @property
    def cues(self) -> dict[str, TaskCue]:
        """What is shown for each class."""
        return cues_of(self.classes, self.own)

    @property
    def header(self) -> CueHeader:
        """What the marker streams say of the session."""
        return CueHeader(
            subject=self.subject,
            seed=self.seed,
            classes=gdf_codes(self.classes),
            events=PHASE_CODES,
            timing={name: _text(value) for name, value in asdict(self.timing).items()},
        )


def _text(value: object) -> str:
    return " ".join(map(str, value)) if isinstance(value, tuple) else str(value)
