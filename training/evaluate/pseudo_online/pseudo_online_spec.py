"""What a pseudo-online evaluation is asked for: one checked, JSON-safe object."""

from __future__ import annotations

from dataclasses import dataclass

from neuript import specs
from neuript.errors import NeuriptError
from neuript.training.calibration.calibration_spec import CalibrationSpec
from neuript.training.evaluate.pseudo_online.target_data import access_of

LAST_S = 0.5
"""The windows that say a trial's class end in the last part of the task, so many seconds long."""


@dataclass(frozen=True, kw_only=True)
class PseudoOnlineSpec(CalibrationSpec):
    """How each person is calibrated, and what is compared; fixed before any data are seen.

    Raises
    ------
    NeuriptError
        If a value is not allowed, naming it and what is.
    """

    trials: tuple[int, ...] | None = None
    """Calibration trials per class at which everything is repeated, beside all of them; None: 5, 10, 20, 40, and 0 with
    a population."""
    cs_mode: str | None = None
    """A protocol by MOABB's name (`CS_MODES`), which needs a population; None takes all calibration recordings with
    their labels."""
    window_end_s: tuple[float, float] | None = None
    """Seconds after a cue between which the windows end that say a trial's class; None: the last half second of the
    task."""

    def __post_init__(self) -> None:
        """Check everything that can be checked without the recordings."""
        for name in ("trials", "window_end_s"):
            if isinstance(getattr(self, name), list):
                object.__setattr__(self, name, tuple(getattr(self, name)))
        super().__post_init__()
        access = access_of(self.cs_mode)
        if self.cs_mode is not None and self.population is None:
            raise NeuriptError(
                f"--cs-mode {self.cs_mode} needs other people: give --population FILE (in Python: population)"
            )
        if self.trials is not None:
            if any(count < 0 for count in self.trials) or len(set(self.trials)) < len(self.trials):
                raise NeuriptError(
                    f"--trials {','.join(map(str, self.trials))}: give different whole numbers from 0 up (in Python: "
                    "trials)"
                )
            if 0 in self.trials and self.population is None:
                raise NeuriptError("--trials 0 needs --population FILE: without a trial only other people can decode")
            if not access.calibration_labeled:
                raise NeuriptError(f"--cs-mode {self.cs_mode} has no labelled trials to count; leave out --trials")
        low, high = self.judged_s
        specs.require(low <= high, self, "window_end_s", "two numbers of seconds, the first not the larger one")

    @property
    def counts(self) -> tuple[int, ...]:
        """Calibration trials per class at which everything is repeated, in rising order."""
        if not access_of(self.cs_mode).calibration_labeled:
            return ()
        usual = (5, 10, 20, 40) if self.population is None else (0, 5, 10, 20, 40)
        return usual if self.trials is None else tuple(sorted(self.trials))

    @property
    def judged_s(self) -> tuple[float, float]:
        """Seconds after a cue between which the windows end that say a trial's class."""
        end = self.epoch_s[1]
        return (max(end - LAST_S, self.epoch_s[0]), end) if self.window_end_s is None else self.window_end_s
