from __future__ import annotations

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
