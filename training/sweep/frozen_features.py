"""Frozen features of a sweep's network, and the SVM on them."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from neuript.specs import from_dict
from neuript.training.evaluate.svm_probe import ProbeSpec, draw, extract, probe
from neuript.training.sweep.measure import CHANNELS, Network, outcome

if TYPE_CHECKING:
    from neuript.training.evaluate.protocols import EvalData


def frozen_svm(data: EvalData, network: Network, settings: Mapping[str, Any]) -> dict[str, Any]:
    """Fit an SVM to the features of the training windows and test it.

    The encoder is as it was pretrained, or as it was initialised if it was not. The grid is
    searched inside the training split; validation windows are not used.

    Parameters
    ----------
    data : EvalData
        Windows in volts with their people and split.
    network : Network
        Shape and weights of the encoder.
    settings : mapping of str to Any
        Fields of `ProbeSpec` that differ from the defaults.

    Returns
    -------
    dict
        What `measure.outcome` returns, with "chosen", "cv_ba" (balanced accuracy), "folds" and "seconds".
    """
    began = time.monotonic()
    spec = from_dict(ProbeSpec, {k: v for k, v in settings.items() if k != CHANNELS}, "the SVM")
    if spec.n_test is not None:
        test = data.where("test")
        drawn = test[draw(data.y[test], spec.n_test, spec.seed)]
        kept = sorted([*data.where("train").tolist(), *drawn.tolist()])
        data = data.select(np.array(kept))
    model = network.build(data)
    train = data.of("train")
    judged = [extract(model, data.of("test").x, spec.features)]
    result = probe(extract(model, train.x, spec.features), train.y, train.subject, judged, spec)[0]
    return {
        **outcome(data, result.proba),
        "chosen": result.chosen,
        "cv_ba": result.cv_score,
        "folds": result.folds,
        "seconds": round(time.monotonic() - began, 1),
    }
