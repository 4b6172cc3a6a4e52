"""CSP+LDA on the twin: chance without skill, about 90 % at the default, above 92 % for an expert (simulated)."""

from __future__ import annotations

import numpy as np
import pytest
from benches import load_benchmark
from scipy.stats import binom

from neuript.realtime.twin.subject import Subject

USUAL = Subject.skill

PEOPLE = {0.0: 2, 0.6: 2, USUAL: 4, 0.9: 2}
"""How many simulated people of each skill."""
TEST_PER_CLASS = {0.0: 60, 0.6: 30, USUAL: 30, 0.9: 30}


@pytest.fixture(scope="module")
def scores():
    bench = load_benchmark("bench_twin_difficulty")
    return {
        skill: np.array(
            [
                bench.accuracy("openbci-16", skill, seed, test_per_class=TEST_PER_CLASS[skill], sfreq=125.0, brisk=True)
                for seed in range(100, 100 + n_people)
            ]
        )
        for skill, n_people in PEOPLE.items()
    }


def test_default_person_is_able_and_people_differ(scores):
    # 90 to 93 over many people (the benchmark); four people of 60 trials: standard error about 2 points
    assert 0.83 < scores[USUAL].mean() < 0.98
    assert scores[USUAL].std() > 0.01


def test_less_skill_is_hard_to_decode(scores):
    # 75 to 79 over many people; two people of 60 trials: standard error about 4 points
    assert 0.65 < scores[0.6].mean() < 0.89


def test_expert_is_easy(scores):
    assert scores[0.9].mean() > 0.92


def test_without_skill_there_is_chance(scores):
    n, n_people = 2 * TEST_PER_CLASS[0.0], PEOPLE[0.0]
    low, high = binom.ppf([0.005, 0.995], n * n_people, 0.5) / (n * n_people)
    assert low <= scores[0.0].mean() <= high
    assert scores[0.0].max() <= binom.ppf(1 - 0.01 / n_people, n, 0.5) / n


def test_accuracy_rises_with_skill(scores):
    means = [scores[skill].mean() for skill in sorted(scores)]
    assert means == sorted(means)
    assert means[-1] - means[0] > 0.35
