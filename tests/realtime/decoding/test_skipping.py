"""Live, the oldest of queued decisions are skipped; a habit of it is an overload."""

from __future__ import annotations

import pytest

from neuript.realtime.decoding.admission import DueWindow
from neuript.realtime.decoding.skipping import OVERLOAD_ENTER, OVERLOAD_HOPS, Skipper
from neuript.realtime.decoding.states import State

HOP_S = 0.125


def queued(n, not_ready=()):
    return [DueWindow(8 * i, 0.1 * i, i, State.OK, i not in not_ready) for i in range(n)]


@pytest.mark.parametrize(
    ("n", "infer_s", "skipped"),
    [(1, 9.0, 0), (2, 0.01, 0), (4, 0.25, 2), (10, 0.05, 0), (10, 0.25, 8), (10, 3.0, 9), (40, 0.25, 38)],
)
def test_half_a_second_at_most_is_spent_on_what_queued_up(n, infer_s, skipped):
    skipper = Skipper(HOP_S, live=True)
    skipper.took(infer_s)
    assert skipper.choose(queued(n)) == set(range(skipped))


def test_a_recording_waits():
    skipper = Skipper(HOP_S, live=False)
    skipper.took(10.0)
    assert skipper.choose(queued(50)) == set()


def test_rows_without_a_window_are_never_skipped():
    skipper = Skipper(HOP_S, live=True)
    skipper.took(1.0)
    assert skipper.choose(queued(6, not_ready={0, 2})) == {1, 3, 4}


def test_an_overload_begins_with_a_quarter_and_ends_with_none():
    skipper = Skipper(HOP_S, live=True)
    for _ in range(OVERLOAD_ENTER - 1):
        skipper.note(skipped=True)
    assert not skipper.overloaded
    skipper.note(skipped=True)
    assert skipper.overloaded
    for _ in range(OVERLOAD_HOPS - 1):
        skipper.note(skipped=False)
        assert skipper.overloaded
    skipper.note(skipped=False)
    assert not skipper.overloaded
    assert skipper.n_skipped == OVERLOAD_ENTER
