"""What a calibration is asked for: one checked, JSON-safe object that the command line and a notebook both make."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import neuript.weights
from neuript.errors import NeuriptError
from neuript.realtime.recordings.recording import Recording
from neuript.training.windows.dataset_spec import DatasetSpec
from neuript.training.windows.events import own_event_map

PRETRAINED = neuript.weights.SHIPPED_POPULATION
"""The encoder shipped with the package, in the population of six people that is shipped."""


@dataclass(frozen=True, kw_only=True)
class CalibrationSpec(DatasetSpec):
    """How recordings become windows, and how a decoder is fitted to them; fixed before any data are seen.

    `dataclasses.asdict` gives plain JSON values, and `CalibrationSpec(**values)` the same settings again.

    Raises
    ------
    NeuriptError
        If a value is not allowed, naming it and what is.
    """

    network: str = "pretrained"
    """The network's encoder: "pretrained" (the one shipped with the package), "none" (the Riemannian branch alone), or
    a file of `neuript-train pretrain` or `population`. It is not trained on the person; a read-out of it is."""
    population: str | None = None
    """File of `neuript-train population`, or "shipped" (imagery against rest, six people): what earlier people say of
    this person's decoder, so that few trials, or none (an empty `event_map`), are enough; `network` has no say then."""
    max_false_per_minute: float = 1.0
    """Commands at rest, per minute, that threshold and dwell are chosen for: not exceeded with 95 % confidence."""
    n_folds: int = 4
    """Number of blocks of the cross-validation, at least 2."""
    subject: str = ""
    """Alias of the person (no name), noted in the model file."""

    def __post_init__(self) -> None:
        """Check everything that can be checked without the recordings."""
        for name in ("network", "population"):
            if isinstance(getattr(self, name), Path):
                object.__setattr__(self, name, str(getattr(self, name)))
        super().__post_init__()
        if not 0 < self.max_false_per_minute < float("inf"):
            raise NeuriptError(
                f"--max-false-per-minute {self.max_false_per_minute:g} is not larger than 0 (in Python: "
                "max_false_per_minute)"
            )
        if self.n_folds < 2:
            raise NeuriptError(
                f"--folds {self.n_folds}: at least 2 blocks are needed to hold one of them out (in Python: n_folds)"
            )
        if self.population is None:
            encoder_file(self.network)
        if self.population is not None:
            neuript.weights.population_file(self.population)

    def completed(self, recordings: Sequence[Recording]) -> Self:
        """Return these settings as `DatasetSpec.completed` does; with a population there may be no class.

        Raises
        ------
        NeuriptError
            If neither these settings, nor the recordings, nor a population say what the classes are; if the class of no
            command is none of them.
        """
        if self.event_map or self.population is None or own_event_map(recordings):
            return super().completed(recordings)
        if self.idle_class is not None:
            raise NeuriptError(f"--idle {self.idle_class} names a class, and --event none (in Python: idle_class)")
        return self


def encoder_file(network: str) -> Path | None:
    """File of a network's encoder; None for no network.

    Parameters
    ----------
    network : str
        As in `CalibrationSpec.network`.

    Raises
    ------
    NeuriptError
        Where there is no such file.
    """
    if network == "none":
        return None
    path = PRETRAINED if network == "pretrained" else Path(network)
    if not path.is_file():
        raise NeuriptError(
            f"this installation has no pretrained encoder ({path.name}); choose --network none"
            if network == "pretrained"
            else f"--network {network} is no checkpoint file; give one of `neuript-train pretrain` or `population`, or "
            "pretrained or none"
        )
    return path
