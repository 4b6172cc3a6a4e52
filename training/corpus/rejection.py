"""Which windows are no EEG: too large, flat, or offset throughout."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from neuript.training.corpus.recipe import Recipe

_AT_ONCE = 256


@dataclass(frozen=True, slots=True)
class Rejection:
    """The verdict on some windows.

    Attributes
    ----------
    amplitude, flat, offset : ndarray of bool, shape (n,)
        Whether each rule hits each window; a window may be hit by several.
    """

    amplitude: NDArray[np.bool_]
    flat: NDArray[np.bool_]
    offset: NDArray[np.bool_]

    @property
    def keep(self) -> NDArray[np.bool_]:
        """Mask of the windows that no rule hits, shape (n,)."""
        return ~(self.amplitude | self.flat | self.offset)

    def counts(self) -> dict[str, int]:
        """Windows per rule."""
        return {"amplitude": int(self.amplitude.sum()), "flat": int(self.flat.sum()), "offset": int(self.offset.sum())}


def judge(x_volts: NDArray[np.floating[Any]], recipe: Recipe) -> Rejection:
    """Apply the rejection rules of a recipe, in microvolts before companding.

    The paper prints "below 3 or above 3" for its second rule, which cannot be meant as it stands; taken are
    both readings that make sense: a channel with max |x| < 3 µV is flat, and one with min x > 3 µV or
    max x < -3 µV is offset throughout.

    Parameters
    ----------
    x_volts : ndarray, shape (n, n_chans, n_times)
        Windows in volts, out of the chain.
    recipe : Recipe
        Recipe with the limits, in microvolts.
    """
    n = len(x_volts)
    high, low = np.empty(x_volts.shape[:2]), np.empty(x_volts.shape[:2])
    for i in range(0, n, _AT_ONCE):
        part = x_volts[i : i + _AT_ONCE]
        high[i : i + _AT_ONCE] = part.max(axis=2)
        low[i : i + _AT_ONCE] = part.min(axis=2)
    amplitude, flat, offset = np.zeros((3, n), dtype=np.bool_)
    if recipe.reject_uv is not None:
        limit = recipe.reject_uv * 1e-6
        amplitude |= ~((high <= limit) & (low >= -limit)).all(axis=1)  # NaN is too large
    if recipe.flat_uv is not None:
        limit = recipe.flat_uv * 1e-6
        flat |= ((high < limit) & (low > -limit)).any(axis=1)
        offset |= ((low > limit) | (high < -limit)).any(axis=1)
    return Rejection(amplitude, flat, offset)
