"""How long what is shown: the Graz trial."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neuript import specs
from neuript.errors import NeuriptError

SHORTEST_S = 1 / 3
"""No view is shown for less, in seconds: nothing on the screen changes more than three times a second."""
LONGEST_S = 60.0
_ROUNDING = 1e-9


@dataclass(frozen=True, kw_only=True)
class GrazTiming:
    """Times of a trial in seconds: cross, beep, cue, imagery, pause.

    Raises
    ------
    NeuriptError
        If a time is not allowed, naming it and what is.
    """

    fixation_s: float = 2.0
    """From the cross, with which a trial begins, to the cue."""
    beep_s: float = 1.0
    """From the cross to the beep; before the cue."""
    cue_s: float = 1.25
    """How long the arrow or picture is shown."""
    imagery_s: float = 4.0
    """From the onset of the cue to the end of the imagery."""
    pause_s: tuple[float, float] = (1.5, 2.5)
    """Shortest and longest pause between two trials; drawn for each."""

    def __post_init__(self) -> None:
        """Check every time."""
        specs.check_types(self)
        self._check("beep_s", self.beep_s, LONGEST_S)
        self._check("fixation_s", self.fixation_s - self.beep_s, LONGEST_S, f"{self.beep_s + SHORTEST_S:.2f}")
        self._check("cue_s", self.cue_s, LONGEST_S)
        self._check("imagery_s", self.imagery_s - self.cue_s, LONGEST_S, f"{self.cue_s + SHORTEST_S:.2f}")
        low, high = self.pause_s
        if not SHORTEST_S <= low <= high <= LONGEST_S:
            raise NeuriptError(
                f"pause_s={low:g}, {high:g} must be two numbers of {SHORTEST_S:.2f} to {LONGEST_S:g} s, the larger one "
                "last"
            )

    def _check(self, name: str, view_s: float, longest_s: float, least: str = f"{SHORTEST_S:.2f}") -> None:
        if not SHORTEST_S - _ROUNDING <= view_s <= longest_s:
            raise NeuriptError(
                f"{name}={getattr(self, name):g} must be {least} to {longest_s:g} s; nothing on the screen may change "
                "more often than three times a second"
            )

    @property
    def trial_s(self) -> float:
        """Length of a trial with its pause, on average, in seconds."""
        return self.fixation_s + self.imagery_s + sum(self.pause_s) / 2

    def pause_after(self, trial: int, seed: int) -> float:
        """Pause after a trial in seconds; the same for the same trial and seed, whatever went before."""
        return float(np.random.default_rng([seed, trial, 22]).uniform(*self.pause_s))
