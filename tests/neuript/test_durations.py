"""Spans of time as people read them."""

from __future__ import annotations

import pytest

from neuript.durations import clock, in_words


@pytest.mark.parametrize(
    ("seconds", "text"), [(5, "5 s"), (65, "1 min 5 s"), (12_000, "3 h 20 min"), (1e99, "unknown")]
)
def test_in_words(seconds, text):
    assert in_words(seconds) == text


@pytest.mark.parametrize(
    ("seconds", "plain", "with_tenths"),
    [
        (0.0, "0:00", "0:00.0"),
        (9.25, "0:09", "0:09.2"),
        (59.97, "0:59", "1:00.0"),
        (185.3, "3:05", "3:05.3"),
        (3723.0, "1:02:03", "1:02:03.0"),
    ],
)
def test_a_clock_never_shows_sixty_seconds(seconds, plain, with_tenths):
    assert (clock(seconds), clock(seconds, n_decimals=1)) == (plain, with_tenths)
