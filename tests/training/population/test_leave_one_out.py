"""The table of people left out: whose labels count for what, its figures, and its controls."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from made_up_people import QUICK, flipped, people, person, small_network, some_pairs

from neuript.training.fitting.plain import BASELINES
from neuript.training.population.learning import Learning, person_trials
from neuript.training.population.leave_one_out import (
    NETWORK,
    POWER,
    PUBLISHED,
    RANDOM,
    TANGENT,
    PersonVerdict,
    Table,
    blocks_within,
    calibration_error,
    leave_one_out,
    log_power,
    people_curve,
)
from neuript.training.population.prior import early_trials, first_trials
from neuript.training.windows.dataset import Dataset

N_TRIALS = 40  # 10 early ones of each class, so the table has columns for none and for ten


def table_of(everybody: dict[str, Dataset]) -> Table:
    return leave_one_out(Learning(everybody, None))


def test_labels_of_later_trials_have_no_part_in_what_is_said_of_them(rng: np.random.Generator) -> None:
    everybody = people(rng, "abc", n_trials=N_TRIALS)
    late = ~early_trials(everybody["c"].trial_labels, np.zeros(N_TRIALS, dtype=np.int64))
    changed = {**everybody, "c": flipped(everybody["c"], late)}
    assert (changed["c"].trial_labels != everybody["c"].trial_labels).sum() == late.sum()
    one, two = table_of(everybody), table_of(changed)
    for decoder, counts in one.verdicts.items():
        for count, verdicts in counts.items():
            found = two.verdicts[decoder][count]["c"]
            np.testing.assert_array_equal(found.proba, verdicts["c"].proba, err_msg=f"{decoder}, {count}")
            np.testing.assert_array_equal(found.labels, 1 - verdicts["c"].labels)
    assert [one.weights[count]["c"] for count in (0, 10)] == [two.weights[count]["c"] for count in (0, 10)]


def test_labels_of_early_trials_count_only_from_the_first_trial_on(rng: np.random.Generator) -> None:
    everybody = people(rng, "abc", n_trials=N_TRIALS)
    early = early_trials(everybody["c"].trial_labels, np.zeros(N_TRIALS, dtype=np.int64))
    tables = table_of(everybody), table_of({**everybody, "c": flipped(everybody["c"], early)})
    for decoder in (PUBLISHED, TANGENT):
        none, ten = ([t.verdicts[decoder][count]["c"].proba for t in tables] for count in (0, 10))
        np.testing.assert_array_equal(*none)
        assert not np.array_equal(*ten)


def test_every_decoder_is_judged_on_the_same_trials(rng: np.random.Generator) -> None:
    table = table_of(people(rng, "abc", n_trials=N_TRIALS))
    assert set(table.verdicts) == {PUBLISHED, TANGENT, *BASELINES}
    for decoder, counts in table.verdicts.items():
        assert set(counts) == ({10} if decoder in BASELINES else {0, 10})
        for verdicts in counts.values():
            assert {alias: len(v.labels) for alias, v in verdicts.items()} == {"a": 20, "b": 20, "c": 20}
            for verdict in verdicts.values():
                np.testing.assert_allclose(verdict.proba.sum(1), 1)
    assert set(table.weights) == {0, 10}


def test_people_who_are_alike_decode_each_other(rng: np.random.Generator) -> None:
    table = table_of(people(rng, "abcd", n_trials=N_TRIALS)).to_dict()
    json.dumps(table, allow_nan=False)
    assert table[PUBLISHED]["0"]["mean"] > 0.9
    assert set(table[PUBLISHED]["0"]["people"]) == set("abcd")
    assert 0 <= table[PUBLISHED]["0"]["ece"] <= 1


def test_people_who_have_nothing_to_say_are_at_chance(rng: np.random.Generator) -> None:
    """The standard deviation of guessing at 80 trials is 0.056."""
    everybody = people(rng, "abcd", n_trials=N_TRIALS)
    noise = {a: replace(d, tangent=rng.normal(size=d.tangent.shape).astype("f")) for a, d in everybody.items()}
    assert 0.25 < table_of(noise).to_dict()[PUBLISHED]["0"]["mean"] < 0.75


def test_with_a_network_there_are_its_branch_and_its_controls(rng: np.random.Generator) -> None:
    everybody = people(rng, "abc")
    table = leave_one_out(Learning(everybody, small_network(), QUICK))
    assert set(table.verdicts) == {PUBLISHED, TANGENT, NETWORK, POWER, RANDOM}
    assert {count for counts in table.verdicts.values() for count in counts} == {0}  # 6 early trials of each class
    proba = [table.verdicts[name][0]["a"].proba for name in (NETWORK, POWER, RANDOM)]
    assert not np.array_equal(proba[0], proba[2])
    assert table.verdicts[POWER][0]["a"].balanced_accuracy > 0.8  # the classes differ in power


def test_controls_do_not_know_the_person_either(rng: np.random.Generator) -> None:
    everybody = people(rng, "abc")
    changed = {**everybody, "b": flipped(everybody["b"], some_pairs(rng, 24))}
    one, two = (leave_one_out(Learning(data, small_network(), QUICK)) for data in (everybody, changed))
    for decoder in (PUBLISHED, TANGENT, NETWORK, POWER, RANDOM):
        found, expected = (table.verdicts[decoder][0]["b"].proba for table in (one, two))
        np.testing.assert_array_equal(found, expected, err_msg=decoder)


def test_the_power_of_a_channel_is_its_variance_in_logarithms(rng: np.random.Generator) -> None:
    signal = rng.normal(size=(4, 3, 50)).astype(np.float32)
    np.testing.assert_allclose(log_power(signal), np.log(signal.astype(float).var(axis=2)))
    assert np.isfinite(log_power(np.zeros((1, 2, 8), dtype=np.float32))).all()


def test_the_calibration_error_is_what_confidence_promises_too_much(rng: np.random.Generator) -> None:
    p = rng.uniform(0.5, 1.0, size=4000)
    right = rng.uniform(size=4000) < p
    proba, labels = np.stack([p, 1 - p], axis=1), np.where(right, 0, 1)
    honest = PersonVerdict(proba, labels)
    assert calibration_error([honest]) < 0.04
    sure = PersonVerdict(np.tile([1.0, 0.0], (100, 1)), np.arange(100) % 2)
    assert calibration_error([sure]) == pytest.approx(0.5)
    assert calibration_error([PersonVerdict(np.tile([1.0, 0.0], (9, 1)), np.zeros(9, dtype=int))]) == 0.0


def test_blocks_lie_within_the_trials_that_were_taken(rng: np.random.Generator) -> None:
    data = person(rng, n_trials=N_TRIALS)
    everything = person_trials(data, data.tangent)
    taken = first_trials(everything.labels, 10, everything.early)
    blocks = blocks_within(everything, data, taken)
    own = data.trial[taken[data.trial]]
    assert len(blocks) == 4
    assert sum(test for _, test in blocks).tolist() == [1] * len(own)
    for train, test in blocks:
        assert not set(own[train]) & set(own[test])
        assert len(train) == len(own)


def test_too_few_trials_give_no_blocks(rng: np.random.Generator) -> None:
    data = person(rng)
    everything = person_trials(data, data.tangent)
    for count in (0, 1, 3):
        assert blocks_within(everything, data, first_trials(everything.labels, count)) == []


def test_the_curve_of_people_goes_from_one_to_all_the_others(rng: np.random.Generator) -> None:
    curve = people_curve(Learning(people(rng, "abcde"), None))
    assert list(curve) == [1, 2, 3, 4]
    assert all(value > 0.8 for value in curve.values())
    assert list(people_curve(Learning(people(rng, "abc"), None))) == [1, 2]  # the fewest that a population takes


def test_the_curve_judges_later_trials_by_others(rng: np.random.Generator) -> None:
    """Of people who are alike but for one, whose classes are the other way round, that one is decoded wrongly."""
    everybody = people(rng, "abc")
    upside_down = {**everybody, "c": flipped(everybody["c"], np.ones(24, dtype=bool))}
    curve = people_curve(Learning(upside_down, None))
    # with one other: a by b right, b by c wrong, c by a wrong; with two: they contradict each other for a and b
    assert curve[1] == pytest.approx(1 / 3, abs=0.1)
    assert curve[2] < 0.75
