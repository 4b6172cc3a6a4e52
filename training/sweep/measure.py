"""One evaluation of a sweep: build the network, fit it, and say how it does on the test people."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from neuript.errors import NeuriptError
from neuript.files import json_safe
from neuript.montages import Montage
from neuript.network.network import NeurIPTNetwork
from neuript.specs import from_dict
from neuript.training.fitting.build import build_network, network_config
from neuript.training.fitting.forward import predict
from neuript.training.fitting.metrics import confusion, score
from neuript.training.fitting.supervised import SupervisedSpec, train_supervised
from neuript.training.fitting.training_loop import Fitted
from neuript.training.sweep.channel_sets import spread

if TYPE_CHECKING:
    from torch import Tensor

    from neuript.training.evaluate.protocols import EvalData

Say = Callable[[str], None]
CHANNELS = "channels"
"""Entry of an evaluation's settings that is no field of its training: numbers of channels to do it with."""


@dataclass(frozen=True)
class Network:
    """What an evaluation starts from.

    Attributes
    ----------
    size : str
        Preset of widths: "base", "small", "tiny" or "micro".
    model : mapping of str to Any
        Fields of `NetworkConfig` that differ from the preset.
    encoder : mapping of str to Tensor, optional
        Pretrained weights; None starts at random ones.
    seed : int
        Seed of the initial weights and of the training.
    encoder_channels : tuple of str, optional
        Names of the channels that `encoder` was trained on, for learned positions.
    """

    size: str
    model: Mapping[str, Any]
    encoder: Mapping[str, Tensor] | None
    seed: int
    encoder_channels: tuple[str, ...] | None = None

    def build(self, data: EvalData, montage: Montage | None = None) -> NeurIPTNetwork:
        """Return a classifier for some data, on their montage or another."""
        config = network_config(self.size, n_outputs=data.n_outputs, n_times=data.n_times, options=self.model)
        return build_network(
            config,
            montage or data.montage,
            seed=self.seed,
            encoder=self.encoder,
            encoder_channels=self.encoder_channels,
        )


def spec_of(settings: Mapping[str, Any], seed: int) -> SupervisedSpec:
    """Return the hyper-parameters that a table asks for.

    Raises
    ------
    NeuriptError
        If one is unknown or not allowed.
    """
    values = {k: v for k, v in settings.items() if k != CHANNELS}
    return from_dict(SupervisedSpec, {**values, "seed": seed}, "the fine-tuning")


def finetune(data: EvalData, network: Network, settings: Mapping[str, Any], say: Say) -> dict[str, Any]:
    """Fine-tune on the training windows, choose the epoch on validation, test once."""
    began = time.monotonic()
    spec = spec_of(settings, network.seed)
    fitted = fit(network.build(data), data, spec, say)
    return {
        **outcome(data, predict(fitted.model, data.of("test").x, precision=spec.precision)),
        **training_of(fitted),
        "seconds": round(time.monotonic() - began, 1),
    }


def fit(model: NeurIPTNetwork, data: EvalData, spec: SupervisedSpec, say: Say = lambda _: None) -> Fitted:
    """Train on the train split with the validation split, if there is one.

    Parameters
    ----------
    model : NeurIPTNetwork
        The network to start from; not changed.
    data : EvalData
        Windows in volts with their split.
    spec : SupervisedSpec
        Hyper-parameters.
    say : callable
        Called with each line of the log.
    """
    val = data.of("val")
    began = time.monotonic()

    def progress(entry: Mapping[str, float]) -> None:
        say(
            f"  epoch {entry['epoch']:.0f}/{spec.n_epochs} loss {entry['train_loss']:.3f} "
            f"val BA {entry.get('val_ba', math.nan):.3f} {time.monotonic() - began:.0f} s"
        )

    return train_supervised(model, data.of("train"), val if len(val) else None, spec, progress)


def outcome(data: EvalData, proba_NK: NDArray[np.float64]) -> dict[str, Any]:
    """Return the scores of the test windows, and the confusion table of each test subject.

    Raises
    ------
    NeuriptError
        If there are no test windows.
    """
    at = data.where("test")
    y, subjects = data.y[at], data.subject[at]
    if not len(y):
        raise NeuriptError(f"{data.protocol}: there are no test windows")
    guess = proba_NK.argmax(axis=1)
    return {
        "metrics": json_safe(score(y, proba_NK)),
        "subjects": {
            str(name): confusion(y[own], guess[own], data.n_outputs).astype(int).tolist()
            for name in np.unique(subjects)
            for own in [subjects == name]
        },
        "n_train": len(data.where("train")),
        "n_test": len(y),
    }


def training_of(fitted: Fitted) -> dict[str, Any]:
    """Return how a training went, with what the choice of the epoch was made on."""
    best = next((e for e in fitted.history if e["epoch"] == fitted.best_epoch), {})
    return {"best_epoch": fitted.best_epoch, "n_epochs": len(fitted.history), "val_ba": json_safe(best.get("val_ba"))}


def on_channels(data: EvalData, settings: Mapping[str, Any]) -> Iterator[tuple[dict[str, str], EvalData]]:
    """Give the data as they are, or with each number of channels in `settings["channels"]`, and what to call it.

    Raises
    ------
    NeuriptError
        If there are fewer channels than asked for.
    """
    for n in settings.get(CHANNELS) or [None]:
        if n is None:
            yield {}, data
        else:
            yield {"condition": f"{n} of {data.n_chans} channels"}, with_channels(data, *spread(data.montage, n))


def with_channels(data: EvalData, montage: Montage, indices: list[int]) -> EvalData:
    """Return the data of some channels."""
    return replace(data, x=np.ascontiguousarray(data.x[:, indices]), montage=montage)
