"""Two interleaved sets of channels out of one montage, for tests of a change of the montage."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from neuript.errors import NeuriptError
from neuript.montages import Montage

Order = Literal["montage", "names"]
"""Order of channels: that of the montage, or alphabetical, as another amplifier might have it."""


def deal(montage: Montage) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Deal the channels out to two sets of the same size, A and B.

    Lobe by lobe, front to back and left to right, the channels go in turn to A and to B, so that
    both sets cover the head. Lobes overlap in some montages; a channel counts for its first one. An
    odd channel is left out.

    Raises
    ------
    NeuriptError
        If a set would have fewer than two channels.
    """
    lobe_of = {}
    for lobe, indices in enumerate(montage.lobe_groups()):
        for index in indices:
            lobe_of.setdefault(index, lobe)
    pos = montage.pos_m
    order = sorted(
        range(montage.n_chans),
        key=lambda i: (lobe_of.get(i, len(montage.lobes)), -pos[i, 1], pos[i, 0], i),
    )
    a, b = order[0::2], order[1::2]
    n = min(len(a), len(b))
    if n < 2:
        raise NeuriptError(
            f"montage {montage.name!r} has {montage.n_chans} channels; two sets need at least 4"
        )
    return _names(montage, sorted(a[:n])), _names(montage, sorted(b[:n]))


def pick_pair(
    montage: Montage, order: Order = "montage"
) -> tuple[tuple[Montage, list[int]], tuple[Montage, list[int]]]:
    """Return both sets as montages with the indices of their channels, B in the given order.

    Only lobes that both have are kept: a head that was trained on A then has as many inputs on B.
    """
    names_a, names_b = deal(montage)
    if order == "names":
        names_b = tuple(sorted(names_b))
    a, b = montage.pick(names_a), montage.pick(names_b)
    both = [lobe for lobe in a.lobes if lobe in b.lobes]
    if not both:
        raise NeuriptError(f"montage {montage.name!r}: its two halves have no lobe in common")
    at = {name: i for i, name in enumerate(montage.ch_names)}
    return (
        (_with_lobes(a, both, "A"), [at[name] for name in names_a]),
        (_with_lobes(b, both, "B"), [at[name] for name in names_b]),
    )


def _with_lobes(montage: Montage, lobes: list[str], name: str) -> Montage:
    kept = {lobe: montage.lobes[lobe] for lobe in lobes}
    return replace(montage, lobes=kept, name=f"{montage.name}-{name}")


def _names(montage: Montage, indices: list[int]) -> tuple[str, ...]:
    return tuple(montage.ch_names[i] for i in indices)
