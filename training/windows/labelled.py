"""Windows with their labels: what every training loop, decoder and picture is given."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class LabelledWindows:
    """Windows of one set of channels, each with its class.

    Kinds with more to say of each window (whose it is, which trial, when) derive from this one and name those fields
    in `PER_WINDOW`. Arrays are kept as they come, so windows that are mapped from a file stay there.

    Attributes
    ----------
    x : ndarray, shape (n_windows, n_chans, n_times)
        float32, volts, out of the causal chain.
    y : ndarray, shape (n_windows,)
        int64, class of each window, from 0.

    Raises
    ------
    ValueError
        If `x` has other than three dimensions, or a field of `PER_WINDOW` does not have one entry per window.
    """

    x: NDArray[np.float32]
    y: NDArray[np.int64]

    PER_WINDOW: ClassVar[tuple[str, ...]] = ("x", "y")
    """Names of the fields with one entry per window; a field that is None stays so."""

    def __post_init__(self) -> None:
        """Check that the parts agree."""
        if self.x.ndim != 3:
            raise ValueError(f"x has shape {self.x.shape}; windows have (n_windows, n_chans, n_times)")
        for name in self.PER_WINDOW[1:]:
            entries = getattr(self, name)
            if entries is not None and np.shape(entries)[:1] != (len(self.x),):
                raise ValueError(f"{name} has shape {np.shape(entries)}; {len(self.x)} windows need ({len(self.x)},)")

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self.x)

    @property
    def n_chans(self) -> int:
        """Number of channels of a window."""
        return int(self.x.shape[1])

    @property
    def n_times(self) -> int:
        """Number of samples of a window."""
        return int(self.x.shape[2])

    def select(self, which: NDArray[Any]) -> Self:
        """Return the windows of a mask, or those of some indices in their order.

        They are copies, except of windows mapped from a file that lie there one behind the other: these stay there.
        """
        settable = {field.name for field in fields(self) if field.init}
        parts = {name: getattr(self, name) for name in self.PER_WINDOW if name in settable}
        return replace(self, **{name: _rows(part, which) for name, part in parts.items() if part is not None})

    def class_counts(self, n_outputs: int) -> NDArray[np.int64]:
        """Windows of each class, shape (n_outputs,), or longer where a label is beyond them."""
        return np.bincount(self.y, minlength=n_outputs)


def _rows(part: Any, which: NDArray[Any]) -> Any:
    """Entries of one field; of a mapped file without a copy where the rows follow each other."""
    if not isinstance(part, np.memmap):
        return np.asarray(part[which])
    rows = np.flatnonzero(which) if which.dtype == bool else which
    if not len(rows) or rows[0] < 0 or (np.diff(rows) != 1).any():
        return np.asarray(part[which])
    return part[int(rows[0]) : int(rows[-1]) + 1]
