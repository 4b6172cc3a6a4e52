"""The learning curve of a calibration, and what more trials would bring: for its report, and between two blocks."""

from __future__ import annotations

from typing import Any

import numpy as np

from neuript.training.calibration.learning_curve import FitReadout, LearningCurve, learning_curve
from neuript.training.calibration.to_model import CalibrationResult
from neuript.training.population.learning import tangent_trials
from neuript.training.population.population_file import load_population
from neuript.training.population.prior import CANDIDATES, PersonTrials, fit_person
from neuript.weights import population_file


def curve_of_calibration(result: CalibrationResult) -> LearningCurve | None:
    """Learning curve of a calibration's Riemannian branch; None without one, or where no trial was held out.

    Parameters
    ----------
    result : CalibrationResult
        As `calibrate` returned it, with its grounds.
    """
    if result.grounds is None or not result.decoder.blocks or not result.grounds.data.tangent.shape[1]:
        return None
    data, spec = result.grounds.data, result.grounds.spec
    n_classes = len(data.classes)
    fit = None if spec.population is None else _fit_from(spec.population, n_classes)
    return learning_curve(tangent_trials(data), result.decoder.blocks, n_classes, fit=fit)


def _fit_from(population: str, n_classes: int) -> FitReadout:
    """Fit as earlier people would: in the way that served them best at this number of trials."""
    prior = load_population(population_file(population)).learnt.tangent

    def fit(part: PersonTrials) -> Any:
        taken = part.labels[np.unique(part.trial)]
        shares = prior.opinion.weigh(float(np.bincount(taken, minlength=n_classes).min()))
        return fit_person(part, n_classes, prior.readout, CANDIDATES[int(shares.argmax())])

    return fit
