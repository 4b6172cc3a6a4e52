"""An opened corpus: groups of windows with the same channels, read from mapped shards as they are asked for."""

from __future__ import annotations

import json
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from neuript.errors import NeuriptError
from neuript.files import file_sha256
from neuript.montages import Montage
from neuript.specs import from_dict
from neuript.training.corpus.recipe import Recipe
from neuript.training.corpus.shards import BATCH, Shard

INDEX = "corpus.json"
FORMAT, VERSION = "neuript-corpus", 1
OPEN_SHARDS = 256
"""Number of shards that stay mapped; each holds a file descriptor."""
_HASHERS = 4


@dataclass(frozen=True, slots=True)
class ShardEntry:
    """One recording of a corpus, as its index lists it."""

    shard: str
    sha256: str
    n_bytes: int
    n_windows: int
    dataset: str
    subject: str
    recording: str
    montage: str
    files: dict[str, str]
    """SHA-256 of the source file and its companions, keyed by name."""
    simulated: bool = False
    """Whether the recording says that no person was recorded."""


class Group:
    """Windows with the same channels.

    Attributes
    ----------
    name : str
        Name of the montage.
    montage : Montage
        Names, positions (metres) and lobes of the channels.
    n_windows : int
        Number of windows with these channels.
    """

    def __init__(self, montage: Montage, entries: Sequence[ShardEntry], recipe: Recipe, shards: _Shards) -> None:
        self.montage, self.name = montage, montage.name
        self._entries, self._recipe, self._shards = list(entries), recipe, shards
        counts = np.array([e.n_windows for e in self._entries], dtype=np.int64)
        self._counts = counts
        self._first = np.concatenate([[0], np.cumsum(counts)])
        self.n_windows = int(self._first[-1])

    def __len__(self) -> int:
        """Return the number of windows."""
        return self.n_windows

    @property
    def entries(self) -> list[ShardEntry]:
        """The recordings, in the order of their windows."""
        return list(self._entries)

    @property
    def hours(self) -> float:
        """Duration of the windows in hours."""
        return self.n_windows * self._recipe.window_s / 3600

    @cached_property
    def subjects(self) -> NDArray[np.str_]:
        """Subject of each window, `<dataset>/<subject>`, shape (n_windows,)."""
        return np.repeat(np.array([e.subject for e in self._entries]), self._counts)

    @cached_property
    def recordings(self) -> NDArray[np.str_]:
        """Recording of each window, shape (n_windows,)."""
        return np.repeat(np.array([e.recording for e in self._entries]), self._counts)

    @cached_property
    def start_s(self) -> NDArray[np.float64]:
        """Where each window begins in its recording, seconds, shape (n_windows,); opens every shard once."""
        return np.concatenate([self._shards.get(e).start_s for e in self._entries])

    def read(self, indices: ArrayLike) -> NDArray[np.float32]:
        """Return windows in the order asked for.

        Parameters
        ----------
        indices : array_like of int, shape (n,)
            Indices into the windows of this group.

        Returns
        -------
        ndarray of float32, shape (n, n_chans, n_times)
            Windows in volts. A read-only view of the mapped file where the indices count up by one inside one
            block of a shard, else a copy.

        Raises
        ------
        IndexError
            If an index is not that of a window of the group.
        """
        wanted = np.atleast_1d(np.asarray(indices, dtype=np.int64))
        if len(wanted) and not (wanted.min() >= 0 and wanted.max() < self.n_windows):
            raise IndexError(f"window {int(wanted.max())} of {self.n_windows}")
        owner = np.searchsorted(self._first, wanted, side="right") - 1
        inside = wanted - self._first[owner]
        view = self._view(owner, inside)
        if view is not None:
            return view
        out = np.empty((len(wanted), self.montage.n_chans, self._recipe.n_times), np.float32)
        for k in np.unique(owner):
            shard = self._shards.get(self._entries[k])
            rows = np.flatnonzero(owner == k)
            for row, i in zip(rows.tolist(), inside[rows].tolist(), strict=True):
                out[row] = shard.blocks[i // BATCH][i % BATCH]
        return out

    def _view(self, owner: NDArray[np.int64], inside: NDArray[np.int64]) -> NDArray[np.float32] | None:
        if not len(owner) or owner[0] != owner[-1] or (np.diff(inside) != 1).any():
            return None
        first, last = int(inside[0]), int(inside[-1])
        if first // BATCH != last // BATCH or (owner != owner[0]).any():
            return None
        block = self._shards.get(self._entries[int(owner[0])]).blocks[first // BATCH]
        return block[first % BATCH : last % BATCH + 1]


class Corpus:
    """Windows for pretraining; see `open`.

    Attributes
    ----------
    path : Path
        Folder of the corpus.
    recipe : Recipe
        Filters, window length and limits with which the windows were made.
    groups : list of Group
        Windows of each set of channels, the largest group first.
    """

    def __init__(self, path: Path, recipe: Recipe, groups: list[Group]) -> None:
        self.path, self.recipe, self.groups = path, recipe, groups

    @classmethod
    def open(cls, path: str | Path, verify: bool = False) -> Corpus:
        """Open a corpus that `prepare` wrote.

        Parameters
        ----------
        path : str or Path
            Folder of the corpus.
        verify : bool
            Read every shard and compare its SHA-256; without it sizes are compared.

        Raises
        ------
        NeuriptError
            No corpus there, none of its recordings gave a window, or a shard is missing or changed.
        """
        folder = Path(path)
        index = read_index(folder)
        recipe = Recipe.from_dict(index["recipe"])
        entries = [from_dict(ShardEntry, values, str(folder / INDEX)) for values in index["recordings"]]
        if not entries:
            raise NeuriptError(
                f"the corpus {folder} has no windows yet; run `neuript-train prepare` to its end, and "
                "read report.csv there for what was left out"
            )
        _check_shards(folder, entries, verify=verify)
        return cls(folder, recipe, _group(folder, entries, index["montages"], recipe))

    @property
    def sfreq(self) -> float:
        """Sampling rate of the windows in Hz."""
        return self.recipe.sfreq

    @property
    def n_times(self) -> int:
        """Number of samples of a window."""
        return self.recipe.n_times

    @property
    def n_windows(self) -> int:
        """Number of windows in all groups."""
        return sum(group.n_windows for group in self.groups)

    @property
    def hours(self) -> float:
        """Duration of the windows in hours."""
        return self.n_windows * self.recipe.window_s / 3600

    @property
    def simulated(self) -> bool:
        """Whether any recording is of a simulated person."""
        return any(entry.simulated for entry in self.entries)

    @property
    def entries(self) -> list[ShardEntry]:
        """Recordings of all groups."""
        return [entry for group in self.groups for entry in group.entries]

    @property
    def subjects(self) -> set[str]:
        """Ids of all people in it, `<dataset>/<subject>`."""
        return {entry.subject for entry in self.entries}

    @property
    def file_hashes(self) -> set[str]:
        """SHA-256 of every source file in hexadecimal digits, for leak checks."""
        return {digest for entry in self.entries for digest in entry.files.values()}

    def shard_checks(self) -> list[Callable[[], None]]:
        """Return a check of each shard, which raises NeuriptError where its SHA-256 is not that of the index."""
        return [partial(_check_hash, self.path, entry) for entry in self.entries]

    def describe(self) -> dict[str, Any]:
        """Return what a checkpoint or a model card should say about it, JSON-safe."""
        hours: dict[str, float] = defaultdict(float)
        for entry in self.entries:
            hours[entry.dataset] += entry.n_windows * self.recipe.window_s / 3600
        return {
            "recipe": self.recipe.to_dict(),
            "hours": round(self.hours, 4),
            "n_windows": self.n_windows,
            "n_recordings": len(self.entries),
            "datasets": {name: round(h, 4) for name, h in sorted(hours.items())},
            "groups": {g.name: {"n_windows": g.n_windows, "n_chans": g.montage.n_chans} for g in self.groups},
            "subjects": sorted(self.subjects),
            "file_hashes": sorted(self.file_hashes),
        }


class _Shards:
    """The shards that are mapped now; the one used longest ago is let go first."""

    def __init__(self, folder: Path, limit: int = OPEN_SHARDS) -> None:
        self._folder, self._limit = folder, limit
        self._open: OrderedDict[str, Shard] = OrderedDict()

    def get(self, entry: ShardEntry) -> Shard:
        shard = self._open.get(entry.shard)
        if shard is None:
            shard = Shard(self._folder / entry.shard)
            if len(shard) != entry.n_windows:
                raise _changed(self._folder / entry.shard, "holds another number of windows")
            self._open[entry.shard] = shard
            if len(self._open) > self._limit:
                self._open.popitem(last=False)
        self._open.move_to_end(entry.shard)
        return shard

    def __getstate__(self) -> dict[str, Any]:
        """Leave the mappings out: a worker process of a loader maps for itself."""
        return {"_folder": self._folder, "_limit": self._limit, "_open": OrderedDict()}


def read_index(folder: Path) -> dict[str, Any]:
    """Return what the index of a corpus says.

    Raises
    ------
    NeuriptError
        There is none, or it is damaged or of another version.
    """
    path = folder / INDEX
    if not path.is_file():
        raise NeuriptError(
            f"there is no corpus in {folder} ({INDEX} is missing); make one with `neuript-train prepare`"
        )
    try:
        index: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        known = index["format"] == FORMAT and index["version"] == VERSION
        Recipe.from_dict(index["recipe"])
    except (ValueError, KeyError, TypeError) as error:
        raise NeuriptError(
            f"{path} is damaged or of another version ({error}); run `neuript-train prepare` again"
        ) from error
    if not known:
        raise NeuriptError(f"{path} is not an index of version {VERSION} of {FORMAT}")
    return index


def _group(folder: Path, entries: Sequence[ShardEntry], montages: Mapping[str, Any], recipe: Recipe) -> list[Group]:
    shards = _Shards(folder)
    found: dict[str, list[ShardEntry]] = defaultdict(list)
    for entry in entries:
        found[entry.montage].append(entry)
    groups = [Group(Montage.from_dict(montages[key]), mine, recipe, shards) for key, mine in found.items()]
    return sorted(groups, key=lambda g: (-g.n_windows, g.name))


def _check_shards(folder: Path, entries: Sequence[ShardEntry], *, verify: bool) -> None:
    for entry in entries:
        path = folder / entry.shard
        if not path.is_file():
            raise _changed(path, "is missing")
        if path.stat().st_size != entry.n_bytes:
            raise _changed(path, f"has {path.stat().st_size} bytes instead of {entry.n_bytes}")
    if not verify:
        return
    with ThreadPoolExecutor(_HASHERS) as pool:  # hashing and reading leave the interpreter free
        try:
            for _ in pool.map(partial(_check_hash, folder), entries):
                pass
        except NeuriptError:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _check_hash(folder: Path, entry: ShardEntry) -> None:
    if file_sha256(folder / entry.shard) != entry.sha256:
        raise _changed(folder / entry.shard, "has another SHA-256 than its index says")


def _changed(path: Path, what: str) -> NeuriptError:
    return NeuriptError(f"the shard {path} {what}; run `neuript-train prepare` again with --verify to make it anew")
