from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from neuript.realtime.chain.ring import RingBuffer


def test_window_is_a_contiguous_view_of_the_buffer() -> None:
    ring = RingBuffer(100, 3)
    for i in range(57):
        ring.append(np.full((7, 3), i, dtype=np.float32))
        if ring.total >= 64:
            view = ring.latest(64)
            assert view.flags.c_contiguous
            assert np.shares_memory(view, ring._data)
            assert view.dtype == np.float32
    with pytest.raises(ValueError, match="read-only"):
        view[0, 0] = 1


@settings(deadline=None, derandomize=True, max_examples=150)
@given(capacity=st.integers(1, 40), sizes=st.lists(st.integers(0, 90), max_size=30), data=st.data())
def test_same_as_keeping_everything(capacity: int, sizes: list[int], data: st.DataObject) -> None:
    ring = RingBuffer(capacity, 2, np.int64)
    everything = np.zeros((0, 2), np.int64)
    overrun = 0
    for n in sizes:
        chunk = len(everything) + np.arange(2 * n).reshape(n, 2)
        everything = np.concatenate([everything, chunk])
        before = chunk.copy()
        ring.append(chunk)
        np.testing.assert_array_equal(chunk, before)
        overrun += max(0, n - capacity)
        assert ring.total == len(everything)
        assert len(ring) == min(capacity, len(everything)) == ring.total - ring.oldest
        assert ring.overrun == overrun
        end = data.draw(st.integers(ring.oldest, ring.total))
        width = data.draw(st.integers(0, end - ring.oldest))
        np.testing.assert_array_equal(ring.window(end, width), everything[end - width : end])
        np.testing.assert_array_equal(ring.latest(len(ring)), everything[ring.oldest :])


def test_asking_for_what_is_gone_or_not_yet_there_is_an_error() -> None:
    ring = RingBuffer(10, 1)
    ring.append(np.zeros((25, 1)))
    assert ring.overrun == 15
    for end, n in [(26, 1), (25, 11), (16, 2), (20, -1)]:
        with pytest.raises(ValueError, match=r"samples 15\.\.\.24"):
            ring.window(end, n)


def test_wrong_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 1"):
        RingBuffer(0, 3)
    with pytest.raises(ValueError, match=r"\(n_times, 3\)"):
        RingBuffer(5, 3).append(np.zeros((4, 2)))


def test_memory_does_not_grow() -> None:
    ring = RingBuffer(64, 4)
    address = ring._data.ctypes.data
    for _ in range(1000):
        ring.append(np.zeros((13, 4)))
    assert ring._data.ctypes.data == address
    assert ring._data.shape == (128, 4)
