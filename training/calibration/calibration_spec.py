"""What a calibration is asked for: one checked, JSON-safe object that the command line and a notebook both make."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import neuript.weights
from neuript.errors import NeuriptError
from neuript.training.calibration.dataset import DatasetSpec

PRETRAINED = Path(next(iter(neuript.weights.__path__))) / "twin-micro.safetensors"
"""The encoder shipped with the package."""


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
        if isinstance(self.network, Path):
            object.__setattr__(self, "network", str(self.network))
        super().__post_init__()
        if self.n_folds < 2:
            raise NeuriptError(
                f"--folds {self.n_folds}: at least 2 blocks are needed to hold one of them out (in Python: n_folds)"
            )
        if self.n_epochs is not None and self.n_epochs < 0:
            raise NeuriptError(
                f"--epochs {self.n_epochs} is negative; 0 fits the read-out of the network alone (in Python: n_epochs)"
            )
        if not 0 <= self.seed < 2**63:
            raise NeuriptError(f"--seed {self.seed} is not a whole number from 0 to 2**63 - 1 (in Python: seed)")
        encoder_file(self.network)


def encoder_file(network: str) -> Path | None:
    """File of the weights that a network starts from; None where they are random.

    Parameters
    ----------
    network : str
        As in `CalibrationSpec.network`.

    Raises
    ------
    NeuriptError
        Where there is no such file.
    """
    if network in ("micro", "tiny", "none"):
        return None
    path = PRETRAINED if network == "pretrained" else Path(network)
    if not path.is_file():
        raise NeuriptError(
            f"this installation has no pretrained encoder ({path.name}); choose --network micro, tiny or none"
            if network == "pretrained"
            else f"--network {network} is no checkpoint file; give one of `neuript-train pretrain`, or pretrained, "
            "micro, tiny or none"
        )
    return path
