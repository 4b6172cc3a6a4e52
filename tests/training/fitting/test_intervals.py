"""Intervals over people against all their resamples, and against repeated windows."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from sklearn import metrics as sk

from neuript.training.fitting.intervals import intervals
from neuript.training.fitting.metrics import METRICS, score


def test_bootstrap_is_over_subjects_and_agrees_with_all_their_resamples(rng):
    """Four subjects have 256 equally likely resamples: the exact distribution is known."""
    subject = np.repeat([f"s{i}" for i in range(4)], [20, 30, 40, 50])
    y = rng.integers(0, 2, size=140)
    skill = np.array([0.1, 0.5, 0.9, 2.5])[np.repeat(range(4), [20, 30, 40, 50])]
    p = 1 / (1 + np.exp(-(rng.normal(size=140) + skill * (2 * y - 1))))
    proba = np.stack([1 - p, p], axis=1)
    exact = []
    for drawn in itertools.product(range(4), repeat=4):
        rows = np.concatenate([np.flatnonzero(subject == f"s{i}") for i in drawn])
        exact.append(sk.balanced_accuracy_score(y[rows], (p > 0.5)[rows]))
    found = intervals(y, [proba], subject, ["balanced_accuracy"], n_boot=3000)
    interval = found["balanced_accuracy"]
    assert interval.value == pytest.approx(sk.balanced_accuracy_score(y, p > 0.5))
    assert (interval.low, interval.high) == pytest.approx(np.percentile(exact, (2.5, 97.5)), abs=0.02)
    assert (interval.n_seeds, interval.n_subjects) == (1, 4)
    assert np.isnan(interval.sd_seeds)
    by_window = intervals(y, [proba], np.arange(140).astype(str), ["balanced_accuracy"])
    narrow = by_window["balanced_accuracy"]
    assert narrow.high - narrow.low < 0.8 * (interval.high - interval.low)


def test_interval_widens_when_seeds_disagree(rng):
    y = np.tile([0, 1], 50)
    subject = np.repeat(np.arange(10).astype(str), 10)
    right, wrong = np.eye(2)[y], np.eye(2)[1 - y]
    same = intervals(y, [right, right], subject, ["balanced_accuracy"], n_boot=200)
    other = intervals(y, [right, wrong], subject, ["balanced_accuracy"], n_boot=200)
    assert (same["balanced_accuracy"].low, same["balanced_accuracy"].high) == (1, 1)
    assert (other["balanced_accuracy"].low, other["balanced_accuracy"].high) == (0, 1)
    assert other["balanced_accuracy"].value == 0.5
    assert other["balanced_accuracy"].sd_seeds == pytest.approx(np.sqrt(0.5))


@pytest.mark.parametrize("metric", METRICS)
def test_resampled_scores_are_those_of_repeated_windows(rng, metric):
    subject = np.repeat(["a", "b", "c"], 40)
    y = rng.integers(0, 2, size=120)
    p = np.round(rng.uniform(size=120), 1)
    proba = np.stack([1 - p, p], axis=1)
    found = intervals(y, [proba], subject, [metric], n_boot=400, seed=3)[metric]
    drawn = np.random.default_rng(3).integers(3, size=(400, 3))
    values = []
    for people in drawn:
        at = np.concatenate([np.flatnonzero(subject == "abc"[i]) for i in people])
        values.append(score(y[at], proba[at])[metric])
    assert (found.low, found.high) == pytest.approx(np.percentile(values, (2.5, 97.5)))
    assert found.value == pytest.approx(score(y, proba)[metric])
