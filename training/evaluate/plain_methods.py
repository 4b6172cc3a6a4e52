"""The choice among the candidates of a plain decoder: by the validation people, and by nothing else."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuript.errors import NeuriptError
from neuript.training.fitting.metrics import balanced_accuracy, confusion
from neuript.training.fitting.plain import CANDIDATES
from neuript.training.windows.labelled import LabelledWindows


@dataclass(frozen=True)
class BaselineFit:
    """A fitted baseline.

    Attributes
    ----------
    predict_proba : callable
        Map from windows (n, n_chans, n_times) in volts to class probabilities (n, K).
    chosen : dict
        Settings of the candidate that was kept: bands, C.
    """

    predict_proba: Callable[[NDArray[np.float32]], NDArray[np.float64]]
    chosen: dict[str, Any]


def fit_baseline(
    name: str, train: LabelledWindows, val: LabelledWindows | None, *, sfreq: float, n_outputs: int
) -> BaselineFit:
    """Fit every candidate of a baseline on the training windows, keep the best on validation.

    Parameters
    ----------
    name : str
        Name of the baseline, one of `CANDIDATES`.
    train : LabelledWindows
        Training windows in volts, with their classes.
    val : LabelledWindows, optional
        Windows that choose the candidate; without them the first one is taken.
    sfreq : float
        Sampling rate of the windows in Hz.
    n_outputs : int
        Number of classes.

    Raises
    ------
    NeuriptError
        If there is no such baseline, or no candidate could be fitted.
    """
    if name not in CANDIDATES:
        raise NeuriptError(f"there is no baseline {name!r}; choose {', '.join(CANDIDATES)}")
    best: tuple[float, dict[str, Any], Any, Any] | None = None
    failures: list[str] = []
    ready: dict[int, tuple[Any, Any]] = {}
    for about, maker, machine in CANDIDATES[name](sfreq, n_outputs):
        try:
            if id(maker) not in ready:  # candidates share the features
                ready[id(maker)] = _features(maker, train, val)
            own, other = ready[id(maker)]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of convergence: validation judges
                fitted = machine.fit(own, train.y)
        except (ValueError, np.linalg.LinAlgError) as error:
            failures.append(str(error).splitlines()[0])
            continue
        score = float("nan")
        if val is not None:
            guess = fitted.predict(other)
            score = balanced_accuracy(confusion(val.y, guess, n_outputs))
        if best is None or score > best[0]:
            best = score, about, maker, fitted
        if val is None:
            break
    if best is None:
        raise NeuriptError(f"the baseline {name} could not be fitted: {failures[0]}")
    _, about, maker, fitted = best
    return BaselineFit(_predictor(maker, fitted, n_outputs), about)


def _features(maker: Any, train: LabelledWindows, val: LabelledWindows | None) -> tuple[Any, Any]:
    own = maker.fit(train.x, train.y).transform(train.x)
    return own, None if val is None else maker.transform(val.x)


def _predictor(maker: Any, machine: Any, n_outputs: int) -> Callable[[NDArray[np.float32]], NDArray[np.float64]]:
    def predict_proba(x: NDArray[np.float32]) -> NDArray[np.float64]:
        proba = np.zeros((len(x), n_outputs))
        proba[:, machine.classes_] = machine.predict_proba(maker.transform(x))
        return proba

    return predict_proba
