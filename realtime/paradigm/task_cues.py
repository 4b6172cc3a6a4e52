"""What is shown for a class: a built-in sign with a word, or somebody's own text and picture."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from neuript import specs
from neuript.errors import NeuriptError
from neuript.realtime.lsl.gdf import PHASE_CODES
from neuript.realtime.recordings.cue_markers import PRACTICE

Sign = Literal["left", "right", "both", "down", "up", "ring"]
"""Signs that the window draws itself: arrows, a double arrow, and a ring for rest."""
MAX_PICTURE_BYTES = 32 * 2**20
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,39}")
_MAX_TEXT = 60


@dataclass(frozen=True, kw_only=True)
class TaskCue:
    """What the person sees when a class is cued."""

    name: str
    """Name of the class, as in the model."""
    text: str
    """Shown below the sign or picture, or large where there is neither."""
    sign: Sign | None = None
    picture: str | None = None
    """File of a picture; None where there is none."""

    def __post_init__(self) -> None:
        """Check the types."""
        specs.check_types(self)


@dataclass(frozen=True, kw_only=True)
class OwnCue:
    """A class of one's own, or another text or picture for a built-in one.

    Raises
    ------
    NeuriptError
        If the name or text cannot be used, or the picture is not there.
    """

    name: str
    """Name of the class: letters, digits, `_` and `-`, at most 40."""
    text: str = ""
    """What is shown; empty takes the name."""
    picture: str | None = None
    """File of a picture (PNG, JPEG, SVG, ...); None shows the text large."""

    def __post_init__(self) -> None:
        """Check what can be checked without drawing."""
        specs.check_types(self)
        taken = self.name in PHASE_CODES or self.name.startswith(PRACTICE)
        if taken or not _NAME.fullmatch(self.name):
            raise NeuriptError(
                f"the class name {specs.short(self.name)} must be letters, digits, _ and -, at most 40, and no word "
                f"that markers have ({', '.join(PHASE_CODES)}, {PRACTICE}...); for example words"
            )
        if len(self.text) > _MAX_TEXT or not self.text.isprintable():
            raise NeuriptError(
                f"the text {specs.short(self.text)} of class {self.name} must be one line of at most {_MAX_TEXT} "
                "letters"
            )
        if self.picture is not None:
            _check_picture(self.name, Path(self.picture))


def _check_picture(name: str, path: Path) -> None:
    if not path.is_file():
        raise NeuriptError(
            f"the picture {path} of class {name} is not there; give the file of a picture, or no picture to show the "
            "text alone"
        )
    if path.stat().st_size > MAX_PICTURE_BYTES:
        raise NeuriptError(
            f"the picture {path} of class {name} has {path.stat().st_size / 2**20:.0f} MiB; at most "
            f"{MAX_PICTURE_BYTES // 2**20} are read: save it smaller"
        )


BUILT_IN = {
    cue.name: cue
    for cue in (
        TaskCue(name="left_hand", text="left hand", sign="left"),
        TaskCue(name="right_hand", text="right hand", sign="right"),
        TaskCue(name="both_hands", text="both hands", sign="both"),
        TaskCue(name="feet", text="feet", sign="down"),
        TaskCue(name="tongue", text="tongue", sign="up"),
        TaskCue(name="rest", text="rest", sign="ring"),
    )
}
"""Classes that need no text and picture of one's own."""


def cues_of(classes: Sequence[str], own: Sequence[OwnCue] = ()) -> dict[str, TaskCue]:
    """Return what is shown for each class, in the order of the classes.

    Raises
    ------
    NeuriptError
        If there are less than two classes, one is named twice, one is neither built in nor one's own, or one of one's
        own is not among them.
    """
    if len(classes) < 2 or len(set(classes)) < len(classes):
        raise NeuriptError(f"the classes are {', '.join(classes) or 'none'}; name at least two, and each once")
    mine = {cue.name: cue for cue in own}
    if unused := sorted(set(mine) - set(classes)):
        raise NeuriptError(f"the cue of {unused[0]} belongs to no class; the classes are {', '.join(classes)}")
    known = {**BUILT_IN, **{name: _task_cue(cue) for name, cue in mine.items()}}
    if unknown := [name for name in classes if name not in known]:
        raise NeuriptError(
            f"there is no cue for class {specs.short(unknown[0])}; built in are {', '.join(BUILT_IN)}, and any other "
            "needs a text of its own"
        )
    return {name: known[name] for name in classes}


def _task_cue(cue: OwnCue) -> TaskCue:
    return TaskCue(name=cue.name, text=cue.text or cue.name.replace("_", " "), picture=cue.picture)
