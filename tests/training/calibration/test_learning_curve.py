"""The learning curve: its last point is the cross-validation, its forecast is as sure as it says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm

from neuript.training.calibration.held_out import branch_readout
from neuript.training.calibration.learning_curve import FEWEST_PER_CLASS, GainForecast, forecast_gain, learning_curve
from neuript.training.population.prior import PersonTrials


def person(rng: np.random.Generator, n_trials: int, apart: float, n_features: int = 12, per_trial: int = 2):
    y = rng.permutation(np.arange(n_trials) % 2)
    trial = np.repeat(np.arange(n_trials), per_trial)
    x = rng.normal(size=(len(trial), n_features))
    x[:, 0] += apart * (2 * y[trial] - 1)
    return PersonTrials(x, trial, y, np.ones(n_trials, dtype=bool))


def blocks(someone: PersonTrials, n_folds: int = 4):
    fold = (np.arange(len(someone.labels)) * n_folds // len(someone.labels))[someone.trial]
    return [(fold != k, fold == k) for k in range(n_folds)]


def by_hand(someone: PersonTrials, masks) -> float:
    """Balanced accuracy of trials by cross-validation on everything, as a slow loop."""
    right = []
    for train, test in masks:
        readout = branch_readout(someone, 2, train)
        for i in np.unique(someone.trial[test]):
            logits = readout.logits(someone.x[someone.trial == i])
            proba = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
            right.append((someone.labels[i], proba.mean(axis=0).argmax() == someone.labels[i]))
    table = np.array(right)
    return float(np.mean([table[table[:, 0] == c, 1].mean() for c in (0, 1)]))


def test_the_last_point_is_the_cross_validation_on_everything(rng):
    someone = person(rng, 48, 0.0)
    labels = np.arange(48) % 2
    x = someone.x.copy()
    x[:, 0] += 0.9 * (2 * labels[someone.trial] - 1)
    someone = replace(someone, labels=labels, x=x)
    masks = blocks(someone)
    curve = learning_curve(someone, masks, 2)
    sizes = [point.n_trials for point in curve.points]
    assert sizes[0] == 2 * FEWEST_PER_CLASS
    assert sizes[-1] == 36
    assert sizes == sorted(sizes)
    assert curve.points[-1].balanced_accuracy == pytest.approx(by_hand(someone, masks))
    low, high = curve.points[-1].interval_95
    assert low < curve.points[-1].balanced_accuracy < high


def test_many_features_are_read_in_the_windows_own_span_and_nothing_changes(rng):
    someone = person(rng, 24, 1.0, n_features=10)
    turned = np.linalg.qr(rng.normal(size=(200, 200)))[0][:10]
    wide = replace(someone, x=someone.x @ turned)
    narrow, as_wide = (learning_curve(one, blocks(one), 2).to_dict() for one in (someone, wide))
    assert [p["balanced_accuracy"] for p in narrow["points"]] == [p["balanced_accuracy"] for p in as_wide["points"]]


def test_nothing_of_a_held_out_block_is_learnt(rng):
    someone = person(rng, 32, 0.0)
    told = someone.x.copy()
    told[:, 1] = 3.0 * someone.trial  # says which trial it is, so whoever had seen the trial would know its class
    curve = learning_curve(replace(someone, x=told), blocks(someone), 2)
    assert all(point.balanced_accuracy < 0.8 for point in curve.points)


def test_with_too_few_trials_there_is_no_curve(rng):
    someone = person(rng, 6, 1.0)
    assert learning_curve(someone, blocks(someone, 3), 2).points == ()
    assert learning_curve(someone, blocks(someone, 3), 2).forecast is None


def test_a_forecast_is_as_sure_as_it_says(rng):
    """Trials whose difficulty stays the same, answered by decoders whose skill grows by a known law."""
    sizes, n_now, more, n_trials = np.array([6, 10, 16, 24, 36, 45]), 60, 12, 60
    labels = np.arange(n_trials) % 2
    inside = total = 0
    for most, half_way in ((0.8, 20.0), (1.4, 60.0), (2.0, 10.0)):

        def skill(n, most=most, half_way=half_way):
            return norm.cdf(most * np.sqrt(n / (n + half_way)))

        gain = skill(n_now + more) - skill(n_now)
        for _ in range(20):
            hard = 0.5 * rng.random(n_trials) + 0.5 * rng.random((len(sizes), n_trials))
            rank = np.array([np.searchsorted(np.sort(row), row) / n_trials for row in hard])
            found = forecast_gain(sizes, (rank < skill(sizes)[:, None]).astype(float), labels, n_now, more)
            assert isinstance(found, GainForecast)
            low, high = found.interval_90
            inside += low - 0.005 <= gain <= high + 0.005
            total += 1
    assert inside >= 0.8 * total


def test_a_forecast_says_hardly_anything_where_the_curve_is_flat():
    right = np.ones((5, 40))
    found = forecast_gain(np.array([6, 12, 20, 28, 36]), right, np.arange(40) % 2, 48, 12)
    assert found.gain < 0.01
    assert "hardly anything" in found.describe()
    assert found.p_worth < 0.05


def test_a_rising_curve_promises_a_gain(rng):
    shares = np.array([0.55, 0.62, 0.70, 0.77, 0.83])
    right = (np.arange(60) % 30 < 30 * shares[:, None]).astype(float)
    found = forecast_gain(np.array([6, 12, 20, 30, 44]), right, np.arange(60) // 30, 60, 12)
    assert found.gain > 0.01
    assert f"about +{100 * found.gain:.0f} %" in found.describe()
    assert found.now > shares[-1] - 0.05
