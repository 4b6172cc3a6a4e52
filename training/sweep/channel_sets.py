"""Sets of channels out of one montage: two interleaved ones, and fewer that still cover the head."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from neuript.errors import NeuriptError
from neuript.montages import Montage

Order = Literal["partners", "names"]
"""Order of B's channels: each at the index of its neighbour in A, which suits positions that are an
index best; or alphabetical, as another amplifier might have them."""
OTHER_LOBE_M = 1.0
"""Added to the distance of channels of different lobes: neighbours are sought in the same one."""


def deal(montage: Montage) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Deal the channels out to two sets of the same size that both cover the head.

    Neighbours are paired, the nearest first, and of each pair one goes to A and one to B, so that
    the centres of the sets stay together. The last channel of an odd number is left out.

    Returns
    -------
    tuple of tuple of int
        Indices of A's channels in the order of the montage, and at each place that of the partner for B.

    Raises
    ------
    NeuriptError
        If a set would have fewer than two channels.
    """
    pairs = _pairs(montage)
    if len(pairs) < 2:
        raise NeuriptError(f"montage {montage.name!r} has {montage.n_chans} channels; two sets need at least 4")
    apart = np.zeros(3)
    dealt = []
    for i, j in pairs:
        step = montage.pos_m[i] - montage.pos_m[j]
        if np.linalg.norm(apart + step) > np.linalg.norm(apart - step):
            i, j, step = j, i, -step
        apart += step
        dealt.append((i, j))
    dealt.sort()
    return tuple(i for i, _ in dealt), tuple(j for _, j in dealt)


def pick_pair(
    montage: Montage, order: Order = "partners"
) -> tuple[tuple[Montage, list[int]], tuple[Montage, list[int]]]:
    """Return both sets as montages with the indices of their channels, B in the given order.

    Only lobes that both have are kept: a head that was trained on A then has as many inputs on B.

    Raises
    ------
    NeuriptError
        If the two halves have no lobe in common, or a set would have fewer than two channels.
    """
    in_a, in_b = (list(indices) for indices in deal(montage))
    if order == "names":
        in_b.sort(key=lambda i: montage.ch_names[i])
    a, b = (montage.pick([montage.ch_names[i] for i in indices]) for indices in (in_a, in_b))
    both = [lobe for lobe in a.lobes if lobe in b.lobes]
    if not both:
        raise NeuriptError(f"montage {montage.name!r}: its two halves have no lobe in common")
    return (_with_lobes(a, both, "A"), in_a), (_with_lobes(b, both, "B"), in_b)


def spread(montage: Montage, n: int) -> tuple[Montage, list[int]]:
    """Return `n` channels that lie far apart, as a montage and as indices in the order of the montage.

    The first is the one nearest to the middle of all, each further one that which is farthest from those chosen, so
    the channels of a smaller set are those of a larger one.

    Raises
    ------
    NeuriptError
        If the montage has fewer channels.
    """
    if not 1 <= n <= montage.n_chans:
        raise NeuriptError(f"channels: {n} must be 1 to the {montage.n_chans} of montage {montage.name!r}")
    pos = montage.pos_m
    chosen = [int(np.linalg.norm(pos - pos.mean(axis=0), axis=1).argmin())]
    while len(chosen) < n:
        away = np.linalg.norm(pos[:, None] - pos[chosen], axis=2).min(axis=1)
        away[chosen] = -1.0
        chosen.append(int(away.argmax()))
    indices = sorted(chosen)
    return replace(montage.pick([montage.ch_names[i] for i in indices]), name=f"{montage.name}-{n}"), indices


def _pairs(montage: Montage) -> list[tuple[int, int]]:
    """Pair neighbours, the nearest first; the largest steps are dealt first, to be balanced later."""
    n, pos = montage.n_chans, montage.pos_m
    lobes = [set(montage.lobes_of(i)) for i in range(n)]
    candidates = sorted(
        (float(np.linalg.norm(pos[i] - pos[j])) + OTHER_LOBE_M * (not lobes[i] & lobes[j]), i, j)
        for i in range(n)
        for j in range(i + 1, n)
    )
    free = set(range(n))
    pairs = []
    for distance, i, j in candidates:
        if i in free and j in free:
            free -= {i, j}
            pairs.append((distance, i, j))
    return [(i, j) for _, i, j in sorted(pairs, reverse=True)]


def _with_lobes(montage: Montage, lobes: list[str], name: str) -> Montage:
    kept = {lobe: montage.lobes[lobe] for lobe in lobes}
    return replace(montage, lobes=kept, name=f"{montage.name}-{name}")
