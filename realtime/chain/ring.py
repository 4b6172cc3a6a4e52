"""A ring buffer whose every window is one contiguous block of memory."""

from __future__ import annotations

import numpy as np
from numpy.typing import DTypeLike, NDArray


class RingBuffer:
    """The last `capacity` samples of a stream, readable as contiguous views without a copy.

    Each row is stored twice, `capacity` rows apart, so that the window that ends anywhere is one
    slice and never wraps::

        row        0 ......... capacity-1 | capacity ......... 2*capacity-1
        holds      sample i % capacity    | the same again
        view                    [===============]       any n <= capacity rows

    Samples carry an absolute index: the first one ever appended is 0 and `total` is the index of the
    next one.  A view shows the buffer's own memory: it is read-only, and it is overwritten once
    `capacity` further samples have been appended.

    Parameters
    ----------
    capacity : int
        Number of samples kept, at least 1.
    n_chans : int
        Number of channels, at least 1.
    dtype : dtype
        Type of the samples, float32 by default.
    """

    def __init__(self, capacity: int, n_chans: int, dtype: DTypeLike = np.float32) -> None:
        if capacity < 1 or n_chans < 1:
            raise ValueError(f"capacity={capacity} and n_chans={n_chans} must both be at least 1 sample/channel")
        self._capacity = int(capacity)
        self._data = np.zeros((2 * self._capacity, int(n_chans)), dtype=dtype)
        self._read_only = self._data.view()
        self._read_only.flags.writeable = False
        self._total = 0
        self._overrun = 0

    @property
    def capacity(self) -> int:
        """Number of samples kept."""
        return self._capacity

    @property
    def n_chans(self) -> int:
        """Number of channels."""
        return int(self._data.shape[1])

    @property
    def total(self) -> int:
        """Number of samples ever appended; the absolute index of the next sample."""
        return self._total

    @property
    def oldest(self) -> int:
        """Absolute index of the oldest sample that is still there."""
        return max(0, self._total - self._capacity)

    @property
    def overrun(self) -> int:
        """Samples that were never readable, because one append brought more than `capacity`."""
        return self._overrun

    def __len__(self) -> int:
        """Return the number of samples that can be read."""
        return self._total - self.oldest

    def append(self, x: NDArray[np.generic]) -> None:
        """Append samples, oldest first; beyond `capacity` the oldest are lost and counted.

        Parameters
        ----------
        x : ndarray, shape (n_times, n_chans)
            Any number of samples, none included.

        Raises
        ------
        ValueError
            If `x` has another number of channels than the buffer.
        """
        if x.ndim != 2 or x.shape[1] != self._data.shape[1]:
            raise ValueError(f"x has shape {x.shape}; this buffer takes (n_times, {self._data.shape[1]})")
        n = x.shape[0]
        capacity = self._capacity
        self._total += n
        if n > capacity:
            self._overrun += n - capacity
            x = x[n - capacity :]
            n = capacity
        if n == 0:
            return
        start = (self._total - n) % capacity
        first = min(n, capacity - start)
        data = self._data
        data[start : start + first] = x[:first]
        data[start + capacity : start + capacity + first] = x[:first]
        if first < n:
            data[: n - first] = x[first:]
            data[capacity : capacity + n - first] = x[first:]

    def window(self, end: int, n: int) -> NDArray[np.generic]:
        """Return samples `end - n ... end - 1` as a read-only contiguous view.

        Parameters
        ----------
        end : int
            Absolute index just after the newest sample of the window.
        n : int
            Number of samples.

        Returns
        -------
        ndarray, shape (n, n_chans)
            A view of the buffer, valid until `capacity - (total - end) - n` further samples arrive.

        Raises
        ------
        ValueError
            If part of the window has not arrived yet or has been overwritten.
        """
        if n < 0 or end > self._total or end - n < self.oldest:
            raise ValueError(
                f"samples {end - n}...{end - 1} were asked for, "
                f"samples {self.oldest}...{self._total - 1} are in the buffer"
            )
        start = (end - n) % self._capacity
        return self._read_only[start : start + n]

    def latest(self, n: int) -> NDArray[np.generic]:
        """Return the newest `n` samples as a read-only contiguous view, shape (n, n_chans)."""
        return self.window(self._total, n)
