"""The decoders that are compared: the calibrated one and the plain ones, at each number of calibration trials.

All see the same windows of the same trials, always the first ones in time.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
import torch
from mne import use_log_level
from numpy.typing import NDArray
from torch import nn

from neuript.errors import NeuriptError
from neuript.realtime.decoding.scoring import Trial
from neuript.training.calibration.fitted_decoder import STACK, FittedDecoder
from neuript.training.calibration.held_out import Masks
from neuript.training.evaluate.pseudo_online.walks import F64, Key, LogitsOf, WindowBatch
from neuript.training.fitting.plain import BASELINES
from neuript.training.population.command_evidence import CommandPrior
from neuript.training.population.prior import first_trials
from neuript.training.windows.dataset import Dataset

ALL = "all"
"""Stands for every trial of the calibration recordings, where else there is a number per class."""


@dataclass(frozen=True, eq=False, slots=True)
class WindowBlocks:
    """Labelled windows and their blocks.

    Attributes
    ----------
    recording : ndarray, shape (n_windows,)
        Index of the recording of each window.
    end_s : ndarray, shape (n_windows,)
        Time of its newest sample, in seconds on the clock of that recording.
    fold : ndarray, shape (n_windows,)
        Its block.
    """

    recording: NDArray[np.int64]
    end_s: NDArray[np.float64]
    fold: NDArray[np.int64]


@dataclass(frozen=True, eq=False, slots=True)
class Contestant:
    """A decoder at one number of calibration trials, before its policy is chosen.

    Attributes
    ----------
    name : str
        `STACK`, or the name of a plain decoder.
    count : str
        Calibration trials per class, or `ALL`.
    logits : callable
        From windows to logits.
    trials : tuple of Trial
        Trials that it was fitted to.
    blocks : WindowBlocks
        Which block of the cross-validation each window that it was fitted to is in.
    without_block : tuple of callable
        The decoder as it is without each block; none where no trial was held out.
    module : Module or None
        The calibrated decoder as it goes into a model file; None for the plain ones.
    model : dict
        How to build that module, for its manifest.
    gate : bool
        Whether the last of its outputs is the gate.
    centre_s : float
        As in `FittedDecoder.centre_s`.
    commands : CommandPrior or None
        As in `FittedDecoder.commands`.
    """

    name: str
    count: str
    logits: LogitsOf
    trials: tuple[Trial, ...]
    blocks: WindowBlocks
    without_block: tuple[LogitsOf, ...]
    module: nn.Module | None = None
    model: dict[str, Any] | None = None
    gate: bool = False
    centre_s: float = 0.0
    commands: CommandPrior | None = None

    @property
    def key(self) -> Key:
        """Name and number of trials."""
        return self.name, self.count


def with_first_trials(data: Dataset, count: int) -> Dataset | None:
    """Return the windows of the first `count` trials of each class; None where a class has fewer."""
    labels = data.trial_labels
    taken = first_trials(labels, count)
    if count and np.bincount(labels[taken], minlength=len(data.classes)).min() < count:
        return None
    part = data.select(taken[data.trial])
    renumber = np.cumsum(taken) - 1
    kept = tuple(trial for trial, is_taken in zip(data.trials, taken, strict=True) if is_taken)
    pre_cue = None if data.pre_cue is None else data.pre_cue.of_trials(taken, renumber)
    pauses = None if data.pauses is None else data.pauses.of_trials(taken, renumber)
    return replace(part, trial=renumber[part.trial], trials=kept, pre_cue=pre_cue, pauses=pauses)


def contestants_of(
    data: Dataset, fit: Callable[[Dataset], FittedDecoder], counts: Sequence[int], *, everything: bool = True
) -> tuple[list[Contestant], list[str], list[str]]:
    """Fit every decoder at every number of trials.

    Parameters
    ----------
    data : Dataset
        The person's calibration windows.
    fit : callable
        Fits the calibrated decoder to windows of the person.
    counts : sequence of int
        Trials per class; 0 needs earlier people.
    everything : bool
        Whether all trials are a number, too.

    Returns
    -------
    list of Contestant
        In order of the numbers; of each number the calibrated decoder first.
    list of str
        Numbers that are all trials anyway, for which `ALL` stands.
    list of str
        A sentence for each number that could not be had.
    """
    out: list[Contestant] = []
    same, notes = [], []
    for count in (*counts, *((ALL,) if everything else ())):
        part = data if count == ALL else with_first_trials(data, int(count))
        if part is None:
            notes.append(f"there are fewer than {count} calibration trials of some class")
            continue
        if count != ALL and everything and len(part.trials) == len(data.trials):
            same.append(str(count))
            continue
        try:
            out += _at_one_number(part, str(count), fit)
        except NeuriptError as error:
            if count == ALL:
                raise
            notes.append(f"{count} trials per class: {error}")
    return out, same, notes


def _at_one_number(part: Dataset, count: str, fit: Callable[[Dataset], FittedDecoder]) -> list[Contestant]:
    decoder = fit(part)
    assert part.end_s is not None
    fold = np.zeros(len(part.x), dtype=np.int64)
    for number, (_, test) in enumerate(decoder.blocks):
        fold[test] = number
    recording = np.array([trial.recording for trial in part.trials], dtype=np.int64)[part.trial]
    folds = WindowBlocks(recording, part.end_s, fold)
    return [_published(part, count, decoder, folds), *_plain(part, count, decoder.blocks, folds)]


def _published(part: Dataset, count: str, decoder: FittedDecoder, folds: WindowBlocks) -> Contestant:
    without = tuple(partial(_held_out, logits) for logits in decoder.without_block)
    return Contestant(
        STACK,
        count,
        logits_of_module(decoder.module),
        part.trials,
        folds,
        without,
        decoder.module,
        decoder.describe(),
        decoder.module.gate is not None,
        decoder.centre_s,
        decoder.commands,
    )


def _held_out(logits: Callable[[NDArray[np.float32], NDArray[np.float32]], F64], batch: WindowBatch) -> F64:
    return logits(batch.signal, batch.tangent)


def _plain(part: Dataset, count: str, blocks: Sequence[Masks], folds: WindowBlocks) -> list[Contestant]:
    """Plain decoders of the same windows; none without a trial."""
    if not len(part.trials):
        return []
    whole = np.ones(len(part.x), dtype=bool)
    return [
        Contestant(
            name,
            count,
            plain_logits(name, part, whole),
            part.trials,
            folds,
            tuple(plain_logits(name, part, train) for train, _ in blocks),
        )
        for name in BASELINES
    ]


def plain_logits(name: str, data: Dataset, train: NDArray[np.bool_]) -> LogitsOf:
    """Fit a plain decoder to the windows of a mask; return its logarithms of probabilities."""
    with use_log_level("ERROR"):
        pipeline = BASELINES[name](data.sfreq).fit(data.x[train].astype(np.float64), data.y[train])

    def logits(batch: WindowBatch) -> F64:
        with use_log_level("ERROR"):
            proba = pipeline.predict_proba(batch.volts.astype(np.float64))
        return np.asarray(np.log(np.clip(proba, 1e-9, 1.0)))

    return logits


def logits_of_module(module: nn.Module) -> LogitsOf:
    """Return a calibrated decoder as a function of many windows."""

    def logits(batch: WindowBatch) -> F64:
        inputs = [torch.from_numpy(batch.signal), torch.from_numpy(batch.tangent)]
        with torch.inference_mode():
            return np.asarray(module(*(inputs if batch.tangent.shape[1] else inputs[:1])).numpy(), dtype=np.float64)

    return logits
