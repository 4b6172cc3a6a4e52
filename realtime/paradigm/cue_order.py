"""In which order the classes are cued: balanced in each block, random, and the same for the same seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from neuript.errors import NeuriptError

MOST_IN_A_ROW = 3


def cue_order(classes: Sequence[str], trials_per_class: int, block: int, seed: int) -> tuple[str, ...]:
    """Return the classes of a block's trials in the order of showing.

    Parameters
    ----------
    classes : sequence of str
        Names of the classes, all different.
    trials_per_class : int
        How often each class comes in this block.
    block : int
        Number of the block, from 0 or 1 on; each block has an order of its own, whatever came before.
    seed : int
        Of the order.

    Returns
    -------
    tuple of str
        `len(classes) * trials_per_class` names, each class equally often, at most three of a class in a row (where
        there are two classes or more).

    Raises
    ------
    NeuriptError
        If there is no class, one is named twice, or a number is too small.
    """
    if not classes or len(set(classes)) < len(classes):
        raise NeuriptError(f"the classes are {', '.join(classes) or 'none'}; name at least one, and each once")
    if trials_per_class < 1 or block < 0 or seed < 0:
        raise NeuriptError(
            f"trials_per_class={trials_per_class}, block={block}, seed={seed}: use at least 1 trial, and no negative "
            "number"
        )
    rng = np.random.default_rng([seed, block, 21])
    left = dict.fromkeys(classes, trials_per_class)
    order: list[str] = []
    for draw in rng.random(trials_per_class * len(classes)):
        allowed = [name for name in classes if _may_come(name, order, left)] or [name for name in classes if left[name]]
        order.append(_drawn(allowed, [left[name] for name in allowed], float(draw)))
        left[order[-1]] -= 1
    return tuple(order)


def _drawn(names: Sequence[str], weights: Sequence[int], draw: float) -> str:
    """Return one of some names, each with a chance like its weight; `draw` lies in [0, 1)."""
    rest = draw * sum(weights)
    for name, weight in zip(names, weights, strict=True):
        rest -= weight
        if rest < 0:
            return name
    return names[-1]


def _may_come(name: str, order: Sequence[str], left: Mapping[str, int]) -> bool:
    """Tell whether a class may come next, and all that is left can still follow without a longer run."""
    run = _run(order, name) + 1
    if left[name] < 1 or run > MOST_IN_A_ROW:
        return False
    total = sum(left.values()) - 1
    for other, n_left in left.items():
        n, first = (n_left - 1, MOST_IN_A_ROW - run) if other == name else (n_left, MOST_IN_A_ROW)
        if n > MOST_IN_A_ROW * (total - n) + first:  # each of the others parts two runs
            return False
    return True


def _run(order: Sequence[str], name: str) -> int:
    """How many of a class the order ends with."""
    n = 0
    while n < len(order) and order[-1 - n] == name:
        n += 1
    return n
