"""Evidence and commit rule against slow references and by their promises."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from neuript.realtime.decoding.policy import DecisionPolicy, PolicyResult, PolicySpec, RunningMean
from neuript.realtime.decoding.states import State

CLASSES = ("left", "right", "rest")
HOP = 0.125


def logits_for(*proba: float) -> np.ndarray:
    return np.log(np.asarray(proba))


def run(policy: DecisionPolicy, rows, states=None):
    states = states or [State.OK] * len(rows)
    return [policy.update(r, s) for r, s in zip(rows, states, strict=True)]


def test_probabilities_are_the_softmax_at_the_temperature(rng):
    policy = DecisionPolicy(PolicySpec(temperature=2.5), CLASSES, HOP)
    z = rng.normal(size=3)
    got = policy.update(z).proba
    expected = np.exp(z / 2.5) / np.exp(z / 2.5).sum()
    np.testing.assert_allclose(got, expected, rtol=1e-12)


def test_evidence_is_the_exponential_mean_of_log_probabilities(rng):
    policy = DecisionPolicy(PolicySpec(smoothing_s=0.4), CLASSES, HOP)
    z = rng.normal(size=(40, 3))
    got = [policy.update(row).confidence for row in z]
    log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    keep = math.exp(-HOP / 0.4)
    for k in range(40):  # closed form of the recursion, from uniform
        weights = (1 - keep) * keep ** np.arange(k, -1, -1.0)
        e = keep ** (k + 1) * math.log(1 / 3) + weights @ log_p[: k + 1]
        expected = np.exp(e).max() / np.exp(e).sum()
        assert got[k] == pytest.approx(expected, rel=1e-12)


def test_skipped_hops_age_the_evidence_as_time_does():
    spec = PolicySpec(smoothing_s=0.5)
    z = logits_for(0.8, 0.1, 0.1)
    every, skipping = (DecisionPolicy(spec, CLASSES, HOP) for _ in range(2))
    for _ in range(12):
        a = every.update(z)
    for _ in range(4):
        b = skipping.update(z, hops=3)
    assert a.confidence == pytest.approx(b.confidence, rel=1e-12)


def test_the_evidence_of_all_classes_is_told_and_its_leader_is_the_confidence(rng):
    policy = DecisionPolicy(PolicySpec(smoothing_s=0.4), CLASSES, HOP)
    for hops in (1, 3, 1, 2):
        result = policy.update(rng.normal(size=3), hops=hops)
        assert result.evidence.shape == (3,)
        assert result.evidence.sum() == pytest.approx(1.0)
        assert result.evidence.max() == result.confidence


def test_dwell_then_commit_then_hold_until_released():
    spec = PolicySpec(smoothing_s=0.0, threshold=0.7, release=0.5, dwell_s=0.5, refractory_s=0.0)
    policy = DecisionPolicy(spec, CLASSES, HOP)
    strong, middling, weak = (logits_for(p, (1 - p) / 2, (1 - p) / 2) for p in (0.9, 0.6, 0.4))
    rows = [strong] * 6 + [middling] * 3 + [weak] * 2
    results = run(policy, rows)
    assert [r.committed for r in results] == [False] * 3 + [True] + [False] * 7
    assert [r.decision for r in results] == [None] * 3 + [0] * 6 + [None] * 2


def test_an_interrupted_dwell_starts_again():
    spec = PolicySpec(smoothing_s=0.0, threshold=0.7, release=0.6, dwell_s=0.5, refractory_s=0.0)
    policy = DecisionPolicy(spec, CLASSES, HOP)
    strong, weak = logits_for(0.9, 0.05, 0.05), logits_for(0.5, 0.3, 0.2)
    results = run(policy, [strong] * 3 + [weak] + [strong] * 3)
    assert not any(r.committed for r in results)


def test_refractory_spaces_commits():
    spec = PolicySpec(smoothing_s=0.0, threshold=0.7, release=0.7, dwell_s=0.0, refractory_s=1.0)
    policy = DecisionPolicy(spec, CLASSES, HOP)
    left, right = logits_for(0.9, 0.05, 0.05), logits_for(0.05, 0.9, 0.05)
    results = run(policy, [left, right] * 20)
    commits = [k for k, r in enumerate(results) if r.committed]
    assert len(commits) > 2
    assert min(np.diff(commits)) * HOP >= 1.0


def test_the_idle_class_is_never_commanded(rng):
    spec = PolicySpec(smoothing_s=0.0, dwell_s=0.0, refractory_s=0.0, idle_class="rest")
    policy = DecisionPolicy(spec, CLASSES, HOP)
    results = run(policy, [logits_for(0.01, 0.01, 0.98)] * 20)
    assert all(r.decision is None and not r.committed for r in results)
    assert results[-1].confidence > 0.9


@pytest.mark.parametrize("state", [s for s in State if s is not State.OK])
def test_nothing_is_commanded_outside_ok(state):
    spec = PolicySpec(smoothing_s=0.0, dwell_s=0.0, refractory_s=0.0)
    policy = DecisionPolicy(spec, CLASSES, HOP)
    strong = logits_for(0.98, 0.01, 0.01)
    assert policy.update(strong).decision == 0  # held in OK
    for _ in range(5):
        result = policy.update(strong, state)
        assert result.decision is None
        assert not result.committed
        assert result.proba is not None


def test_a_row_without_a_window_forgets_everything():
    policy = DecisionPolicy(PolicySpec(smoothing_s=0.5, dwell_s=0.0), CLASSES, HOP)
    strong = logits_for(0.98, 0.01, 0.01)
    first = policy.update(strong)
    run(policy, [strong] * 10)
    assert policy.update(None, State.GAP) == PolicyResult(None, None, 0.0, None, committed=False)
    again = policy.update(strong)
    assert again.confidence == first.confidence


def test_no_single_window_after_a_reset_can_command(rng):
    policy = DecisionPolicy(PolicySpec(), CLASSES, HOP)
    for _ in range(50):
        policy.update(None, State.GAP)
        result = policy.update(rng.normal(size=3) * 100)
        assert not result.committed


def test_one_logit_means_two_classes():
    policy = DecisionPolicy(PolicySpec(), ("no", "yes"), HOP)
    proba = policy.update([1.3]).proba
    assert proba[1] == pytest.approx(1 / (1 + math.exp(-1.3)))


def test_arguments_are_left_alone():
    z = np.array([1.0, 2.0, 3.0])
    DecisionPolicy(PolicySpec(temperature=3), CLASSES, HOP).update(z)
    assert z.tolist() == [1.0, 2.0, 3.0]


@pytest.mark.parametrize(
    "bad",
    [
        {"temperature": 0.0},
        {"threshold": 1.2},
        {"threshold": 0.5, "release": 0.6},
        {"dwell_s": -1.0},
        {"smoothing_s": math.nan},
    ],
)
def test_nonsense_is_refused(bad):
    with pytest.raises(ValueError, match="must be"):
        PolicySpec(**bad)


def test_spec_survives_json_and_is_strict():
    spec = PolicySpec(threshold=0.8, idle_class="rest")
    assert PolicySpec.from_dict(spec.to_dict()) == spec
    with pytest.raises(ValueError, match="hysteria"):
        PolicySpec.from_dict({"hysteria": 1})


@pytest.mark.parametrize(("logits", "match"), [([1.0, 2.0], "2 logits"), ([1.0, math.nan, 0.0], "finite")])
def test_wrong_logits_are_refused(logits, match):
    with pytest.raises(ValueError, match=match):
        DecisionPolicy(PolicySpec(), CLASSES, HOP).update(logits)


GATED = PolicySpec(smoothing_s=0.0, threshold=0.7, release=0.5, dwell_s=0.0, idle_class="rest", gate=True)
TASKS = ("left", "right", "rest")


def test_the_odds_of_all_tasks_are_never_larger_than_those_of_the_gate(rng):
    """What is said of the classes stays as it is, and so does which of the tasks leads."""
    policy = DecisionPolicy(GATED, TASKS, HOP)
    plain = DecisionPolicy(replace(GATED, gate=False), TASKS, HOP)
    for _ in range(200):
        z, gate = rng.normal(size=3), rng.normal()
        found, free = policy.update([*z, gate]), plain.update(z)
        np.testing.assert_allclose(found.proba, free.proba)
        odds, before = (np.log(r.evidence[:2].sum() / r.evidence[2]) for r in (found, free))
        assert odds == pytest.approx(min(before, gate))
        assert found.evidence[0] / found.evidence[1] == pytest.approx(free.evidence[0] / free.evidence[1])


def test_a_command_needs_classes_and_gate_to_agree():
    for gate, committed in ((3.0, True), (-3.0, False)):
        assert DecisionPolicy(GATED, TASKS, HOP).update([4.0, 0.0, 0.0, gate]).committed is committed
    assert not DecisionPolicy(GATED, TASKS, HOP).update([0.0, 0.0, 4.0, 9.0]).committed


def test_the_gate_is_no_class_and_not_tempered():
    policy = DecisionPolicy(replace(GATED, temperature=4.0), TASKS, HOP)
    result = policy.update([8.0, 0.0, 0.0, 1.5])
    assert len(result.proba) == len(result.evidence) == 3
    assert np.log(result.evidence[:2].sum() / result.evidence[2]) == pytest.approx(1.5)


def test_a_gate_without_its_class_or_its_output_is_refused():
    with pytest.raises(ValueError, match="a gate needs the class that means no command"):
        DecisionPolicy(replace(GATED, idle_class=None), TASKS, HOP)
    with pytest.raises(ValueError, match="3 logits for 3 classes and a gate"):
        DecisionPolicy(GATED, TASKS, HOP).update([1.0, 2.0, 3.0])
    with pytest.raises(ValueError, match="finite"):
        DecisionPolicy(GATED, TASKS, HOP).update([1.0, 2.0, 3.0, math.inf])
    with pytest.raises(ValueError, match="1 logits for 2 classes and a gate"):
        DecisionPolicy(GATED, ("go", "rest"), HOP).update([1.0])


def test_logits_are_taken_relative_to_their_running_mean_where_nobody_said_where_the_classes_lie(rng):
    """A person of whom every window looks like the same class is decoded all the same, and the gate stays absolute."""
    spec = PolicySpec(smoothing_s=0.0, idle_class="rest", gate=True, centre_s=30.0)
    policy = DecisionPolicy(spec, ("go", "rest"), HOP)
    side = np.where(np.arange(800) % 40 < 20, 1.0, -1.0)
    seen = [policy.update([5.0 + s, 0.0, 9.0]) for s in side]
    guesses = np.array([r.proba.argmax() for r in seen])[200:]
    np.testing.assert_array_equal(guesses, np.where(side[200:] > 0, 0, 1))
    closed = policy.update([9.0, 0.0, -4.0])
    assert np.log(closed.evidence[0] / closed.evidence[1]) == pytest.approx(-4.0)


def test_an_artefact_does_not_move_where_the_classes_lie():
    spec = PolicySpec(smoothing_s=0.0, centre_s=30.0)
    first, second = (DecisionPolicy(spec, ("a", "b"), HOP) for _ in range(2))
    second.update([99.0, 0.0], State.BAD_SIGNAL)
    for policy in (first, second):
        run(policy, [[2.0, 0.0], [1.0, 0.0]] * 20)
    for _ in range(80):
        second.update([99.0, 0.0], State.BAD_SIGNAL)
    np.testing.assert_allclose(first.update([3.0, 0.0]).proba, second.update([3.0, 0.0]).proba)


def test_a_gap_does_not_change_where_the_classes_lie():
    spec = PolicySpec(smoothing_s=0.0, centre_s=30.0)
    first, second = (DecisionPolicy(spec, ("a", "b"), HOP) for _ in range(2))
    for policy in (first, second):
        run(policy, [[2.0, 0.0], [1.0, 0.0]] * 20)
    second.update(None, State.GAP)
    np.testing.assert_allclose(first.update([3.0, 0.0]).proba, second.update([3.0, 0.0]).proba)


def test_an_artefact_that_passed_for_clean_signal_moves_the_mean_little(rng):
    mean = RunningMean(120.0)
    for value in rng.uniform(-1.7, 1.7, size=(960, 1)):
        mean.add(value, HOP)
    before = float(mean.mean[0])
    for _ in range(480):  # a minute
        mean.add(np.array([1e6]), HOP)
    assert before < mean.mean[0] < before + 0.55 * RunningMean.FURTHEST  # half of it, not half a million
    for value in rng.uniform(-1.7, 1.7, size=(8 * 240, 1)):
        mean.add(value, HOP)
    assert abs(mean.mean[0] - before) < 0.5


def test_a_mean_follows_a_step_for_good_at_a_bounded_speed(rng):
    mean = RunningMean(20.0)
    for value in rng.uniform(-1.7, 1.7, size=(160, 1)):
        mean.add(value, HOP)
    for value in rng.uniform(-1.7, 1.7, size=(8 * 200, 1)):
        mean.add(20 + value, HOP)
    assert mean.mean[0] == pytest.approx(20, abs=1.0)


def test_after_starting_over_nothing_of_before_counts():
    spec = PolicySpec(smoothing_s=1.0, centre_s=30.0, threshold=0.6, release=0.5)
    policy, fresh = (DecisionPolicy(spec, ("a", "b"), HOP) for _ in range(2))
    run(policy, [[2.0, 0.0], [9.0, 0.0]] * 20)
    policy.start_over()
    for logits in ([1.0, 0.0], [3.0, 0.0], [0.0, 2.0]):
        np.testing.assert_array_equal(policy.update(logits).evidence, fresh.update(logits).evidence)


@pytest.mark.parametrize("memory_s", [1.0, 10.0])
def test_a_running_mean_is_the_plain_mean_at_first_and_then_fades(memory_s):
    mean, values = RunningMean(memory_s), np.arange(1.0, 41.0)[:, None]
    found = np.array([mean.add(value, HOP)[0] for value in values])
    n = round(memory_s / HOP)
    np.testing.assert_allclose(found[:n], [values[: k + 1].mean() for k in range(min(n, 40))])
    for k in range(n, 40):
        assert found[k] == pytest.approx(found[k - 1] + HOP / memory_s * (values[k, 0] - found[k - 1]))
    assert RunningMean(memory_s).add(values[5], 99.0)[0] == 6.0
