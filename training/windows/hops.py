"""Every decision of the live decoder over a recording, with what each of its windows held, kept small.

Windows overlap: the signal is kept once, and a window is cut out of it when somebody asks. So one walk through a
recording serves all who need windows of it (labelled ones, pauses, the operating point), and gives each of them the
bits that a walk of their own would.
"""

from __future__ import annotations

import math
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuript.realtime.chain.alignment import AlignedWindows, Reference, Window, Windows, seen, tangent_of
from neuript.realtime.chain.filter_bank import FilterBank
from neuript.realtime.decoding.decoder import Decoder
from neuript.realtime.decoding.policy import DecisionPolicy, PolicyResult
from neuript.realtime.decoding.states import State

if TYPE_CHECKING:
    from neuript.modelfile.manifest import Manifest
    from neuript.realtime.chain.chunk import Source

F32 = NDArray[np.float32]

BATCH_BYTES = 4_000_000
"""Covariances of so many bytes become tangent vectors at once, while the walk goes on."""


@dataclass(frozen=True, eq=False, slots=True)
class Hops:
    """Decisions over one recording in order of time, and the windows of those that were decoded.

    Attributes
    ----------
    t : ndarray, shape (n_rows,)
        Stamp of the newest sample of each decision, in seconds on the clock of the recording.
    state : tuple of State
        State of each.
    row : ndarray, shape (n_windows,)
        Decision that each window belongs to; the others have none.
    tangent : ndarray, shape (n_windows, n_tangent)
        float32, tangent vectors of the windows; without an alignment there is nothing in them.
    reference : Reference or None
        Where the alignment ended; None without one, or if it never rested on enough signal.
    n_times : int
        Samples of a window.
    end : ndarray, shape (n_windows,)
        Sample of the stream just after the newest one of each window.
    stream : ndarray, shape (n_samples, n_chans)
        float32, the whole signal in volts, out of the causal chain.
    filtered : ndarray, shape (n_samples, n_chans), or None
        The signal in volts that is seen from the reference, in double precision; None without an alignment.
    to_signal : tuple of ndarray
        What each window's signal is seen through, (n_chans, n_chans) each; empty without an alignment.
    """

    t: NDArray[np.float64]
    state: tuple[State, ...]
    row: NDArray[np.int64]
    tangent: F32
    reference: Reference | None
    n_times: int
    end: NDArray[np.int64]
    stream: F32
    filtered: NDArray[np.float64] | None
    to_signal: tuple[NDArray[np.float64], ...]

    @property
    def window_t(self) -> NDArray[np.float64]:
        """Stamp of the newest sample of each window in seconds, shape (n_windows,)."""
        return self.t[self.row]

    @property
    def could_command(self) -> NDArray[np.bool_]:
        """Whether a command could have been given on each window, shape (n_windows,)."""
        return np.array([self.state[i] is State.OK for i in self.row.tolist()], dtype=bool)

    def volts(self, which: ArrayLike) -> F32:
        """Return windows as the chain gives them, shape (n, n_chans, n_times), in volts."""
        return self._cut(self.stream, which)

    def signal(self, which: ArrayLike) -> F32:
        """Return windows as the network reads them, shape (n, n_chans, n_times); without an alignment the volts."""
        if self.filtered is None:
            return self.volts(which)
        index = np.asarray(which, dtype=np.int64)
        out = np.empty((len(index), self.stream.shape[1], self.n_times), dtype=np.float32)
        for i, k in enumerate(index.tolist()):
            out[i] = seen(self.filtered[self.end[k] - self.n_times : self.end[k]], self.to_signal[k]).T
        return out

    def _cut(self, stream: F32, which: ArrayLike) -> F32:
        ends = self.end[np.asarray(which, dtype=np.int64)]
        samples = ends[:, None] + np.arange(-self.n_times, 0)
        return np.ascontiguousarray(stream[samples].transpose(0, 2, 1))


class NoOpinion:
    """An engine for which every class is as likely."""

    def __init__(self, n_outputs: int) -> None:
        self._flat = np.zeros(n_outputs, dtype=np.float32)

    def infer(self, signal: NDArray[Any], tangent: NDArray[Any], /) -> F32:
        """Return zeros, shape (n_outputs,)."""
        return self._flat


class NoDecision(DecisionPolicy):
    """A policy that decides nothing, so that a walk whose commands nobody reads need not find them."""

    def update(
        self, logits: ArrayLike | None, state: State = State.OK, *, hops: int = 1, wall_s: float = math.inf
    ) -> PolicyResult:
        """Pass on whether there was a window."""
        del state, hops, wall_s
        proba = None if logits is None else np.asarray(logits, dtype=np.float64)
        return PolicyResult(proba, None, 0.0, None, committed=False)


class TangentBatches:
    """Tangent vectors of the windows of a walk, computed beside it: most of that time is LAPACK's, in C.

    Parameters
    ----------
    workers : Executor
        Where they are computed.
    """

    def __init__(self, workers: Executor) -> None:
        self._submit = workers.submit
        self._waiting: list[tuple[NDArray[np.float64], NDArray[np.float64]]] = []
        self._bytes = 0
        self._found: list[Future[F32]] = []

    def append(self, covariances: NDArray[np.float64], distances: NDArray[np.float64]) -> None:
        """Take what `tangent_of` needs for the next window."""
        self._waiting.append((covariances, distances))
        self._bytes += covariances.nbytes
        if self._bytes >= BATCH_BYTES:
            self._work_off()

    def vectors(self, n_windows: int, n_tangent: int) -> F32:
        """Wait for what is left, and return the vectors of all windows; of none where there was nothing to take."""
        self._work_off()
        parts = [found.result() for found in self._found]
        return np.concatenate(parts) if parts else np.empty((n_windows, n_tangent), dtype=np.float32)

    def _work_off(self) -> None:
        if not self._waiting:
            return
        covariances, distances = zip(*self._waiting, strict=True)
        self._found.append(self._submit(tangent_of, np.stack(covariances), np.stack(distances)))
        self._waiting, self._bytes = [], 0


class HopTap:
    """The decoder's windows, of which is kept what `Hops` needs; the decoder itself is given nothing to read.

    Parameters
    ----------
    windows : Windows
        The decoder's.
    workers : Executor
        Where tangent vectors are computed.
    """

    def __init__(self, windows: Windows, workers: Executor) -> None:
        self._windows = windows
        self._none = Window(*(np.empty(0, dtype=np.float32),) * 3)
        self.parts: list[F32] = []
        self.breaks: list[int] = []  # number of parts when the stream broke
        self.ends: list[int] = []
        self.tangents = TangentBatches(workers)
        self.to_signal: list[NDArray[np.float64]] = []

    @property
    def settled(self) -> bool:
        """Whether windows can be decoded."""
        return self._windows.settled

    def append(self, y: F32) -> None:
        """Take the next samples."""
        self._windows.append(y)
        self.parts.append(y)

    def restart(self) -> None:
        """Filters start anew with the next sample."""
        self._windows.restart()
        self.breaks.append(len(self.parts))

    def follow(self, end: int) -> bool:
        """Learn from a clean window."""
        return self._windows.follow(end)

    def window(self, end: int) -> Window:
        """Keep where the window ends that ends before sample `end`, and what it is seen through."""
        self.ends.append(end)
        if isinstance(self._windows, AlignedWindows):
            self.tangents.append(*self._windows.away(end))
            self.to_signal.append(self._windows.to_signal)
        return self._none

    def filtered(self, n_chans: int) -> NDArray[np.float64] | None:
        """Return the signal that is seen from the reference, filtered as it was for the windows."""
        if not isinstance(self._windows, AlignedWindows):
            return None
        n_times = sum(map(len, self.parts))
        bank = FilterBank((self._windows.spec.signal_band_hz,), self._windows.sfreq, n_chans, max(1, n_times))
        for i, part in enumerate(self.parts):
            if i in self.breaks:
                bank.restart()
            bank.append(part)
        return bank.window(n_times, n_times)[:, 0].copy()


def walk_hops(
    source: Source, matrix: ArrayLike, scale: ArrayLike, manifest: Manifest, reference: Reference | None
) -> Hops:
    """Run the decoder over a recording, from its first sample to its last; arguments as in `collect_windows`."""
    nobody = NoOpinion(len(manifest.classes))
    decoder = Decoder.from_manifest(source, matrix, scale, manifest, nobody, reference=reference)
    with ThreadPoolExecutor(1) as workers:
        return _walk(decoder, manifest, workers)


def _walk(decoder: Decoder, manifest: Manifest, workers: Executor) -> Hops:
    windows = decoder.windows
    decoder.windows = tap = HopTap(windows, workers)
    decoder.policy = NoDecision(decoder.policy.spec, manifest.classes, manifest.hop_s)
    t: list[float] = []
    state: list[State] = []
    row: list[int] = []
    while not decoder.ended:
        for decision in decoder.step(0.0):
            if decision.proba is not None:
                row.append(len(t))
            t.append(decision.t)
            state.append(decision.state)
    n_chans = decoder.conditioner.n_chans
    found = windows.reference if isinstance(windows, AlignedWindows) and windows.settled else None
    return Hops(
        np.array(t, dtype=np.float64),
        tuple(state),
        np.array(row, dtype=np.int64),
        tap.tangents.vectors(len(tap.ends), manifest.n_tangent),
        found,
        manifest.n_times,
        np.array(tap.ends, dtype=np.int64),
        np.concatenate(tap.parts) if tap.parts else np.empty((0, n_chans), dtype=np.float32),
        tap.filtered(n_chans),
        tuple(tap.to_signal),
    )
