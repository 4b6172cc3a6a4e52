"""Accuracy against the number of trials, on blocks that were held out, and what more trials would bring.

The same function serves the report of a calibration and the screen between two blocks of a recording session. It is
pure: windows of the trials so far go in, points with intervals and a forecast come out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri, softmax

from neuript.realtime.decoding.scoring import exact_interval
from neuript.training.calibration.held_out import Masks, branch_readout
from neuript.training.fitting.tangent_readout import F64, Readout
from neuript.training.population.prior import PersonTrials

FEWEST_PER_CLASS = 3
"""Trials of each class that the curve begins with."""
MOST_SIZES = 6
"""Numbers of trials that are tried, evenly spaced on a logarithmic scale."""
STARTS = 3
"""Trials that follow each other are learnt from, beginning at so many places of the session."""
MORE = 12
"""Trials that the forecast is about, unless told otherwise."""
HALF_WAYS = np.geomspace(2.0, 2000.0, 25)
"""Numbers of trials at which half of what can be learnt is learnt, among which the forecast's curves choose."""
DOUBT = 2.0
"""The fit is trusted as if each point were so many times less certain than its trials make it: then the true gain lies
in 9 of 10 intervals, to a quarter of a percent, whatever the effect (`tests/training/calibration`)."""
N_DRAWS = 2000
LEVEL = 0.9
"""Coverage of the forecast's interval."""
WORTH = 0.02
"""A gain of less is not worth a person's minutes."""

FitReadout = Callable[[PersonTrials], Readout]
"""From the windows of some trials to a read-out of them."""


@dataclass(frozen=True, slots=True)
class CurvePoint:
    """How good a read-out of so many trials is on blocks that it had not seen."""

    n_trials: int
    balanced_accuracy: float
    interval_95: tuple[float, float]
    """Exact interval (Clopper-Pearson) of that share of the trials that were held out."""


@dataclass(frozen=True, slots=True)
class GainForecast:
    """What more trials would bring, as a difference of balanced accuracies."""

    n_now: int
    """Trials that there are."""
    more: int
    now: float
    """Balanced accuracy with the trials that there are, by the fitted curves."""
    gain: float
    """Median of the draws."""
    interval_90: tuple[float, float]
    p_worth: float
    """Share of the draws in which the gain is at least `WORTH`."""

    def describe(self) -> str:
        """Say it in one sentence."""
        low, high = (f"{100 * value:+.0f} %" for value in self.interval_90)
        sure = f"between {low} and {high} in 90 of 100 cases"
        if self.gain < WORTH / 2:
            return f"{self.more} more trials would bring hardly anything ({sure})."
        return f"{self.more} more trials would bring about {100 * self.gain:+.0f} % ({sure})."


@dataclass(frozen=True, slots=True)
class LearningCurve:
    """Points in order of the number of trials, and what would come next; None with fewer than three points."""

    points: tuple[CurvePoint, ...]
    forecast: GainForecast | None

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for JSON."""
        return asdict(self)


def learning_curve(
    person: PersonTrials,
    blocks: Sequence[Masks],
    n_classes: int,
    *,
    more: int = MORE,
    fit: FitReadout | None = None,
    seed: int = 0,
) -> LearningCurve:
    """Judge read-outs of few and of many trials on the same held-out blocks.

    Every trial is held out once at every point, so the points differ by the training alone. What is learnt from are
    trials that follow each other, as in a session that ended sooner, each class as often.

    Parameters
    ----------
    person : PersonTrials
        Features of the windows with their trials, in order of time (`tangent_trials(data)`).
    blocks : sequence of (ndarray of bool, ndarray of bool), each of shape (n_windows,)
        Windows to train on and windows to test on (`blocks_of(data, n_folds)`).
    n_classes : int
        Number of classes.
    more : int
        Trials that the forecast is about.
    fit : callable, optional
        Fits a read-out; None is that of a person by themselves (`branch_readout`).
    seed : int
        Seed of the forecast's draws.

    Returns
    -------
    LearningCurve
        No points where some class has fewer than `FEWEST_PER_CLASS` trials beside a block.
    """
    if fit is None:
        person = _in_own_span(person)
        fit = _fit_alone(n_classes)
    orders = [_orders(person, train, n_classes) for train, _ in blocks]
    most = min((len(order) for block in orders for order in block[0]), default=0)
    if most < FEWEST_PER_CLASS:
        return LearningCurve((), None)
    sizes = np.unique(np.geomspace(FEWEST_PER_CLASS, most, MOST_SIZES).round().astype(int))
    right = np.stack([_share_right(person, blocks, orders, int(size), fit) for size in sizes])
    judged = np.isfinite(right).all(axis=0)
    right, labels = right[:, judged], person.labels[judged]
    points = tuple(_point(n_classes * int(size), row, labels) for size, row in zip(sizes, right, strict=True))
    return LearningCurve(points, forecast_gain(n_classes * sizes, right, labels, len(labels), more, seed=seed))


def forecast_gain(
    sizes: NDArray[np.int64], right: F64, labels: NDArray[np.int64], n_now: int, more: int, *, seed: int = 0
) -> GainForecast | None:
    """Continue a learning curve as that of a linear read-out of Gaussian features goes.

    The distance of the classes, in standard deviations, is D sqrt(n / (n + m)) after n trials (after Raudys & Jain
    1991, IEEE TPAMI 13:252). Trials are drawn with replacement, the same ones for all points. For each draw a half-way
    m is drawn by how well its curve fits. So the interval holds the chance of the trials and the doubt about the shape.

    Parameters
    ----------
    sizes : ndarray, shape (n_points,)
        Trials learnt from.
    right : ndarray, shape (n_points, n_trials)
        How often each held-out trial was right at each point, in 0..1.
    labels : ndarray, shape (n_trials,)
        Their classes.
    n_now, more : int
        Trials that there are, and that would be added.
    seed : int
        Seed of the draws.
    """
    if len(sizes) < 3:
        return None
    rng = np.random.default_rng(seed)
    classes = [np.flatnonzero(labels == c) for c in np.unique(labels)]
    drawn = np.mean([right[:, rng.choice(mine, (N_DRAWS, len(mine)))].mean(axis=-1) for mine in classes], axis=0)
    distance = _distance(drawn, len(classes), len(labels))  # (n_points, N_DRAWS)
    shape = np.sqrt(sizes / (sizes + HALF_WAYS[:, None]))  # (n_half_ways, n_points)
    most = np.maximum(shape @ distance, 0.0) / (shape**2).sum(axis=1)[:, None]  # D, (n_half_ways, N_DRAWS)
    misfit = ((distance - most[:, None] * shape[..., None]) ** 2).sum(axis=1) / distance.var(axis=1).mean()
    taken = np.argmax(-misfit / (2 * DOUBT**2) + rng.gumbel(size=misfit.shape), axis=0)
    most, half_way = most[taken, np.arange(N_DRAWS)], HALF_WAYS[taken]
    now, then = (_accuracy(most * np.sqrt(n / (n + half_way)), len(classes)) for n in (n_now, n_now + more))
    gain = then - now
    low, middle, high = np.quantile(gain, [(1 - LEVEL) / 2, 0.5, (1 + LEVEL) / 2])
    return GainForecast(
        n_now, more, float(np.median(now)), float(middle), (float(low), float(high)), float((gain >= WORTH).mean())
    )


def _distance(accuracy: F64, n_classes: int, n_trials: int) -> F64:
    """Distance of two classes, in standard deviations to either side of the middle, that gives such an accuracy."""
    kept = (accuracy * n_trials + 0.5) / (n_trials + 1)  # never quite all or none
    above = (kept - 1 / n_classes) / (1 - 1 / n_classes)
    return np.asarray(ndtri((1 + np.maximum(above, -0.99)) / 2))


def _accuracy(distance: F64, n_classes: int) -> F64:
    """The inverse of `_distance`."""
    return np.asarray(1 / n_classes + (1 - 1 / n_classes) * (2 * ndtr(distance) - 1))


def _in_own_span(person: PersonTrials) -> PersonTrials:
    """Return the windows in coordinates of their own span: to a ridge penalty they look the same, and are fewer."""
    if person.x.shape[1] <= len(person.x):
        return person
    span = np.linalg.qr(person.x.T.astype(np.float64))[0]
    return replace(person, x=person.x @ span, centre=None)


def _fit_alone(n_classes: int) -> FitReadout:
    return lambda part: branch_readout(part, n_classes, np.ones(len(part.x), dtype=bool))


def _orders(person: PersonTrials, train: NDArray[np.bool_], n_classes: int) -> list[list[NDArray[np.int64]]]:
    """For each start the trials of each class in the order in which they are learnt from."""
    trials = np.unique(person.trial[train])
    mine = [trials[person.labels[trials] == c] for c in range(n_classes)]
    return [[np.roll(one, -(start * len(one) // STARTS)) for one in mine] for start in range(STARTS)]


def _share_right(
    person: PersonTrials,
    blocks: Sequence[Masks],
    orders: Sequence[Sequence[Sequence[NDArray[np.int64]]]],
    size: int,
    fit: FitReadout,
) -> F64:
    """How often each trial is right with so many trials of each class, over the starts; NaN without a window."""
    total = np.full(len(person.labels), np.nan)
    for (train, test), starts in zip(blocks, orders, strict=True):
        tested = np.unique(person.trial[test])
        taken = [np.sort(np.concatenate([order[:size] for order in start])) for start in starts]
        times = np.zeros(len(tested))
        for trials, how_often in zip(*np.unique(taken, axis=0, return_counts=True), strict=True):
            readout = fit(person.windows(train & np.isin(person.trial, trials)))
            times += how_often * _right(readout, person, test, tested)
        total[tested] = times / len(starts)
    return total


def _right(readout: Readout, person: PersonTrials, test: NDArray[np.bool_], tested: NDArray[np.int64]) -> F64:
    """Whether the mean probability over the windows of each tested trial says its class."""
    proba = softmax(readout.logits(person.x[test]), axis=1)
    total = np.zeros((len(person.labels), proba.shape[1]))
    np.add.at(total, person.trial[test], proba)
    return np.asarray(total[tested].argmax(axis=1) == person.labels[tested], dtype=np.float64)


def _point(n_trials: int, right: F64, labels: NDArray[np.int64]) -> CurvePoint:
    balanced = float(np.mean([right[labels == c].mean() for c in np.unique(labels)]))
    return CurvePoint(n_trials, balanced, exact_interval(round(balanced * len(right)), len(right)))
