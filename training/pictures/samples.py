"""The windows that pictures are made of: signal, labels, who it was, and a fair draw of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from neuript.errors import NeuriptError
from neuript.training.windows.labelled import LabelledWindows

if TYPE_CHECKING:
    from neuript.montages import Montage


@dataclass(frozen=True, kw_only=True, eq=False)
class PictureWindows(LabelledWindows):
    """Windows of one montage.

    Attributes
    ----------
    x : ndarray, shape (n_windows, n_chans, n_times)
        Windows in volts.
    y : ndarray, shape (n_windows,)
        Class indices; all 0 where `classes` is empty.
    subject, recording : ndarray of str, shape (n_windows,)
        Person and recording of each window.
    montage : Montage
        Names, positions and lobes of the channels of `x`.
    sfreq : float
        Sampling rate of `x` in Hz.
    classes : tuple of str
        Names of the classes; empty for recordings without labels.
    name : str
        Name of the data, for titles.
    """

    subject: NDArray[Any]
    recording: NDArray[Any]
    montage: Montage
    sfreq: float
    classes: tuple[str, ...] = ()
    name: str = ""

    PER_WINDOW: ClassVar[tuple[str, ...]] = ("x", "y", "subject", "recording")

    def __post_init__(self) -> None:
        """Check that the parts agree."""
        super().__post_init__()
        if self.n_chans != self.montage.n_chans:
            raise ValueError(f"x has shape {self.x.shape}; the montage has {self.montage.n_chans} channels")
        if self.classes and len(self) and not 0 <= self.y.min() <= self.y.max() < len(self.classes):
            raise ValueError(f"y must lie in 0..{len(self.classes) - 1}")

    @property
    def times_s(self) -> NDArray[np.float64]:
        """Seconds from the start of a window, shape (n_times,)."""
        return np.arange(self.n_times) / self.sfreq


def draw_fairly(windows: PictureWindows, n: int, seed: int) -> PictureWindows:
    """Draw up to `n` windows, as evenly as there are over subjects and classes.

    Cells (one subject, one class) give one window each in turn until `n` are drawn or all are
    empty, so a subject with long recordings does not outweigh the others.

    Parameters
    ----------
    windows : PictureWindows
        Windows to draw from.
    n : int
        Largest number of windows to draw.
    seed : int
        Seed of the draw.

    Raises
    ------
    NeuriptError
        If there are no windows.
    """
    if len(windows) == 0:
        raise NeuriptError(f"{windows.name or 'the data'} has no windows to picture; choose another --split")
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(windows))
    rank = np.empty(len(windows), dtype=np.int64)
    seen: dict[tuple[str, int], int] = {}
    for i in order:
        cell = (str(windows.subject[i]), int(windows.y[i]))
        rank[i] = seen[cell] = seen.get(cell, -1) + 1
    turn = order[np.argsort(rank[order], kind="stable")]
    return windows.select(np.sort(turn[:n]))
