"""Recentring of windows that are cut already: the component of the live chain, for arrays instead of a stream.

Live a reference follows the person window by window (`neuript.realtime.chain.alignment`). Windows of a session that is
there as a whole are seen from its one mean, each window with the same weight, so that what is said of a window does not
depend on its neighbours.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuript.errors import ArgumentError
from neuript.realtime.chain.alignment import AlignedWindows, AlignmentSpec, Reference

LEAD_S = 0.5
"""So much odd reflection comes before a window, in which the filters of the bands settle."""


def session_reference(x: NDArray[np.float32], spec: AlignmentSpec, sfreq: float) -> Reference:
    """Return the mean of a session's windows, which they are to be seen from; no label is needed.

    Parameters
    ----------
    x : ndarray, shape (n_windows, n_chans, n_times)
        Windows in volts, in order of time; at least one.
    spec : AlignmentSpec
        Bands, and how far a single window may move the mean.
    sfreq : float
        Sampling rate in Hz.
    """
    n_windows, n_chans, n_times = x.shape
    whole = replace(spec, memory_s=max(spec.memory_s, n_windows * n_times / sfreq))  # nothing fades
    windows = _OneByOne(whole, n_times, n_chans, sfreq)
    for one in x:
        windows.aligned.follow(windows.append(one))
    reference = windows.aligned.reference
    if reference is None:
        raise ValueError("there are no windows")
    return reference


def seen_from(
    reference: Reference, x: NDArray[np.float32], spec: AlignmentSpec, sfreq: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return what network and Riemannian branch read of windows.

    Parameters
    ----------
    reference : Reference
        Where the windows are seen from.
    x : ndarray, shape (n_windows, n_chans, n_times)
        Windows in volts.
    spec : AlignmentSpec
        Bands, and the size of the signal.
    sfreq : float
        Sampling rate in Hz.

    Returns
    -------
    signal : ndarray, shape (n_windows, n_chans, n_times)
        float32.
    tangent : ndarray, shape (n_windows, n_tangent)
        float32.
    """
    n_windows, n_chans, n_times = x.shape
    windows = _OneByOne(spec, n_times, n_chans, sfreq, reference)
    signal = np.empty(x.shape, dtype=np.float32)
    tangent = np.empty((n_windows, spec.n_tangent(n_chans)), dtype=np.float32)
    for i, one in enumerate(x):
        found = windows.aligned.window(windows.append(one))
        signal[i], tangent[i] = found.signal.T, found.tangent
    return signal, tangent


class _OneByOne:
    """The live component fed with windows, each as if the stream began with it."""

    def __init__(
        self, spec: AlignmentSpec, n_times: int, n_chans: int, sfreq: float, start: Reference | None = None
    ) -> None:
        self._lead = min(round(LEAD_S * sfreq), n_times - 1)
        self._length = self._lead + n_times
        moving = start is None
        self.aligned = AlignedWindows(
            spec, n_times, n_chans, sfreq, self._length, hop=n_times, start=start, moving=moving
        )
        self._end = 0

    def append(self, x_DT: NDArray[np.float32]) -> int:
        """Append a window (n_chans, n_times) with its lead; return where it ends."""
        before = 2 * x_DT[:, :1] - x_DT[:, self._lead : 0 : -1]
        self.aligned.restart()
        self.aligned.append(np.ascontiguousarray(np.concatenate([before, x_DT], axis=1).T, dtype=np.float32))
        self._end += self._length
        return self._end


@dataclass(frozen=True, eq=False)
class Sessions:
    """What the windows of each session are seen from.

    Attributes
    ----------
    spec : AlignmentSpec
        How windows are recentred.
    sfreq : float
        Sampling rate of the windows in Hz.
    references : dict
        Reference of each session, by its label, in the order in which they came; None is the label of the only one.
    """

    spec: AlignmentSpec
    sfreq: float
    references: dict[Any, Reference]

    @classmethod
    def of(cls, x: NDArray[np.float32], groups: NDArray[Any] | None, spec: AlignmentSpec, sfreq: float) -> Sessions:
        """Learn the reference of each session from its windows (n_windows, n_chans, n_times) in order of time."""
        references = {label: session_reference(x[mine], spec, sfreq) for label, mine in _parts(groups, len(x))}
        return cls(spec, sfreq, references)

    @property
    def last(self) -> Reference:
        """Reference of the session that came last: where the next one begins."""
        return next(reversed(self.references.values()))

    def signals(self, x: NDArray[np.float32], groups: NDArray[Any] | None = None) -> NDArray[np.float32]:
        """Return windows as seen from their sessions, (n_windows, n_chans, n_times).

        Without `groups` from the session that came last. A session that was not there before is seen from its own mean.

        Raises
        ------
        ArgumentError
            If a new session has too little signal for a mean.
        """
        out = np.empty(x.shape, dtype=np.float32)
        for label, mine in _parts(groups, len(x)):
            reference = self.last if groups is None else self._reference_of(label, x[mine])
            out[mine] = seen_from(reference, x[mine], self.spec, self.sfreq)[0]
        return out

    def _reference_of(self, label: Any, x: NDArray[np.float32]) -> Reference:
        if label in self.references:
            return self.references[label]
        seconds, needed = len(x) * x.shape[2] / self.sfreq, self.spec.settle_s
        if seconds < needed - 1e-9:
            raise ArgumentError(
                f"session {label!r} is new and has {len(x)} windows, {seconds:g} s of signal; its mean needs "
                f"{needed:g} s. Give more of its windows at once, or leave groups out: the last session of "
                "the fit then stands in"
            )
        return session_reference(x, self.spec, self.sfreq)


def _parts(groups: NDArray[Any] | None, n_windows: int) -> Iterator[tuple[Any, NDArray[np.int64]]]:
    """Yield each session's label with the indices of its windows, in order of appearance."""
    if groups is None:
        yield None, np.arange(n_windows)
        return
    labels, first, inverse = np.unique(groups, return_index=True, return_inverse=True)
    for k in np.argsort(first):
        yield labels[k].item() if hasattr(labels[k], "item") else labels[k], np.flatnonzero(inverse == k)
