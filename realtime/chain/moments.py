"""Second moments of sliding windows, from blocks of samples that overlapping windows share."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from neuript.realtime.chain.spd import F64


class WindowMoments:
    """Means and second moments of windows that overlap, one hop apart.

    A window is a whole number of blocks, and all but the newest of them were in the windows before; what each block
    adds is kept. The bits depend on the samples of the window and on where it ends, on nothing that was asked before.

    Parameters
    ----------
    n_bands, n_chans : int
        Number of signals side by side, and of channels of each.
    n_times : int
        Samples of a window.
    hop : int
        Samples from one window to the next; any other window can be asked for as well, which takes longer.
    """

    def __init__(self, n_bands: int, n_chans: int, n_times: int, hop: int) -> None:
        self._n_times = n_times
        self._size = math.gcd(n_times, hop)
        n_blocks = n_times // self._size
        self._first = np.full(n_blocks, -1, dtype=np.int64)  # first sample of the block that each place holds
        self._sums = np.zeros((n_blocks, n_bands, n_chans))
        self._squares = np.zeros((n_blocks, n_bands, n_chans, n_chans))

    def at(self, end: int, samples: Callable[[int, int], F64]) -> tuple[F64, F64]:
        """Return means and second moments of the window before sample `end`.

        Parameters
        ----------
        end : int
            Absolute index just after the newest sample of the window.
        samples : callable
            Gives samples `end - n ... end - 1` of all bands for `(end, n)`, shape (n, n_bands, n_chans).

        Returns
        -------
        mean : ndarray, shape (n_bands, n_chans)
        second : ndarray, shape (n_bands, n_chans, n_chans)
            Means of the products of two channels.
        """
        first = np.arange(end - self._n_times, end, self._size)
        place = first // self._size % len(first)
        new = first[self._first[place] != first]
        if len(new):
            self._learn(new, samples(end, end - int(new[0])))
        return self._sums.sum(axis=0) / self._n_times, self._squares.sum(axis=0) / self._n_times

    def _learn(self, first: np.ndarray, x: F64) -> None:
        """Take the blocks that begin at these samples, of which the samples from the first one on are given."""
        for start in first.tolist():
            block = x[start - first[0] :][: self._size].transpose(1, 2, 0)  # (n_bands, n_chans, size)
            place = start // self._size % len(self._first)
            self._first[place] = start
            self._sums[place] = block.sum(axis=-1)
            np.matmul(block, block.swapaxes(-1, -2), out=self._squares[place])
