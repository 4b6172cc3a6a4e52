from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuript.realtime.chain.windowing import Windower


@settings(deadline=None, derandomize=True)
@given(n_times=st.integers(1, 300), hop=st.integers(1, 50), sizes=st.lists(st.integers(0, 120), max_size=40))
def test_due_in_any_chunking_as_sample_by_sample(n_times: int, hop: int, sizes: list[int]) -> None:
    windower = Windower(n_times, hop)
    ends = [end for n in sizes for end in windower.advance(n)]
    assert windower.total == sum(sizes)
    slow = [count for count in range(1, sum(sizes) + 1) if count % hop == 0]
    assert ends == slow
    for end in ends:
        assert windower.is_full(end) == (end >= n_times)
        assert windower.missing(end) == max(0, n_times - end)


def test_after_a_restart_windows_wait_but_the_grid_goes_on() -> None:
    windower = Windower(256, 8)
    assert list(windower.advance(300))[-1] == 296
    windower.restart()
    ends = list(windower.advance(600))
    assert ends[0] == 304
    full = [end for end in ends if windower.is_full(end)]
    assert full[0] == 560  # first multiple of 8 from 300 + 256 on
    assert windower.missing(304) == 252
    windower.restart(100)  # a restart in the past takes nothing back
    assert windower.start == 300
    windower.restart(1000)
    assert not windower.is_full(1255)
    assert windower.is_full(1256)


def test_nonsense_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        Windower(0, 1)
    with pytest.raises(ValueError, match="0 or more"):
        Windower(4, 1).advance(-1)
