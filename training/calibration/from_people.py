"""Calibration with what earlier people say: from no trial on, each trial moves the decoder from theirs to one's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray

from neuript.errors import NeuriptError
from neuript.realtime.chain.preprocess import PreprocessSpec
from neuript.realtime.recordings.recording import Recording
from neuript.training.calibration.calibration_spec import CalibrationSpec
from neuript.training.calibration.fitted_decoder import STACK, FittedDecoder
from neuript.training.calibration.held_out import (
    NETWORK,
    TANGENT,
    Masks,
    baseline_log_proba,
    blocks_of,
    nll_per_trial,
    score_held_out,
)
from neuript.training.fitting.centring import centre_s_of
from neuript.training.fitting.gate import GateWindows
from neuript.training.population.adaptation import PersonFit, adapt
from neuript.training.population.learning import person_trials, tangent_trials
from neuript.training.population.network_training import features_of
from neuript.training.population.population_file import Population, load_population
from neuript.training.windows.dataset import Dataset, build_dataset
from neuript.training.windows.dataset_channels import fitting_montage
from neuript.weights import population_file

LEAST_TRIALS = 5
"""With fewer trials of a class nothing is held out, and no accuracy is said."""


def calibrate_from_people(
    recordings: Sequence[Recording], spec: CalibrationSpec, population: Population, tell: Callable[[str], None]
) -> tuple[Dataset, FittedDecoder]:
    """Cut a person's windows as the people's were, and fit the decoder from theirs.

    Parameters
    ----------
    recordings : sequence of Recording
        Recordings of one person, in order of time, with trials or without.
    spec : CalibrationSpec
        Settings; task, classes, window and alignment are the population's.
    population : Population
        What earlier people say.
    tell : callable
        Takes a sentence at a time.

    Raises
    ------
    NeuriptError
        If the population does not fit: another task, other windows, too few shared electrodes, or the person is one of
        the people.
    """
    population.check_recordings([recording.path for recording in recordings])
    if spec.event_map:
        population.check_classes(tuple(spec.event_map))
    mine = spec_like(spec, population)
    montage, notes = fitting_montage(recordings, mine, population.montage, "the population")
    data = build_dataset(recordings, mine, montage, keep_hops=True)
    theirs = population.manifest.policy
    policy = {**data.manifest.policy, "threshold": theirs["threshold"], "release": theirs["release"]}
    data = replace(data, notes=(*notes, *data.notes), manifest=replace(data.manifest, policy=policy))
    for sentence in (data.describe(), *data.notes):
        tell(sentence)
    if data.reference is None:
        raise NeuriptError(
            "there is not half a minute of clean signal without a break in the first recording, so nobody can be seen "
            "from their own mean; check the electrodes (neuript inspect FILE) and record again"
        )
    return data, fit_from_people(data, population, n_folds=spec.n_folds)


def check_population(spec: CalibrationSpec, classes: Sequence[str]) -> None:
    """Refuse a population that a calibration to come could not begin with, before anybody waits for it.

    Raises
    ------
    NeuriptError
        If it has other classes, or other windows than are asked for.
    """
    if spec.population is None:
        return
    population = load_population(population_file(spec.population))
    population.check_classes(tuple(classes))
    spec_like(spec, population)


def spec_like(spec: CalibrationSpec, population: Population) -> CalibrationSpec:
    """Return the settings with those of the population where they must be the same."""
    manifest = population.manifest
    theirs = PreprocessSpec.from_dict(manifest.preprocess)
    if (spec.window_s, spec.sfreq) != (manifest.window_s, theirs.sfreq):
        raise NeuriptError(
            f"the population's windows are {manifest.window_s:g} s at {theirs.sfreq:g} Hz, not {spec.window_s:g} s at "
            f"{spec.sfreq:g} Hz; leave out --window, or learn a population with it"
        )
    if spec.reference not in ("as recorded", population.montage.reference):
        raise NeuriptError(
            f"the population's reference is {population.montage.reference!r}, not {spec.reference!r}; leave out "
            "--reference"
        )
    markers = spec.markers if spec.event_map else {}
    return replace(
        spec,
        # a marker that no recording has stands for a class without trials
        event_map={name: markers.get(name, (f"(no marker of {name})",)) for name in manifest.classes},
        alignment=theirs.alignment,
        task=manifest.task,
        idle_class=manifest.idle_class,
        min_trials_per_class=1 if spec.event_map else 0,
    )


def fit_from_people(data: Dataset, population: Population, *, n_folds: int = 4) -> FittedDecoder:
    """Fit a person's decoder and judge it on blocks of trials that it had not seen, plain decoders beside it."""
    learnt = population.learnt
    tangent = tangent_trials(data)
    features = None
    if learnt.network is not None:
        features = person_trials(data, learnt.scale * features_of(learnt.network, data.signal))
    blocks = _blocks(data, n_folds)
    fit = adapt(learnt, tangent, features, blocks, gate=GateWindows.of(data))
    reference = None
    if data.reference is not None:
        reference = {name: torch.tensor(values) for name, values in data.reference.to_arrays().items()}
    module = population.module(fit, reference)
    said = {**baseline_log_proba(data, blocks), **_branches(fit), STACK: fit.held_out} if blocks else {}
    scores = {name: score_held_out(log_proba, data) for name, log_proba in said.items()}
    own = {name: said[name] for name in (NETWORK, TANGENT, STACK) if name in said}
    nll = {name: nll_per_trial(log_proba, data) for name, log_proba in own.items()}
    per_class = min(data.counts.values())
    simulated = data.manifest.simulated or population.manifest.simulated

    def without(block: int, signals: NDArray[np.float32], tangents: NDArray[np.float32]) -> NDArray[np.float64]:
        seen = None if learnt.network is None else learnt.scale * features_of(learnt.network, signals)
        return fit.outputs(tangents, seen, block)

    return FittedDecoder(
        module,
        scores,
        fit.weights,
        nll,
        simulated=simulated,
        people=population.people,
        blocks=tuple(blocks),
        without_block=tuple(partial(without, block) for block in range(len(blocks))),
        centre_s=centre_s_of(per_class),
        commands=None if learnt.commands is None else learnt.commands.at(per_class),
    )


def _blocks(data: Dataset, n_folds: int) -> list[Masks]:
    """Blocks of the cross-validation; none where there are too few trials to hold some out."""
    if not len(data.trials) or min(data.counts.values()) < LEAST_TRIALS:
        return []
    return blocks_of(data, n_folds)


def _branches(fit: PersonFit) -> dict[str, NDArray[np.float64]]:
    """What each branch said of the blocks that it had not seen."""
    network = {} if fit.features is None else {NETWORK: fit.features.held_out}
    return {**network, TANGENT: fit.tangent.held_out}
