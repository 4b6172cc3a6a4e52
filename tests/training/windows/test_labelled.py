"""The one type of labelled windows, and the kinds that derive from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pytest

from neuript.training.windows.labelled import LabelledWindows


@dataclass(frozen=True, eq=False)
class Marked(LabelledWindows):
    """Windows of somebody, at a time that may not be known."""

    who: np.ndarray
    at_s: np.ndarray | None = None
    name: str = ""

    PER_WINDOW: ClassVar[tuple[str, ...]] = ("x", "y", "who", "at_s")


@pytest.fixture
def x(rng):
    return rng.normal(size=(5, 3, 16)).astype(np.float32)


Y = np.array([0, 2, 2, 0, 2])


def test_a_mask_and_indices_choose_from_every_field(x):
    windows = Marked(x, Y, np.array(list("abcde")), np.arange(5.0), "made up")
    for which in (Y == 2, np.array([1, 2, 4])):
        some = windows.select(which)
        assert isinstance(some, Marked)
        np.testing.assert_array_equal(some.x, x[[1, 2, 4]])
        assert ("".join(some.who), some.at_s.tolist(), some.name) == ("bce", [1.0, 2.0, 4.0], "made up")
    assert windows.select(np.array([3, 0])).who.tolist() == ["d", "a"]
    assert len(windows.select(np.zeros(5, dtype=bool))) == 0
    assert Marked(x, Y, np.array(list("abcde"))).select(Y == 0).at_s is None


def test_windows_in_a_row_stay_in_the_file_they_are_mapped_from(x, tmp_path):
    mapped = np.memmap(tmp_path / "x.f32", np.float32, "w+", shape=x.shape)
    mapped[:] = x
    windows = LabelledWindows(mapped, Y)
    for which, n in ((np.array([1, 2, 3]), 3), (Y >= 0, 5)):
        some = windows.select(which)
        assert np.shares_memory(some.x, mapped)
        np.testing.assert_array_equal(some.x, x[which])
        assert len(some) == n
    assert not np.shares_memory(windows.select(np.array([1, 3])).x, mapped)
    np.testing.assert_array_equal(windows.select(np.array([-1, 0])).x, x[[-1, 0]])


def test_counts_and_shape(x):
    windows = LabelledWindows(x, Y)
    assert (len(windows), windows.n_chans, windows.n_times) == (5, 3, 16)
    assert windows.class_counts(4).tolist() == [2, 0, 3, 0]
    assert windows.class_counts(2).tolist() == [2, 0, 3]


def test_parts_that_do_not_agree_are_refused(x):
    with pytest.raises(ValueError, match="n_chans, n_times"):
        LabelledWindows(x[0], Y)
    with pytest.raises(ValueError, match=r"y has shape \(4,\); 5 windows"):
        LabelledWindows(x, Y[:4])
    with pytest.raises(ValueError, match="who has shape"):
        Marked(x, Y, np.array(["a"]))


def test_windows_in_a_file_stay_there(x, tmp_path):
    x.tofile(tmp_path / "x.f32")
    mapped = np.memmap(tmp_path / "x.f32", np.float32, "c", shape=x.shape)
    windows = LabelledWindows(mapped, Y)
    assert windows.x is mapped
    assert type(windows.select(Y == 2).x) is np.ndarray
