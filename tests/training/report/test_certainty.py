"""Calibration, risk and time course against slow loops over made-up decisions."""

from __future__ import annotations

import numpy as np
import pytest

from neuript.realtime.decoding.policy import PolicySpec
from neuript.realtime.decoding.scoring import Trial
from neuript.realtime.decoding.states import State
from neuript.training.evaluate.pseudo_online.walks import decided
from neuript.training.fitting.policy_scan import Rows
from neuript.training.report.certainty import calibration_curve, probability_course, risk_and_coverage

CLASSES = ("a", "b")


def made_up(rng, n, true=True):
    """Probabilities that are true, or those of a decoder that is far too sure."""
    certain = rng.uniform(0.5, 1.0, n)
    labels = rng.integers(2, size=n)
    right = rng.random(n) < (certain if true else 0.5)
    said = np.where(right, labels, 1 - labels)
    proba = np.full((n, 2), 0.0)
    proba[np.arange(n), said] = certain
    proba[np.arange(n), 1 - said] = 1 - certain
    return proba, labels


def test_true_probabilities_err_as_luck_makes_them_and_boasting_ones_more(rng):
    honest, boasting = calibration_curve(*made_up(rng, 400)), calibration_curve(*made_up(rng, 400, true=False))
    assert honest["ece"] < 2 * honest["ece_of_luck"]
    assert boasting["ece"] > 3 * boasting["ece_of_luck"]
    assert boasting["points"][-1]["right"] < 0.7 < boasting["points"][-1]["certainty"]


def test_the_points_are_bins_of_equal_size(rng):
    proba, labels = made_up(rng, 60)
    points = calibration_curve(proba, labels)["points"]
    assert [point["n"] for point in points] == [12] * 5
    order = np.argsort(proba.max(axis=1))
    for k, point in enumerate(points):
        mine = order[12 * k : 12 * k + 12]
        assert point["certainty"] == pytest.approx(proba.max(axis=1)[mine].mean())
        assert point["right"] == pytest.approx((proba.argmax(axis=1) == labels)[mine].mean())
        assert point["interval_95"][0] <= point["right"] <= point["interval_95"][1]


def test_luck_is_what_decoders_with_true_probabilities_show_on_average(rng):
    found = [calibration_curve(*made_up(np.random.default_rng(k), 50)) for k in range(60)]
    seen, told = np.mean([f["ece"] for f in found]), np.mean([f["ece_of_luck"] for f in found])
    assert told == pytest.approx(seen, rel=0.15)


def test_risk_is_the_share_of_errors_among_the_most_certain(rng):
    proba, labels = made_up(rng, 40)
    found = risk_and_coverage(proba, labels)
    order = np.argsort(-proba.max(axis=1), kind="stable")
    wrong = (proba.argmax(axis=1) != labels)[order]
    np.testing.assert_allclose(found["curve"]["risk"], [wrong[: k + 1].mean() for k in range(40)])
    assert found["curve"]["coverage"][-1] == 1.0


def test_the_course_is_the_mean_over_trials_of_the_windows_at_that_time(rng):
    hop, n = 0.25, 400
    t = 100 + hop * np.arange(n)
    logits = rng.normal(size=(n, 2))
    logits[50:60] = np.nan
    state = [State.BAD_SIGNAL if 50 <= i < 60 else State.OK for i in range(n)]
    trials = tuple(Trial(CLASSES[k % 2], 101.1 + 8 * k) for k in range(11))
    walk = decided(Rows(t, state, logits, trials), PolicySpec(), CLASSES, hop)
    found = probability_course([walk], CLASSES)
    assert (found["t_s"][0], found["t_s"][-1]) == (-2.0, 6.0)
    proba = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    for name in CLASSES:
        for k, point in enumerate(found["t_s"]):
            rows = []
            for trial in trials:
                i = int(np.argmin(np.abs(t - trial.onset_s - point)))
                if trial.label == name and abs(t[i] - trial.onset_s - point) < 0.51 * hop and state[i] is State.OK:
                    rows.append(proba[i, 0])
            assert found["cued"][name]["n"][k] == len(rows)
            told = found["cued"][name]["proba"]["a"]
            assert told["mean"][k] == pytest.approx(np.mean(rows))
            assert told["q25"][k] == pytest.approx(np.quantile(rows, 0.25))


def test_a_time_without_a_window_is_not_known():
    t = 10 + 0.5 * np.arange(8)
    walk = decided(Rows(t, [State.OK] * 8, np.zeros((8, 2)), (Trial("a", 9.0),)), PolicySpec(), CLASSES, 0.5)
    found = probability_course([walk], CLASSES)
    assert found["cued"]["a"]["proba"]["a"]["mean"][0] is None
    assert found["cued"]["b"]["n"] == [0] * len(found["t_s"])
