"""What a feedback session asks for, checked when it is known which decoder it is; and the order of its targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from neuript.errors import NeuriptError
from neuript.realtime.decoding.decoder_header import DecoderHeader

FeedbackKind = Literal["bar", "cursor"]

SHORTEST_S = 0.5
"""Nothing on the screen lasts for less, so that nothing flashes more than twice a second."""


@dataclass(frozen=True, kw_only=True)
class FeedbackSpec:
    """The settings of a session."""

    kind: FeedbackKind = "bar"
    classes: tuple[str, ...] = ()
    """Classes that are asked for; empty for all of the decoder's."""
    n_per_class: int = 10
    """Targets per class."""
    target_s: float = 8.0
    """Seconds within which a target must be hit; for the idle class, for which nothing may be commanded."""
    pause_s: float = 2.0
    """Seconds between two targets."""
    shown_s: float = 1.5
    """Seconds for which it is shown how a target ended."""
    speed: float = 0.5
    """Way of the cursor per second where one class has all the evidence; from the middle to the edge is 1."""
    seed: int = 520

    def __post_init__(self) -> None:
        """Check the numbers."""
        if not 1 <= self.n_per_class <= 1000:
            raise NeuriptError(f"--targets {self.n_per_class} must be from 1 to 1000 per class")
        for name, option in (("target_s", "--time"), ("pause_s", "--pause"), ("shown_s", "shown_s")):
            value = getattr(self, name)
            if not SHORTEST_S <= value <= 600:
                raise NeuriptError(f"{option} {value:g} must be from {SHORTEST_S:g} to 600 seconds")
        if not 0.01 <= self.speed <= 10:
            raise NeuriptError(f"--speed {self.speed:g} must be from 0.01 to 10")


@dataclass(frozen=True, kw_only=True)
class CursorAxis:
    """The line that the cursor moves along, from -1 to 1, or from 0 where there is one class beside the idle one."""

    minus: str | None
    """Class at -1; None where there is none."""
    plus: str
    """Class at 1."""

    @property
    def low(self) -> float:
        """The end of the line."""
        return 0.0 if self.minus is None else -1.0

    def drive(self, evidence: dict[str, float], idle_class: str | None) -> float:
        """Return what moves the cursor: the evidence of one side less that of the other, or of the idle class."""
        against = self.minus if self.minus is not None else idle_class
        return evidence[self.plus] - (evidence[against] if against is not None else 1.0 - evidence[self.plus])


def chosen_classes(spec: FeedbackSpec, header: DecoderHeader) -> tuple[str, ...]:
    """Return the classes that are asked for.

    Raises
    ------
    NeuriptError
        If one is none of the decoder's, or only the idle one is left.
    """
    unknown = [name for name in spec.classes if name not in header.classes]
    if unknown:
        raise NeuriptError(f"--classes: {unknown[0]} is no class of this decoder; it has {', '.join(header.classes)}")
    chosen = tuple(name for name in header.classes if not spec.classes or name in spec.classes)
    if all(name == header.idle_class for name in chosen):
        raise NeuriptError(f"--classes: {header.idle_class} alone means no command; name a class that is commanded too")
    return chosen


def cursor_axis(classes: Sequence[str], idle_class: str | None) -> CursorAxis:
    """Return the line for one or two classes beside the idle one; the left one is on the left.

    Raises
    ------
    NeuriptError
        If there are more.
    """
    sides = [name for name in classes if name != idle_class]
    if len(sides) > 2:
        raise NeuriptError(
            f"a cursor moves on one line between two classes, and there are {', '.join(sides)}; choose two with "
            "--classes, or --task bar"
        )
    if len(sides) == 1:
        return CursorAxis(minus=None, plus=sides[0])
    one, two = sides
    return CursorAxis(minus=two, plus=one) if "right" in one or "left" in two else CursorAxis(minus=one, plus=two)


def target_order(classes: Sequence[str], n_per_class: int, seed: int) -> list[str]:
    """Return the targets in blocks that hold each class once, in an order that the seed draws."""
    rng = np.random.default_rng(seed)
    return [classes[k] for _ in range(n_per_class) for k in rng.permutation(len(classes))]
