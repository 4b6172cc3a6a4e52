"""Second moments of sliding windows, from blocks of samples that overlapping windows share."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from neuript.realtime.chain.spd import F64


class WindowMoments:
    """Means and second moments of windows that overlap, one hop apart.

    A window is a whole number of blocks, and all but the newest of them were in the windows before; what each block
    adds is kept. Blocks are counted in groups as long as a window, so that every window is the end of a group and the
    beginning of the next: what the end adds was summed when its group was full, and the beginning grows by a block a
    hop. The bits depend on the samples of the window and on where it ends, on nothing that was asked before.

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
        # of each block, and of it with all that follow in its group: products, and in a last column the samples
        self._blocks = np.zeros((n_blocks, n_bands, n_chans, n_chans + 1))
        self._tails = np.zeros((n_blocks + 1, n_bands, n_chans, n_chans + 1))
        self._head = np.zeros((n_bands, n_chans, n_chans + 1))  # of the newest block and all before it in its group
        self._newest = -1  # place of the newest block
        self._end = -1  # of the window that was asked for last

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
        if self._end >= 0 and end == self._end + self._size:
            new = [self._end]
        elif end != self._end:
            first = np.arange(end - self._n_times, end, self._size)
            new = first[self._first[first // self._size % len(first)] != first].tolist()
        else:
            new = []
        if new:
            self._learn(new, samples(end, end - new[0]))
            self._put_together((end // self._size - 1) % len(self._first), one_more=end == self._end + self._size)
        self._end = end
        moments = (self._head + self._tails[self._newest + 1]) / self._n_times
        return moments[..., -1], moments[..., :-1]

    def _learn(self, first: Sequence[int], x: F64) -> None:
        """Take the blocks that begin at these samples, of which the samples from the first one on are given."""
        for start in first:
            block = x[start - first[0] :][: self._size].transpose(1, 2, 0)  # (n_bands, n_chans, size)
            place = start // self._size % len(self._first)
            self._first[place] = start
            np.matmul(block, block.swapaxes(-1, -2), out=self._blocks[place, ..., :-1])
            self._blocks[place, ..., -1] = block.sum(axis=-1)

    def _put_together(self, newest: int, *, one_more: bool) -> None:
        """Sum the groups anew, or just the one block more; in both cases one by one from the groups' outer ends."""
        if one_more and newest == self._newest + 1:
            self._head += self._blocks[newest]
        else:
            self._head = np.add.accumulate(self._blocks[: newest + 1])[-1]
            older = self._blocks[:newest:-1]
            self._tails[newest + 1 : -1] = np.add.accumulate(older)[::-1]
        self._newest = newest
