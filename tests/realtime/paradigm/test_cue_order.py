"""The order of the cues, over thousands of seeds."""

from __future__ import annotations

from collections import Counter
from itertools import groupby

import pytest

from neuript.errors import NeuriptError
from neuript.realtime.paradigm.cue_order import cue_order

NAMES = ("left_hand", "right_hand", "rest", "feet")


@pytest.mark.parametrize(("n_classes", "trials"), [(2, 1), (2, 7), (2, 20), (3, 5), (4, 3)])
def test_each_class_comes_equally_often_and_at_most_three_times_in_a_row(n_classes, trials):
    classes = NAMES[:n_classes]
    for seed in range(400):
        order = cue_order(classes, trials, block=seed % 7, seed=seed)
        assert Counter(order) == dict.fromkeys(classes, trials)
        assert max(len(list(run)) for _, run in groupby(order)) <= 3


def test_the_order_is_that_of_seed_and_block_alone():
    orders = {(block, seed): cue_order(NAMES[:2], 10, block, seed) for seed in range(5) for block in range(5)}
    assert len(set(orders.values())) == 25
    assert all(cue_order(NAMES[:2], 10, block, seed) == order for (block, seed), order in orders.items())


def test_no_class_is_favoured_at_the_start_or_the_end():
    orders = [cue_order(NAMES[:2], 5, 1, seed) for seed in range(2000)]
    for place in (0, 4, 9):
        n = sum(order[place] == "left_hand" for order in orders)
        assert abs(n - 1000) < 150  # more than six standard deviations of a fair coin


def test_one_class_alone_has_no_choice():
    assert cue_order(("rest",), 6, 0, 0) == ("rest",) * 6


@pytest.mark.parametrize("bad", [((), 3, 0, 0), (("a", "a"), 3, 0, 0), (("a",), 0, 0, 0), (("a",), 1, -1, 0)])
def test_what_cannot_be_ordered_is_refused(bad):
    with pytest.raises(NeuriptError):
        cue_order(*bad)
