"""A montage: the channels that a model or a cap has, where they sit, and how they are derived."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuript import specs
from neuript.errors import NeuriptError
from neuript.montages.names import canonical_name

REFERENCES = ("as recorded", "average", "bipolar")
"""What a channel is measured against: the amplifier's reference, the mean of the montage's own
electrodes, or the second electrode of its pair."""


@dataclass(frozen=True, eq=False)
class Montage:
    """Channels with names, positions, lobes and the electrodes that they are derived from.

    Positions are in metres with x to the right, y to the front and z up, in the frame of MNE's
    template head (``colin27_1005``, formerly ``standard_1005``), where Cz sits near (0, -0.01, 0.10).

    Attributes
    ----------
    name : str
        Name by which `load_montage` finds it, or the stem of a file.
    ch_names : tuple of str
        Channels in the model's order: ``"C3"``, or ``"Fp1-F7"`` for a bipolar pair.
    pos_m : ndarray, shape (n_chans, 3)
        Position of each channel in metres; a pair sits halfway between its electrodes.
    lobes : dict of str to tuple of int
        Channel indices per lobe; lobes may overlap and are never empty.
    electrodes : tuple of str
        The electrodes that the channels need.
    electrode_pos_m : ndarray, shape (n_electrodes, 3)
        Positions of these electrodes in metres.
    derivation : ndarray, shape (n_chans, n_electrodes)
        Channels from electrode potentials: identity, +1/-1 per pair, or minus the average.
    reference : str
        One of ``"as recorded"``, ``"average"``, ``"bipolar"``.
    source : str
        Where the positions come from.
    description : str
        One line about the montage.
    aliases : dict of str to str
        Labels that the amplifier may send and the electrode that each one means.
    estimated : tuple of str
        Electrodes that were not on the head when the model was made either: a plan need not find them.
    """

    name: str
    ch_names: tuple[str, ...]
    pos_m: NDArray[np.float64]
    lobes: dict[str, tuple[int, ...]]
    electrodes: tuple[str, ...]
    electrode_pos_m: NDArray[np.float64]
    derivation: NDArray[np.float64]
    reference: str = "as recorded"
    source: str = ""
    description: str = ""
    aliases: dict[str, str] = field(default_factory=dict)
    estimated: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Check that the parts agree, and make the arrays read-only."""
        n_chans, n_electrodes = len(self.ch_names), len(self.electrodes)
        shapes = {"pos_m": (n_chans, 3), "electrode_pos_m": (n_electrodes, 3), "derivation": (n_chans, n_electrodes)}
        for key, shape in shapes.items():
            array = np.array(getattr(self, key), dtype=np.float64)
            if array.shape != shape:
                raise self._wrong(f"{key} has shape {array.shape}, it must have {shape}")
            if not np.isfinite(array).all():
                raise self._wrong(f"{key} contains NaN or infinity")
            array.flags.writeable = False
            object.__setattr__(self, key, array)
        for key in ("ch_names", "electrodes"):
            twice = _first_duplicate(getattr(self, key))
            if twice is not None:
                raise self._wrong(f"{key} names {twice!r} twice")
        if n_chans == 0:
            raise self._wrong("it has no channels")
        if self.reference not in REFERENCES:
            raise self._wrong(f"reference is {self.reference!r}, it must be one of {', '.join(REFERENCES)}")
        self._check_lobes(n_chans)

    def _check_lobes(self, n_chans: int) -> None:
        if not self.lobes:
            raise self._wrong("it has no lobes")
        for lobe, indices in self.lobes.items():
            if not indices:
                raise self._wrong(f"lobe {lobe!r} is empty; leave it out")
            if len(set(indices)) != len(indices):
                raise self._wrong(f"lobe {lobe!r} lists a channel twice")
            if not all(0 <= index < n_chans for index in indices):
                raise self._wrong(f"lobe {lobe!r} has a channel index outside 0..{n_chans - 1}")

    def _wrong(self, what: str) -> NeuriptError:
        return NeuriptError(f"montage {self.name!r}: {what}")

    @property
    def n_chans(self) -> int:
        """Number of channels."""
        return len(self.ch_names)

    def lobe_groups(self) -> list[tuple[int, ...]]:
        """Return the channel indices of each lobe, in order."""
        return list(self.lobes.values())

    def lobes_of(self, index: int) -> tuple[str, ...]:
        """Return the names of the lobes that a channel belongs to."""
        return tuple(lobe for lobe, indices in self.lobes.items() if index in indices)

    def pick(self, names: Sequence[str]) -> Montage:
        """Return the montage of some of the channels, in the order given.

        Lobes keep what remains of them and vanish when nothing does; electrodes that no channel
        needs any more are dropped; an average reference is taken over the electrodes that remain.

        Raises
        ------
        NeuriptError
            If a name is not a channel of this montage, or comes twice, or a chosen set leaves no
            lobe at all.
        """
        where = {canonical_name(name).casefold(): i for i, name in enumerate(self.ch_names)}
        picked: list[int] = []
        for name in names:
            index = where.get(canonical_name(name).casefold())
            if index is None:
                raise self._wrong(f"has no channel {name!r}; its channels are {', '.join(self.ch_names)}")
            if index in picked:
                raise self._wrong(f"channel {name!r} was picked twice")
            picked.append(index)
        new_index = {old: new for new, old in enumerate(picked)}
        lobes = {lobe: tuple(new_index[i] for i in indices if i in new_index) for lobe, indices in self.lobes.items()}
        if self.reference == "bipolar":
            needed = np.flatnonzero(np.any(self.derivation[picked] != 0, axis=0))
        else:
            needed = np.array(picked, dtype=np.intp)
        smaller = replace(
            self,
            ch_names=tuple(self.ch_names[i] for i in picked),
            pos_m=self.pos_m[picked],
            lobes={lobe: indices for lobe, indices in lobes.items() if indices},
            electrodes=tuple(self.electrodes[i] for i in needed),
            electrode_pos_m=self.electrode_pos_m[needed],
            derivation=self.derivation[picked][:, needed],
            estimated=tuple(e for e in self.estimated if e in {self.electrodes[i] for i in needed}),
        )
        return smaller if self.reference == "bipolar" else smaller.with_reference(self.reference)

    def with_reference(self, reference: str) -> Montage:
        """Return the same channels against ``"average"`` or ``"as recorded"``.

        Raises
        ------
        NeuriptError
            If `reference` is another one, or the montage is bipolar: its pairs carry their own.
        """
        if reference == self.reference:
            wanted = self
        elif self.reference == "bipolar" or reference not in ("as recorded", "average"):
            raise self._wrong(
                f"reference {reference!r} is not possible for channels that are "
                f"{self.reference!r}; referential montages can be 'as recorded' or 'average'"
            )
        else:
            wanted = replace(self, reference=reference)
        if wanted.reference == "bipolar":
            return wanted
        derivation = np.eye(self.n_chans)
        if reference == "average":
            derivation -= 1.0 / self.n_chans
        return replace(wanted, derivation=derivation)

    def to_dict(self) -> dict[str, Any]:
        """Return plain lists, strings and numbers that JSON keeps exactly."""
        return {
            "name": self.name,
            "ch_names": list(self.ch_names),
            "pos_m": self.pos_m.tolist(),
            "lobes": {lobe: list(indices) for lobe, indices in self.lobes.items()},
            "electrodes": list(self.electrodes),
            "electrode_pos_m": self.electrode_pos_m.tolist(),
            "derivation": self.derivation.tolist(),
            "reference": self.reference,
            "source": self.source,
            "description": self.description,
            "aliases": dict(self.aliases),
            "estimated": list(self.estimated),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Montage:
        """Return the montage that `to_dict` wrote.

        Raises
        ------
        NeuriptError
            If a field is missing, unknown, or of the wrong kind.
        """
        values = {"estimated": [], **values}  # files from before there was such a thing
        specs.check_keys(cls, values, "the montage", complete=True)
        tables = {key: _numbers(values, key) for key in ("pos_m", "electrode_pos_m", "derivation")}
        return specs.from_dict(cls, {**values, **tables}, "the montage")

    def __eq__(self, other: object) -> bool:
        """Compare every field, arrays by value."""
        return isinstance(other, Montage) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        """Hash what is cheap and tells montages apart."""
        return hash((self.name, self.ch_names, self.reference))


def derive_pairs(pairs: Sequence[tuple[str, str]], electrodes: Sequence[str]) -> NDArray[np.float64]:
    """Return the matrix that takes electrode potentials to the differences first minus second."""
    index = {name: i for i, name in enumerate(electrodes)}
    derivation = np.zeros((len(pairs), len(electrodes)))
    for row, (first, second) in enumerate(pairs):
        derivation[row, index[first]] += 1.0
        derivation[row, index[second]] -= 1.0
    return derivation


def _first_duplicate(names: Sequence[str]) -> str | None:
    seen: set[str] = set()
    for name in names:
        if name.casefold() in seen:
            return name
        seen.add(name.casefold())
    return None


def _numbers(values: Mapping[str, Any], key: str) -> NDArray[np.float64]:
    try:
        array = np.array(values[key])
    except ValueError:
        array = np.array(None)
    if array.ndim != 2 or array.dtype.kind not in "iuf":
        raise NeuriptError(f"the montage: {key}={specs.short(values[key])} must be a table of numbers")
    return array.astype(np.float64)
