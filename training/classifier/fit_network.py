"""How the classifier's network begins, and how it is fitted: a read-out of its features, or epochs of training."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
from sklearn.model_selection import train_test_split

from neuript.braindecode import NeurIPT
from neuript.errors import ArgumentError
from neuript.montages import Montage
from neuript.network.config import PresetName
from neuript.specs import from_dict
from neuript.training.fitting.encoder_readout import PATCHES, fit_own_readout, second_order
from neuript.training.fitting.forward import pooled_features, seeded
from neuript.training.fitting.heads import readout_as_head
from neuript.training.fitting.supervised import SupervisedSpec, train_supervised
from neuript.training.fitting.training_loop import EpochProgress
from neuript.training.windows.labelled import LabelledWindows

DEFAULT_SIZE: PresetName = "micro"
"""Size of a network that is trained from random weights."""
BATCH = 64
"""Windows in a forward pass without gradients: what it needs of memory does not grow with their number."""
_OWN = ("n_epochs", "batch_size", "max_lr", "seed")


class Saying:
    """Lines of progress on stdout, as scikit-learn's estimators print them; none where `verbose` is 0."""

    def __init__(self, verbose: int) -> None:
        self._verbose, self._began = bool(verbose), time.monotonic()

    def say(self, what: str) -> None:
        """Print what was done, with the seconds since the beginning."""
        if self._verbose:
            sys.stdout.write(f"[NeurIPTClassifier] {what} ({time.monotonic() - self._began:.1f} s)\n")
            sys.stdout.flush()

    def of_epochs(self, n_epochs: int) -> EpochProgress:
        """Return what prints a line after each of so many epochs."""

        def say(entry: dict[str, float]) -> None:
            losses = [f"{k.replace('_', ' ')} {entry[k]:.3f}" for k in ("train_loss", "val_loss") if k in entry]
            left_s = (n_epochs - entry["epoch"]) * entry["seconds"]
            self.say(f"epoch {entry['epoch']:.0f} of {n_epochs}: {', '.join(losses)}; {left_s:.0f} s to go")

        return say


@dataclass(frozen=True, kw_only=True)
class NetworkFit:
    """What network is fitted to windows, and how; the fields are the parameters of `NeurIPTClassifier`."""

    pretrained: str | Path | None
    size: PresetName | None
    model_options: Mapping[str, Any]
    n_epochs: int
    batch_size: int
    max_lr: float
    training_options: Mapping[str, Any]
    validation: float
    seed: int

    def __post_init__(self) -> None:
        """Refuse what does not go together."""
        if self.pretrained is not None and self.size is not None:
            raise ArgumentError(
                f"size={self.size!r} and pretrained={str(self.pretrained)!r} are both given; the checkpoint decides "
                "the size, so leave it out, or give pretrained=None for a network that starts at random"
            )
        if twice := [name for name in _OWN if name in self.training_options]:
            raise ArgumentError(
                f"training_options holds {', '.join(twice)}, which are parameters of "
                "NeurIPTClassifier itself (seed is random_state)"
            )
        if not 0 <= self.validation < 1:
            raise ArgumentError(f"validation={self.validation!r} must be a share in [0, 1)")

    def spec(self) -> SupervisedSpec:
        """Return what the training loop is told."""
        options: dict[str, Any] = {"n_epochs": self.n_epochs, "batch_size": self.batch_size, "max_lr": self.max_lr}
        options |= {"seed": self.seed, "loss": "ce"}
        if self.pretrained is not None:
            options["head_start"] = "probe"
        return from_dict(SupervisedSpec, {**options, **self.training_options}, "training_options")

    def fit(
        self, windows: LabelledWindows, montage: Montage, n_outputs: int, saying: Saying
    ) -> tuple[NeurIPT, list[dict[str, float]]]:
        """Fit a network to windows at the model's rate; return it in eval mode, and an entry for each epoch."""
        spec = self.spec()
        train, val = self._split(windows, spec.n_epochs)
        network = self._untrained(n_outputs, windows.n_times, montage, frozen=not spec.n_epochs)
        if spec.n_epochs:
            fitted = train_supervised(network, train, val, spec, saying.of_epochs(spec.n_epochs))
            return cast(NeurIPT, fitted.model), fitted.history
        features = pooled_features(network, train.x, batch_size=BATCH).double().numpy()
        readout = fit_own_readout(features, train.y, n_outputs)
        return cast(NeurIPT, readout_as_head(network, readout, 1.0)), []

    def _untrained(self, n_outputs: int, n_times: int, montage: Montage, *, frozen: bool) -> NeurIPT:
        """Return the network as it begins; one that stays so is read by the covariances of its tokens."""

        def build(**options: Any) -> NeurIPT:
            sizes: dict[str, Any] = {"n_outputs": n_outputs, "n_times": n_times, "montage": montage}
            with seeded(self.seed):
                if self.pretrained is None:
                    return NeurIPT(**sizes, size=self.size or DEFAULT_SIZE, **options)
                return NeurIPT.from_pretrained(self.pretrained, new_head=True, **sizes, **options)

        given = dict(self.model_options)
        if not frozen:
            return build(**given)
        if self.pretrained is None and self.size is None:
            given = PATCHES | given
        return build(**(second_order(build(**given).config.d_model) | given))

    def _split(self, windows: LabelledWindows, n_epochs: int) -> tuple[LabelledWindows, LabelledWindows | None]:
        if self.validation == 0:
            return windows, None
        if not n_epochs:
            raise ArgumentError(
                f"validation={self.validation:g} chooses among epochs, and there are none; give n_epochs, or "
                "validation=0"
            )
        train, val = train_test_split(
            np.arange(len(windows)), test_size=self.validation, stratify=windows.y, random_state=self.seed
        )
        return windows.select(train), windows.select(val)
