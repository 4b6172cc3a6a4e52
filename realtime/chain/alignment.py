"""Recentring: every window is seen from the person's own running mean, so that people, days and caps look alike.

The spatial covariance of EEG says first of all who the person is, how the cap sits and what the reference is, and only
then what the person does. Seen from the Riemannian mean of the person's own windows, the first part is gone (Zanini et
al. 2018, IEEE TBME 65:1107; He & Wu 2020, IEEE TBME 67:399): what is left can be compared with other people, other
days, and the beginning of the same day. No label is needed, so it goes on while the person uses the decoder.

One component for all: live, replay and training windows go through `AlignedWindows`. Samples are counted, never a
clock, so any cut of the signal into chunks gives the same bits.

Shapes: K bands beside the signal's own, D channels, T samples of a window.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from neuript import specs
from neuript.realtime.chain import spd
from neuript.realtime.chain.filter_bank import FilterBank
from neuript.realtime.chain.moments import WindowMoments
from neuript.realtime.chain.plausibility import LEVEL_HZ
from neuript.realtime.chain.ring import RingBuffer
from neuript.realtime.chain.spd import F64

MICROVOLTS_PER_VOLT = 1e6
SHRINKAGE = 1e-4
"""Share of the mean variance that is added to every variance."""
FLOOR_UV2 = 1e-6
"""Variance in square microvolts that is added as well, so that a flat signal has a logarithm."""
SMALLEST_DISTANCE = 1e-3
"""A typical distance of less is rounding, not EEG."""
BANDS_HZ = ((4.0, 8.0), (8.0, 12.0), (12.0, 16.0), (16.0, 20.0), (20.0, 24.0), (24.0, 28.0))
"""Theta, mu and four bands of beta."""


@dataclass(frozen=True, kw_only=True)
class AlignmentSpec:
    """How windows are recentred; part of the preprocessing, so it stands in the model file."""

    bands_hz: tuple[tuple[float, float], ...] = BANDS_HZ
    """Bands whose covariances the Riemannian branch reads, each recentred by itself: edges in Hz."""
    signal_band_hz: tuple[float, float] | None = None
    """Band of the signal that the network reads, recentred as a whole; None leaves it as the chain gives it."""
    signal_rms_v: float = 1e-5
    """Root mean square in volts that each channel of the recentred signal has on average."""
    memory_s: float = 40.0
    """Seconds of clean signal after which what was seen counts a third."""
    settle_s: float = 30.0
    """Seconds of clean signal that a new reference rests on before anything is decoded with it."""
    max_step: float = 2.0
    """A window further from the reference than so many typical distances moves it no more than one at that distance."""

    def __post_init__(self) -> None:
        """Check the numbers."""
        specs.check_types(self, ValueError)
        for low, high in (*self.bands_hz, *(() if self.signal_band_hz is None else (self.signal_band_hz,))):
            if not 0 < low < high:
                raise ValueError(f"a band from {low:g} to {high:g} Hz is none; give 0 < low < high")
        for name in ("signal_rms_v", "memory_s", "settle_s", "max_step"):
            specs.require(getattr(self, name) > 0, self, name, "larger than 0", ValueError)

    @property
    def highest_hz(self) -> float:
        """Upper edge of the highest band in Hz; 0 without any."""
        bands = (*self.bands_hz, *(() if self.signal_band_hz is None else (self.signal_band_hz,)))
        return max((high for _, high in bands), default=0.0)

    @property
    def n_references(self) -> int:
        """Number of means that are followed: the signal's and one for each band."""
        return 1 + len(self.bands_hz)

    def n_tangent(self, n_chans: int) -> int:
        """Number of entries of the tangent vector of a window: the upper triangle of each band's matrix."""
        return len(self.bands_hz) * n_chans * (n_chans + 1) // 2


@dataclass(frozen=True, eq=False, slots=True)
class Reference:
    """What windows are seen from: a Riemannian mean for the signal (first) and for each band.

    Attributes
    ----------
    mean : ndarray, shape (1 + K, D, D)
        Means of the windows' covariances in square microvolts.
    distance : ndarray, shape (1 + K,)
        Typical Riemannian distance of a window's covariance from its mean.
    seconds : float
        Seconds of clean signal that it rests on.
    """

    mean: F64
    distance: F64
    seconds: float

    @classmethod
    def of(cls, values: Mapping[str, NDArray[np.float64]]) -> Reference | None:
        """Return the reference that a model file holds, as an engine gives it; None if it holds none."""
        if not values:
            return None
        return cls(values["mean"], values["distance"], float(values["seconds"]))

    def usual_v(self, spec: AlignmentSpec) -> float | None:
        """Rms of the median channel within 4-28 Hz, in volts; None where the bands do not lie side by side there."""
        bands = sorted(spec.bands_hz)
        apart = any(lower[1] != upper[0] for lower, upper in itertools.pairwise(bands))
        if not bands or apart or (bands[0][0], bands[-1][1]) != LEVEL_HZ:
            return None
        variance = self.mean[1:].diagonal(axis1=-2, axis2=-1).sum(axis=0)
        return float(np.median(np.sqrt(variance))) / MICROVOLTS_PER_VOLT

    def to_arrays(self) -> dict[str, F64]:
        """Return the fields as arrays, for a model file."""
        return {"mean": self.mean, "distance": self.distance, "seconds": np.array(self.seconds)}

    def check(self, spec: AlignmentSpec, n_chans: int) -> None:
        """Raise ValueError unless windows of these bands and channels can be seen from it."""
        n = spec.n_references
        if (self.mean.shape, self.distance.shape) != ((n, n_chans, n_chans), (n,)):
            raise ValueError(
                f"a reference of shape {self.mean.shape} with {self.distance.size} distances is not one of "
                f"{n} bands, {n_chans} channels"
            )
        if not (np.isfinite(self.mean).all() and np.isfinite(self.distance).all() and self.seconds > 0):
            raise ValueError("a reference holds NaN, infinity or no signal at all")
        if not (np.linalg.eigvalsh(self.mean) > 0).all():
            raise ValueError("the means of a reference are no covariances")

    def distance_to(self, other: Reference) -> F64:
        """Return how far the other's means are, in typical distances of this one; shape (1 + K,)."""
        _, inverse = spd.roots(self.mean)
        apart = np.linalg.norm(spd.logarithm(inverse @ other.mean @ inverse), axis=(-2, -1))
        return np.asarray(apart / np.maximum(self.distance, SMALLEST_DISTANCE))


@dataclass(frozen=True, eq=False, slots=True)
class Window:
    """One window as the decoder reads it.

    Attributes
    ----------
    volts : ndarray, shape (n_times, n_chans)
        As the chain gives it, in volts; a view that later samples overwrite.
    signal : ndarray, shape (n_times, n_chans)
        What the network reads: recentred and of the same size for everybody; without alignment the same as `volts`.
    tangent : ndarray, shape (n_tangent,)
        What the Riemannian branch reads: where the covariances of the bands lie as seen from the references, in typical
        distances (`AlignmentSpec.n_tangent`); empty without alignment.
    """

    volts: NDArray[np.float32]
    signal: NDArray[np.float32]
    tangent: NDArray[np.float32]


class Windows(Protocol):
    """What the decoder needs between the chain and the engine: windows of the newest samples."""

    @property
    def settled(self) -> bool:
        """Whether windows can be decoded."""
        ...

    def append(self, y: NDArray[np.float32]) -> None:
        """Take the next samples in volts, shape (n_times, n_chans)."""
        ...

    def restart(self) -> None:
        """Filters start anew with the next sample: the stream broke."""
        ...

    def follow(self, end: int) -> bool:
        """Learn from the clean window that ends before sample `end`; whether windows can be decoded now."""
        ...

    def window(self, end: int) -> Window:
        """Return the window that ends before sample `end`."""
        ...


class PlainWindows:
    """Windows as the chain gives them, for models without an alignment.

    Parameters
    ----------
    n_times, n_chans : int
        Shape of a window.
    capacity : int
        Number of the newest samples that are kept.
    """

    def __init__(self, n_times: int, n_chans: int, capacity: int) -> None:
        self._n_times = n_times
        self._ring = RingBuffer(capacity, n_chans)
        self._none = np.empty(0, dtype=np.float32)
        self.settled = True

    def append(self, y: NDArray[np.float32]) -> None:
        """Take the next samples in volts, shape (n_times, n_chans)."""
        self._ring.append(y)

    def restart(self) -> None:
        """There is nothing to forget."""

    def follow(self, end: int) -> bool:
        """There is nothing to learn: windows can be decoded."""
        return True

    def window(self, end: int) -> Window:
        """Return the window that ends before sample `end`."""
        volts: NDArray[np.float32] = self._ring.window(end, self._n_times)  # type: ignore[assignment]
        return Window(volts, volts, self._none)


class AlignedWindows:
    """Windows seen from the person's own running mean.

    Each call of `follow` moves one of the references (the next one in turn, so that no hop costs more than another;
    with long hops as many as it takes to miss no signal) along the geodesic towards the window's covariance: by equal
    shares until `memory_s` of signal were seen, then by the share that lets older windows fade. Only windows that are
    whole and clean are followed, which the caller knows; all others leave the references where they are.

    Parameters
    ----------
    spec : AlignmentSpec
        Bands and memory.
    n_times, n_chans : int
        Shape of a window.
    sfreq : float
        Sampling rate in Hz.
    capacity : int
        Number of the newest samples that are kept.
    hop : int
        Samples from one window to the next, as they are asked for; others can be asked for as well and take longer.
    start : Reference, optional
        Where to begin, from a calibration; None begins with the stream's own first seconds.
    moving : bool
        False leaves the references where they are, once there are any.

    Attributes
    ----------
    to_signal : ndarray, shape (n_chans, n_chans)
        From the filtered signal in volts to what the network reads; each time the reference moves, a new array.
    """

    def __init__(
        self,
        spec: AlignmentSpec,
        n_times: int,
        n_chans: int,
        sfreq: float,
        capacity: int,
        *,
        hop: int,
        start: Reference | None = None,
        moving: bool = True,
    ) -> None:
        if start is not None:
            start.check(spec, n_chans)
        self.spec, self.moving = spec, moving
        self._n_times, self._n_chans, self.sfreq = n_times, n_chans, float(sfreq)
        self._volts = RingBuffer(capacity, n_chans)
        self._bank = FilterBank((spec.signal_band_hz, *spec.bands_hz), sfreq, n_chans, capacity)
        self._moments = WindowMoments(spec.n_references, n_chans, n_times, hop)
        self._begin(start)
        self._origin = start
        self._undo: list[Reference | None] = []
        self._since = 0  # signal before this sample is not learnt from
        self.n_recentred = 0
        self._newest: tuple[int, F64] | None = None

    def _begin(self, start: Reference | None) -> None:
        n = self.spec.n_references
        self._mean = np.zeros((n, self._n_chans, self._n_chans)) if start is None else start.mean.copy()
        self._distance = np.zeros(n) if start is None else start.distance.copy()
        self._seconds = [0.0 if start is None else start.seconds] * n
        self._followed = [-1] * n  # newest sample that each reference has seen
        self._turn = 0
        self._hop = 0  # least distance of two windows so far
        nothing = np.zeros_like(self._mean)
        self._root, self._whitener = (nothing, nothing.copy()) if start is None else spd.roots(self._mean)
        self.to_signal = self._seen_from_here()

    @property
    def settled(self) -> bool:
        """Whether the references rest on enough signal."""
        return min(self._seconds) >= min(self.spec.settle_s, self.spec.memory_s) - 1e-9

    @property
    def seconds(self) -> float:
        """Seconds of clean signal that the references rest on."""
        return min(self._seconds)

    @property
    def reference(self) -> Reference | None:
        """Where the windows are seen from now; None before the first clean window."""
        if not min(self._seconds) > 0:
            return None
        return Reference(self._mean.copy(), self._distance.copy(), self.seconds)

    def append(self, y: NDArray[np.float32]) -> None:
        """Take the next samples in volts, shape (n_times, n_chans)."""
        self._volts.append(y)
        self._bank.append(y)

    def restart(self) -> None:
        """Filters start anew with the next sample: the stream broke. The references stay."""
        self._bank.restart()

    def recentre(self) -> None:
        """Forget the references and begin with the signal that comes from now on; `undo` brings them back."""
        if self.settled:  # else what `undo` goes back to is where it was before
            self._undo.append(self.reference)
        self._begin(None)
        self._since = self._volts.total
        self.n_recentred += 1

    def undo(self) -> None:
        """Go back to where the references were before the last `recentre`, or else to where they began, if anywhere."""
        if not self._undo and self._origin is None:
            return
        self._begin(self._undo.pop() if self._undo else self._origin)
        self._since = 0

    def moved(self) -> float:
        """Return how far the references are from where they began, in typical distances: the largest of the bands."""
        now = self.reference
        if self._origin is None or now is None:
            return 0.0
        return float(self._origin.distance_to(now).max())

    def follow(self, end: int) -> bool:
        """Learn from the whole, clean window that ends before sample `end`.

        Returns
        -------
        bool
            Whether the references rest on enough signal for windows to be decoded.
        """
        if (self.moving or not self.settled) and end - self._n_times >= self._since:
            for k in self._in_turn(end):
                self._move(k, end)
        if self._origin is None and self.settled:
            self._origin = self.reference
        return self.settled

    def _in_turn(self, end: int) -> list[int]:
        """Which references move now: at first all, then so many in turn that none misses signal between two turns."""
        n, newest = self.spec.n_references, max(self._followed)
        if not min(self._seconds) > 0:
            self._turn = 1 % n
            return list(range(n))
        if newest >= 0:
            self._hop = min(self._hop or end - newest, end - newest)
        n_now = min(n, max(1, math.ceil(n * self._hop / self._n_times)))
        moved = [(self._turn + i) % n for i in range(n_now)]
        self._turn = (self._turn + n_now) % n
        return moved

    def _move(self, k: int, end: int) -> None:
        """Move one reference towards the window's covariance."""
        spec = self.spec
        covariance = self._covariances(end)[k]
        news_s = (end - max(self._followed[k], end - self._n_times)) / self.sfreq
        self._followed[k] = end
        if not self._seconds[k] > 0:
            self._seconds[k] = news_s
            self._stand_at(k, covariance)
            return
        self._seconds[k] = min(self._seconds[k] + news_s, spec.memory_s)
        share = news_s / self._seconds[k]
        logs, vectors = spd.log_eigenvalues(self._whitener[k] @ covariance @ self._whitener[k])
        distance, usual = math.sqrt(float(logs @ logs)), float(self._distance[k])
        if usual > 0 and self.settled:
            limit = spec.max_step * usual
            if distance > limit:  # what is not typical does not say what is, or the limit would grow with the artefact
                logs = logs * (limit / distance)
                distance = usual
        self._distance[k] += max(share, float(usual == 0)) * (distance - usual)
        half = self._root[k] @ (vectors * np.exp(0.5 * share * logs))
        self._stand_at(k, half @ half.T)

    def _stand_at(self, k: int, mean: F64) -> None:
        """Put one reference somewhere."""
        self._mean[k] = mean
        self._root[k], self._whitener[k] = spd.roots(mean)
        if k == 0:
            self.to_signal = self._seen_from_here()

    def _seen_from_here(self) -> F64:
        """Return the matrix from the filtered signal in volts to what the network reads."""
        to_signal: F64 = self._whitener[0] * (self.spec.signal_rms_v * MICROVOLTS_PER_VOLT)
        return to_signal

    def _covariances(self, end: int) -> F64:
        """Covariances of the window before `end` in square microvolts, (1 + K, D, D)."""
        if self._newest is None or self._newest[0] != end:
            mean, second = self._moments.at(end, self._bank.window)
            if self.spec.signal_band_hz is None:
                second -= mean[..., :, None] * mean[..., None, :]
            self._newest = (end, spd.shrunk(second * MICROVOLTS_PER_VOLT**2, SHRINKAGE, FLOOR_UV2))
        return self._newest[1]

    def window(self, end: int) -> Window:
        """Return the window that ends before sample `end`, seen from the references.

        Raises
        ------
        ValueError
            Before the first clean window, or if part of the window is not there.
        """
        away = self.away(end)
        volts: NDArray[np.float32] = self._volts.window(end, self._n_times)  # type: ignore[assignment]
        signal = seen(self._bank.window(end, self._n_times)[:, 0], self.to_signal)
        return Window(volts, signal, tangent_of(*away))

    def away(self, end: int) -> tuple[F64, F64]:
        """Return what `tangent_of` makes a tangent vector of, for the window that ends before sample `end`.

        Returns
        -------
        covariances : ndarray, shape (K, D, D)
            Covariances of the bands as seen from the references.
        distances : ndarray, shape (K,)
            Typical distances of each.

        Raises
        ------
        ValueError
            As `window` does.
        """
        if not min(self._seconds) > 0:
            raise ValueError("there is no reference yet; follow a clean window first")
        whitener = self._whitener[1:]
        return whitener @ self._covariances(end)[1:] @ whitener, self._distance[1:].copy()


def tangent_of(covariances: F64, distances: F64) -> NDArray[np.float32]:
    """Return tangent vectors of windows, shape (..., n_tangent), from what `AlignedWindows.away` gives for each.

    Many windows at once get the bits that each would get alone.

    Parameters
    ----------
    covariances : ndarray, shape (..., K, D, D)
        Covariances of the bands as seen from the references.
    distances : ndarray, shape (..., K)
        Typical distances.
    """
    vectors = spd.upper(spd.logarithm(covariances)) / np.maximum(distances[..., None], SMALLEST_DISTANCE)
    return vectors.reshape(*vectors.shape[:-2], -1).astype(np.float32)


def seen(x: F64, to_signal: F64) -> NDArray[np.float32]:
    """Return filtered samples in volts, (n_times, n_chans), as seen from a reference, for which `to_signal` stands."""
    return np.asarray(np.ascontiguousarray(x) @ to_signal, dtype=np.float32)
