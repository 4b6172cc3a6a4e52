"""When a window is due: arithmetic on sample counts, never on a clock."""

from __future__ import annotations

from neuript.errors import NeuriptError


class Windower:
    """Says at which sample counts a decision is due and whether its window holds only clean samples.

    A decision falls due each time the absolute number of samples is a multiple of `hop`, however
    the samples were cut into chunks.  Its window is samples `end - n_times ... end - 1`.

    Parameters
    ----------
    n_times : int
        Length of a window in samples.
    hop : int
        Samples from one decision to the next.
    """

    def __init__(self, n_times: int, hop: int) -> None:
        if n_times < 1 or hop < 1:
            raise ValueError(f"n_times={n_times} and hop={hop} must both be at least 1 sample")
        self.n_times = int(n_times)
        self.hop = int(hop)
        self._total = 0
        self._start = 0

    @property
    def total(self) -> int:
        """Absolute number of samples so far."""
        return self._total

    @property
    def start(self) -> int:
        """Absolute index of the first sample that a window may hold."""
        return self._start

    def advance(self, n: int) -> range:
        """Count `n` new samples and return the ends at which a decision is due, oldest first.

        Parameters
        ----------
        n : int
            Number of new samples, 0 or more.

        Returns
        -------
        range
            Absolute ends (index just after the newest sample), multiples of `hop`, full or not.

        Raises
        ------
        ValueError
            If `n` is negative.
        """
        if n < 0:
            raise ValueError(f"n={n} samples cannot arrive; use 0 or more")
        before = self._total
        self._total += n
        return range((before // self.hop + 1) * self.hop, self._total + 1, self.hop)

    def is_full(self, end: int) -> bool:
        """Whether the window that ends at `end` lies wholly after the last restart."""
        return end - self.n_times >= self._start

    def missing(self, end: int) -> int:
        """Return how many samples the window that ends at `end` lacks (0 when it is full)."""
        return max(0, self._start + self.n_times - end)

    def restart(self, at: int | None = None) -> None:
        """Let no window reach back before sample `at` (default: before the next sample).

        The absolute count and the grid of hops go on, so that nothing shifts after a gap.
        """
        self._start = max(self._start, self._total if at is None else int(at))


def hop_samples(hop_s: float, sfreq: float) -> int:
    """Return the hop in samples of the model's rate.

    Raises
    ------
    NeuriptError
        If it is not a whole number of samples.
    """
    exact = hop_s * sfreq
    hop = round(exact) if abs(exact) < 2**53 else 0
    if hop < 1 or abs(exact - hop) > 1e-6:
        raise NeuriptError(
            f"a hop of {hop_s:g} s is {exact:g} samples at {sfreq:g} Hz; use a multiple of "
            f"{1 / sfreq:g} s, such as {max(1, hop) / sfreq:g}"
        )
    return hop
