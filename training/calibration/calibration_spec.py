"""What a calibration is asked for: one checked, JSON-safe object that the command line and a notebook both make."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import neuript.weights
from neuript.errors import NeuriptError
from neuript.realtime.recordings.recording import Recording, events_of
from neuript.training.windows.dataset_spec import DatasetSpec
from neuript.training.windows.events import Markers, own_event_map, unnamed_classes

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

    event_map: Mapping[str, Markers] = field(default_factory=dict)
    """Class to its marker or markers, texts or whole numbers; the order is that of the model's classes. May be empty
    where the recordings say it themselves (sessions with cues), or with a `population`."""
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

    def _checked_event_map(self) -> dict[str, tuple[str, ...]]:
        """Markers of each class as texts; none at all is allowed, for the recordings or a population may say them."""
        return super()._checked_event_map() if self.event_map or not isinstance(self.event_map, Mapping) else {}

    def completed(self, recordings: Sequence[Recording]) -> Self:
        """Return these settings with the event map that the recordings say themselves, where none was given.

        Raises
        ------
        NeuriptError
            If neither these settings, nor the recordings, nor a population say what the classes are; if the class of no
            command is none of them.
        """
        if self.event_map:
            return self
        found = own_event_map(recordings)
        if not found and self.population is None:
            raise unnamed_classes([event for recording in recordings for event in events_of(recording)])
        if not found and self.idle_class is not None:
            raise NeuriptError(f"--idle {self.idle_class} names a class, and --event none (in Python: idle_class)")
        return replace(self, event_map=found)


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
