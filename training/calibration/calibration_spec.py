"""What a calibration is asked for: one checked, JSON-safe object that the command line and a notebook both make."""

from __future__ import annotations

from dataclasses import dataclass

from neuript.errors import NeuriptError
from neuript.training.calibration.dataset import DatasetSpec


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
    """Weights that the network starts from: "pretrained" (those shipped with the package), "micro" or "tiny" (random
    ones of that size), "none" (the Riemannian branch alone), or a checkpoint of `neuript-train pretrain`."""
    n_epochs: int | None = None
    """Passes of fine-tuning over the windows; None: what suits the start. 0 fits the read-out alone."""
    n_folds: int = 4
    """Number of blocks of the cross-validation, at least 2."""
    seed: int = 520
    """Seed of the weights, the batches and the augmentation."""
    subject: str = ""
    """Alias of the person (no name), noted in the model file."""

    def __post_init__(self) -> None:
        """Check everything that can be checked without the recordings."""
        super().__post_init__()
        if self.n_folds < 2:
            raise NeuriptError(
                f"--folds {self.n_folds}: at least 2 blocks are needed to hold one of them out (in Python: n_folds)"
            )
        if self.n_epochs is not None and self.n_epochs < 0:
            raise NeuriptError(
                f"--epochs {self.n_epochs} is negative; 0 fits the read-out of the network alone (in Python: n_epochs)"
            )
