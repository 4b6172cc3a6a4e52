"""The table of decoders: permutation against all orders there are, McNemar by hand."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations, product
from math import comb
from types import SimpleNamespace

import numpy as np
import pytest
from made_up_windows import dataset, fitted

from neuript.realtime.decoding.scoring import ScoreCard, Trial, TrialScore
from neuript.training.calibration.fitted_decoder import STACK
from neuript.training.report.decoder_table import choice, decoder_table, permutation_p, shuffled_accuracy


def test_the_permutation_is_the_share_of_all_orders_within_blocks():
    labels, block = np.array([0, 0, 1, 1, 0, 1, 0, 1]), np.array([0, 0, 0, 0, 1, 1, 1, 1])
    said = np.array([0, 1, 1, 1, 0, 1, 1, 1])
    ways = [set(permutations(labels[block == b])) for b in (0, 1)]

    def balanced(order):
        return np.mean([(said[order == c] == c).mean() for c in (0, 1)])

    found = [balanced(np.array([*a, *b])) for a, b in product(*ways)]
    exact = np.mean(np.array(found) >= balanced(labels) - 1e-12)
    assert permutation_p(labels, said, block, 20000) == pytest.approx(exact, abs=0.01)


def test_a_drift_from_block_to_block_is_not_skill():
    """Each block has mostly one class, and the decoder says which block it is."""
    block = np.repeat([0, 1], 20)
    labels = np.where(np.arange(40) % 10 < 2, 1 - block, block)
    assert permutation_p(labels, block, block, 500) == 1.0
    assert permutation_p(labels, block, np.zeros(40, dtype=int), 500) < 0.01


def test_a_trial_that_nothing_was_said_of_is_wrong():
    labels = np.array([0, 1] * 10)
    assert permutation_p(labels, np.full(20, -1), np.zeros(20, dtype=int), 100) == 1.0


def card(right: list[bool]) -> ScoreCard:
    trials = [Trial(("a", "b")[i % 2], float(i)) for i in range(len(right))]
    other = {"a": "b", "b": "a"}
    return ScoreCard(
        tuple(TrialScore(t, t.label if ok else other[t.label], 1, ()) for t, ok in zip(trials, right, strict=True)),
        ("a", "b"),
    )


def test_a_higher_figure_of_another_decoder_is_put_to_mcnemar():
    mine, other = [True] * 6 + [False] * 6, [True] * 4 + [False] * 2 + [True] * 4 + [False] * 2
    scores = {"plain": card(other), STACK: card(mine)}
    result = SimpleNamespace(scores=scores, published=scores[STACK], weights=(0.25, 1.5))
    found = choice(result)
    assert (found["highest"], found["only_published_right"], found["only_highest_right"]) == ("plain", 2, 4)
    assert found["mcnemar_p"] == pytest.approx(2 * sum(comb(6, k) for k in range(3)) / 2**6)
    same = SimpleNamespace(scores={**scores, "plain": card(mine)}, published=scores[STACK], weights=(0.25, 1.5))
    assert choice(same)["highest"] == STACK


def test_every_decoder_has_a_row_and_the_shuffled_figure_stands_apart(rng):
    data = dataset(rng)
    decoder = fitted(data, alone=True)
    rows = decoder_table(data, decoder)
    assert [row["name"] for row in rows] == list(decoder.scores)
    assert [row["published"] for row in rows] == [name == STACK for name in decoder.scores]
    assert all(row["permutation_p"] < 0.01 and row["hits"] <= row["trials"] == 24 for row in rows)
    shuffled = shuffled_accuracy(data, decoder)
    assert shuffled["accuracy"] > 0.8
    assert shuffled["blocked_accuracy"] == decoder.scores[shuffled["name"]].accuracy
    assert shuffled_accuracy(data, replace(decoder, people=("P1",))) is None
