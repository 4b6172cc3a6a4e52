"""Which windows make which step: a function of the seed and the step alone, so that nothing has to be saved.

A step takes `batch_size` windows of one channel set, whose masks are drawn from one seed. They are cut into
micro-batches, each with a seed of its own for dropout and router noise; the processes share the micro-batches out.
Killed, resumed, or continued by another number of processes, a run therefore sees the same windows with the same masks.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from neuript.errors import NeuriptError
from neuript.montages import Montage

Indices = NDArray[np.int64]
AHEAD = 2
"""Number of steps that are read while another is computed."""
MICRO = 8
"""Windows per forward pass, at most, where it is not said: a window takes up to 1.3 GB (`tiny`)."""
_MASKS, _NOISE, _ORDER, _ROUND, _CHANNELS, _PROBE = range(6)  # streams of random numbers


class WindowGroup(Protocol):
    """Windows of one channel set, as `neuript.training.corpus.Group` has them."""

    @property
    def name(self) -> str:
        """Name of the channel set."""

    @property
    def montage(self) -> Montage:
        """Names and positions of the channels."""

    @property
    def n_windows(self) -> int:
        """Number of windows."""

    @property
    def subjects(self) -> NDArray[Any]:
        """Subject of each window, (n_windows,)."""

    def read(self, indices: Any) -> NDArray[np.float32]:
        """Windows in volts, (n, n_chans, n_times)."""


class WindowCorpus(Protocol):
    """What pretraining uses of `neuript.training.corpus.Corpus`."""

    @property
    def sfreq(self) -> float:
        """Sampling rate of the windows in Hz."""

    @property
    def n_times(self) -> int:
        """Number of samples of a window."""

    @property
    def groups(self) -> Sequence[Any]:
        """A `WindowGroup` for each channel set."""

    @property
    def subjects(self) -> set[str]:
        """Ids of all people in it, `<dataset>/<subject>`."""

    @property
    def file_hashes(self) -> set[str]:
        """SHA-256 of the recordings, in hexadecimal digits."""

    @property
    def hours(self) -> float:
        """Duration of the signal in hours."""


@dataclass(frozen=True, slots=True)
class CorpusPart:
    """Some windows of one group."""

    group: WindowGroup
    indices: Indices

    @property
    def n_chans(self) -> int:
        """Number of channels of its montage."""
        return len(self.group.montage.ch_names)


@dataclass(frozen=True, slots=True)
class Micro:
    """Windows of one forward pass.

    Attributes
    ----------
    x : Tensor, shape (n, n_chans, n_times)
        Windows in volts.
    start : int
        Index of the first one among the windows of the step.
    seed : int
        Seed of dropout and router noise in this pass.
    """

    x: Tensor
    start: int
    seed: int


@dataclass(frozen=True, slots=True)
class Batch:
    """One process' share of one step.

    Attributes
    ----------
    step : int
        Index of the optimiser step, 0 for the first.
    micro : list of Micro
        This process' windows, a forward pass each.
    size : int
        Number of windows of the step over all processes.
    seed : int
        Seed of the masks of all those windows.
    pos_m : ndarray, shape (n_chans, 3)
        Positions of their channels in metres.
    """

    step: int
    micro: list[Micro]
    size: int
    seed: int
    pos_m: NDArray[np.float64]


def check_corpora(corpora: Sequence[WindowCorpus]) -> tuple[float, int]:
    """Return the common rate and window length of corpora that can be trained on together.

    Raises
    ------
    NeuriptError
        If there are none, they are empty, or differ.
    """
    if not corpora or not sum(g.n_windows for c in corpora for g in c.groups):
        raise NeuriptError("the corpus has no windows; look at its report for what was rejected")
    kinds = {(float(c.sfreq), int(c.n_times)) for c in corpora}
    if len(kinds) > 1:
        found = ", ".join(f"{n} samples at {rate:g} Hz" for rate, n in sorted(kinds))
        raise NeuriptError(f"the corpora have windows of different kinds ({found}); prepare them with one recipe")
    return kinds.pop()


def split_by_subject(
    corpora: Sequence[WindowCorpus], fraction: float, seed: int
) -> tuple[list[CorpusPart], list[CorpusPart], set[str]]:
    """Split the windows of all groups into those to train on and those of held-out subjects.

    A subject's place depends on the seed and its own name only: it stays when others are added.

    Parameters
    ----------
    corpora : sequence of WindowCorpus
        Corpora with subject ids that are unique over data sets.
    fraction : float
        Share of the subjects to hold out; at least one of two or more, unless it is 0.
    seed : int
        Seed of the draw.

    Returns
    -------
    train, validation : list of CorpusPart
        Parts that have windows.
    held_out : set of str
        Ids of the subjects whose windows are in `validation`.
    """
    names = sorted(set().union(*(c.subjects for c in corpora)), key=lambda s: _digest(seed, s))
    n_held = round(fraction * len(names))
    if fraction > 0 and len(names) > 1:
        n_held = min(max(n_held, 1), len(names) - 1)
    held_out = set(names[:n_held])
    train: list[CorpusPart] = []
    validation: list[CorpusPart] = []
    for corpus in corpora:
        for group in corpus.groups:
            held = np.isin(np.asarray(group.subjects), sorted(held_out))
            for parts, chosen in ((train, ~held), (validation, held)):
                indices = np.flatnonzero(chosen).astype(np.int64)
                if len(indices):
                    parts.append(CorpusPart(group, indices))
    return train, validation, held_out


class BatchPlan:
    """Group and windows of every step.

    In each round of about one pass over the data, groups take turns in proportion to their windows,
    in random order. Within a group the windows come in one endless row of shuffled passes, which
    runs on over the end of a round: no window is left out or favoured because a group does not
    divide into batches.

    Parameters
    ----------
    parts : sequence of CorpusPart
        Windows to train on.
    batch_size : int
        Windows of a step, over all processes.
    seed : int
        Seed of the order, of the channels drawn and, in `Loader`, of masks and noise.
    max_channels : int, optional
        Draw so many channels for each step from montages that have more; None takes all.
    """

    def __init__(
        self, parts: Sequence[CorpusPart], batch_size: int, seed: int, max_channels: int | None = None
    ) -> None:
        self.parts, self.batch_size, self.seed = list(parts), batch_size, seed
        self.max_channels = max_channels
        self.sizes = np.array([len(p.indices) for p in self.parts])
        self.steps_per_round = max(1, round(int(self.sizes.sum()) / batch_size))
        self._groups = np.empty(0, np.int64)
        self._shuffled = lru_cache(maxsize=2 * len(self.parts) + 2)(self._shuffle)

    def group_of(self, step: int) -> tuple[int, int]:
        """Return which group step `step` takes, and how many steps took it before."""
        while step >= len(self._groups):
            self._groups = np.append(self._groups, self._round(len(self._groups)))
        group = int(self._groups[step])
        return group, int((self._groups[:step] == group).sum())

    def windows_of(self, step: int) -> tuple[int, Indices]:
        """Return the group of a step and its windows, (batch_size,) indices into the group."""
        group, before = self.group_of(step)
        size = int(self.sizes[group])
        first = before * self.batch_size
        place = np.arange(first, first + self.batch_size)
        order = np.concatenate([self._shuffled(group, p) for p in range(first // size, place[-1] // size + 1)])
        return group, self.parts[group].indices[order[place - first // size * size]]

    def channels_of(self, step: int) -> Indices | None:
        """Return the channels of a step, in order; None for all."""
        n_chans = self.parts[self.group_of(step)[0]].n_chans
        if self.max_channels is None or n_chans <= self.max_channels:
            return None
        rng = np.random.default_rng([self.seed, _CHANNELS, step])
        return np.sort(rng.choice(n_chans, self.max_channels, replace=False)).astype(np.int64)

    def _round(self, first: int) -> Indices:
        """Draw the groups of a round, each as often as its share, up to one more or less."""
        rng = np.random.default_rng([self.seed, _ROUND, first])
        n = self.steps_per_round
        ends = np.cumsum(self.sizes) / self.sizes.sum()
        ends[-1] = 1.0
        points = (rng.random() + np.arange(n)) / n
        return rng.permutation(np.searchsorted(ends, points, side="right")).astype(np.int64)

    def _shuffle(self, group: int, number: int) -> Indices:
        rng = np.random.default_rng([self.seed, _ORDER, group, number])
        return rng.permutation(int(self.sizes[group])).astype(np.int64)


class Loader:
    """Reads the share of one process, a few steps ahead of its use.

    Parameters
    ----------
    plan : BatchPlan
        The windows that each step takes.
    micro_batch : int, optional
        Windows per forward pass; None for at most `MICRO` that divide the share of a process.
    rank : int
        Index of this process, from 0.
    world_size : int
        Number of processes.

    Raises
    ------
    NeuriptError
        If the micro-batches of a step cannot be shared out evenly.
    """

    def __init__(self, plan: BatchPlan, micro_batch: int | None, rank: int = 0, world_size: int = 1) -> None:
        if micro_batch is None:
            if plan.batch_size % world_size:
                raise NeuriptError(
                    f"batch_size={plan.batch_size} cannot be shared evenly by {world_size} "
                    f"processes; use a multiple of {world_size}"
                )
            share = plan.batch_size // world_size
            micro_batch = max(n for n in range(1, MICRO + 1) if share % n == 0)
        self.n_micro = plan.batch_size // micro_batch
        if self.n_micro % world_size:
            raise NeuriptError(
                f"batch_size={plan.batch_size} is {self.n_micro} micro-batches of {micro_batch}, "
                f"which {world_size} processes cannot share evenly; choose micro_batch so that "
                f"batch_size / micro_batch is a multiple of {world_size}"
            )
        self.plan, self.micro_batch = plan, micro_batch
        share = self.n_micro // world_size
        self.numbers = range(rank * share, (rank + 1) * share)

    def load(self, step: int) -> Batch:
        """Read one step."""
        group, windows = self.plan.windows_of(step)
        part, channels = self.plan.parts[group], self.plan.channels_of(step)
        pos_m = part.group.montage.pos_m
        micro = []
        for number in self.numbers:
            start = number * self.micro_batch
            chosen = windows[start : start + self.micro_batch]
            x = read_windows(part.group, chosen, channels)
            micro.append(Micro(x, start, seed_of(self.plan.seed, _NOISE, step, number)))
        seed = seed_of(self.plan.seed, _MASKS, step)
        pos_m = pos_m if channels is None else pos_m[channels]
        return Batch(step, micro, self.plan.batch_size, seed, pos_m)

    def steps(self, start: int, stop: int) -> Iterator[Batch]:
        """Yield the steps from `start` to before `stop`, reading ahead in a thread."""
        with ThreadPoolExecutor(1, thread_name_prefix="windows") as pool:
            ahead: deque[Future[Batch]] = deque()
            for step in range(start, stop + AHEAD):
                if step < stop:
                    ahead.append(pool.submit(self.load, step))
                if step >= start + AHEAD and ahead:
                    yield ahead.popleft().result()


def read_windows(group: WindowGroup, indices: Indices, channels: Indices | None = None) -> Tensor:
    """Read windows in volts, (n, n_chans, n_times), and check that they are numbers.

    Parameters
    ----------
    group : WindowGroup
        Windows of one channel set.
    indices : ndarray, shape (n,)
        Indices into the windows of the group, in any order.
    channels : ndarray, shape (n_chans,), optional
        Indices of the channels to keep; None keeps all.

    Returns
    -------
    Tensor, shape (n, n_chans, n_times)
        Windows in volts, float32, in the order of `indices`.

    Raises
    ------
    NeuriptError
        If a window has NaN or infinity, naming group and window.
    """
    order = np.argsort(indices)  # a file is read from front to back
    found = group.read(indices[order])
    x = np.empty(found.shape, np.float32)
    x[order] = found
    if channels is not None:
        x = np.ascontiguousarray(x[:, channels])
    bad = ~np.isfinite(x).all(axis=(1, 2))
    if bad.any():
        raise NeuriptError(
            f"window {indices[bad][0]} of {group.name} in the corpus contains NaN or infinity; prepare the corpus again"
        )
    return torch.from_numpy(x)


def validation_batches(
    parts: Sequence[CorpusPart], n_windows: int, batch_size: int, seed: int
) -> list[tuple[CorpusPart, Indices, int]]:
    """Choose fixed validation windows, in batches of one group, each with a seed for its masks.

    Every group with held-out subjects gives its share, evenly spaced over its windows.

    Parameters
    ----------
    parts : sequence of CorpusPart
        Windows of the held-out subjects.
    n_windows : int
        Number of windows to choose, about.
    batch_size : int
        Largest number of windows of a batch.
    seed : int
        Seed of the masks.

    Returns
    -------
    list of (CorpusPart, ndarray, int)
        Part, window indices and seed of each batch.
    """
    total = sum(len(p.indices) for p in parts)
    batches = []
    for number, part in enumerate(parts):
        share = max(1, round(n_windows * len(part.indices) / total))
        take = np.linspace(0, len(part.indices) - 1, min(share, len(part.indices)))
        chosen = part.indices[take.round().astype(np.int64)]
        batches += [
            (part, chosen[k : k + batch_size], seed_of(seed, _PROBE, number, k))
            for k in range(0, len(chosen), batch_size)
        ]
    return batches


def seed_of(*numbers: int) -> int:
    """Return a seed that is a function of whole numbers, for PyTorch's generators."""
    return int(np.random.SeedSequence(numbers).generate_state(1, np.uint64)[0] >> 1)


def _digest(seed: int, name: str) -> str:
    return hashlib.sha256(f"{seed}/{name}".encode()).hexdigest()
