from __future__ import annotations

import itertools

import numpy as np
import pytest
from sklearn import metrics as sk

from neuript.training.fitting import metrics as own


@pytest.fixture(params=[2, 3, 6])
def scored(request, rng):
    """Classes with imbalance and probabilities with many ties."""
    k, n = request.param, 300
    y = rng.choice(k, size=n, p=np.arange(1, k + 1) / sum(range(1, k + 1)))
    raw = np.round(rng.normal(size=(n, k)) + 1.2 * np.eye(k)[y], 1)
    proba = np.exp(raw) / np.exp(raw).sum(axis=1, keepdims=True)
    weight = rng.integers(0, 4, size=n).astype(float)
    return y, np.round(proba, 2), weight


@pytest.mark.parametrize("weighted", [False, True])
def test_scores_are_those_of_sklearn(scored, weighted):
    y, proba, weight = scored
    weight = weight if weighted else None
    guess = proba.argmax(axis=1)
    expected = {
        "balanced_accuracy": sk.balanced_accuracy_score(y, guess, sample_weight=weight),
        "kappa": sk.cohen_kappa_score(y, guess, sample_weight=weight),
        "weighted_f1": sk.f1_score(y, guess, average="weighted", sample_weight=weight),
    }
    if proba.shape[1] == 2:
        score = proba[:, 1]
        expected["auroc"] = sk.roc_auc_score(y, score, sample_weight=weight)
        expected["auc_pr"] = sk.average_precision_score(y, score, sample_weight=weight)
    assert own.score(y, proba, weight_N=weight) == pytest.approx(expected, abs=1e-12)


def test_a_class_that_does_not_occur_is_no_recall():
    table = own.confusion(np.array([0, 0, 2]), np.array([0, 1, 2]), 3)
    assert own.balanced_accuracy(table) == pytest.approx((0.5 + 1) / 2)


def test_undefined_scores_are_nan():
    one = np.array([[0.2, 0.8], [0.4, 0.6]])
    scores = own.score(np.array([1, 1]), one)
    assert np.isnan(scores["auroc"])
    assert np.isnan(scores["kappa"])
    assert np.isnan(own.score(np.array([0, 0]), one)["auc_pr"])
    with pytest.raises(ValueError, match="auroc of 3 classes"):
        own.score(np.array([0]), np.ones((1, 3)) / 3, ["auroc"])


def test_each_subject_is_scored_alone():
    y = np.array([0, 1, 0, 1])
    proba = np.array([[0.9, 0.1], [0.8, 0.2], [0.9, 0.1], [0.1, 0.9]])
    subject = np.array(["a/1", "a/1", "a/2", "a/2"])
    assert own.by_subject(y, proba, subject) == {"a/1": 0.5, "a/2": 1.0}


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
    found = own.intervals(y, [proba], subject, ["balanced_accuracy"], n_boot=3000)
    interval = found["balanced_accuracy"]
    assert interval.value == pytest.approx(sk.balanced_accuracy_score(y, p > 0.5))
    assert (interval.low, interval.high) == pytest.approx(np.percentile(exact, (2.5, 97.5)), abs=0.02)
    assert (interval.n_seeds, interval.n_subjects) == (1, 4)
    assert np.isnan(interval.sd_seeds)
    by_window = own.intervals(y, [proba], np.arange(140).astype(str), ["balanced_accuracy"])
    narrow = by_window["balanced_accuracy"]
    assert narrow.high - narrow.low < 0.8 * (interval.high - interval.low)


def test_interval_widens_when_seeds_disagree(rng):
    y = np.tile([0, 1], 50)
    subject = np.repeat(np.arange(10).astype(str), 10)
    right, wrong = np.eye(2)[y], np.eye(2)[1 - y]
    same = own.intervals(y, [right, right], subject, ["balanced_accuracy"], n_boot=200)
    other = own.intervals(y, [right, wrong], subject, ["balanced_accuracy"], n_boot=200)
    assert (same["balanced_accuracy"].low, same["balanced_accuracy"].high) == (1, 1)
    assert (other["balanced_accuracy"].low, other["balanced_accuracy"].high) == (0, 1)
    assert other["balanced_accuracy"].value == 0.5
    assert other["balanced_accuracy"].sd_seeds == pytest.approx(np.sqrt(0.5))


@pytest.mark.parametrize("metric", own.METRICS)
def test_resampled_scores_are_those_of_repeated_windows(rng, metric):
    subject = np.repeat(["a", "b", "c"], 40)
    y = rng.integers(0, 2, size=120)
    p = np.round(rng.uniform(size=120), 1)
    proba = np.stack([1 - p, p], axis=1)
    found = own.intervals(y, [proba], subject, [metric], n_boot=400, seed=3)[metric]
    drawn = np.random.default_rng(3).integers(3, size=(400, 3))
    values = []
    for people in drawn:
        at = np.concatenate([np.flatnonzero(subject == "abc"[i]) for i in people])
        values.append(own.score(y[at], proba[at])[metric])
    assert (found.low, found.high) == pytest.approx(np.percentile(values, (2.5, 97.5)))
    assert found.value == pytest.approx(own.score(y, proba)[metric])
